"""What an evaluation is made of: judgements, sets of names, shares at false-positive rates.

:mod:`mlplugin.training.false_alarms` and :mod:`mlplugin.training.finds` put it together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.training.datasets import BENIGN, THREATS, Labelled
from mlplugin.training.names import Names

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Levels = NDArray[np.int8]
RATES = (0.01, 0.001, 0.0001)
FEWEST = 30  # names; a share of fewer says nothing
CLEAN = "clean, unseen domains"
QUERIED = "queried hosts, unseen domains, clean"
TAIL = "long tail, unseen domains"
ODD = "odd ordinary names"
TRAFFIC = "real traffic"
MOST = 50_000  # names of one set; more changes no digit that is shown


@dataclass(frozen=True)
class Judged:
    """The judgement of many names.

    Attributes:
        score: the model's overall score, whatever came before the model.
        threats: the score of each threat, a column each.
        bare_score: the overall score without all that the public suffix says.
        bare_threats: the score of each threat without it.
        level: 0 benign, 1 suspicious, 2 malicious: the final word, reputation and all.
        alone: the same of names that no reputation was looked up for.
        reputed: names that reputation passed.
    """

    score: Floats
    threats: Floats
    bare_score: Floats
    bare_threats: Floats
    level: Levels
    alone: Levels
    reputed: Mask


Judge = Callable[[Names], Judged]


@dataclass(frozen=True)
class Subject:
    """Labelled rows with what an evaluation must know of them.

    Attributes:
        data: the rows.
        unseen: rows whose registered domain the model was not trained on.
        clean: benign rows in two lists or more, in no feed.
        fair: rows whose label survived the cleaning.
        usable: rows of sources that a model which ships may learn from.
        floor: log-odds of the public suffix alone, a column a threat.
        domain: hashes of the registered domains.
        trained: rows that the model learned from.
    """

    data: Labelled
    unseen: Mask
    clean: Mask
    fair: Mask
    usable: Mask
    floor: Floats
    domain: NDArray[np.uint64]
    trained: Mask


@dataclass(frozen=True)
class Set:
    """Rows of the data, and what was made of their names."""

    rows: NDArray[np.int64]
    judged: Judged


def thin(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``MOST`` of these rows, evenly spread."""
    return rows[:: max(1, -(-len(rows) // MOST))]


def clean_popular(data: Labelled, clean: Mask) -> Mask:
    """Of clean rows those whose names are popular: false positives are measured by them."""
    return data.of_file("benign_popular") & clean


def benign_sets(subject: Subject) -> dict[str, NDArray[np.int64]]:
    """Rows of each set of benign names."""
    data = subject.data
    popular = data.of_file("benign_popular")
    hosts = data.of_file("benign_fqdn")
    masks = {
        CLEAN: clean_popular(data, subject.clean) & subject.unseen,
        QUERIED: hosts & subject.clean & subject.unseen,
        "queried hosts, unseen domains, all": hosts & subject.unseen,
        "queried hosts, seen domains": hosts & ~subject.unseen,
        "popularity lists, one vote, unseen": popular & ~subject.clean & subject.unseen,
        TAIL: data.of_file("benign_longtail") & subject.unseen,
        "trackers and ads, unseen domains": data.of_file("benign_ads") & subject.unseen,
        ODD: data.of_file("benign_hard"),
        TRAFFIC: data.of_file("benign_traffic"),
    }
    fair = subject.fair & (data.target == BENIGN)
    rows = {name: thin(np.flatnonzero(mask & fair)) for name, mask in masks.items()}
    return {name: found for name, found in rows.items() if len(found) >= FEWEST}


def judged_benign(judge: Judge, subject: Subject) -> dict[str, Set]:
    """Each set of benign names with its judgement.

    Raises:
        UsageError: if there are too few clean names to measure false positives by.
    """
    sets = benign_sets(subject)
    if CLEAN not in sets:
        raise UsageError(
            f"fewer than {FEWEST} clean names under domains that the model was not trained on: "
            "evaluate with benign_popular names that several lists hold"
        )
    return {name: Set(rows, judge(subject.data.names.take(rows))) for name, rows in sets.items()}


def malicious_sets(subject: Subject, held: Mask) -> dict[str, tuple[int, NDArray[np.int64]]]:
    """Threat and rows of each file, and of each family of the files of generated names."""
    data = subject.data
    base = held & subject.fair & (data.target != BENIGN)
    sets: dict[str, tuple[int, NDArray[np.int64]]] = {}
    for code, name in enumerate(data.files):
        of_file = base & (data.file == code)
        families = np.unique(data.family[of_file]) if name.startswith("dga") else np.array([], int)
        named = [family for family in families.tolist() if data.families[family]]
        for family in named:
            rows = np.flatnonzero(of_file & (data.family == family))
            if len(rows) >= FEWEST:
                sets[f"{name}: {data.families[family]}"] = (int(data.target[rows[0]]), thin(rows))
        for title, part in ((name, subject.usable), (f"{name}, foreign sources", ~subject.usable)):
            rows = np.flatnonzero(of_file & part)
            if not named and len(rows) >= FEWEST:
                sets[title] = (int(data.target[rows[0]]), thin(rows))
    return sets


def at_rates(clean: Floats, bad: Floats) -> dict[str, float]:
    """The share of malicious names above the threshold of each false-positive rate."""
    found = above(clean, bad, RATES)
    return {named(rate): round(float(one), 6) for rate, one in zip(RATES, found, strict=True)}


def named(rate: float) -> str:
    """A false-positive rate as a key."""
    return f"{rate:.2%}"


def above(clean: Floats, bad: Floats, rates: Sequence[float]) -> Floats:
    """The share of malicious names above the lowest threshold that keeps each rate."""
    ordered, found = np.sort(clean), np.sort(bad)
    allowed = np.floor(np.array(rates) * len(ordered)).astype(np.int64)
    limit = ordered[np.maximum(len(ordered) - 1 - allowed, 0)]
    shares = 1 - np.searchsorted(found, limit, "right") / max(len(found), 1)
    return np.where(allowed >= len(ordered), 1.0, shares)


def area(clean: Floats, bad: Floats) -> float:
    """The chance that a malicious name scores above a clean one, ties counting half."""
    ordered = np.sort(clean)
    below = np.searchsorted(ordered, bad, "left") + np.searchsorted(ordered, bad, "right")
    return round(float(below.mean() / 2 / len(ordered)), 4)


def suffix_odds(rule: NDArray[np.int32], target: NDArray[np.int8], train: Mask) -> Floats:
    """Smoothed log-odds of each row's public suffix, by threat, from the training rows."""
    size = int(rule.max(initial=0)) + 2
    at = rule + 1
    good = np.bincount(at[train & (target == BENIGN)], minlength=size) + 1.0
    odds = np.zeros((len(rule), len(THREATS)))
    for threat in range(len(THREATS)):
        bad = np.bincount(at[train & (target == threat)], minlength=size) + 1.0
        odds[:, threat] = np.log(bad / bad.sum() / (good / good.sum()))[at]
    return odds


def share(mask: Mask) -> float:
    """The mean of a mask, to six decimals; 0 for none."""
    return round(float(mask.mean()), 6) if len(mask) else 0.0
