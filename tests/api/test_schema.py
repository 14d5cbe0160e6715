"""The description against the server: whatever it allows must be answered as it says."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pydantic import BaseModel

import mlplugin.api
from tests.api.conftest import Live
from tests.support.events import event, ndjson

# JSON schema cannot say what a domain name, an address or a time is, so that
# some texts that it allows are refused. Nor that a decision for one client is another one than
# that for everybody: it is there when the other is taken back.
EXCLUDED = "positive_data_acceptance,use_after_free"
EXAMPLES = 25
ROOT = Path(__file__).resolve().parents[2]


def test_schemathesis(live: Live, tmp_path: Path) -> None:
    live.send(ndjson(event(n) for n in range(20)))
    live.ask("PUT", "/api/v1/overrides/example.org", {"status": "blocked"})
    report = tmp_path / "junit.xml"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{live.url}/openapi.json",
            "--checks=all",
            f"--exclude-checks={EXCLUDED}",
            f"--max-examples={EXAMPLES}",
            "--seed=1",
            "--mode=all",
            "--no-color",
            "--report=junit",
            f"--report-junit-path={report}",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
        },
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert report.read_text().count("<testcase") >= 15
    assert live.ask("GET", "/readyz").status == 200


def test_every_shape_has_a_name_of_its_own() -> None:
    """Of two of one name the description would hold one, for the answers of both."""
    for module in pkgutil.iter_modules(mlplugin.api.__path__):
        importlib.import_module(f"mlplugin.api.{module.name}")
    shapes = [shape for shape in _below(BaseModel) if shape.__module__.startswith("mlplugin.api.")]
    names = Counter(shape.__name__ for shape in shapes)
    assert names
    assert [name for name, count in names.items() if count > 1] == []


def _below(shape: type[BaseModel]) -> set[type[BaseModel]]:
    return {below for one in shape.__subclasses__() for below in (one, *_below(one))}
