"""The history as columns: what events come in as, and what queries come out as."""

from __future__ import annotations

import pyarrow as pa

from mlplugin.store.port import QUERY_COLUMNS

# Times are microseconds since 1970 UTC, durations microseconds, answers joined by spaces.
EVENTS = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        pa.field("transport", pa.string()),
        pa.field("qname", pa.string(), nullable=False),
        pa.field("registered_domain", pa.string()),
        pa.field("qtype", pa.string(), nullable=False),
        pa.field("rcode", pa.string()),
        pa.field("answers", pa.string()),
        pa.field("duration", pa.int64()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("threat", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("action", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("shadow_verdict", pa.string()),
        pa.field("shadow_score", pa.float64()),
        pa.field("shadow_model", pa.string()),
    ]
)

# A query of the history, with `QUERY_COLUMNS`.
QUERIES = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC")),
        pa.field("sensor", pa.string()),
        *(EVENTS.field(name) for name in QUERY_COLUMNS[2:9]),
        pa.field("answers", pa.list_(pa.string())),
        *(EVENTS.field(name) for name in QUERY_COLUMNS[10:]),
    ]
)
