"""The way of those who build their own CoreDNS: one line in plugin.cfg, generate, build."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
GO = Path(sys.executable).with_name("go")
PLUGIN = "github.com/mlplugin/mlplugin"
LINE = f"mlplugin:{PLUGIN}/coredns/mlplugin"


def go(folder: Path, *arguments: str) -> str:
    """Run go in a folder; give its output, or fail with what it said."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=mod"}
    environment["PATH"] = f"{GO.parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [str(GO), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"go {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def coredns(tmp_path: Path) -> Path:
    """The sources of the CoreDNS that go.mod asks for, as the module proxy has them."""
    required = re.search(r"github\.com/coredns/coredns (v\S+)", (ROOT / "go.mod").read_text())
    assert required is not None
    module = json.loads(
        go(ROOT, "mod", "download", "-json", f"github.com/coredns/coredns@{required[1]}")
    )
    source = tmp_path / "coredns"
    shutil.copytree(module["Dir"], source)
    for path in (source, *source.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return source


def test_one_line_in_plugin_cfg(coredns: Path) -> None:
    plugins = coredns / "plugin.cfg"
    text = plugins.read_text()
    assert "\nacl:acl\n" in text
    plugins.write_text(text.replace("\nacl:acl\n", f"\nacl:acl\n{LINE}\n"))
    go(coredns, "mod", "edit", f"-require={PLUGIN}@v0.0.0", f"-replace={PLUGIN}={ROOT}")
    go(coredns, "generate", "coredns.go")
    directives = (coredns / "core" / "dnsserver" / "zdirectives.go").read_text()
    assert re.search(r'"acl",\s+"mlplugin",\s+"cache",', directives)
    go(coredns, "build", "-trimpath", "-o", "coredns", ".")
    listed = subprocess.run(
        [str(coredns / "coredns"), "-plugins"], capture_output=True, text=True, check=True
    )
    assert {"acl", "mlplugin", "cache"} <= set(listed.stdout.split())
    corefile = coredns / "Corefile"
    corefile.write_text(".:0 {\n    mlplugin {\n        modle x\n    }\n}\n")
    refused = subprocess.run(
        [str(coredns / "coredns"), "-conf", str(corefile)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode != 0
    assert 'did you mean "model"' in refused.stdout + refused.stderr
