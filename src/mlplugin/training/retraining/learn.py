"""The fit that goes on from a model: what it learns from, how heavy, how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import fit
from mlplugin.training.datasets import THREATS, split
from mlplugin.training.descent import Chances, Rates, Samples, Scratch, scratch
from mlplugin.training.names import Names, from_texts, join
from mlplugin.training.progress import Course, Moment
from mlplugin.training.quantise import Look, Network
from mlplugin.training.retraining.descent import adapt, adapt_windows
from mlplugin.training.retraining.start import Caution, Parent, look_settled, settled
from mlplugin.training.suffixes import PRIVATE
from mlplugin.training.windows import CODES, LookRates, Sight, sight

# Nothing is changed by chance: what the model said before is said of the names as they are.
_AS_THEY_ARE = Chances(0.0, 0.0, 0.0, 0.0)
_NO_LENDERS = np.empty(0, np.int64)
_SUFFIX_CAP = np.float32(2.0)
STRETCHES = 20  # of a pass, between which it tells and can be stopped

Floats = NDArray[np.float64]
Networks = tuple[Network, Look]
Watch = Callable[[Networks], dict[str, float]]


@dataclass(frozen=True)
class Recipe:
    """Every choice of a retraining, with the defaults that measured best.

    Attributes:
        vetted: the weight of a decided name.
        most: the weight that all decided names have together at most, so that thousands of
            decisions do not outweigh what the model knows.
        hold: how much what the model said before counts, of every name that nobody decided on.
        frequent: the weight of a frequent name of the network as a harmless one.
        most_frequent: the weight that all of these have together at most.
        lone: ``hold`` for names that one client alone asked for. None by default: where that client
            is infected, its names would teach that nothing is to be learnt of their like.
        each: names of each kind that are made up to rehearse.
    """

    seed: int = 1
    passes: int = 4
    rate: float = 0.2
    dense_rate: float = 0.02
    look_rate: float = 0.06
    look_dense_rate: float = 0.02
    vetted: float = 1.0
    most: float = 600.0
    hold: float = 2.0
    frequent: float = 0.3
    most_frequent: float = 300.0
    lone: float = 0.0
    each: int = 3000
    caution: Caution = field(default_factory=Caution)


@dataclass(frozen=True)
class Lessons:
    """Names with what they teach.

    Attributes:
        target: -1 benign, else the threat.
        weight: of the target; 0 where nobody decided.
        trust: of what the model said before.
    """

    names: Names
    target: NDArray[np.int8]
    weight: NDArray[np.float32]
    trust: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.target)


def lessons(texts: Sequence[str], target: NDArray[np.int8], weight: float, trust: float) -> Lessons:
    """Names that all teach the same way."""
    count = len(texts)
    return Lessons(
        from_texts(texts), target.astype(np.int8),
        np.full(count, weight, np.float32), np.full(count, trust, np.float32),
    )  # fmt: skip


def together(parts: Sequence[Lessons]) -> Lessons:
    """All of them, in order."""
    return Lessons(
        join([part.names for part in parts]),
        np.concatenate([part.target for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.trust for part in parts]),
    )


def learnt(
    parent: Parent, of: Lessons, recipe: Recipe, course: Course, watch: Watch | None = None
) -> Networks:
    """Fit both looks, and give them in eight bits."""
    rules = parent.rules
    at = split(of.names, rules)
    # A name that is itself a suffix is not judged by the model, and teaches nothing.
    sound = at.label_at >= 0
    made = Samples(
        of.names.blob, of.names.offsets, at.label_at, at.suffix_at, at.rule, of.target,
        np.where(sound, of.weight, np.float32(0)), np.ones(len(of), np.bool_),
        (rules.flags & PRIVATE) > 0,
    )  # fmt: skip
    trust = np.where(sound, of.trust, np.float32(0))
    present = np.flatnonzero((made.weight > 0) | (trust > 0))
    before = parent.network.logits(of.names, at).astype(np.float32)
    course(f"first look: fitting {len(present):,} names")
    first = _First(parent, _Taught(made, before, trust), recipe)
    _run(first, present, recipe, course, watch)
    network = settled(first.weights, parent)
    seen = parent.look.logits(of.names, at).astype(np.float32)
    total = len(present) * recipe.passes
    course(f"second look: fitting {len(present):,} names")
    second = _Second(parent, _Taught(made, seen, trust), recipe, network, total)
    _run(second, present, recipe, course, watch)
    return second.networks()


@dataclass(frozen=True)
class _Taught:
    """Samples, what the model said of them, and how much that counts."""

    made: Samples
    before: NDArray[np.float32]
    trust: NDArray[np.float32]


class _First:
    """The first look, as it learns."""

    def __init__(self, parent: Parent, taught: _Taught, recipe: Recipe) -> None:
        self._taught, self._recipe, self._parent = taught, recipe, parent
        settings = parent.settings
        self._buffers: Scratch = scratch(settings.dimensions, settings.hidden, len(THREATS))
        self._state = fit.generator(fit.Recipe(seed=recipe.seed), 0)
        self.weights = parent.weights(recipe.caution)

    def learn(self, part: NDArray[np.int64], number: int, _done: int, sums: Floats) -> None:
        """Learn from these samples of a pass."""
        fall, pooling = 1 / (1 + number), self._parent.settings.pooling
        rates = Rates(
            np.float32(self._recipe.rate * fall), np.float32(self._recipe.dense_rate * fall),
            pooling.bag, pooling.linear, _SUFFIX_CAP,
        )  # fmt: skip
        adapt(
            self._taught.made, self._taught.before, self._taught.trust, part, _NO_LENDERS,
            _AS_THEY_ARE, self.weights, rates, self._buffers, self._state, sums,
        )  # fmt: skip

    def networks(self) -> Networks:
        """What there is by now."""
        return settled(self.weights, self._parent), self._parent.look


class _Second:
    """The second look, as it learns."""

    def __init__(
        self, parent: Parent, taught: _Taught, recipe: Recipe, network: Network, total: int
    ) -> None:
        self._taught, self._parent, self._network = taught, parent, network
        look = parent.settings.look
        self._buffers: Sight = sight(look.longest, look.filters, look.hidden, len(THREATS))
        self._state = fit.generator(fit.Recipe(seed=recipe.seed), 1)
        self._rates = LookRates(
            np.float32(recipe.look_rate), np.float32(recipe.look_dense_rate), max(total, 1)
        )
        self.weights = parent.look_weights(recipe.caution)

    def learn(self, part: NDArray[np.int64], _number: int, done: int, sums: Floats) -> None:
        """Learn from these samples, the first being number ``done`` of all."""
        adapt_windows(
            self._taught.made, self._taught.before, self._taught.trust, part, CODES,
            _AS_THEY_ARE, self.weights, self._rates, self._buffers, self._state, sums, done,
        )  # fmt: skip

    def networks(self) -> Networks:
        """What there is by now."""
        return self._network, look_settled(self.weights, self._parent)


def _run(
    learner: _First | _Second,
    present: NDArray[np.int64],
    recipe: Recipe,
    course: Course,
    watch: Watch | None,
) -> None:
    """All passes of one look, told of after each stretch."""
    course.fits += 1
    learner.learn(np.empty(0, np.int64), 0, 0, np.zeros((len(THREATS) + 1, 2)))  # compiles
    began, total = time.monotonic(), len(present)
    found: dict[str, float] | None = None
    for number in range(recipe.passes):
        order = np.random.default_rng([recipe.seed, number]).permutation(present)
        sums, done = np.zeros((len(THREATS) + 1, 2)), 0
        for part in np.array_split(order, STRETCHES):
            learner.learn(part, number, number * total + done, sums)
            done += len(part)
            measured = done == total and watch is not None
            if measured and watch is not None:
                found = watch(learner.networks())
            rate = (number * total + done) / max(time.monotonic() - began, 1e-9)
            losses, seen = sums[:, 0], sums[:, 1]
            by_name = {
                name: float(losses[row] / seen[row])
                for row, name in enumerate((*THREATS, "benign"))
                if seen[row]
            }
            course.at(
                Moment(
                    course.fits, number + 1, recipe.passes, done, total, rate,
                    float(losses.sum() / max(seen.sum(), 1)), by_name, found, measured,
                )
            )  # fmt: skip
