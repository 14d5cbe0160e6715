from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mlplugin.bundled.probes import GENERATORS, probes
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.model import load
from mlplugin.verdict import Level, Threat
from tests.e2e.system import free_port, mlplugin

from .test_up import Up


def test_probes_are_what_they_are_taken_for() -> None:
    model = load()
    found = probes(model, seed=3)
    assert set(found) == set(Threat)
    planted = [probe for group in found.values() for probe in group]
    assert len({probe.threat for probe in planted}) >= 3
    for probe in planted:
        again = model.judge(probe.qname)
        assert again.threat == probe.threat
        assert again.level != Level.BENIGN
        assert again.source == "model"
    assert probes(model, seed=3) == found
    assert probes(model, seed=4) != found


@pytest.mark.parametrize("threat", GENERATORS)
def test_candidates_differ(threat: Threat) -> None:
    dice = random.Random(5)
    drawn = {GENERATORS[threat](dice) for _ in range(500)}
    assert len(drawn) > 490


@pytest.mark.e2e
@pytest.mark.slow
def test_a_system_of_its_own_passes() -> None:
    done = mlplugin("selftest", "--format", "jsonl", timeout=1500)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows[-1]["threat"] == "benign"
    assert all(row["passed"] for row in rows)
    assert all(
        row[part] == "ok" for row in rows for part in ("detected", "action", "event", "search")
    )
    assert f"{len(rows)} of {len(rows)} passed" in done.stderr


@pytest.mark.e2e
@pytest.mark.slow
def test_a_running_system_passes_whatever_it_does(tmp_path: Path) -> None:
    with Upstream(Script()) as upstream:
        up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}", "--on", "malicious nodata")
        up.start()
        done = mlplugin(
            "selftest", "--dns", f"127.0.0.1:{up.dns}", "--service", up.url, "--format", "jsonl"
        )
        assert up.stop() == 0
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e
@pytest.mark.slow
def test_a_system_that_does_not_judge_fails(tmp_path: Path) -> None:
    """The probes' denial: the same system with another server in front, which stores nothing."""
    with Upstream(Script()) as upstream:
        up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}")
        up.start()
        done = mlplugin(
            "selftest", "--dns", f"127.0.0.1:{upstream.port}", "--service", up.url,
            "--format", "jsonl", "--patience", "1",
        )  # fmt: skip
        assert up.stop() == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert {row["detected"] for row in rows} == {"no event"}
    assert f"0 of {len(rows)} passed" in done.stderr


@pytest.mark.e2e
def test_no_system_is_said_in_one_line() -> None:
    service = f"http://127.0.0.1:{free_port()}"
    done = mlplugin("selftest", "--dns", f"127.0.0.1:{free_port()}", "--service", service)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith(f"mlplugin: no service answers at {service}")
