"""Which names calibrate a model and what each stands for; both looks, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import ordinary
from mlplugin.training.calibrate import Calibration, calibrate, cross_checked
from mlplugin.training.datasets import BENIGN, THREATS, Labelled, split
from mlplugin.training.fit import Recipe
from mlplugin.training.names import Names, from_texts
from mlplugin.training.preparation import Prepared
from mlplugin.training.quantise import Look, Network
from mlplugin.training.suffixes import Rules
from mlplugin.training.tails import Curve, Group

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Networks = tuple[Network, Look]

FEWEST = 4000  # names of a set that calibrates; a tail of fewer is too uncertain
MADE = 30_000  # odd names that are made for it
# How often odd names may be flagged for each flagged clean name. Names that are made hold each
# kind of oddness as often as any other, and those of the long tail are of unknown merit.
ALLOWED_ODD, ALLOWED_MADE, ALLOWED_TAIL = 1.0, 6.0, 4.0


@dataclass(frozen=True)
class Calibrated:
    """Both calibrations, and what the scores are worth on names outside of them."""

    first: Calibration
    second: Calibration
    checked: Curve


@dataclass(frozen=True)
class _Population:
    """Names with what each of them stands for; see :class:`mlplugin.training.tails.Group`."""

    names: Names
    weight: Floats
    allowed: float = 1.0


def calibrated(
    ready: Prepared, networks: Networks, reputation: NDArray[np.uint64], recipe: Recipe
) -> Calibrated:
    """Calibrate the first look, then the second on the names that the first lets through."""
    clean = _clean(ready, reputation)
    odd = _odd(ready, recipe.seed)
    bad = [
        _alike(_spread(ready, np.flatnonzero(_fresh(ready) & (ready.data.target == threat))), ready)
        for threat in range(len(THREATS))
    ]
    looked = [
        [_looked(each, networks, ready.rules, recipe.look_share) for each in populations]
        for populations in ([clean], odd, bad)
    ]
    (first_clean,), first_odd, first_bad = ([first for first, _ in each] for each in looked)
    first = calibrate(first_clean, first_odd, first_bad)

    def passed(pair: tuple[Group, Group]) -> Group:
        return replace(pair[1], passed=first.combined(pair[0].logits) >= recipe.look_from)

    (second_clean,), second_odd, second_bad = ([passed(pair) for pair in each] for each in looked)
    second = calibrate(second_clean, second_odd, second_bad, lowest=recipe.look_from, together=True)
    return Calibrated(first, second, cross_checked(second_clean, second_odd, second))


def both(networks: Networks, names: Names, rules: Rules, share: float) -> tuple[Floats, Floats]:
    """The logits of the first look, and those of both together; NaN for names that are suffixes."""
    at = split(names, rules)
    first, second = (network.logits(names, at) for network in networks)
    return first, (1 - share) * first + share * second


def _looked(of: _Population, networks: Networks, rules: Rules, share: float) -> tuple[Group, Group]:
    first, mixed = both(networks, of.names, rules, share)
    sound = ~np.isnan(first[:, 0])
    ones = np.ones(int(sound.sum()), np.bool_)
    a, b = (Group(values[sound], of.weight[sound], ones, of.allowed) for values in (first, mixed))
    return a, b


def _fresh(ready: Prepared) -> NDArray[np.bool_]:
    """Rows under registered domains that nothing is fitted to."""
    benign = ready.data.target == BENIGN
    fresh: NDArray[np.bool_] = ready.fair & ready.unseen & (ready.usable | benign)
    return fresh


def _clean(ready: Prepared, reputation: NDArray[np.uint64]) -> _Population:
    """The population that scores are shares of.

    Half of it are clean names under domains that are new, without reputation: nothing can be known
    of a new domain. The other half are host names that are really queried, where reputation
    passes most; see :func:`mlplugin.training.false_alarms.population`.
    """
    data = ready.data
    good = _fresh(ready) & ready.two_votes
    popular = np.flatnonzero(good & data.of_file("benign_popular"))
    queried = np.flatnonzero(good & data.of_file("benign_fqdn"))
    if len(popular) < FEWEST:
        popular = np.flatnonzero(_fresh(ready) & (data.target == BENIGN))
    if len(queried) < FEWEST:
        return _alike(popular, ready)
    judged = queried[~np.isin(ready.splits.domain[queried], reputation)]
    weight = np.r_[
        np.full(len(popular), 0.5 / len(popular)), np.full(len(judged), 0.5 / len(queried))
    ]
    return _Population(data.names.take(np.r_[popular, judged]), weight)


def _odd(ready: Prepared, seed: int) -> list[_Population]:
    """Populations that are odd and may be flagged so often at most.

    Hard names and real traffic are few and known, so that most of them were trained on: they only
    see to it that what is known stays let be. The long tail and the names that are made are new.
    """
    data = ready.data
    hard = np.flatnonzero(data.of_file("benign_hard", "benign_traffic"))
    tail = np.flatnonzero(_fresh(ready) & data.of_file("benign_longtail"))
    sets = [(hard, ALLOWED_ODD), (tail, ALLOWED_TAIL)]
    fresh = np.flatnonzero(_fresh(ready) & (data.target == BENIGN))[:20_000]
    made = from_texts(ordinary.names(seed + 1, MADE, data.names.take(fresh).texts()))
    return [
        *(_alike(rows, ready, allowed) for rows, allowed in sets if len(rows) >= FEWEST),
        _Population(made, np.full(len(made), 1 / len(made)), ALLOWED_MADE),
    ]


def _alike(rows: Rows, ready: Prepared, allowed: float = 1.0) -> _Population:
    count = max(len(rows), 1)
    return _Population(ready.data.names.take(rows), np.full(len(rows), 1 / count), allowed)


def _spread(ready: Prepared, rows: Rows, each: int = 300) -> Rows:
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
