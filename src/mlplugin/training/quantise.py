"""Eight bits for the big tables: one scale a column, clipped where that costs least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.training.datasets import Splits
from mlplugin.training.descent import Weights
from mlplugin.training.names import Names
from mlplugin.training.scores import look_all, score_all
from mlplugin.training.windows import CODES, LookWeights

_CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  # of a column's largest value


@dataclass(frozen=True)
class Network:
    """The numbers of a model as the weights file holds them, or the same in float32."""

    table: NDArray[np.int8] | NDArray[np.float32]
    table_scale: NDArray[np.float32]
    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    b2: NDArray[np.float32]
    suffix: NDArray[np.int8] | NDArray[np.float32]
    suffix_scale: NDArray[np.float32]
    bag: float
    linear: float

    def logits(self, names: Names, at: Splits) -> NDArray[np.float64]:
        """A row a name, a column a threat; NaN where a name is itself a suffix."""
        suffix = self.suffix.astype(np.float64) * np.float64(self.suffix_scale[0])
        result: NDArray[np.float64] = score_all(
            names.blob, names.offsets, at.label_at, at.suffix_at, at.rule, self.table,
            self.table_scale.astype(np.float64), self.w1.astype(np.float64),
            self.b1.astype(np.float64), self.w2.astype(np.float64), self.b2.astype(np.float64),
            suffix, (self.bag, self.linear),
        )  # fmt: skip
        return result


@dataclass(frozen=True)
class Look:
    """The numbers of the second look as the weights file holds them, or the same in float32."""

    table: NDArray[np.int8] | NDArray[np.float32]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]
    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    w3: NDArray[np.float32]
    b2: NDArray[np.float32]
    longest: int

    def logits(self, names: Names, at: Splits) -> NDArray[np.float64]:
        """A row a name, a column a threat; NaN where a name is itself a suffix."""
        result: NDArray[np.float64] = look_all(
            names.blob, names.offsets, at.label_at, at.suffix_at, CODES, self.table,
            self.scale.astype(np.float64), self.bias.astype(np.float64),
            self.w1.astype(np.float64), self.b1.astype(np.float64), self.w2.astype(np.float64),
            self.w3.astype(np.float64), self.b2.astype(np.float64), self.longest,
        )  # fmt: skip
        return result


def look_floats(weights: LookWeights, longest: int) -> Look:
    """The fitted weights of the second look as they are; rows that no name touched become zero."""
    table = np.where(weights.table_sum > weights.table_sum.min(), weights.table, np.float32(0))
    return Look(
        table, np.ones(table.shape[2], np.float32), weights.bias, weights.w1, weights.b1,
        weights.w2, weights.w3, weights.b2, longest,
    )  # fmt: skip


def look_quantised(look: Look) -> Look:
    """The same with its table in eight bits, one scale a filter."""
    columns = [_column(look.table[:, :, f].astype(np.float64)) for f in range(look.table.shape[2])]
    return Look(
        np.ascontiguousarray(np.stack([values for values, _ in columns], axis=2)),
        np.array([scale for _, scale in columns], np.float32),
        look.bias, look.w1, look.b1, look.w2, look.w3, look.b2, look.longest,
    )  # fmt: skip


def floats(weights: Weights, bag: float, linear: float) -> Network:
    """The fitted weights as they are; rows that no name touched become zero."""
    heads, dims = len(weights.b2), weights.w1.shape[1] // 3
    table = weights.table[:, : dims + heads].copy()
    sums = weights.table[:, dims + heads]
    table[sums == sums.min()] = 0
    ones = np.ones(dims + heads, np.float32)
    return Network(
        table, ones, weights.w1, weights.b1, weights.w2, weights.b2,
        weights.suffix, np.ones(1, np.float32), bag, linear,
    )  # fmt: skip


def quantised(network: Network) -> Network:
    """The same network with its table and suffix weights in eight bits."""
    columns = [
        _column(network.table[:, d].astype(np.float64)) for d in range(network.table.shape[1])
    ]
    suffix, suffix_scale = _rounded(network.suffix.astype(np.float64), 1.0)
    return Network(
        np.ascontiguousarray(np.stack([values for values, _ in columns], axis=1)),
        np.array([scale for _, scale in columns], np.float32),
        network.w1, network.b1, network.w2, network.b2,
        suffix, np.array([suffix_scale], np.float32), network.bag, network.linear,
    )  # fmt: skip


def _rounded(values: NDArray[np.float64], clip: float) -> tuple[NDArray[np.int8], float]:
    scale = float(np.float32(max(np.abs(values).max() * clip / 127, 1e-12)))
    return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale


def _column(values: NDArray[np.float64]) -> tuple[NDArray[np.int8], float]:
    tried = [_rounded(values, clip) for clip in _CLIPS]
    errors = [float(((whole * scale - values) ** 2).sum()) for whole, scale in tried]
    return tried[int(np.argmin(errors))]
