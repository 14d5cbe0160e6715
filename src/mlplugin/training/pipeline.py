"""From prepared names to a model: fitted, quantised, calibrated; reproducible to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlplugin.training import clean, fit, loop, measure, populations, quantise, write
from mlplugin.training.datasets import BENIGN, THREATS, split
from mlplugin.training.learners import FirstLook, SecondLook
from mlplugin.training.populations import Networks
from mlplugin.training.preparation import Mask, Prepared, Tell
from mlplugin.training.progress import course_of

REPUTATION_VOTES = 2
REPUTATION_ROWS = 230_000


@dataclass(frozen=True)
class Trained:
    """A finished model with what the fit was like.

    Attributes:
        model: all that is written.
        quantisation: finds by threat, with float32 and with eight bits.
        cross_checked: nominal scores and what they are worth on names outside the calibration.
    """

    model: write.Finished
    quantisation: dict[str, Any]
    cross_checked: dict[str, float]


def train(ready: Prepared, rows: Mask, recipe: fit.Recipe, tell: Tell) -> Trained:
    """Fit both looks on these rows, quantise, calibrate on names under unseen domains."""
    course = course_of(tell)
    course.stage("samples")
    chosen = np.flatnonzero(rows)
    made, lenders = fit.samples(ready.data, ready.splits, chosen, ready.rules, recipe)
    sample = watched(ready)
    tell(f"first look: fitting {len(made.target):,} names")
    course.stage("fit")
    weights = loop.fit(
        FirstLook(made, lenders, len(ready.rules), recipe), course=course, sample=sample
    )
    tell(f"second look: fitting {len(made.target):,} names")
    second = loop.fit(SecondLook(made, lenders, recipe), course=course, sample=sample)
    del made, lenders
    course.stage("calibration")
    whole = quantise.floats(weights, recipe.bag, recipe.linear)
    whole_look = quantise.look_floats(second, recipe.look_longest)
    small, look = quantise.quantised(whole), quantise.look_quantised(whole_look)
    reputation = clean.best_known(ready.known, REPUTATION_VOTES, REPUTATION_ROWS)
    found = populations.calibrated(ready, (small, look), reputation, recipe)
    model = write.Finished(
        small, ready.rules, reputation, found.first, look, found.second,
        recipe.look_share, recipe.look_from,
    )  # fmt: skip
    tell("calibrated; measuring what eight bits cost")
    measured = {
        f"{nominal:g}": round(float(score), 2)
        for nominal, score in zip(found.checked.knots, found.checked.scores, strict=True)
    }
    quantisation = _cost(ready, (whole, whole_look), (small, look), recipe.look_share)
    course.stage("measuring")
    return Trained(model, quantisation, measured)


def watched(ready: Prepared) -> loop.Sample:
    """Names under unseen domains on which a fit is watched: up to 5,000 clean ones, 500 a threat.

    At one false positive in 1,000 that is five names: enough to see where it goes.
    """
    fresh = ready.fair & ready.unseen
    clean_rows = np.flatnonzero(fresh & ready.two_votes & ready.data.of_file("benign_popular"))
    if len(clean_rows) < 1000:
        clean_rows = np.flatnonzero(fresh & (ready.data.target == BENIGN))
    sets = [clean_rows[:: max(1, -(-len(clean_rows) // 5000))]]
    for threat in range(len(THREATS)):
        rows = np.flatnonzero(fresh & ready.usable & (ready.data.target == threat))
        sets.append(rows[:: max(1, -(-len(rows) // 500))])
    chosen = np.concatenate(sets)
    names = ready.data.names.take(chosen)
    return loop.Sample(names, split(names, ready.rules), ready.data.target[chosen])


def _cost(ready: Prepared, whole: Networks, small: Networks, look_share: float) -> dict[str, Any]:
    """Finds at 1 in 1,000 by each threat's own logit, with float32 and with eight bits."""
    data, fresh = ready.data, ready.fair & ready.unseen
    reference = fresh & ready.two_votes & data.of_file("benign_popular")
    if reference.sum() < measure.FEWEST:
        reference = fresh & (data.target == BENIGN)
    good = data.names.take(measure.thin(np.flatnonzero(reference)))
    result: dict[str, Any] = {}
    for threat, name in enumerate(THREATS):
        rows = np.flatnonzero(fresh & ready.usable & (data.target == threat))
        if len(rows) < measure.FEWEST:
            continue
        bad = data.names.take(rows[:: max(1, len(rows) // 10_000)])
        pair = []
        for networks in (whole, small):
            clean_logits, bad_logits = (
                populations.both(networks, names, ready.rules, look_share)[1][:, threat]
                for names in (good, bad)
            )
            pair.append(measure.at_rates(clean_logits, bad_logits)["0.10%"])
        result[name] = {"float32": pair[0], "int8": pair[1]}
    return result
