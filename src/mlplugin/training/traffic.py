"""False alarms in real traffic: each query counts, not each name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin import qname
from mlplugin.errors import InvalidNameError
from mlplugin.replay.query import HEADER
from mlplugin.replay.source import Source
from mlplugin.training.measure import Judge
from mlplugin.training.names import from_texts

_ID = 2  # octets that a query lacks until it is sent
_LISTED = 20


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


def alarms(judge: Judge, path: Path) -> dict[str, Any]:
    """What is flagged in a log; false alarms per million queries, if all of it is benign."""
    counts = names_of(path)
    texts = sorted(counts)
    judged = judge(from_texts(texts))
    asked = np.array([counts[text] for text in texts], np.int64)
    total = max(int(asked.sum()), 1)
    suspicious, malicious = judged.level >= 1, judged.level >= 2
    worst = sorted(np.flatnonzero(suspicious), key=lambda row: -int(asked[row]))
    return {
        "queries": int(asked.sum()),
        "names": len(texts),
        "flagged_names": int(suspicious.sum()),
        "flagged_queries": int(asked[suspicious].sum()),
        "suspicious_or_worse_per_million": round(1e6 * int(asked[suspicious].sum()) / total, 1),
        "malicious_per_million": round(1e6 * int(asked[malicious].sum()) / total, 1),
        "examples": {texts[row]: int(asked[row]) for row in worst[:_LISTED]},
    }


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
