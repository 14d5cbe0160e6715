"""The two networks of a model as things that can be fitted; :mod:`mlplugin.training.loop` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import fit
from mlplugin.training.checkpoint import State
from mlplugin.training.datasets import THREATS, Splits
from mlplugin.training.descent import Samples, Scratch, Weights, descend, scratch
from mlplugin.training.fit import Recipe
from mlplugin.training.names import Names
from mlplugin.training.quantise import floats, look_floats
from mlplugin.training.windows import CODES, LookWeights, Sight, descend_windows, sight

W = TypeVar("W", Weights, LookWeights)
Order = NDArray[np.int64]


class Learner(Protocol[W]):
    """A network that is fitted to samples.

    Attributes:
        what: its name.
        made: what it learns from.
        lenders: the samples whose subdomains may be lent.
        recipe: how it learns.
        passes: how often it sees every sample.
        kind: of its weights.
    """

    what: str
    made: Samples
    lenders: Order
    recipe: Recipe
    kind: type[W]

    @property
    def passes(self) -> int:
        """How often it sees every sample."""

    def start(self) -> W:
        """Weights before the first sample."""

    def learn(self, state: State, part: Order) -> None:
        """Learn from these samples, the next of the pass; moves the state's weights in place."""

    def logits(self, weights: W, names: Names, at: Splits) -> NDArray[np.float64]:
        """What the network says of names."""


@dataclass
class FirstLook:
    """The bag of n-grams, which judges every name."""

    made: Samples
    lenders: Order
    rules: int
    recipe: Recipe
    what: str = "first look"
    kind: type[Weights] = Weights
    buffers: Scratch = field(init=False)

    def __post_init__(self) -> None:
        self.buffers = scratch(self.recipe.dimensions, self.recipe.hidden, len(THREATS))

    @property
    def passes(self) -> int:
        """How often it sees every sample."""
        return self.recipe.passes

    def start(self) -> Weights:
        """Weights before the first sample."""
        return fit.start(self.recipe, self.rules)

    def learn(self, state: State, part: Order) -> None:
        """Learn from these samples, the next of the pass."""
        descend(
            self.made, part, self.lenders, fit.chances(self.recipe), state.weights,
            fit.rates(self.recipe, state.number), self.buffers, state.random, state.sums,
        )  # fmt: skip

    def logits(self, weights: Weights, names: Names, at: Splits) -> NDArray[np.float64]:
        """What the network says of names."""
        return floats(weights, self.recipe.bag, self.recipe.linear).logits(names, at)


@dataclass
class SecondLook:
    """Windows of characters, which judge the names that the first look finds odd."""

    made: Samples
    lenders: Order
    recipe: Recipe
    what: str = "second look"
    kind: type[LookWeights] = LookWeights
    buffers: Sight = field(init=False)
    samples: int = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        self.buffers = sight(
            recipe.look_longest, recipe.look_filters, recipe.look_hidden, len(THREATS)
        )
        self.samples = int((self.made.weight > 0).sum())

    @property
    def passes(self) -> int:
        """How often it sees every sample."""
        return self.recipe.look_passes

    def start(self) -> LookWeights:
        """Weights before the first sample."""
        return fit.start_look(self.recipe)

    def learn(self, state: State, part: Order) -> None:
        """Learn from these samples, the next of the pass."""
        descend_windows(
            self.made, part, CODES, fit.chances(self.recipe), state.weights,
            fit.look_rates(self.samples, self.recipe), self.buffers, state.random, state.sums,
            state.number * self.samples + state.done,
        )  # fmt: skip

    def logits(self, weights: LookWeights, names: Names, at: Splits) -> NDArray[np.float64]:
        """What the network says of names."""
        return look_floats(weights, self.recipe.look_longest).logits(names, at)


AnyLearner = Learner[Any]
