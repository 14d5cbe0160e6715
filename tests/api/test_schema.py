"""The description against the server: whatever it allows must be answered as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.api.conftest import Live
from tests.support.events import event, ndjson

# JSON schema cannot say what a domain name, an address or a time is, so that
# some texts that it allows are refused.
EXCLUDED = "positive_data_acceptance"
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
