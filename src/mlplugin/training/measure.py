"""What a model is worth: false positives by kind of clean name, finds by file and family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.training.datasets import BENIGN, THREATS, Labelled
from mlplugin.training.names import Names

Mask = NDArray[np.bool_]
RATES = (0.01, 0.001, 0.0001)
FEWEST = 30  # names; a share of fewer says nothing
MOST = 50_000  # names of one set; more changes no digit that is shown


@dataclass(frozen=True)
class Judged:
    """The judgement of many names.

    Attributes:
        score: the model's overall score, whatever came before the model.
        threats: the score of each threat, a column each.
        level: 0 benign, 1 suspicious, 2 malicious: the final word, reputation and all.
    """

    score: NDArray[np.float64]
    threats: NDArray[np.float64]
    level: NDArray[np.int8]


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
    """

    data: Labelled
    unseen: Mask
    clean: Mask
    fair: Mask
    usable: Mask
    floor: NDArray[np.float64]


def thin(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``MOST`` of these rows, evenly spread."""
    return rows[:: max(1, -(-len(rows) // MOST))]


def benign_sets(subject: Subject) -> dict[str, NDArray[np.int64]]:
    """Rows of each set of benign names."""
    data = subject.data
    popular = data.of_file("benign_popular")
    hosts = data.of_file("benign_fqdn")
    masks = {
        "clean, unseen domains": popular & subject.clean & subject.unseen,
        "queried hosts, unseen domains, clean": hosts & subject.clean & subject.unseen,
        "queried hosts, unseen domains, all": hosts & subject.unseen,
        "queried hosts, seen domains": hosts & ~subject.unseen,
        "popularity lists, one vote, unseen": popular & ~subject.clean & subject.unseen,
        "long tail, unseen domains": data.of_file("benign_longtail") & subject.unseen,
        "trackers and ads, unseen domains": data.of_file("benign_ads") & subject.unseen,
        "odd ordinary names": data.of_file("benign_hard"),
        "real traffic": data.of_file("benign_traffic"),
    }
    fair = subject.fair & (data.target == BENIGN)
    rows = {name: thin(np.flatnonzero(mask & fair)) for name, mask in masks.items()}
    return {name: found for name, found in rows.items() if len(found) >= FEWEST}


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


def false_positives(judge: Judge, subject: Subject) -> dict[str, Any]:
    """Of each set of benign names, the share that the shipped thresholds flag."""
    result = {}
    for name, rows in benign_sets(subject).items():
        judged = judge(subject.data.names.take(rows))
        result[name] = {
            "names": len(rows),
            "suspicious or worse": share(judged.level >= 1),
            "malicious": share(judged.level >= 2),
            "model alone, 30 or more": share(judged.score >= 30),
        }
    return result


def finds(judge: Judge, subject: Subject, held: Mask) -> dict[str, Any]:
    """Of each set of malicious names, what is found at fixed rates and as shipped.

    The rates hold on clean names under unseen domains. ``own`` uses the score of the set's
    own threat with a threshold of its own, ``floor`` the public suffix alone.
    """
    rows = benign_sets(subject)["clean, unseen domains"]
    clean, floor = judge(subject.data.names.take(rows)), subject.floor[rows]
    result = {}
    for name, (threat, chosen) in malicious_sets(subject, held).items():
        judged = judge(subject.data.names.take(chosen))
        result[name] = {
            "threat": THREATS[threat],
            "names": len(chosen),
            "overall": at_rates(clean.score, judged.score),
            "own": at_rates(clean.threats[:, threat], judged.threats[:, threat]),
            "floor": at_rates(floor[:, threat], subject.floor[chosen, threat]),
            "auc": area(clean.threats[:, threat], judged.threats[:, threat]),
            "suspicious or worse": share(judged.level >= 1),
            "malicious": share(judged.level >= 2),
        }
    return result


def macro(found: dict[str, Any]) -> dict[str, Any]:
    """Means over families, each family counting the same, of each kind of generated names."""
    result = {}
    for kind in ("dga_random", "dga_dictionary"):
        rows = [values for name, values in found.items() if name.startswith(f"{kind}:")]
        if rows:
            keys = list(rows[0]["overall"])
            result[kind] = {
                "families": len(rows),
                "overall": {k: _mean([row["overall"][k] for row in rows]) for k in keys},
                "own": {k: _mean([row["own"][k] for row in rows]) for k in keys},
                "suspicious or worse": _mean([row["suspicious or worse"] for row in rows]),
            }
    return result


def at_rates(clean: NDArray[np.float64], bad: NDArray[np.float64]) -> dict[str, float]:
    """The share of malicious names above the threshold of each false-positive rate."""
    ordered = np.sort(clean)
    result = {}
    for rate in RATES:
        allowed = int(np.floor(rate * len(ordered)))
        limit = ordered[len(ordered) - 1 - allowed]
        result[f"{rate:.2%}"] = share(bad > limit)
    return result


def area(clean: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    """The chance that a malicious name scores above a clean one, ties counting half."""
    ordered = np.sort(clean)
    below = np.searchsorted(ordered, bad, "left") + np.searchsorted(ordered, bad, "right")
    return round(float(below.mean() / 2 / len(ordered)), 4)


def suffix_odds(
    rule: NDArray[np.int32], target: NDArray[np.int8], train: Mask
) -> NDArray[np.float64]:
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


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)
