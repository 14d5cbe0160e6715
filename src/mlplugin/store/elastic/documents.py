"""Events as documents of ECS, and back.

Out, whole columns become the lines of a bulk request at once, in DuckDB: a loop over events and
`json.dumps` would cost more than everything else together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from mlplugin.store.columns import QUERIES
from mlplugin.store.duckdb_query import moment
from mlplugin.store.elastic.template import ECS_VERSION
from mlplugin.store.port import OBSERVE, Order, Position, Row

DAY = 86_400_000_000
# Days so old have no index of their own, but one for their year: a clock that stands at 1970 or
# runs wild makes no hundreds of indices.
DAILY = 400
# A clock may be wrong by so much.
AHEAD = timedelta(days=1)

_ENGINE = duckdb.connect(
    config={
        "threads": "1",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
)


# The columns of text in which a quotation mark or a backslash may stand.
_TEXTS = (
    "qname", "registered_domain", "client", "answers", "reason", "model", "shadow_model",
)  # fmt: skip
_ODD = (b'"', b"\\")


def _escaped(column: str) -> str:
    """SQL for a column as the inside of a JSON string; the service let printable ASCII in only."""
    return rf"""replace(replace({column}, '\', '\\'), '"', '\"')"""


def _optional(key: str, column: str) -> str:
    """SQL for a key that is left out where the column is null."""
    return f"""',"{key}":"' || {column} || '"'"""


def _documents(text: Callable[[str], str]) -> str:
    """SQL for a batch as pairs of lines, text by the SQL that is given for a column."""
    return f"""
    SELECT concat(
        '{{"create":{{"_id":"', $prefix, sequence, '"}}}}\n{{"@timestamp":"',
        replace(CAST(make_timestamp(time) AS VARCHAR), ' ', 'T'),
        'Z","ecs":{{"version":"{ECS_VERSION}"}},"event":{{"kind":"event","category":["network"],'
        '"type":["protocol","', CASE WHEN coalesce(action, '{OBSERVE}') = '{OBSERVE}'
            THEN 'allowed' ELSE 'denied' END, '"],"module":"mlplugin","dataset":"mlplugin.dns",'
        '"action":"', coalesce(action, '{OBSERVE}'), '","sequence":', sequence,
        ',"duration":' || (duration * 1000), {_optional("reason", text("reason"))},
        '}},"dns":{{"type":"answer","question":{{"name":"', {text("qname")}, '","type":"', qtype,
        '"', {_optional("registered_domain", text("registered_domain"))}, '}}',
        {_optional("response_code", "rcode")},
        ',"answers":{{"data":["' || replace({text("nullif(answers, '')")}, ' ', '","') || '"]}}',
        '}},"client":{{"address":"', {text("client")}, '","ip":"', split_part(client, '%', 1),
        '"}},"observer":{{"name":', $sensor, '}},"mlplugin":{{"verdict":"', verdict,
        '","source":"', source, '","model":"', {text("model")}, '","score":', coalesce(score, 0),
        {_optional("threat", "threat")}, {_optional("transport", "transport")},
        ',"shadow":{{"verdict":"' || shadow_verdict || '","score":' || coalesce(shadow_score, 0)
            || ',"model":"' || {text("coalesce(shadow_model, '')")} || '"}}', '}}}}\n'
    ) FROM batch
"""  # noqa: S608 - only our own text


_PLAIN, _QUOTED = _documents(str), _documents(_escaped)


def identity(sensor: str) -> str:
    """What the ids of a sensor's events begin with: digits, which the engines keep in half."""
    number = int.from_bytes(hashlib.sha256(sensor.encode()).digest()[:8]) % 10**15
    return f"{number:015d}"


def sequence_of(identifier: str) -> int:
    """The sequence in an event's id."""
    return int(identifier[15:])


def bulk(sensor: str, events: pa.Table) -> bytes:
    """Write events (`EVENTS`) as the body of a bulk request to one index."""
    body = _PLAIN if all(_is_plain(events[name]) for name in _TEXTS) else _QUOTED
    with _ENGINE.cursor() as engine:
        engine.register("batch", events)
        parameters = {"prefix": identity(sensor), "sensor": json.dumps(sensor)}
        found = engine.sql(body, params=parameters).to_arrow_table().column(0)
    return b"".join(_octets(chunk) for chunk in found.chunks)


def _is_plain(column: pa.ChunkedArray) -> bool:
    """Whether a column of text stands in JSON as it is."""
    return not any(odd in octets for octets in map(_octets, column.chunks) for odd in _ODD)


def _octets(texts: pa.Array) -> bytes:
    """All texts of an array in a row, as they lie in memory."""
    _, bounds, octets = texts.buffers()
    if octets is None:
        return b""
    at = np.frombuffer(bounds, np.int32, len(texts) + 1, texts.offset * 4)
    return bytes(octets.slice(at[0], at[-1] - at[0]))


def day_name(day: int, today: int) -> str:
    """Name the index of a day, both counted from 1970."""
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return f"{date:%Y}" if day < today - DAILY else f"{date:%Y.%m.%d}"


def place(hit: dict[str, Any]) -> tuple[int, str, int]:
    """The place of a hit in the order of time, sensor and sequence; microseconds."""
    nanoseconds, sensor, sequence = hit["sort"][-3:]
    return int(nanoseconds) // 1000, sensor, int(sequence)


def position(hit: dict[str, Any], order: Order) -> Position:
    """The place of a hit in an order."""
    value = None
    if order is Order.SCORE:
        value = float(hit["sort"][0])
    elif order is Order.DURATION:
        value = max(int(hit["sort"][0]) // 1000, -1)
    return Position(*place(hit), value)


def _values(hit: dict[str, Any]) -> tuple[Any, ...]:
    """A hit as a row with `QUERY_COLUMNS`, its time in microseconds."""
    source = hit["_source"]
    event, dns, own = source["event"], source["dns"], source["mlplugin"]
    question = dns["question"]
    answers = dns.get("answers", {}).get("data", [])
    duration = event.get("duration")
    shadow = own.get("shadow") or {}
    shadow_score = shadow.get("score")
    time, sensor, sequence = place(hit)
    return (
        time,
        sensor,
        sequence,
        source["client"]["address"],
        own.get("transport"),
        question["name"],
        question.get("registered_domain"),
        question["type"],
        dns.get("response_code"),
        answers if isinstance(answers, list) else [answers],
        None if duration is None else int(duration) // 1000,
        own["verdict"],
        own.get("threat"),
        round(float(own["score"]), 1),
        own["source"],
        own["model"],
        event["action"],
        event.get("reason"),
        shadow.get("verdict"),
        None if shadow_score is None else round(float(shadow_score), 1),
        shadow.get("model"),
    )


def rows(hits: Iterable[dict[str, Any]]) -> list[Row]:
    """Hits as rows for people."""
    made = [dict(zip(QUERIES.names, _values(hit), strict=True)) for hit in hits]
    for row in made:
        row["time"] = moment(row["time"])
    return made


def columns(hits: list[dict[str, Any]]) -> pa.RecordBatch:
    """Hits as columns of the schema `QUERIES`."""
    values = list(zip(*map(_values, hits), strict=True))
    arrays = [
        pa.array(column, pa.int64()).cast(field.type)
        if field.name == "time"
        else pa.array(column, field.type)
        for column, field in zip(values, QUERIES, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=QUERIES)
