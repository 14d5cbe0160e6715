"""False alarms in real traffic: each query counts, not each name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin import qname
from mlplugin.errors import InvalidNameError
from mlplugin.replay.query import HEADER
from mlplugin.replay.source import Source
from mlplugin.service import intervals
from mlplugin.training.datasets import split
from mlplugin.training.measure import Judge, Levels, share
from mlplugin.training.names import from_texts
from mlplugin.training.suffixes import Rules

_ID = 2  # octets that a query lacks until it is sent
_LISTED = 20
ALL = "all logs"


def names_of(path: Path) -> Counter[str]:
    """How often each canonical name is asked for in a Zeek log, a capture or a list.

    Raises:
        UsageError: if the file cannot be read.
    """
    counts: Counter[str] = Counter()
    with Source(path) as source:
        for query in source.queries():
            counts[_name(query.tail)] += 1
    counts.pop("", None)
    return counts


@dataclass(frozen=True)
class Known:
    """What a model was trained on, so that a log's new names can be told from the others.

    Attributes:
        rules: to find registered domains by.
        domains: hashes of the registered domains that were trained on, ascending.
    """

    rules: Rules
    domains: NDArray[np.uint64]


def alarms(judge: Judge, counts: Mapping[str, int], known: Known) -> dict[str, Any]:
    """What is flagged of the names of a log; false alarms if all of it is benign.

    Args:
        judge: the model.
        counts: how often each name is asked for, from :func:`names_of`.
        known: what the model was trained on.
    """
    texts = sorted(counts)
    names = from_texts(texts)
    level = judge(names).level if texts else np.zeros(0, np.int8)
    asked = np.array([counts[text] for text in texts], np.int64)
    domain = split(names, known.rules).domain if texts else np.zeros(0, np.uint64)
    new = ~np.isin(domain, known.domains)
    worst = sorted(np.flatnonzero(level >= 1).tolist(), key=lambda row: -int(asked[row]))
    return {
        **_counted(level, asked, domain),
        "under new domains": _counted(level[new], asked[new], domain[new]),
        "examples": {texts[row]: int(asked[row]) for row in worst[:_LISTED]},
    }


def _counted(level: Levels, asked: NDArray[np.int64], domain: NDArray[np.uint64]) -> dict[str, Any]:
    total = max(int(asked.sum()), 1)
    suspicious, malicious = level >= 1, level >= 2
    by_query = intervals.of_share(suspicious, domain, asked)
    return {
        "queries": int(asked.sum()),
        "names": len(level),
        "flagged_names": int(suspicious.sum()),
        "flagged_queries": int(asked[suspicious].sum()),
        "suspicious_or_worse_by_name": share(suspicious),
        "malicious_by_name": share(malicious),
        "suspicious_or_worse_per_million": round(1e6 * int(asked[suspicious].sum()) / total, 1),
        "malicious_per_million": round(1e6 * int(asked[malicious].sum()) / total, 1),
        "interval": {
            "suspicious_or_worse_by_name": intervals.of_share(suspicious, domain),
            "suspicious_or_worse_per_million": [round(1e6 * end, 1) for end in by_query],
        },
    }


def of_logs(judge: Judge, logs: Sequence[Path], known: Known) -> dict[str, Any]:
    """Each log by its name, and all of them together where there are several.

    Logs of the same name count as one.

    Raises:
        UsageError: if one cannot be read.
    """
    counted: dict[str, Counter[str]] = {}
    for path in logs:
        counted.setdefault(path.name, Counter()).update(names_of(path))
    if len(counted) > 1:
        counted[ALL] = sum(counted.values(), Counter())
    return {name: alarms(judge, counts, known) for name, counts in counted.items()}


def _name(tail: bytes) -> str:
    """The canonical name of a query's question; empty if it has none."""
    at, labels = HEADER.size - _ID, []
    while at < len(tail) and tail[at]:
        labels.append(tail[at + 1 : at + 1 + tail[at]])
        at += 1 + tail[at]
    try:
        return qname.from_wire(labels)
    except InvalidNameError:
        return ""
