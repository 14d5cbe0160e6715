"""`hindsight` and `hunt`: against a running service, and against the file alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlplugin.api import create_app
from mlplugin.api.server import Server
from mlplugin.cli import main
from mlplugin.model import load
from mlplugin.service.hindsight import Replay
from mlplugin.service.service import assemble
from mlplugin.store import open_store
from tests.support.events import event, ndjson
from tests.support.models import TINY, variant
from tests.support.threads import running

NOBODY = "http://127.0.0.1:1"
BAD, CALM, DECIDED = "pwzrokdguffzdnpwcaxaqfjv.cn", "tea-shop.com", "garden-house.com"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    service = assemble(open_store(None, place), load(TINY))
    rows = [event(n, qname=BAD, registered_domain=None, client=f"192.0.2.{n}") for n in range(12)]
    rows += [
        event(n, qname=CALM, registered_domain=None, verdict="malicious", action="nxdomain")
        for n in range(12, 15)
    ]
    rows.append(event(15, qname=DECIDED, registered_domain=None))
    service.ingest.take("edge", ndjson(rows))
    service.vetting.decide(DECIDED, "blocked", who="me", client="192.0.2.0/24")
    service.close()
    return place


@pytest.fixture(params=["service", "file"])
def places(request: pytest.FixtureRequest, data: Path) -> Iterator[list[str]]:
    """The options that lead to the history."""
    if request.param == "file":
        yield ["--service", NOBODY, "--data", str(data)]
        return
    service = assemble(open_store(None, data), load(TINY))
    server = Server(create_app(service), "127.0.0.1", 0)
    with running(server.run, server.stop):
        yield ["--service", f"http://127.0.0.1:{server.port}", "--data", str(data)]
    service.close()


def test_hindsight(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["hindsight", *places, "--model", str(TINY)]
    assert main([*arguments, "--format", "jsonl"]) == 0
    out, err = capsys.readouterr()
    rows = {row["qname"]: row for row in map(json.loads, out.splitlines())}
    assert {name: row["change"] for name, row in rows.items()} == {
        BAD: "newly_blocked", CALM: "no_longer_blocked", DECIDED: "newly_blocked",
    }  # fmt: skip
    assert (rows[BAD]["queries"], rows[BAD]["clients"], len(rows[BAD]["asked_by"])) == (12, 12, 10)
    assert rows[DECIDED]["source"] == "override"
    assert "16 queries for 3 names, model 0.0.1: 13 queries for 2 names" in err
    assert main([*arguments, "--no-overrides", "--limit", "1", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["qname"] == BAD
    assert row["asked_by"].endswith(" +2")


def test_policies(places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deny = tmp_path / "deny.txt"
    deny.write_text(f"0.0.0.0 {CALM}\nwhat is this\n")
    arguments = [
        "hindsight",
        *places,
        "--model",
        str(TINY),
        "--deny",
        str(deny),
        "--format",
        "jsonl",
    ]
    assert main([*arguments, "--malicious", "40", "--on", "suspicious refuse"]) == 0
    out, err = capsys.readouterr()
    rows = {row["qname"]: row for row in map(json.loads, out.splitlines())}
    assert rows[BAD]["verdict"] == "suspicious"
    assert rows[CALM]["change"] == "no_longer_blocked"  # malicious is only observed
    assert "deny.txt: 1 lines are not understood" in err


def test_hunt(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["hunt", *places, "--model", str(TINY), "--format", "jsonl"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["qname"] for row in rows] == [BAD, DECIDED]
    assert rows[0]["asked_by"][0]["client"] == "192.0.2.0"
    assert "are malicious now" in err
    assert main([*arguments, "--client", "198.51.100.1", "--since", "2026-01-01"]) == 0
    out, err = capsys.readouterr()
    assert (out, "nothing is new" in err) == ("", True)


def test_versions_that_are_here(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--service", NOBODY, "--data", str(data)]
    assert (
        main(["models", "promote", str(variant(tmp_path, "0.9")), "--force", "--data", str(data)])
        == 0
    )
    (data / "models" / "shadow").symlink_to(TINY)
    capsys.readouterr()
    for wanted, said in (
        ([], "0.9"),
        (["--model", "0.9"], "0.9"),
        (["--model", "shadow"], "0.0.1"),
    ):
        assert main(["hindsight", *place, *wanted, "--format", "table"]) == 0
        assert f"model {said}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--model", "9.9"], 2, "no such version in DATA/models"),
        (["--model", "shadow"], 2, "no model is the shadow in DATA/models"),
        (["--model", "NEWER"], 3, "format 99 is not known"),
        (["--model", "/dev/null"], 2, "no such directory"),
        (["--deny", "none.txt"], 2, "list none.txt cannot be read"),
        (["--since", "yesterday"], 2, "yesterday"),
        (["--malicious", "3"], 2, "above malicious"),
        (["--suspicious", "70"], 2, "70"),
        (["--on", "malicious"], 2, "write VERDICT"),
        (["--client", "me"], 2, "is no address"),
    ],
)
def test_what_makes_no_sense(
    *,
    arguments: list[str],
    status: int,
    said: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    newer = variant(tmp_path, "0.9")
    config = json.loads((newer / "config.json").read_text())
    (newer / "config.json").write_text(json.dumps(config | {"format": 99}))
    words = [str(newer) if word == "NEWER" else word for word in arguments]
    if "--model" not in words:
        words += ["--model", str(TINY)]
    assert main(["hindsight", "--service", NOBODY, "--data", str(data), *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert said.replace("DATA", str(data.absolute())) in line


def test_no_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    open_store(None, empty).close()
    for command in ("hindsight", "hunt"):
        place = ["--service", NOBODY, "--data", str(empty), "--model", str(TINY)]
        assert main([command, *place, "--format", "jsonl"]) == 0
        out, err = capsys.readouterr()
        assert (out, err.startswith("0 queries for 0 names")) == ("", True)
        assert main([command, *place[:3], str(tmp_path / "none"), "--model", str(TINY)]) == 3
        assert "no service answers" in capsys.readouterr().err


def test_interrupted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: Replay) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Replay, "run", stop)
    place = ["--service", NOBODY, "--data", str(data), "--model", str(TINY)]
    assert main(["hunt", *place]) == 130
    open_store(None, data).close()  # and nothing holds the history
