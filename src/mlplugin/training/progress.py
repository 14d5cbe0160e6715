"""What a training run tells while it works: lines, moments of a fit, stages and their cost."""

from __future__ import annotations

import datetime
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from mlplugin.training.checkpoint import RunDirectory

Tell = Callable[[str], None]
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Moment:
    """Where a fit stands.

    Attributes:
        fit: the fit of this run, counted from 1.
        number: the pass, counted from 1.
        passes: how many there are.
        done: samples of this pass.
        total: samples of a pass.
        rate: samples a second since this process began or went on with the fit.
        loss: mean loss of this pass so far.
        losses: the same for each threat and for ``benign``; without what was not seen yet.
        recall: the share of held-out names of each threat that its logit finds at a false
            positive rate of 0.1 %; the latest measured, None before the first.
        measured: whether ``recall`` is new.
    """

    fit: int
    number: int
    passes: int
    done: int
    total: int
    rate: float
    loss: float
    losses: dict[str, float]
    recall: dict[str, float] | None
    measured: bool

    @property
    def share(self) -> float:
        """How much of the whole fit is done, 0 to 1."""
        return ((self.number - 1) * self.total + self.done) / max(self.passes * self.total, 1)

    @property
    def seconds_left(self) -> float:
        """Until the end of the fit, at this rate."""
        left = (self.passes - self.number + 1) * self.total - self.done
        return left / self.rate if self.rate > 0 else 0.0

    @property
    def last(self) -> bool:
        """Whether the fit is done."""
        return self.number == self.passes and self.done == self.total


@dataclass
class Stage:
    """A part of a run: seconds, and the peak memory of the process until its end in bytes."""

    name: str
    seconds: float = 0.0
    peak: int = 0


class Reporter(Protocol):
    """Somebody who is told."""

    def line(self, text: str) -> None:
        """Take a line for people."""

    def moment(self, moment: Moment) -> None:
        """Take where a fit stands; called after each stretch of it."""

    def event(self, kind: str, **about: Any) -> None:
        """Take what only machines want to know."""

    def close(self) -> None:
        """Hear no more."""


@dataclass
class Course:
    """One training run as it goes: who is told, where checkpoints are kept, what it costs.

    It can be called with a line of text, and so stands wherever one is to be told.

    Attributes:
        reporters: who is told.
        folder: where checkpoints are kept; None keeps none.
        every: seconds from checkpoint to checkpoint; there is one after each pass anyway.
        longest: samples of a stretch, between which the fit tells, saves and can be stopped.
    """

    reporters: Sequence[Reporter] = ()
    folder: RunDirectory | None = None
    every: float = CHECKPOINT_SECONDS
    longest: int = 50_000
    stages: list[Stage] = field(default_factory=list)
    fits: int = 0
    _since: float = field(default_factory=time.monotonic)

    def __call__(self, text: str) -> None:
        """Tell a line."""
        for reporter in self.reporters:
            reporter.line(text)

    def at(self, moment: Moment) -> None:
        """Tell where the fit stands."""
        for reporter in self.reporters:
            reporter.moment(moment)

    def event(self, kind: str, **about: Any) -> None:
        """Tell machines."""
        for reporter in self.reporters:
            reporter.event(kind, **about)

    def stage(self, name: str) -> None:
        """Begin a stage, which ends the one before; a name that was there before goes on."""
        self._end_stage()
        self.stages = [
            *(stage for stage in self.stages if stage.name != name),
            next((stage for stage in self.stages if stage.name == name), Stage(name)),
        ]
        self.event("stage", stage=name)

    def _end_stage(self) -> None:
        now = time.monotonic()
        if self.stages:
            self.stages[-1].seconds += now - self._since
            self.stages[-1].peak = peak_bytes()
        self._since = now

    def cost(self) -> dict[str, Any]:
        """What the run took: seconds and peak memory of each stage and of all."""
        self._end_stage()
        return {
            "seconds": round(sum(stage.seconds for stage in self.stages), 1),
            "peak_bytes": peak_bytes(),
            "stages": [
                {"stage": stage.name, "seconds": round(stage.seconds, 1), "peak_bytes": stage.peak}
                for stage in self.stages
            ],
        }

    def close(self) -> None:
        """End what the reporters have open."""
        for reporter in self.reporters:
            reporter.close()


class _Teller:
    """A plain function as a reporter: it hears lines only."""

    def __init__(self, tell: Tell) -> None:
        self.line = tell

    def moment(self, moment: Moment) -> None:
        """Nothing."""

    def event(self, kind: str, **about: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def course_of(tell: Tell) -> Course:
    """The course that is told to, or one without checkpoints around a plain function."""
    return tell if isinstance(tell, Course) else Course((_Teller(tell),))


def peak_bytes() -> int:
    """The most memory that this process has had at any time."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class JsonLines:
    """A stream of JSON objects, one a line, for a job runner or a dashboard to follow.

    Each has ``event`` and ``time``. A reader that goes away, or a disk that is full, ends the
    stream and not the training.
    """

    def __init__(self, stream: TextIO, complain: Tell) -> None:
        self._stream: TextIO | None = stream
        self._complain = complain

    def line(self, text: str) -> None:
        """An event ``line``."""
        self.event("line", text=text)

    def moment(self, moment: Moment) -> None:
        """An event ``progress``."""
        self.event(
            "progress",
            fit=moment.fit,
            **{"pass": moment.number},
            passes=moment.passes,
            done=moment.done,
            total=moment.total,
            share=round(moment.share, 6),
            rate=round(moment.rate),
            seconds_left=round(moment.seconds_left, 1),
            loss=round(moment.loss, 6),
            losses={name: round(value, 6) for name, value in moment.losses.items()},
            recall=moment.recall,
            measured=moment.measured,
        )

    def event(self, kind: str, **about: Any) -> None:
        """Write one line at once."""
        if self._stream is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        row = {"event": kind, "time": now.replace("+00:00", "Z"), **about}
        try:
            self._stream.write(json.dumps(row, separators=(",", ":")) + "\n")
            self._stream.flush()
        except OSError as error:
            self._stream = None
            self._complain(f"the progress stream has ended: {error.strerror}")

    def close(self) -> None:
        """Nothing: who opened the stream closes it."""
