"""The running of a fit: in stretches, watched, saved and taken up again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import fit as recipes
from mlplugin.training.checkpoint import Keeper, State, identity
from mlplugin.training.datasets import BENIGN, THREATS, Splits
from mlplugin.training.learners import AnyLearner, Learner, W
from mlplugin.training.names import Names
from mlplugin.training.progress import Course, Moment

RECALL_RATE = 0.001  # of false positives
RECALLS = 5  # in a pass


@dataclass(frozen=True)
class Sample:
    """A few held-out names on which a fit is watched; they decide nothing.

    Attributes:
        target: -1 benign, else the threat.
    """

    names: Names
    at: Splits
    target: NDArray[np.int8]

    def recall(self, learner: Learner[W], weights: W) -> dict[str, float]:
        """The share of each threat that its own logit finds at 1 false positive in 1,000."""
        logits = learner.logits(weights, self.names, self.at)
        benign = np.sort(logits[self.target == BENIGN], axis=0)
        if not len(benign):
            return {}
        # So many benign names may lie above the threshold.
        above = int(len(benign) * RECALL_RATE)
        limits = benign[len(benign) - 1 - above]
        return {
            name: round(float((logits[self.target == threat, threat] > limits[threat]).mean()), 4)
            for threat, name in enumerate(THREATS)
            if (self.target == threat).any()
        }


def fit(learner: Learner[W], *, course: Course, sample: Sample | None = None) -> W:
    """Run all passes, from the newest checkpoint if there is one.

    The same samples and recipe give the same bits, in however many stretches and processes.

    Args:
        learner: what learns, and from what.
        course: who is told, and where checkpoints are kept.
        sample: names to watch the fit on.

    Raises:
        KeyboardInterrupt: on SIGINT, once a checkpoint is written; at once on a second one.
        MlpluginError: if a checkpoint cannot be written.
    """
    course.fits += 1
    keeper = None
    if course.folder is not None:
        name = identity(learner.what, learner.made, learner.lenders, learner.recipe)
        keeper = course.folder.keeper(name, learner.kind, course)
    state = keeper.latest() if keeper else None
    if state is None:
        first = recipes.generator(learner.recipe, 0)
        state = State(learner.start(), first, _no_sums(), 0, 0)
    elif state.number < learner.passes:
        course(
            f"going on in pass {state.number + 1} of {learner.passes}, after {state.done:,} names"
        )
    else:
        course("this fit was finished before: its weights are taken as they are")
    if state.number < learner.passes:
        with patience() as stopped:
            _Run(learner, course, keeper, sample, state, stopped).passes()
    weights: W = state.weights
    return weights


def _no_sums() -> NDArray[np.float64]:
    return np.zeros((len(THREATS) + 1, 2))


@dataclass
class _Run:
    """A fit under way; ``state`` is moved on in place."""

    learner: AnyLearner
    course: Course
    keeper: Keeper | None
    sample: Sample | None
    state: State
    stopped: Callable[[], bool]

    def __post_init__(self) -> None:
        self.recall: dict[str, float] | None = None
        # Compiles the loop, which would spoil the first rate.
        self.learner.learn(self.state, np.empty(0, np.int64))
        self.began = self.saved = time.monotonic()
        self.learnt = 0

    def passes(self) -> None:
        """All that are left."""
        while self.state.number < self.learner.passes:
            self._pass()

    def _pass(self) -> None:
        state, learner = self.state, self.learner
        order = recipes.order(learner.made, learner.recipe, state.number)
        length = _stretch(len(order), self.course.longest)
        while state.done < len(order):
            part = order[state.done : state.done + length]
            learner.learn(state, part)
            before, state.done = state.done, state.done + len(part)
            self.learnt += len(part)
            self._tell(before, len(order))
            if state.done < len(order):
                self._save_or_stop()
        loss = state.sums[:, 0].sum() / max(len(order), 1)
        self.course(f"pass {state.number + 1} of {learner.passes}: mean loss {loss:.4f}")
        state.number, state.done, state.sums = state.number + 1, 0, _no_sums()
        state.random = recipes.generator(learner.recipe, state.number)
        self._save()
        if self.stopped():
            raise KeyboardInterrupt

    def _save_or_stop(self) -> None:
        stopped = self.stopped()
        if stopped or time.monotonic() - self.saved >= self.course.every:
            self._save()
        if stopped:
            raise KeyboardInterrupt

    def _save(self) -> None:
        if self.keeper:
            path = self.keeper.save(self.state)
            self.course.event("checkpoint", file=str(path))
        self.saved = time.monotonic()

    def _tell(self, before: int, total: int) -> None:
        state = self.state
        measured = self.sample is not None and state.done * RECALLS // total > (
            before * RECALLS // total
        )
        if measured and self.sample:
            self.recall = self.sample.recall(self.learner, state.weights)
        losses, seen = state.sums[:, 0], state.sums[:, 1]
        seconds = max(time.monotonic() - self.began, 1e-9)
        self.course.at(
            Moment(
                self.course.fits,
                state.number + 1,
                self.learner.passes,
                state.done,
                total,
                self.learnt / seconds,
                float(losses.sum() / seen.sum()),
                {
                    name: float(losses[row] / seen[row])
                    for row, name in enumerate((*THREATS, "benign"))
                    if seen[row]
                },
                self.recall,
                measured,
            )
        )


def _stretch(total: int, longest: int) -> int:
    """Samples of a stretch: a twentieth of a small pass, so that it too can be watched."""
    return min(longest, max(-(-total // 20), 1))


@contextmanager
def patience() -> Iterator[Callable[[], bool]]:
    """Let SIGINT wait for the end of a stretch; gives whether it came. A second one is at once."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in a shell's background
    if ignored or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)
