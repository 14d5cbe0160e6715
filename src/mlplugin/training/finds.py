"""What a model finds of malicious names, by file and by family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.service import intervals
from mlplugin.training import measure
from mlplugin.training.datasets import THREATS
from mlplugin.training.false_alarms import MALICIOUS, SUSPICIOUS
from mlplugin.training.measure import CLEAN, RATES, Floats, Judged, Mask, Set, Subject, share

# Scores by which names are found at a fixed rate of false positives.
OVERALL, OWN, FLOOR = "overall", "own", "floor"
OVERALL_BARE, OWN_BARE = "overall, no suffix", "own, no suffix"
KINDS = (OVERALL, OWN, OVERALL_BARE, OWN_BARE, FLOOR)
GRID = tuple(float(f"{rate:.3g}") for rate in np.logspace(-4, 0, 33))


def scored(judged: Judged, floor: Floats, kind: str, threat: int) -> Floats:
    """One number a name: the higher, the more like a malicious one."""
    if kind == OVERALL:
        return judged.score
    if kind == OVERALL_BARE:
        return judged.bare_score
    columns = {OWN: judged.threats, OWN_BARE: judged.bare_threats, FLOOR: floor}[kind]
    return np.asarray(columns[:, threat])


class Reference:
    """The clean names under unseen domains, by which every rate of false positives is kept."""

    def __init__(self, benign: Mapping[str, Set], subject: Subject) -> None:
        found = benign[CLEAN]
        self._judged, self._floor = found.judged, subject.floor[found.rows]
        self._domain = subject.domain[found.rows]
        self._drawn: dict[tuple[str, int], Floats] = {}

    def scores(self, kind: str, threat: int) -> Floats:
        """The scores of the clean names."""
        return scored(self._judged, self._floor, kind, threat)

    def drawn(self, kind: str, threat: int) -> Floats:
        """Thresholds as they come out of other draws, see :func:`intervals.limits`."""
        key = (kind, -1 if kind in {OVERALL, OVERALL_BARE} else threat)
        if key not in self._drawn:
            self._drawn[key] = intervals.limits(self.scores(kind, threat), self._domain, RATES)
        return self._drawn[key]


@dataclass(frozen=True)
class Bad:
    """A set of malicious names, judged.

    Attributes:
        threat: the column of its threat.
        rows: of the data.
    """

    threat: int
    rows: NDArray[np.int64]
    judged: Judged


def judged_malicious(judge: measure.Judge, subject: Subject, held: Mask) -> dict[str, Bad]:
    """Each set of the malicious names that are held out."""
    return {
        name: Bad(threat, rows, judge(subject.data.names.take(rows)))
        for name, (threat, rows) in measure.malicious_sets(subject, held).items()
    }


def finds(sets: Mapping[str, Bad], subject: Subject, reference: Reference) -> dict[str, Any]:
    """Of each set of malicious names, what is found at fixed rates and as shipped.

    The rates hold on clean names under unseen domains. ``own`` uses the score of the set's
    own threat with a threshold of its own, ``no suffix`` the score without all that the public
    suffix says, ``floor`` the public suffix alone.
    """
    return {name: _found(bad, subject, reference) for name, bad in sets.items()}


def _found(bad: Bad, subject: Subject, reference: Reference) -> dict[str, Any]:
    threat, rows, judged = bad.threat, bad.rows, bad.judged
    domain, floor = subject.domain[rows], subject.floor[rows]
    row: dict[str, Any] = {"threat": THREATS[threat], "names": len(rows)}
    spans: dict[str, Any] = {}
    for kind in KINDS:
        score = scored(judged, floor, kind, threat)
        row[kind] = measure.at_rates(reference.scores(kind, threat), score)
        drawn = reference.drawn(kind, threat)
        spans[kind] = {}
        for at, (rate, found) in enumerate(row[kind].items()):
            hits = score > np.median(drawn[at])
            count = intervals.effective(hits, domain)
            spans[kind][rate] = intervals.at_limits(score, count, drawn[at], found)
    row["auc"] = measure.area(reference.scores(OWN, threat), judged.threats[:, threat])
    row["auc, no suffix"] = measure.area(
        reference.scores(OWN_BARE, threat), judged.bare_threats[:, threat]
    )
    row["auc, suffix only"] = measure.area(reference.scores(FLOOR, threat), floor[:, threat])
    for key, hits in ((SUSPICIOUS, judged.level >= 1), (MALICIOUS, judged.level >= 2)):
        row[key] = share(hits)
        spans[key] = intervals.of_share(hits, domain)
    return {**row, "interval": spans}


def macro(found: Mapping[str, Any]) -> dict[str, Any]:
    """Means over families, each family counting the same, of each kind of generated names."""
    result = {}
    for kind in ("dga_random", "dga_dictionary"):
        rows = [values for name, values in found.items() if name.startswith(f"{kind}:")]
        if rows:
            result[kind] = _mean_row(rows)
    return result


def _mean_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = [row["names"] for row in rows]
    result: dict[str, Any] = {"families": len(rows), "names": sum(counts)}
    for score in KINDS:
        result[score] = {rate: _mean([row[score][rate] for row in rows]) for rate in rows[0][score]}
    for key in (SUSPICIOUS, MALICIOUS):
        result[key] = _mean([row[key] for row in rows])
    result["by name"] = {
        key: round(float(np.average([row[key] for row in rows], weights=counts)), 4)
        for key in (SUSPICIOUS, MALICIOUS)
    }
    result["interval"] = {
        key: intervals.of_mean([row[key] for row in rows], counts)
        for key in (SUSPICIOUS, MALICIOUS)
    }
    for score in (OVERALL, OWN):
        result["interval"][score] = {
            rate: intervals.of_mean([row[score][rate] for row in rows], counts)
            for rate in rows[0][score]
        }
    return result


def curves(sets: Mapping[str, Bad], subject: Subject, reference: Reference) -> dict[str, Any]:
    """What is found at every rate of false positives, by threat.

    The mean over the families of generated names, else over the files of a threat; names of
    foreign sources are left out.
    """
    rates: dict[str, list[dict[str, Floats]]] = {}
    for name, bad in sets.items():
        if "foreign" in name or name == "dga_nofamily":
            continue
        floor = subject.floor[bad.rows]
        found = {
            kind: measure.above(
                reference.scores(kind, bad.threat),
                scored(bad.judged, floor, kind, bad.threat),
                GRID,
            )
            for kind in KINDS
        }
        rates.setdefault(THREATS[bad.threat], []).append(found)
    return {
        threat: {
            "sets": len(rows),
            **{
                kind: [round(float(v), 5) for v in np.mean([row[kind] for row in rows], axis=0)]
                for kind in KINDS
            },
        }
        for threat, rows in rates.items()
    }


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)
