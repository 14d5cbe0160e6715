"""A model that is in use as the weights that a fit goes on from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.model.directory import Contents
from mlplugin.model.settings import Calibration as Written
from mlplugin.training.calibrate import Calibration
from mlplugin.training.datasets import THREATS
from mlplugin.training.descent import Weights
from mlplugin.training.quantise import Look, Network
from mlplugin.training.suffixes import Rules
from mlplugin.training.tails import Curve
from mlplugin.training.windows import LookWeights

LARGEST = 127  # of eight bits


@dataclass(frozen=True)
class Caution:
    """Squared gradients that each weight is taken to have seen: the higher, the less it moves.

    The layers that all names share hardly move, so that what is learnt of some names stays with
    the n-grams and the windows that they have.
    """

    rows: float = 1.0
    linear: float = 1.0
    dense: float = 1e4
    suffix: float = 400.0
    filters: float = 10.0


class Parent:
    """A model as training sees it."""

    def __init__(self, contents: Contents) -> None:
        self.settings, self.tensors, self.sha256 = contents

    @property
    def rules(self) -> Rules:
        """Its suffix rules; their texts are not in the file, and nothing here needs them."""
        hashes = self.tensors.suffix_hash
        return Rules(("",) * len(hashes), hashes, self.tensors.suffix_flag)

    @property
    def network(self) -> Network:
        """Its first look as it is in the file."""
        t, pooling = self.tensors, self.settings.pooling
        return Network(
            t.table, _f4(t.table_scale), _f4(t.w1), _f4(t.b1), _f4(t.w2), _f4(t.b2),
            t.suffix_weight, _f4(t.suffix_scale), pooling.bag, pooling.linear,
        )  # fmt: skip

    @property
    def look(self) -> Look:
        """Its second look as it is in the file."""
        t = self.tensors
        return Look(
            t.look_table, _f4(t.look_scale), _f4(t.look_bias), _f4(t.look_w1), _f4(t.look_b1),
            _f4(t.look_w2), _f4(t.look_w3), _f4(t.look_b2), self.settings.look.longest,
        )  # fmt: skip

    @property
    def calibrations(self) -> tuple[Calibration, Calibration]:
        """What turns the logits of its first look, and of both, into scores."""
        settings = self.settings
        return (
            _calibration(settings.calibration, settings.prior, together=False),
            _calibration(settings.look.calibration, settings.look.prior, together=True),
        )

    def weights(self, caution: Caution) -> Weights:
        """The first look to go on from."""
        network, heads, dims = self.network, len(THREATS), self.settings.dimensions
        width = -(-(dims + 2 * heads + 1) // 16) * 16
        table = np.zeros((len(network.table), width), np.float32)
        table[:, : dims + heads] = network.table * network.table_scale
        table[:, dims + heads] = caution.rows
        table[:, dims + heads + 1 : dims + 2 * heads + 1] = caution.linear
        suffix = network.suffix * network.suffix_scale
        w1, b1, w2, b2 = (
            (part.copy(), np.full_like(part, caution.dense))
            for part in (network.w1, network.b1, network.w2, network.b2)
        )
        return Weights(
            table, w1[0], b1[0], w2[0], b2[0], suffix, w1[1], b1[1], w2[1], b2[1],
            np.full_like(suffix, caution.suffix),
        )  # fmt: skip

    def look_weights(self, caution: Caution) -> LookWeights:
        """The second look to go on from."""
        look = self.look
        table = look.table * look.scale
        w1, b1, w2, w3, b2 = (
            (part.copy(), np.full_like(part, caution.dense))
            for part in (look.w1, look.b1, look.w2, look.w3, look.b2)
        )
        return LookWeights(
            table, look.bias.copy(), w1[0], b1[0], w2[0], w3[0], b2[0],
            np.full_like(table, caution.filters), np.full_like(look.bias, caution.filters),
            w1[1], b1[1], w2[1], w3[1], b2[1],
        )  # fmt: skip


def settled(weights: Weights, parent: Parent) -> Network:
    """Fitted weights in the parent's eight bits: what no name touched keeps its very bytes."""
    before = parent.network
    columns = before.table.shape[1]
    return Network(
        _rounded(weights.table[:, :columns], before.table_scale), before.table_scale,
        weights.w1, weights.b1, weights.w2, weights.b2,
        _rounded(weights.suffix, before.suffix_scale), before.suffix_scale,
        before.bag, before.linear,
    )  # fmt: skip


def look_settled(weights: LookWeights, parent: Parent) -> Look:
    """The same of the second look."""
    before = parent.look
    return Look(
        _rounded(weights.table, before.scale), before.scale, weights.bias,
        weights.w1, weights.b1, weights.w2, weights.w3, weights.b2, before.longest,
    )  # fmt: skip


def _rounded(values: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.int8]:
    whole = np.rint(values / scale)
    return np.ascontiguousarray(np.clip(whole, -LARGEST, LARGEST).astype(np.int8))


def _f4(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.astype(np.float32))


def _calibration(written: Written, prior: dict[str, float], *, together: bool) -> Calibration:
    return Calibration(
        tuple(
            Curve(np.array(written.threats[name].logit), np.array(written.threats[name].score))
            for name in THREATS
        ),
        np.array([prior[name] for name in THREATS]),
        Curve(np.array(written.overall.inputs), np.array(written.overall.score)),
        together,
    )
