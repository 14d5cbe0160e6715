"""`mlplugin train --from-history`: in this process, and by a running service."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlplugin.cli import retrain
from mlplugin.cli.main import main
from mlplugin.cli.wishes import Wishes
from mlplugin.errors import MlpluginError, StoreError
from mlplugin.model import load
from mlplugin.service.registry import Registry
from mlplugin.store import open_store
from mlplugin.store.port import Override
from mlplugin.training.retraining import run
from mlplugin.training.retraining.rehearsal import Rehearsal, rehearsal
from tests.support.events import event, table
from tests.support.families import syllables
from tests.support.models import TINY

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a history and decisions, and little to rehearse."""

    def little(seed: int, _each: int, domains: Sequence[str]) -> Rehearsal:
        return rehearsal(seed, 40, domains)

    monkeypatch.setattr(run, "rehearsal", little)
    place = tmp_path / "data"
    Registry(place).promote(TINY)
    store = open_store(None, place)
    rows = [event(n, qname=f"www.shop{n % 150}.net", registered_domain=f"shop{n % 150}.net")
            for n in range(900)]  # fmt: skip
    store.append("edge", table(rows))
    now = datetime.now(UTC)
    for name in syllables(1, 20):
        store.put_override(Override(name, "name", "blocked", None, None, "", now), "ann")
    store.close()
    return place


def test_it_makes_a_candidate_here(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["train", "--from-history", "--data-dir", str(data), "--threat", "dga", "--out",
             str(out), "--progress", "-"]  # fmt: skip
    status = main(words)
    told = capsys.readouterr()
    assert status == 0, told.err
    version = f"{load(TINY).version}+1"
    assert f"mlplugin models promote {version}" in told.out
    assert "decided names learnt from: " in told.err
    assert "vetted names are taken for: 20 dga; " in told.err
    first, second = (told.err.index(f"{look} look: fitting") for look in ("first", "second"))
    assert first < told.err.index("pass 4 of 4") < second < told.err.rindex("pass 1 of 4")
    assert load(out).version == version
    (origin,) = Registry(data).origins().values()
    assert (origin.version, origin.parent) == (version, load(TINY).version)
    kinds = {json.loads(line)["event"] for line in told.out.splitlines() if line[0] == "{"}
    assert {"stage", "progress", "measured"} <= kinds
    assert main(words) == 2  # it is there
    assert "not empty" in capsys.readouterr().err


def report(before: int, after: int, of: int, held: int = 0) -> dict[str, Any]:
    """What a retraining came to; so many of the malicious names were held back, found as before."""

    def part(found: int, malicious: int) -> dict[str, int]:
        return {"found": found, "malicious": malicious, "let_be": 0, "benign": 0}

    learnt = {"before": part(before, of), "after": part(after, of)}
    back = {"before": part(0, held), "after": part(0, held)}
    return {
        "version": "1.0+1",
        "decided": {"learnt": learnt, "held_back": back},
        "guard": {when: {"false_positives": {}, "finds": {}} for when in ("before", "after")},
        "root": {"measured": None},
        "changes": {"stricter": [], "milder": []},
        "refused": [],
    }


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((7, 8, 32, 0), "8 of 32 malicious names that were decided on are found, before 7"),
        ((0, 40, 40, 10), "0 of 10 malicious names that were held back are found, before 0"),
        ((1, 4, 32, 9), "4 of 41 malicious names that were decided on are found, before 1"),
        ((15, 16, 32, 0), None),  # half of them
        ((7, 11, 32, 0), None),  # over a tenth more
        ((0, 0, 0, 0), None),  # benign ones alone
    ],
)
def test_a_candidate_that_learnt_little_is_called_so(
    counts: tuple[int, int, int, int], said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain.conclude(report(*counts))
    told = capsys.readouterr()
    assert ("learnt little: `mlplugin models promote" in told.out) == (said is not None)
    if said is None:
        assert "learnt little" not in told.err
        return
    assert f"it learnt little: {said}" in told.err
    assert ("below 50 decided names nothing is held back" in told.err) == (counts[3] == 0)


def test_changes_say_whether_they_go_the_way_of_decisions() -> None:
    row = {"before": "benign", "after": "suspicious", "queries": 1}
    rows = [{**row, "name": f"{decided}.net", "decided": decided}
            for decided in ("dga", "benign", None)]  # fmt: skip
    changes = {"stricter": rows, "milder": [{**rows[0], "queries": 2}]}
    said = list(retrain.told(report(9, 9, 9) | {"changes": changes}))[-4:]
    assert said == [
        "stricter: dga.net benign -> suspicious, 1 query, as decided",
        "stricter: benign.net benign -> suspicious, 1 query, against a decision",
        "stricter: None.net benign -> suspicious, 1 query",
        "milder: dga.net benign -> suspicious, 2 queries, against a decision",
    ]


@pytest.mark.parametrize("version", ["taken", "../x"])
def test_a_version_that_cannot_be_is_told_before_the_work(
    version: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "models" / "taken").mkdir()
    monkeypatch.setattr(run, "retrain", lambda *_: pytest.fail("it began"))
    words = ["train", "--from-history", "--data-dir", str(data), "--version", version]
    assert main(words) == 2
    assert version in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from-history", "--passes", "3"], "--passes says nothing with"),
        (["--from-history", "--restart"], "--restart says nothing with"),
        (["--data", ".", "--out", "model", "--threat", "dga"], "--threat says nothing without"),
    ],
)
def test_options_of_the_other_way(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_seed_is_not_passed_over() -> None:
    """A service has its own."""
    wishes = Wishes(NOBODY, None, None, None, None, None, None, 7, None)
    assert wishes.is_local
    assert not replace(wishes, seed=1).is_local


def test_too_few_decisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_store(None, tmp_path / "data").close()
    assert main(["train", "--from-history", "--data-dir", str(tmp_path / "data")]) == 2
    assert "0 names are decided on" in capsys.readouterr().err


def test_without_a_service_and_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["train", "--from-history", "--service", NOBODY, "--data-dir",
                   str(tmp_path / "none")])  # fmt: skip
    assert status == 3
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert f"there is no history at {tmp_path / 'none'}" in told
    assert "name the place with --data-dir; " in told


def test_a_place_that_cannot_be_written_is_named_by_its_option(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--data` is the folder of labelled names here."""

    def made(order: run.Order, *_: object) -> dict[str, Any]:
        shutil.copytree(TINY, order.out)
        return {"parent": {"version": "1.0", "sha256": "0"}, "data_sha256": "0"}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "retrain", made)
    monkeypatch.setattr(fcntl, "flock", full)
    assert main(["train", "--from-history", "--data-dir", str(data)]) == 3
    told = capsys.readouterr().err
    assert "No space left" in told
    assert told.endswith("name another directory with --data-dir\n")


class Busy:
    """A service whose job three others follow already."""

    url = NOBODY

    def __init__(self, states: list[str]) -> None:
        self.states = states

    def request(self, path: str, **_about: object) -> dict[str, object]:
        if path == "/api/v1/jobs":
            material = {"by_threat": {"tunnel": 1, "dga": 23}}
            return {"id": "1", "parent": "1.0", "material": material}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"state": state, "reason": "memory ran out", "report": {"version": "1.0+1"}}

    def open(self, _path: str) -> object:
        raise StoreError("3 already follow jobs: ask /api/v1/jobs/1 instead")


def test_a_job_that_cannot_be_listened_to_is_asked_how_it_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does not end before the job that it began."""
    monkeypatch.setattr(retrain, "LOOK_SECONDS", 0.001)
    wishes = Wishes(NOBODY, None, None, None, None, None, None, 1, None)
    client: Any = Busy(["running", "running", "done"])
    assert retrain._there(client, wishes) == {"version": "1.0+1"}
    said = capsys.readouterr().err
    assert "the job goes on: 3 already follow jobs" in said
    assert "vetted names are taken for: 23 dga, 1 tunnel; where that is wrong, `--threat`" in said
    client = Busy(["running", "failed"])
    with pytest.raises(MlpluginError, match="the job is failed: memory ran out"):
        retrain._there(client, wishes)


def test_training_anew_needs_names_and_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "--from-history" in capsys.readouterr().err
