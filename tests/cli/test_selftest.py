from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from mlplugin.api import create_app
from mlplugin.api.server import Server
from mlplugin.bundled import selftest
from mlplugin.bundled.ports import free_port
from mlplugin.bundled.probes import GENERATORS, probes
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.cli import main, probing
from mlplugin.cli.client import Client
from mlplugin.model import load, shipped
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.store import open_store
from mlplugin.verdict import Level, Threat
from tests.e2e.system import mlplugin
from tests.support.threads import running

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


def promoted(folder: Path, version: str) -> Path:
    """A data directory on which a copy of the shipped model is in use."""
    model = Path(shutil.copytree(shipped(), folder / f"copy-{version}"))
    config = json.loads((model / "config.json").read_text()) | {"version": version}
    (model / "config.json").write_text(json.dumps(config))
    Registry(folder / "data").promote(model)
    return folder / "data"


def test_the_running_service_says_which_model_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = promoted(tmp_path, "0.9")
    said = {"version": load().version}

    def request(self: Client, path: str, **_: object) -> object:
        assert path == "/api/v1/classify"
        return {"verdicts": [{"model": said["version"]}]}

    monkeypatch.setattr(Client, "request", request)
    assert probing._in_use(data).name == "0.9"
    assert probing._in_use(tmp_path / "none") == shipped()
    # It may run on another data directory, or with a --model of its own.
    assert probing._running("http://127.0.0.1:5000", data) == shipped()
    said["version"] = "0.9"
    assert probing._running("http://127.0.0.1:5000", data).name == "0.9"
    assert capsys.readouterr().err == ""
    assert probing._running("http://127.0.0.1:5000", tmp_path / "none") == shipped()
    (line,) = capsys.readouterr().err.splitlines()
    assert "the service judges with model 0.9, which is not in" in line
    assert f"probes are picked with {load().version}" in line


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("running", [True, False])
def test_the_model_in_use_is_tried(running: bool, tmp_path: Path) -> None:
    data = promoted(tmp_path, "0.9")
    with Upstream(Script()) as upstream:
        place = ["--data", str(data)]
        if running:
            up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}")
            up.start()
            place += ["--dns", f"127.0.0.1:{up.dns}", "--service", up.url]
        done = mlplugin("selftest", *place, "--format", "jsonl", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed, model 0.9" in done.stderr


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


def test_a_server_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a test of a minute, all of whose answers are missing."""
    monkeypatch.setattr(selftest, "ANSWER_SECONDS", 0.2)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    service = assemble(open_store(None, tmp_path), load())
    server = Server(create_app(service), "127.0.0.1", 0)
    where = ["--service", f"http://127.0.0.1:{server.port}", "--dns", f"127.0.0.1:{free_port()}"]
    with running(server.run, server.stop):
        assert main(["selftest", *where]) == 3
    service.close()
    told = capsys.readouterr()
    assert "nothing answers at 127.0.0.1:" in told.err
    assert "`mlplugin up`" in told.err
    assert told.out == ""
