"""From a folder of labelled names to a model directory: one call, reproducible to the byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.training import (
    calibrate,
    clean,
    fit,
    loop,
    measure,
    ordinary,
    quantise,
    suffixes,
    write,
)
from mlplugin.training.datasets import BENIGN, THREATS, Labelled, Splits, read, split
from mlplugin.training.names import Names, from_texts
from mlplugin.training.progress import course_of
from mlplugin.training.quantise import Network

Mask = NDArray[np.bool_]
Tell = Callable[[str], None]
UNSEEN_SHARE = 0.1
REPUTATION_VOTES = 2
REPUTATION_ROWS = 230_000


@dataclass(frozen=True)
class Prepared:
    """The data, read, split, counted and cleaned."""

    data: Labelled
    splits: Splits
    rules: suffixes.Rules
    known: clean.Standing
    fair: Mask
    usable: Mask
    unseen: Mask
    two_votes: Mask

    @property
    def trainable(self) -> Mask:
        """Rows that the shipped model may learn from."""
        return self.fair & self.usable & ~self.unseen


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


def prepare(folder: Path, tell: Tell = lambda _: None) -> Prepared:
    """Read and clean a folder of labelled names; rows that cannot be used are told of.

    Raises:
        UsageError: if the folder does not hold what is needed.
    """
    data, rules = read(folder, tell), suffixes.bundled()
    if not (data.target == BENIGN).any() or not (data.target != BENIGN).any():
        raise UsageError(f"{folder}: both benign and malicious names are needed")
    return prepared(data, split(data.names, rules), rules)


def prepared(data: Labelled, splits: Splits, rules: suffixes.Rules) -> Prepared:
    """Count and clean names that are read and split."""
    known = clean.standing(data, splits, rules)
    row = known.rows(splits.domain)
    benign = data.target == BENIGN
    return Prepared(
        data,
        splits,
        rules,
        known,
        clean.clean_rows(data, splits, known),
        clean.usable_rows(data),
        clean.held_out(splits.domain, UNSEEN_SHARE),
        benign & (known.votes[row] >= 2),
    )


def train(ready: Prepared, rows: Mask, recipe: fit.Recipe, tell: Tell) -> Trained:
    """Fit on these rows, quantise, calibrate on names under unseen domains."""
    course = course_of(tell)
    course.stage("samples")
    chosen = np.flatnonzero(rows)
    made, lenders = fit.samples(ready.data, ready.splits, chosen, ready.rules, recipe)
    tell(f"fitting {len(made.target):,} names")
    course.stage("fit")
    weights = loop.fit(
        made, lenders, len(ready.rules), recipe, course=course, sample=watched(ready)
    )
    del made, lenders
    course.stage("calibration")
    whole = quantise.floats(weights, recipe.bag, recipe.linear)
    small = quantise.quantised(whole)
    calibration, checked = calibrated(ready, small, recipe.seed)
    reputation = clean.best_known(ready.known, REPUTATION_VOTES, REPUTATION_ROWS)
    model = write.Finished(small, ready.rules, reputation, calibration)
    tell("calibrated; measuring what eight bits cost")
    measured = {
        f"{nominal:g}": round(float(score), 2)
        for nominal, score in zip(checked.knots, checked.scores, strict=True)
    }
    quantisation = _cost(ready, whole, small)
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


def calibrated(
    ready: Prepared, network: Network, seed: int
) -> tuple[calibrate.Calibration, calibrate.Curve]:
    """The calibration of a network, and what cross-checking says that it is worth.

    See :mod:`mlplugin.training.calibrate`.
    """
    data = ready.data
    fresh = ready.fair & ready.unseen
    sets = [
        fresh & ready.two_votes & data.of_file("benign_popular"),
        fresh & ready.two_votes & data.of_file("benign_fqdn"),
    ]
    clean_rows = [np.flatnonzero(mask) for mask in sets if mask.sum() >= 1000]
    clean_rows = clean_rows or [np.flatnonzero(fresh & (data.target == BENIGN))]
    odd = np.flatnonzero(
        data.of_file("benign_hard", "benign_traffic") & (ready.splits.label_at >= 0)
    )
    odd_names = [data.names.take(odd)] if len(odd) >= 1000 else []
    fresh_domains = data.names.take(clean_rows[0][:20_000]).texts()
    invented = from_texts(ordinary.names(seed + 1, 20_000, fresh_domains))
    bad = [
        _spread(ready, np.flatnonzero(fresh & ready.usable & (data.target == threat)))
        for threat in range(len(THREATS))
    ]

    def logits(names: Names) -> NDArray[np.float64]:
        at = split(names, ready.rules)
        found = network.logits(names, at)
        return found[at.label_at >= 0]

    clean_logits = [logits(data.names.take(rows)) for rows in clean_rows]
    odd_logits = [logits(names) for names in [*odd_names, invented]]
    found = calibrate.calibrate(
        clean_logits,
        odd_logits,
        [logits(data.names.take(rows)) if len(rows) else np.zeros((0, 6)) for rows in bad],
    )
    return found, calibrate.cross_checked(clean_logits, odd_logits, found.prior)


def _spread(ready: Prepared, rows: NDArray[np.int64], each: int = 300) -> NDArray[np.int64]:
    """At most ``each`` rows of a family of generated names; at most 10,000 in all."""
    family = ready.data.family[rows]
    generated = ready.data.of_file("dga")[rows] & (family != _nameless(ready.data))
    order = np.lexsort((rows, family))
    ranked = np.zeros(len(rows), np.int64)
    ordered = family[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(rows) else rows
    ranked[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    kept = rows[~generated | (ranked < each)]
    return np.asarray(kept[:: max(1, -(-len(kept) // 10_000))])


def _nameless(data: Labelled) -> int:
    return data.families.index("") if "" in data.families else -1


def _cost(ready: Prepared, whole: Network, small: Network) -> dict[str, Any]:
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
        for network in (whole, small):
            clean_logits = network.logits(good, split(good, ready.rules))[:, threat]
            bad_logits = network.logits(bad, split(bad, ready.rules))[:, threat]
            pair.append(measure.at_rates(clean_logits, bad_logits)["0.10%"])
        result[name] = {"float32": pair[0], "int8": pair[1]}
    return result
