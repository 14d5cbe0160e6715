"""Jobs: retrainings that run beside the service, one at a time, and what became of them.

``<data>/jobs/<id>/`` holds what a job was given, what it told while it ran, and its report;
``job.json`` there says how it stands. The work is done by a process of its own, which ends with
the service.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlplugin.errors import MlpluginError, RefusedError
from mlplugin.model import Model, shipped
from mlplugin.service import ancestry
from mlplugin.service.job_files import LOG as WORKER_LOG
from mlplugin.service.job_files import (
    MATERIAL,
    MODEL,
    ORDER,
    PROGRESS,
    REPORT,
    STATE,
    Bounds,
    Job,
    JobState,
    last_error,
    read,
    told,
    write,
)
from mlplugin.service.material import Material, summary
from mlplugin.service.registry import DATA_MODE, Registry
from mlplugin.service.times import rfc3339

LOG = logging.getLogger(__name__)
FOLDER, LOCK = "jobs", ".lock"
TRAIN = "train"
KEPT = 50  # jobs; older ones are removed
GRACE_SECONDS = 5.0
LOOK_SECONDS = 0.5
WORKER = "mlplugin.training.retraining.worker"
NEEDED = ("numba", "publicsuffixlist", "matplotlib")
LOST = "the service ended while it ran: start it again"
KILLED = "its process was ended by signal {}, perhaps for want of memory: start it again"
MISSING = (
    "{} is missing: retraining needs the `train` extra: `uv sync --extra train` or "
    "`pip install 'mlplugin[train]'`, then start the service again"
)


@dataclass
class _Running:
    """A job under way: its process, and whether it is to end."""

    job: Job
    process: subprocess.Popen[bytes]
    cancelled: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The jobs of a data directory; what an earlier service left running has failed."""

    def __init__(
        self,
        registry: Registry | None,
        recipe: dict[str, Any] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._registry = registry
        self._folder = None if registry is None else registry.folder.parent / FOLDER
        self._recipe = recipe or {}
        self._bounds = bounds or Bounds()
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._begins = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._held: int | None = None
        if self._folder is not None and self._folder.is_dir():
            self._claim(self._folder)

    # What there is

    def all(self) -> list[Job]:
        """Give the jobs, newest first."""
        if self._folder is None:
            return []
        found = (read(path) for path in self._folder.glob(f"*/{STATE}"))
        return sorted((job for job in found if job), key=lambda job: job.id, reverse=True)

    def find(self, number: str) -> Job | None:
        """Give a job, None if there is none such."""
        return next((job for job in self.all() if job.id == number), None)

    def report(self, number: str) -> dict[str, Any] | None:
        """Give what a job found out, None where it has not, or not yet."""
        if self._folder is None or self.find(number) is None:
            return None
        try:
            found = json.loads((self._folder / number / REPORT).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def told(self, number: str) -> list[dict[str, Any]]:
        """Give what a job has told so far, without waiting for more."""
        if self._folder is None or self.find(number) is None:
            return []
        return told(self._folder / number)

    # What is done

    def check(self) -> tuple[Registry, Path]:
        """Give where models and jobs are.

        Raises:
            RefusedError: if this service judges with a model that was named.
            MlpluginError: if what a retraining needs is not installed.
        """
        place = self._place()
        for module in NEEDED:
            if importlib.util.find_spec(module) is None:
                raise MlpluginError(MISSING.format(module))
        return place

    def start(self, gather: Callable[[Model], Material], model: Model, who: str) -> Job:
        """Start a retraining from a model on what ``gather`` gives.

        Raises:
            RefusedError: if one runs already, or this service cannot.
            UsageError: if nothing can be learnt from the material.
            MlpluginError: if what it needs is not installed, or nothing can be written.
        """
        registry, folder = self.check()
        with self._beginning():
            material = gather(model)  # which may take long, and nobody is to wait for it
        with self._lock:
            self._require_quiet()
            now = datetime.now(UTC)
            job = Job(
                f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}", TRAIN, JobState.RUNNING, who,
                rfc3339(now), ancestry.next_version(registry, model.version), model.version,
                summary(material),
            )  # fmt: skip
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=DATA_MODE)
                if not self._claim(folder):
                    raise RefusedError(f"another service runs the jobs of {folder}: ask that one")
                place = self._prepared(folder, job, material, model)
                self._launch(place, job)
            except OSError as fault:
                shutil.rmtree(folder / job.id, ignore_errors=True)
                raise MlpluginError(
                    f"{folder} cannot be written ({fault.strerror}): make room, or give the right"
                ) from fault
            return job

    @contextlib.contextmanager
    def _beginning(self) -> Iterator[None]:
        """Have nobody else begin a job meanwhile."""
        with self._lock:
            self._require_quiet()
            if self._begins:
                raise RefusedError("another job begins just now: wait for it")
            self._begins = True
        try:
            yield
        finally:
            with self._lock:
                self._begins = False

    def _require_quiet(self) -> None:
        """Raise RefusedError where no job may begin; the caller holds the lock."""
        if self._running is not None:
            raise RefusedError(f"the job {self._running.job.id} runs: wait for it, or cancel it")
        if self._closing.is_set():
            raise RefusedError("the service is about to end")

    def cancel(self, number: str) -> Job | None:
        """End a job that runs, and give how it stands then; None if there is none such."""
        with self._lock:
            running = self._running
        if running is not None and running.job.id == number:
            running.cancelled.set()
            _end(running.process)
            if self._thread is not None:
                self._thread.join()
        return self.find(number)

    def close(self) -> None:
        """End what runs; what it was is told as failed."""
        self.release()
        with self._lock:
            running = self._running
        if running is not None:
            _end(running.process)
        if self._thread is not None:
            self._thread.join()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def release(self) -> None:
        """Have whoever follows a job go, since the service is about to end."""
        self._closing.set()

    def events(self, number: str, after: int = 0) -> Iterator[tuple[int, str] | None]:
        """Give what a job tells, line by line with numbers, until it ends or the service does.

        Args:
            number: of the job.
            after: the line behind which to begin.

        Yields:
            A line's number and text; None where there was nothing for a while.
        """
        if self._folder is None:
            return
        path, seen, rest = self._folder / number / PROGRESS, 0, b""
        with path.open("rb") as stream:
            while True:
                job = self.find(number)
                over = job is None or job.state is not JobState.RUNNING
                rest += stream.read()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    seen += 1
                    if seen > after:
                        yield seen, line.decode("utf-8", "replace")
                if over or self._closing.is_set():
                    return
                if not lines:
                    yield None
                self._closing.wait(LOOK_SECONDS)

    # How

    def _place(self) -> tuple[Registry, Path]:
        if self._registry is None or self._folder is None:
            raise RefusedError(
                "this service judges with a model that was named: start it without --model to "
                "retrain the one in use"
            )
        return self._registry, self._folder

    def _claim(self, folder: Path) -> bool:
        """Be the one service that runs the jobs of this folder, if no other is.

        What the one before left running has failed.
        """
        if self._held is not None:
            return True
        try:
            held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return False
        self._held = held
        self._mark_lost(folder)
        return True

    def _prepared(self, folder: Path, job: Job, material: Material, model: Model) -> Path:
        place = folder / job.id
        place.mkdir(mode=DATA_MODE)
        material.write(place / MATERIAL)
        registry, _ = self._place()
        parent = (model.place or shipped()).resolve()
        order = {
            "parent": str(parent),
            "root": str(ancestry.root(parent, registry)),
            "version": job.version,
            "notes": material.notes,
            "recipe": self._recipe,
        }
        (place / ORDER).write_text(json.dumps(order), encoding="utf-8")
        (place / PROGRESS).touch()
        write(place, job)
        for old in self.all()[KEPT:]:
            shutil.rmtree(folder / old.id, ignore_errors=True)
        return place

    def _launch(self, place: Path, job: Job) -> None:
        """Start the process, and a thread that waits for it; the caller holds the lock."""
        single = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
        )
        withheld = ("MLPLUGIN_STORE_", "MLPLUGIN_SERVICE_TOKEN")  # none of its business
        given = {key: value for key, value in os.environ.items() if not key.startswith(withheld)}
        with (place / WORKER_LOG).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(place), str(self._bounds.memory)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=given | single,
            )  # fmt: skip
        self._running = _Running(job, process)
        self._thread = threading.Thread(
            target=self._follow, args=(place, self._running), name="job", daemon=True
        )
        self._thread.start()

    def _follow(self, place: Path, running: _Running) -> None:
        """Wait for the end of a job and write down how it was."""
        process, late = running.process, False
        try:
            process.wait(self._bounds.seconds)
        except subprocess.TimeoutExpired:
            late = True
            _end(process)
        if process.stdin is not None:
            process.stdin.close()
        state, reason = self._outcome(place, running, late=late)
        job = replace(running.job, state=state, reason=reason, ended=rfc3339(datetime.now(UTC)))
        with self._lock:  # whoever reads that it is over may begin another
            try:
                write(place, job)
            except OSError as fault:
                LOG.warning("job %s is %s, and that cannot be written: %s", job.id, state, fault)
            self._running = None
        LOG.info("job %s is %s%s", job.id, state, f": {reason}" if reason else "")

    def _outcome(
        self, place: Path, running: _Running, *, late: bool
    ) -> tuple[JobState, str | None]:
        status = running.process.returncode
        if running.cancelled.is_set():
            return JobState.CANCELLED, None
        if late:
            return JobState.FAILED, f"it took longer than {self._bounds.seconds:g} seconds"
        if status == 0:
            try:
                return JobState.DONE, self._taken_in(place, running.job)
            except (MlpluginError, OSError, ValueError, KeyError, TypeError) as fault:
                return JobState.FAILED, f"what it made cannot be taken in: {fault}"
        if self._closing.is_set():
            why = LOST
        elif status < 0:
            why = KILLED.format(-status)
        else:
            why = last_error(place) or f"its process ended with status {status}"
        return JobState.FAILED, why

    def _taken_in(self, place: Path, job: Job) -> str | None:
        """Have the model among the others, as a candidate; gives what speaks against it."""
        registry, _ = self._place()
        report = json.loads((place / REPORT).read_bytes())
        reason = "; ".join(report["refused"]) or None
        registry.add(
            place / MODEL,
            who=job.who,
            job=job.id,
            parent=report["parent"]["version"],
            parent_sha256=report["parent"]["sha256"],
            data_sha256=report["data_sha256"],
        )
        shutil.rmtree(place / MODEL, ignore_errors=True)
        return reason

    def _mark_lost(self, folder: Path) -> None:
        """Say of what an earlier service left running that it failed."""
        for job in self.all():
            if job.state is JobState.RUNNING:
                now = rfc3339(datetime.now(UTC))
                lost = replace(job, state=JobState.FAILED, reason=LOST, ended=now)
                with contextlib.suppress(OSError):
                    write(folder / job.id, lost)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
