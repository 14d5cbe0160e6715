"""Runs that are killed, stopped and refused, and what the same command makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlplugin.cli.main import main
from mlplugin.errors import MlpluginError, UsageError
from mlplugin.training import checkpoint, job, memory, pipeline, plots
from mlplugin.training.progress import JsonLines, Moment
from mlplugin.training.run import Order
from tests.training.conftest import HEADER, SMALL, benign, noise, table

DRAW = plots.draw
CREATED = "2026-12-01T00:00:00Z"


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.moments: list[Moment] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.on_moment: Callable[[Moment], object] = lambda _: None
        self.on_event: Callable[[str, dict[str, Any]], object] = lambda _, __: None

    def line(self, text: str) -> None:
        self.lines.append(text)

    def moment(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.on_moment(moment)

    def event(self, kind: str, **about: Any) -> None:
        self.events.append((kind, about))
        self.on_event(kind, about)

    def close(self) -> None:
        pass


def order(data: Path, out: Path) -> Order:
    return Order(data, out, "2026.12.0", SMALL, False, (), CREATED)


@pytest.fixture(scope="module", autouse=True)
def _without_plots() -> Iterator[None]:
    """Drawing takes longer than all the rest, and is the same whatever happened to the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "draw", lambda *_: [])
        yield


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(
    labelled: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], Listener]:
    """The model of a run that nothing interrupted, and what was told of it."""
    out, listener = tmp_path_factory.mktemp("whole") / "model", Listener()
    job.train(order(labelled, out), [listener])
    assert not job.partial(out).exists()
    return digest(out), listener


def test_the_directory_is_the_same_to_the_byte(
    labelled: Path, whole: tuple[dict[str, str], Listener], tmp_path: Path
) -> None:
    assert {"config.json", "weights.safetensors", "metrics.json", "README.md"} == set(whole[0])
    out = tmp_path / "another" / "name"
    job.train(order(labelled, out), every=0)
    assert digest(out) == whole[0]


def test_plots_are_the_same_and_one_core_is_as_good(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "draw", DRAW)
    job.train(order(labelled, tmp_path / "one"))

    def on_one_core() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        job.train(order(labelled, tmp_path / "two"))

    assert forked(on_one_core) == 0
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert "roc.svg" in digest(tmp_path / "two")


def forked(work: Callable[[], object]) -> int:
    """Do this in a child, which has all compiled code already; its status as ``waitpid`` has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which idle here
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def end_in_a_pass(number: int, _: Path) -> Listener:
    listener = Listener()
    listener.on_moment = lambda moment: (
        moment.number == 2 and moment.done * 2 > moment.total and os.kill(os.getpid(), number)
    )
    return listener


def end_in_a_write(number: int, out: Path) -> Listener:
    """The file is flushed to the disk and not renamed yet."""
    sync = os.fsync

    def torn(file: int) -> None:
        sync(file)
        if any(job.partial(out).glob("*/0001-*.safetensors.part")):
            os.kill(os.getpid(), number)

    os.fsync = torn  # in the child only
    return Listener()


def end_behind_the_fit(number: int, _: Path) -> Listener:
    listener = Listener()
    listener.on_event = lambda _kind, about: (
        about.get("stage") == "measuring" and os.kill(os.getpid(), number)
    )
    return listener


@pytest.mark.parametrize("end", [end_in_a_pass, end_in_a_write, end_behind_the_fit])
def test_a_killed_run_goes_on_to_the_same_bytes(
    end: Callable[[int, Path], Listener],
    labelled: Path,
    whole: tuple[dict[str, str], Listener],
    tmp_path: Path,
) -> None:
    out = tmp_path / "model"
    status = forked(lambda: job.train(order(labelled, out), [end(signal.SIGKILL, out)], every=0))
    assert status == -signal.SIGKILL
    assert not out.exists()
    assert job.partial(out).exists()
    listener = Listener()
    job.train(order(labelled, out), [listener])
    assert digest(out) == whole[0]
    assert not job.partial(out).exists()
    assert listener.events[0] == (
        "start", {"out": str(out), "version": "2026.12.0", "resumed": True}
    )  # fmt: skip
    assert len(listener.moments) < len(whole[1].moments)


def test_a_stopped_run_says_how_it_goes_on(
    labelled: Path, whole: tuple[dict[str, str], Listener], tmp_path: Path
) -> None:
    out = tmp_path / "model"
    stopped = end_in_a_pass(signal.SIGINT, out)
    with pytest.raises(KeyboardInterrupt):
        job.train(order(labelled, out), [stopped], every=3600)
    assert stopped.lines[-1] == f"interrupted; the same command goes on from {job.partial(out)}"
    assert stopped.events[-1] == ("interrupted", {"saved": True})
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = stopped.moments[-1]
    listener = Listener()
    job.train(order(labelled, out), [listener])
    assert f"going on in pass 2 of 3, after {done.done:,} names" in listener.lines
    assert listener.moments[0].done > done.done
    assert digest(out) == whole[0]


def test_stopped_before_the_fit_it_leaves_nothing(labelled: Path, tmp_path: Path) -> None:
    out, listener = tmp_path / "model", Listener()
    listener.on_event = lambda _kind, about: (
        about.get("stage") == "samples" and os.kill(os.getpid(), signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        job.train(order(labelled, out), [listener])
    assert "before anything was saved" in listener.lines[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def half_done(labelled: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the data, and a model directory whose training was stopped."""
    data, out = tmp_path / "data", tmp_path / "model"
    shutil.copytree(labelled, data)
    with pytest.raises(KeyboardInterrupt):
        job.train(order(data, out), [end_in_a_pass(signal.SIGINT, out)], every=0)
    return data, out


def test_what_was_learnt_from_other_things_is_refused(
    half_done: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = half_done
    before = sorted(job.partial(out).rglob("*"))
    other = replace(order(data, out), recipe=replace(SMALL, seed=2, rate=0.3))
    with pytest.raises(UsageError) as refused:
        job.train(other)
    assert "rate was 0.2, is 0.3; seed was 1, is 2" in str(refused.value)
    assert "--restart" in str(refused.value)
    (data / "benign_fqdn.tsv.gz").unlink()
    (data / "benign_hard.tsv").write_text(HEADER + "a.example.org\tbenign\thard\t\t\tx\n")
    with pytest.raises(UsageError) as refused:
        job.train(order(data, out))
    assert "benign_fqdn.tsv.gz is gone; benign_hard.tsv is new" in str(refused.value)
    monkeypatch.setattr(checkpoint, "code", lambda: "newer")
    with pytest.raises(UsageError, match="other code"):
        job.train(order(data, out))
    assert sorted(job.partial(out).rglob("*")) == before


def test_restart_begins_anew(
    half_done: tuple[Path, Path], whole: tuple[dict[str, str], Listener]
) -> None:
    data, out = half_done
    (job.partial(out) / "run.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read: --restart"):
        job.train(order(data, out))
    listener = Listener()
    job.train(order(data, out), [listener], restart=True)
    assert len(listener.moments) == len(whole[1].moments)
    assert digest(out) == whole[0]


def test_a_damaged_checkpoint_is_passed_over(
    half_done: tuple[Path, Path], whole: tuple[dict[str, str], Listener]
) -> None:
    data, out = half_done
    *_, newest = sorted(job.partial(out).glob("*/*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1
    newest.write_bytes(content)
    listener = Listener()
    job.train(order(data, out), [listener])
    assert f"{newest}: damaged (its digest is wrong); passed over" in listener.lines
    assert any(line.startswith("going on in pass 2") for line in listener.lines)
    assert digest(out) == whole[0]


def test_a_full_disk_leaves_what_was_saved(
    half_done: tuple[Path, Path], whole: tuple[dict[str, str], Listener]
) -> None:
    data, out = half_done
    kept = {path: path.read_bytes() for path in job.partial(out).glob("*/*.safetensors")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the kernel refuses more
    try:
        with pytest.raises(MlpluginError, match="File too large; those before are whole: make"):
            job.train(order(data, out), every=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in job.partial(out).glob("*/*.safetensors*")} == kept
    job.train(order(data, out))
    assert digest(out) == whole[0]


def test_two_runs_at_one_place(labelled: Path, tmp_path: Path) -> None:
    out, listener = tmp_path / "model", Listener()
    refused: list[str] = []

    def second(_kind: str, about: dict[str, Any]) -> None:
        if about.get("stage") == "reading":
            with pytest.raises(UsageError) as error:
                job.train(order(labelled, out))
            refused.append(str(error.value))

    listener.on_event = second
    job.train(order(labelled, out), [listener])
    assert len(refused) == 1
    assert "another training run is at work" in refused[0]
    assert out.exists()


def test_what_cannot_begin_says_why(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "keep").write_text("mine")
    with pytest.raises(UsageError, match="taken is there and not empty"):
        job.train(order(labelled, taken))
    with pytest.raises(UsageError, match=r"keep/model\.partial: Not a directory: name"):
        job.train(order(labelled, taken / "keep" / "model"))
    foreign = tmp_path / "model.partial"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no run directory"):
        job.train(order(labelled, tmp_path / "model"), restart=True)
    assert (foreign / "thesis.txt").exists()
    monkeypatch.setattr(memory, "available", lambda: 1_000_000)
    with pytest.raises(MlpluginError, match=r"takes about 0\.3 GB of memory, and 0\.0 GB are free"):
        job.train(order(labelled, tmp_path / "small"))
    assert not (tmp_path / "small.partial").exists()


@pytest.mark.parametrize("label", ["benign", "malicious"])
def test_one_class_teaches_nothing(label: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = "".join(f"a{row}.example.org\t{label}\tx\t\t\tx\n" for row in range(20))
    (data / "dga_random.tsv").write_text(HEADER + rows)
    listener = Listener()
    with pytest.raises(UsageError, match="both benign and malicious names are needed"):
        job.train(order(data, tmp_path / "model"), [listener])
    assert not job.partial(tmp_path / "model").exists()
    assert listener.events[-1][0] == "error"


@pytest.mark.parametrize(
    ("count", "source"),
    [
        (25, "alexa100k-2013,tranco-65k-2023"),
        (6000, "own:intranet,private:customers"),
        (6000, "tranco-65k-2023"),
    ],
    ids=["few", "own", "one list"],
)
def test_what_could_not_be_measured_is_not_fitted(
    count: int,
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out, rng = tmp_path / "data", tmp_path / "model", random.Random(4)
    data.mkdir()
    good = [(name, "benign", "popular", "", "2013-10-24", source) for name in benign(rng, count)]
    table(data, "benign_popular", good)
    bad = [(name, "malicious", "dga", "alpha", "", "dga-baderj") for name in noise(rng, 40)]
    table(data, "dga_random", bad)
    monkeypatch.setattr(pipeline, "train", lambda *_: pytest.fail("it is fitted"))
    assert main(["train", "--data", str(data), "--out", str(out)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.match(rf"mlplugin: {data}: of popular names .* hold, \d are under", line)
    assert "`mlplugin feeds fetch`" in line
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_it_tells_how_it_goes(whole: tuple[dict[str, str], Listener]) -> None:
    _, listener = whole
    moments = listener.moments
    assert {moment.number for moment in moments} == {1, 2, 3}
    assert all(0 < moment.share <= 1 for moment in moments)
    assert moments[-1].last
    assert moments[-1].share == 1
    assert moments[-1].loss < moments[0].loss
    assert set(moments[-1].losses) == {"dga", "dga_dictionary", "phishing", "benign"}
    measured = [moment for moment in moments if moment.measured]
    assert len(measured) == 5 * (SMALL.passes + SMALL.look_passes)
    assert measured[-1].recall is not None
    assert measured[-1].recall["dga"] > 0.9
    stages = [about["stage"] for kind, about in listener.events if kind == "stage"]
    assert stages == ["reading", "samples", "fit", "calibration", "measuring"]
    kind, about = listener.events[-1]
    assert kind == "done"
    assert [stage["stage"] for stage in about["cost"]["stages"]] == stages
    assert about["cost"]["peak_bytes"] > 50_000_000


def test_the_stream_is_as_documented(labelled: Path, tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text()
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    stream, out = io.StringIO(), tmp_path / "model"
    stop = end_in_a_pass(signal.SIGINT, out)
    with pytest.raises(KeyboardInterrupt):
        job.train(order(labelled, out), [stop, JsonLines(stream, pytest.fail)], every=0)
    job.train(order(labelled, out), [JsonLines(stream, pytest.fail)], every=0)
    told = {}
    for line in stream.getvalue().splitlines():
        event = json.loads(line)
        kind = event.pop("event")
        told[kind] = set(event) - {"time"}
    assert set(table) == {*told, "error"}
    for kind, fields in told.items():
        words = re.findall(r"`(\w+)`", table[kind])
        assert fields <= set(words), kind
        assert set(words) - fields <= {"benign", "recall", "seconds", "peak_bytes"}, kind
