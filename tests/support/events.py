"""Events for tests: as a sensor sends them, and as the columns that a store takes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from mlplugin.store.columns import EVENTS

NOON = 1_790_000_000_000_000  # microseconds: 2026-09-21T14:13:20Z

PLAIN: dict[str, Any] = {
    "client": "192.0.2.1",
    "transport": "udp",
    "qname": "www.example.org",
    "registered_domain": "example.org",
    "qtype": "A",
    "rcode": "NOERROR",
    "answers": ["192.0.2.80"],
    "duration": 250,
    "verdict": "benign",
    "source": "model",
    "model": "2026.11.0",
}


def event(sequence: int, /, **changed: Any) -> dict[str, Any]:
    """One event, a second after the one before; a change to None leaves the key out."""
    found = {
        "sequence": sequence,
        "time": NOON + sequence * 1_000_000,
        **PLAIN,
        **changed,
    }
    return {key: value for key, value in found.items() if value is not None}


def ndjson(events: Iterable[dict[str, Any]]) -> bytes:
    """Events as the body of a batch."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def table(events: Iterable[dict[str, Any]]) -> pa.Table:
    """Events as checked columns."""
    rows = [
        {**one, "answers": " ".join(one["answers"]) if "answers" in one else None} for one in events
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)
