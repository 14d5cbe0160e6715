"""The history by name: what each name was judged to be, for whom, and how often."""

from __future__ import annotations

import pyarrow as pa

TIME = pa.timestamp("us", "UTC")
# Of the queries: flagged, answered otherwise than observe, malicious. `_by_answer` are those of
# them that were so for something in the answer, and not for the name: an alias, an address.
COUNTED = (
    "queries", "flagged", "blocked", "malicious", "flagged_by_answer", "blocked_by_answer",
)  # fmt: skip
_COUNTS = [pa.field(name, pa.int64(), nullable=False) for name in COUNTED]
_TIMES = [pa.field("first", TIME, nullable=False), pa.field("last", TIME, nullable=False)]

# One row a name; `allowed` and `denied` are the queries about which a list decided.
NAMES = pa.schema(
    [
        pa.field("qname", pa.string(), nullable=False),
        *_COUNTS,
        pa.field("allowed", pa.int64(), nullable=False),
        pa.field("denied", pa.int64(), nullable=False),
        *_TIMES,
    ]
)
# One row a name and client.
ASKERS = pa.schema(
    [
        pa.field("qname", pa.string(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        *_COUNTS,
        *_TIMES,
    ]
)
# How the reason of what the answer decided begins.
ANSWER_REASONS = ("alias target ", "address ")
# So many names at most may be asked about at once.
MOST_ASKED = 1000
