"""From names that are split to scores: the first look, and the second where the first asks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.model.batch import Bytes, Indices
from mlplugin.model.directory import Floats, Tensors
from mlplugin.model.look import Look
from mlplugin.model.network import Activations, Network
from mlplugin.model.settings import HIGHEST_SCORE, Calibration, Settings
from mlplugin.verdict import THREATS


class Regions(NamedTuple):
    """Where names' regions are, and the suffix rules that matched.

    Attributes:
        text: what ``begin`` and ``end`` point into; a byte must stand behind every end.
        begin: of each region, as (names, regions).
        end: of each region, equal to ``begin`` where it is empty.
        rule: the row of each name's suffix rule, -1 where there is none.
    """

    text: Bytes
    begin: Indices
    end: Indices
    rule: Indices


class Scored(NamedTuple):
    """What both looks make of names, a row a name.

    Attributes:
        logits: of each threat, as (names, threats).
        scores: of each threat.
        lead: the column of the threat that leads.
        first: the overall score of the first look.
        overall: the overall score.
        again: names that had the second look.
        activations: of the first look.
    """

    logits: Floats
    scores: Floats
    lead: NDArray[np.int64]
    first: Floats
    overall: Floats
    again: NDArray[np.bool_]
    activations: Activations


class Scorer:
    """Both looks of a model."""

    def __init__(self, settings: Settings, tensors: Tensors) -> None:
        self.network = Network(settings, tensors)
        self.look = Look(settings, tensors)
        self.share = settings.look.share
        self._start = settings.look.start
        self._first = _Scale(settings.calibration, settings.prior)
        self._second = _Scale(settings.look.calibration, settings.look.prior)

    def score(self, regions: Regions) -> Scored:
        """Score names."""
        text, begin, end, rule = regions
        activations = self.network.forward(text, begin, end, rule)
        logits, scores = activations.logits, self._first.scores(activations.logits)
        sums = self._first.with_prior(scores)
        lead = sums.argmax(axis=1)
        first = np.clip(self._first.overall(sums.max(axis=1)), 0.0, HIGHEST_SCORE)
        again = first >= self._start
        overall = first
        if again.any():
            logits, overall = logits.copy(), first.copy()
            second = self.look.forward(text, begin[again], end[again])
            logits[again] = (1 - self.share) * logits[again] + self.share * second
            scores[again] = self._second.scores(logits[again])
            sums = self._second.with_prior(scores[again])
            lead[again] = sums.argmax(axis=1)
            together = self._second.overall(_together(sums))
            overall[again] = np.clip(together, self._start, HIGHEST_SCORE)
        return Scored(logits, scores, lead, first, overall, again, activations)


class _Scale:
    """The curves and the priors of one look."""

    def __init__(self, calibration: Calibration, prior: dict[str, float]) -> None:
        self._curves = [calibration.threats[threat] for threat in THREATS]
        self._overall = calibration.overall
        self._prior = np.array([prior[threat] for threat in THREATS])

    def scores(self, logits: Floats) -> Floats:
        columns = [
            np.interp(logits[:, index], curve.logit, curve.score)
            for index, curve in enumerate(self._curves)
        ]
        return np.stack(columns, axis=1)

    def with_prior(self, scores: Floats) -> Floats:
        return np.asarray(scores + self._prior)

    def overall(self, together: Floats) -> Floats:
        return np.asarray(np.interp(together, self._overall.inputs, self._overall.score))


def _together(sums: Floats) -> Floats:
    """Add up decibels, a row at a time, measured from the highest so that none is too large."""
    highest = sums.max(axis=1, keepdims=True)
    added = np.power(10, (sums - highest) / 10).sum(axis=1)
    return np.asarray(highest[:, 0] + 10 * np.log10(added))
