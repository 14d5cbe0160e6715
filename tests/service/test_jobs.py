"""Jobs beside the service: done, refused, cancelled, killed, lost, too long, one at a time."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import MlpluginError, RefusedError, UsageError
from mlplugin.model import Model, load
from mlplugin.service import jobs as module
from mlplugin.service.ancestry import next_version
from mlplugin.service.job_files import Bounds, Job, JobState
from mlplugin.service.jobs import Jobs
from mlplugin.service.lineage import State as Part
from mlplugin.service.material import Decided, Material
from mlplugin.service.registry import Registry
from tests.e2e.system import until
from tests.support.models import TINY, variant

LEARNT = Material([Decided(f"a{number}.com", "dga") for number in range(10)], [], ["a note"])


def gather(_model: Model) -> Material:
    return LEARNT


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "data")


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKER", "tests.support.worker_stub")


@pytest.fixture
def make(registry: Registry) -> Iterator[Any]:
    made: list[Jobs] = []

    def making(what: str = "done", **bounds: Any) -> Jobs:
        made.append(Jobs(registry, {"stub": what}, Bounds(**bounds)))
        return made[-1]

    yield making
    for jobs in made:
        jobs.close()


def over(jobs: Jobs, job: Job) -> Job:
    until("the job is over", lambda: _state(jobs, job) is not JobState.RUNNING, 60)
    found = jobs.find(job.id)
    assert found is not None
    return found


def _state(jobs: Jobs, job: Job) -> JobState:
    found = jobs.find(job.id)
    assert found is not None
    return found.state


def test_a_job_makes_a_candidate_whose_origin_is_known(make: Any, registry: Registry) -> None:
    jobs = make()
    job = jobs.start(gather, load(TINY), "ann@192.0.2.1")
    done = over(jobs, job)
    assert (done.state, done.reason) == (JobState.DONE, None)
    assert done.ended is not None
    version = done.version
    assert version == f"{load(TINY).version}+1"
    assert registry.state_of(version) is Part.CANDIDATE
    assert registry.in_use() is None
    (origin,) = registry.origins().values()
    assert (origin.version, origin.who, origin.job) == (version, "ann@192.0.2.1", job.id)
    assert (origin.parent, origin.data_sha256) == ("0.0.1", "cd")
    report = jobs.report(job.id)
    assert report is not None
    assert report["version"] == version
    assert next_version(registry, load(TINY).version).endswith("+2")
    told = [json.loads(line)["event"] for _, line in filter(None, jobs.events(job.id))]
    assert told == ["line", "finished"]
    assert [n for n, _ in filter(None, jobs.events(job.id, 1))] == [2]


def test_a_candidate_that_is_worse_says_so(make: Any) -> None:
    jobs = make("refused")
    assert over(jobs, jobs.start(gather, load(TINY), "ann")).reason == "it finds less"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("error", "memory ran out"),
        ("crash", "RuntimeError: a fault of ours"),
        ("killed", "ended by signal 9, perhaps for want of memory"),
        ("killed while it writes", "ended by signal 9, perhaps for want of memory"),
        ("killed before its report", "ended by signal 9, perhaps for want of memory"),
        ("killed in the end", "ended by signal 9, perhaps for want of memory"),
        ("half", "cannot be taken in"),
        ("odd", "cannot be taken in"),
    ],
)
def test_a_job_that_fails_says_why_and_leaves_the_models_alone(
    what: str, reason: str, make: Any, registry: Registry
) -> None:
    jobs = make(what)
    done = over(jobs, jobs.start(gather, load(TINY), "ann"))
    assert done.state is JobState.FAILED
    assert reason in str(done.reason)
    assert registry.directories() == []
    assert over(jobs, jobs.start(gather, load(TINY), "ann")).state is JobState.FAILED  # another may


def test_one_at_a_time_and_it_can_be_cancelled(make: Any) -> None:
    jobs = make("sleep")
    job = jobs.start(gather, load(TINY), "ann")
    with pytest.raises(RefusedError, match=f"{job.id} runs"):
        jobs.start(gather, load(TINY), "bob")
    cancelled = jobs.cancel(job.id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.reason) == (JobState.CANCELLED, None)
    assert jobs.cancel(job.id) == cancelled
    assert jobs.cancel("none") is None


def test_two_at_once_one_wins(make: Any) -> None:
    jobs, won, told = make("sleep"), [], []

    def start() -> None:
        try:
            won.append(jobs.start(gather, load(TINY), "ann"))
        except RefusedError as fault:
            told.append(str(fault))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(told) == 3


def test_the_end_of_the_service_ends_the_job(make: Any, registry: Registry) -> None:
    jobs = make("sleep")
    job = jobs.start(gather, load(TINY), "ann")
    jobs.close()
    assert "the service ended" in str(over(Jobs(registry), job).reason)


def test_what_a_dead_service_left_has_failed(make: Any, registry: Registry) -> None:
    jobs = make()
    job = over(jobs, jobs.start(gather, load(TINY), "ann"))
    place = registry.folder.parent / "jobs" / job.id / "job.json"
    told = json.loads(place.read_bytes())
    place.write_text(json.dumps(told | {"state": "running", "ended": None}))
    beside = Jobs(registry)  # another service, while the first one lives
    assert _state(beside, job) is JobState.RUNNING
    with pytest.raises(RefusedError, match="another service"):
        beside.start(gather, load(TINY), "bob")
    jobs.close()
    late = over(beside, beside.start(gather, load(TINY), "bob"))  # it takes their place
    assert (late.state, _state(beside, job)) == (JobState.DONE, JobState.FAILED)
    beside.close()
    place.write_text(json.dumps(told | {"state": "running", "ended": None}))
    again = make()
    assert _state(again, job) is JobState.FAILED
    assert "start it again" in str(over(again, job).reason)
    place.write_text("{")
    assert again.find(job.id) is None


def test_a_worker_dies_with_its_service(make: Any) -> None:
    """Also with one that is killed: the pipe to it ends."""
    jobs = make("sleep")
    job = jobs.start(gather, load(TINY), "ann")
    running = jobs._running
    assert running is not None
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert over(jobs, job).state is JobState.FAILED


def test_a_stopped_worker_is_killed(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    jobs = make("sleep")
    job = jobs.start(gather, load(TINY), "ann")
    running = jobs._running
    assert running is not None
    os.kill(running.process.pid, signal.SIGSTOP)
    found = jobs.cancel(job.id)
    assert found is not None
    assert found.state is JobState.CANCELLED


def test_a_job_that_takes_too_long(make: Any) -> None:
    jobs = make("sleep", seconds=0.3)
    assert "longer than 0.3 seconds" in str(over(jobs, jobs.start(gather, load(TINY), "a")).reason)


def test_material_that_teaches_nothing_starts_nothing(make: Any) -> None:
    def refuse(_model: Model) -> Material:
        raise UsageError("too few")

    jobs = make()
    with pytest.raises(UsageError, match="too few"):
        jobs.start(refuse, load(TINY), "ann")
    assert jobs.all() == []


def test_what_is_missing_is_said_in_one_line(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ("no_such_module",))
    with pytest.raises(MlpluginError, match=r"pip install 'mlplugin\[train\]'"):
        make().start(gather, load(TINY), "ann")


def test_a_service_on_a_named_model_has_no_jobs() -> None:
    jobs = Jobs(None)
    assert jobs.all() == []
    assert jobs.report("x") is None
    assert list(jobs.events("x")) == []
    with pytest.raises(RefusedError, match="--model"):
        jobs.start(gather, load(TINY), "ann")


def test_a_folder_that_cannot_be_written(registry: Registry) -> None:
    registry.folder.parent.mkdir(parents=True)
    (registry.folder.parent / "jobs").touch()
    with pytest.raises(MlpluginError, match="cannot be written"):
        Jobs(registry).start(gather, load(TINY), "ann")


def test_the_end_does_not_wait_for_a_slow_store(make: Any) -> None:
    """What a job learns from is gathered with nothing held: the service may end meanwhile."""
    jobs, asked, answer, said = make(), threading.Event(), threading.Event(), []

    def slow(_model: Model) -> Material:
        asked.set()
        assert answer.wait(60)
        return LEARNT

    def start() -> None:
        with pytest.raises(RefusedError, match="about to end") as fault:
            jobs.start(slow, load(TINY), "ann")
        said.append(fault)

    thread = threading.Thread(target=start)
    thread.start()
    assert asked.wait(60)
    with pytest.raises(RefusedError, match="another job begins just now"):
        jobs.start(gather, load(TINY), "bob")
    jobs.close()  # would wait for ever
    answer.set()
    thread.join(60)
    assert len(said) == 1
    assert jobs.all() == []


def test_a_job_that_could_not_begin_is_in_nobodys_way(make: Any) -> None:
    def empty(_model: Model) -> Material:
        raise UsageError("nothing to learn from")

    jobs = make()
    with pytest.raises(UsageError):
        jobs.start(empty, load(TINY), "ann")
    assert over(jobs, jobs.start(gather, load(TINY), "ann")).state is JobState.DONE


def test_a_job_is_told_what_its_line_began_with(make: Any, registry: Registry) -> None:
    registry.promote(TINY)
    jobs = make()
    job = jobs.start(gather, load(registry.in_use()), "ann")
    over(jobs, job)
    order = json.loads((registry.folder.parent / "jobs" / job.id / "order.json").read_text())
    assert order["root"] == order["parent"] == str(registry.folder / load(TINY).version)


def test_old_jobs_go(make: Any, monkeypatch: pytest.MonkeyPatch, registry: Registry) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    jobs = make("error")
    for _ in range(3):
        over(jobs, jobs.start(gather, load(TINY), "ann"))
    assert len(jobs.all()) == 1
    assert variant(registry.folder.parent, "8.0").is_dir()


def test_what_is_told_so_far_is_whole_lines(make: Any, registry: Registry) -> None:
    jobs = make()
    job = jobs.start(gather, load(TINY), "somebody")
    over(jobs, job)
    with (registry.folder.parent / "jobs" / job.id / "progress.jsonl").open("a") as stream:
        stream.write('[1]\n{"event": "pro')
    assert [one["event"] for one in jobs.told(job.id)] == ["line", "finished"]
    assert jobs.told("../jobs") == []
