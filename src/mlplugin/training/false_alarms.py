"""What a model does to names that are no one's fault: rates, the score scale, reputation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlplugin.service import intervals
from mlplugin.training import measure
from mlplugin.training.measure import CLEAN, QUERIED, Mask, Set, Subject, share

SUSPICIOUS, MALICIOUS = "suspicious or worse", "malicious"
NOMINAL = (10, 15, 20, 25, 30, 33, 37, 40)  # scores whose worth is measured
UNSEEN_HALF, QUERIED_HALF, POOLED = (
    "unseen domains, without reputation",
    "queried hosts, with reputation",
    "pooled, half each",
)


def false_positives(benign: Mapping[str, Set], subject: Subject) -> dict[str, Any]:
    """Of each set of benign names, the share that the shipped thresholds flag."""
    result = {}
    for name, found in benign.items():
        judged = found.judged
        result[name] = {
            "names": len(found.rows),
            "trained on": int(subject.trained[found.rows].sum()),
            **rates(judged.level, subject, found),
            "model alone, 30 or more": share(judged.alone >= 1),
        }
    return result


def flagged(benign: Mapping[str, Set], subject: Subject, each: int) -> dict[str, list[str]]:
    """Of each set of benign names, some that are flagged as shipped, the highest scores first."""
    result = {}
    for name, found in benign.items():
        wrong = np.flatnonzero(found.judged.level >= 1)
        wrong = wrong[np.argsort(-found.judged.score[wrong], kind="stable")][:each]
        if len(wrong):
            result[name] = [subject.data.names.text(found.rows[row]) for row in wrong]
    return result


def rates(level: measure.Levels, subject: Subject, found: Set) -> dict[str, Any]:
    """The shares that are flagged, with their intervals."""
    domain = subject.domain[found.rows]
    worse, worst = level >= 1, level >= 2
    return {
        SUSPICIOUS: share(worse),
        MALICIOUS: share(worst),
        "interval": {
            SUSPICIOUS: intervals.of_share(worse, domain),
            MALICIOUS: intervals.of_share(worst, domain),
        },
    }


def population(benign: Mapping[str, Set], subject: Subject) -> dict[str, Any]:
    """The clean names that the shipped verdicts answer for: two halves, and both together.

    One half is names whose registered domain is new; nothing can be known of such a domain,
    so that they are judged without reputation. The other half is host names that are really
    queried, judged as shipped. Without host names the first half stands alone.
    """
    first = benign[CLEAN]
    halves = {
        UNSEEN_HALF: {
            "names": len(first.rows),
            **rates(first.judged.alone, subject, first),
        }
    }
    if QUERIED in benign:
        second = benign[QUERIED]
        halves[QUERIED_HALF] = {
            "names": len(second.rows),
            **rates(second.judged.level, subject, second),
        }
    return {**halves, POOLED: _pooled(list(halves.values()))}


def _pooled(halves: list[dict[str, Any]]) -> dict[str, Any]:
    first, second = halves[0], halves[-1]
    pooled: dict[str, Any] = {"names": sum(half["names"] for half in halves), "interval": {}}
    for key in (SUSPICIOUS, MALICIOUS):
        pooled[key] = round((first[key] + second[key]) / 2, 6)
        pooled["interval"][key] = (
            intervals.of_half_each(
                first[key], first["interval"][key], second[key], second["interval"][key]
            )
            if len(halves) == 2
            else first["interval"][key]
        )
    return pooled


def score_scale(benign: Mapping[str, Set], subject: Subject) -> dict[str, list[dict[str, Any]]]:
    """Of the population and its halves, the expected and the observed share from each score on.

    A score of s promises a share of 10^(-s/10) of the population; see :func:`population`.
    """
    result: dict[str, list[dict[str, Any]]] = {}
    for name, of in ((UNSEEN_HALF, CLEAN), (QUERIED_HALF, QUERIED)):
        if of in benign:
            result[name] = [_reached(nominal, benign[of], subject, of) for nominal in NOMINAL]
    halves = list(result.values())
    pairs = zip(halves[0], halves[-1], strict=True)
    return {**result, POOLED: [_both(*pair, of=len(halves)) for pair in pairs]}


def _reached(nominal: float, found: Set, subject: Subject, of: str) -> dict[str, Any]:
    hits = found.judged.score >= nominal
    if of == QUERIED:
        hits = hits & ~found.judged.reputed
    return {
        "score": nominal,
        "names": len(found.rows),
        "expected": round(10 ** (-nominal / 10), 7),
        "observed": share(hits),
        "interval": intervals.of_share(hits, subject.domain[found.rows]),
    }


def _both(first: dict[str, Any], second: dict[str, Any], of: int) -> dict[str, Any]:
    if of == 1:
        return first
    return first | {
        "names": first["names"] + second["names"],
        "observed": round((first["observed"] + second["observed"]) / 2, 6),
        "interval": intervals.of_half_each(
            first["observed"], first["interval"], second["observed"], second["interval"]
        ),
    }


def reputation(
    judge: measure.Judge, benign: Mapping[str, Set], subject: Subject, held: Mask
) -> dict[str, Any]:
    """What reputation takes away of the false positives, and of the malicious names.

    Malicious names count as their feeds have them: cleaning has dropped most of those that
    reputation passes, because long-known domains are seldom what a feed means.

    Args:
        judge: the model.
        benign: sets of benign names, judged.
        subject: the rows.
        held: the malicious rows that count.
    """
    gain = {}
    for name, found in benign.items():
        judged = found.judged
        gain[name] = {
            "names": len(found.rows),
            "passed": share(judged.reputed),
            "flagged without": share(judged.alone >= 1),
            "flagged with": share(judged.level >= 1),
        }
    return {"gain": gain, "harm": passed(judge, subject, held)}


def passed(judge: measure.Judge, subject: Subject, held: Mask) -> dict[str, Any]:
    """Of each file of malicious names, what reputation lets through, and what that costs."""
    data, result = subject.data, {}
    for code, name in enumerate(data.files):
        rows = np.flatnonzero(held & (data.file == code) & (data.target >= 0))
        if len(rows) < measure.FEWEST:
            continue
        rows = measure.thin(rows)
        judged = judge(data.names.take(rows))
        fair = subject.fair[rows]
        result[name] = {
            "names": len(rows),
            "passed": share(judged.reputed),
            "interval": intervals.of_share(judged.reputed, subject.domain[rows]),
            "passed that the model flags": share(judged.reputed & (judged.alone >= 1)),
            "passed after cleaning": share(judged.reputed[fair]),
        }
    return result
