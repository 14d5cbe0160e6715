"""A batch of events as it comes from a sensor: from bytes to columns that may be stored.

`parse` makes the columns, and a broken line is an error that can be answered. Checks look at
whole columns, and at single values only where one of them is out of the ordinary.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlplugin.errors import InvalidNameError, MlpluginError
from mlplugin.qname import canonical
from mlplugin.service.parse import UnreadableError, parsed
from mlplugin.store.columns import EVENTS
from mlplugin.store.port import ACTIONS, TRANSPORTS
from mlplugin.verdict import LEVELS, SOURCES, THREATS

MOST_BYTES = 32 << 20
# A sensor sends one gzip member. Each further one costs a copy of all that is behind it.
MOST_MEMBERS = 16
MOST_ANSWERS = 8
LONGEST_REASON = 256
LONGEST_MODEL = 64
LONGEST_ZONE = 64
# The longest name, 255 octets on the wire, with every octet written \DDD.
LONGEST_NAME = 1020
LATEST_TIME = 253_402_300_799_999_999  # the end of the year 9999
HIGHEST = {"sequence": 2**63 - 2, "time": LATEST_TIME, "duration": 2**32 - 1}
CHOICES = {
    "transport": TRANSPORTS,
    "verdict": LEVELS,
    "threat": THREATS,
    "source": SOURCES,
    "action": ACTIONS,
    "shadow_verdict": LEVELS,
}
MNEMONIC = re.compile(r"[A-Za-z0-9-]{1,32}")
MODEL = re.compile(rf"[!-~]{{1,{LONGEST_MODEL}}}")
ZONE = re.compile(rf"[!-~]{{1,{LONGEST_ZONE}}}")


@dataclass
class BatchError(MlpluginError):
    """A batch that can never be stored.

    Attributes:
        status: the HTTP status that says so.
        line: the first line at fault, from 1; None where it is not one line's.
    """

    status: int
    text: str
    line: int | None = None

    exit_code = 2

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


def decoded(body: bytes, encoding: str, most: int = MOST_BYTES) -> bytes:
    """Give the body as it was before its Content-Encoding, never more than `most` bytes.

    Raises BatchError.
    """
    if encoding in {"", "identity"}:
        if len(body) > most:
            raise _too_large(most)
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise BatchError(415, f"Content-Encoding {encoding!r} is not known: send gzip or none")
    parts: list[bytes] = []
    left = most
    while body:
        if len(parts) == MOST_MEMBERS:
            raise BatchError(400, f"the body has more than {MOST_MEMBERS} gzip members: send one")
        unpack = zlib.decompressobj(wbits=31)
        try:
            parts.append(unpack.decompress(body, left + 1))
        except zlib.error as fault:
            raise BatchError(400, f"the body is no gzip: {fault}") from None
        left -= len(parts[-1])
        if left < 0:
            raise _too_large(most)
        if not unpack.eof:
            raise BatchError(400, "the gzip body is cut short")
        body = unpack.unused_data
    return b"".join(parts)


def _too_large(most: int) -> BatchError:
    return BatchError(413, f"a batch may have at most {most} bytes decoded: send smaller ones")


def read(body: bytes) -> pa.Table:
    """Read NDJSON into checked columns (`EVENTS`). Raises BatchError."""
    if not body.strip():
        return EVENTS.empty_table()
    try:
        table = parsed(body)
    except UnreadableError:
        raise _unreadable(body) from None
    _check(_Columns(table, body))
    return table.select(EVENTS.names)


def _unreadable(body: bytes) -> BatchError:
    """Find the first line that the reader does not take, and put its complaint into our words.

    The reader's own line numbers are not always right: halves are tried instead.
    """
    rows = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    text = ""
    while True:
        half = rows[: (len(rows) + 1) // 2]
        try:
            parsed(b"\n".join(line for _, line in half))
        except UnreadableError as fault:
            text = str(fault)
            if len(rows) == 1:
                break
            rows = half
        else:
            rows = rows[len(half) :]
            if not rows:
                return BatchError(400, "no valid NDJSON")
    what = re.search(r"in line \d+: ([^\n]*)", text)
    detail = what[1][:200] if what else "it cannot be read"
    if "Malformed JSON" in text:
        detail = detail.split(". ")[0].rstrip(". ")
        return BatchError(400, f"no valid JSON: {detail}", rows[0][0])
    return BatchError(422, detail, rows[0][0])


def _line(body: bytes, row: int) -> int | None:
    """The line of a row; empty lines are no rows."""
    lines = (n for n, line in enumerate(body.split(b"\n"), 1) if line.strip())
    return next((n for at, n in enumerate(lines) if at == row), None)


class _Columns:
    """Columns under check, and how to name the line of a row."""

    def __init__(self, table: pa.Table, body: bytes) -> None:
        self.table = table
        self._body = body

    def __getitem__(self, name: str) -> pa.Array:
        column = self.table[name]
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

    def empty(self, name: str) -> bool:
        """Whether a column has no value at all."""
        return bool(self.table[name].null_count == self.table.num_rows)

    def fail(self, row: int, text: str) -> BatchError:
        """The error for a row."""
        return BatchError(422, text, _line(self._body, row))

    def first(self, guilty: pa.Array) -> int:
        """The first row where a column of truth values is true."""
        return int(pc.index(guilty, pa.scalar(True)).as_py())


def _check(columns: _Columns) -> None:
    for field in EVENTS:
        column = columns[field.name]
        if not field.nullable and column.null_count:
            row = columns.first(pc.is_null(column))
            raise columns.fail(row, f"{field.name} is missing")
    for name, most in HIGHEST.items():
        _check_range(columns, name, 0, most)
    for name in ("score", "shadow_score"):
        _check_range(columns, name, 0, 60)
    for name, choices in CHOICES.items():
        _check_values(columns, name, frozenset(choices).__contains__)
    for name, pattern in (("qtype", MNEMONIC), ("rcode", MNEMONIC), ("model", MODEL),
                          ("shadow_model", MODEL)):  # fmt: skip
        _check_values(columns, name, pattern.fullmatch)
    _check_shadow(columns)
    _check_values(columns, "client", _is_address)
    _check_names(columns)
    _check_range(columns, "answer_count", 0, MOST_ANSWERS)
    _check_text(columns, "answers", MOST_ANSWERS * (LONGEST_NAME + 1))
    _check_text(columns, "reason", LONGEST_REASON)


def _check_range(columns: _Columns, name: str, least: int, most: int) -> None:
    if columns.empty(name):
        return
    column = columns[name]
    inside = pc.and_(pc.greater_equal(column, least), pc.less_equal(column, most))
    if not pc.all(inside).as_py():
        row = columns.first(pc.invert(inside))
        raise columns.fail(row, f"{name} {column[row]} is not from {least} to {most}")


def _check_values(columns: _Columns, name: str, good: Callable[[str], object]) -> None:
    """Check a column of few distinct values, each once."""
    column = columns[name]
    for value in pc.unique(column).to_pylist():
        if value is not None and not good(value):
            row = int(pc.index(column, pa.scalar(value, column.type)).as_py())
            raise columns.fail(row, f"{name} {value[:80]!r} is not known")


def _check_shadow(columns: _Columns) -> None:
    """Check that a candidate's opinion is whole: stores keep half of one each in its own way."""
    if all(columns.empty(f"shadow_{name}") for name in ("verdict", "model", "score")):
        return
    verdict, model = (pc.is_valid(columns[f"shadow_{name}"]) for name in ("verdict", "model"))
    score = pc.is_valid(columns["shadow_score"])
    torn = pc.or_(pc.xor(verdict, model), pc.and_not(score, verdict))
    if pc.any(torn).as_py():
        missing = "one of shadow_verdict and shadow_model is missing"
        raise columns.fail(columns.first(torn), missing)


@functools.lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    """Whether it is an IP address in its one canonical form, with a plain zone if any."""
    _, zoned, zone = text.partition("%")
    if zoned and not ZONE.fullmatch(zone):  # the library takes any text for a zone
        return False
    try:
        return str(ipaddress.ip_address(text)) == text
    except ValueError:
        return False


# The octets of everyday names; a name with any other is looked at by itself.
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789-_."
_PRINTABLE = bytes(range(0x20, 0x7F))
_DOT = ord(".")


def _octets(column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The bounds of a column's texts, and all their octets in one array."""
    _, bounds, octets = column.buffers()
    size = len(column) + 1
    at = np.frombuffer(bounds, np.int32, size, column.offset * 4)
    data = np.frombuffer(octets, np.uint8) if octets is not None else np.zeros(0, np.uint8)
    return at - at[0], data[at[0] : at[-1]]


def _others(octets: NDArray[np.uint8], known: bytes) -> NDArray[np.bool_]:
    """Which octets are none of the known ones."""
    table = np.ones(256, np.bool_)
    table[list(known)] = False
    return table[octets]


def _check_names(columns: _Columns) -> None:
    column = columns["qname"]
    bounds, octets = _octets(column)
    lengths = np.diff(bounds)
    suspects = (lengths == 0) | (lengths > 253)
    full = np.flatnonzero(lengths)
    dots = octets == _DOT
    suspects[full] |= dots[bounds[full]] | dots[bounds[full + 1] - 1]
    doubled = dots[1:] & dots[:-1]
    # Of all names together it is told at once whether any is odd, and mostly none is.
    if doubled.any() or octets.tobytes().translate(None, _PLAIN):
        odd = _others(octets, _PLAIN)
        odd[1:] |= doubled
        suspects[np.searchsorted(bounds, np.flatnonzero(odd), side="right") - 1] = True
    for row in np.flatnonzero(suspects).tolist():
        _check_name(columns, row, column[row].as_py())
    misfit = columns["misfit"]
    if pc.any(misfit).as_py():
        row = columns.first(misfit)
        domain = columns["registered_domain"][row].as_py()
        raise columns.fail(row, f"registered_domain {domain[:80]!r} is not the end of the name")


def _check_name(columns: _Columns, row: int, name: str) -> None:
    with contextlib.suppress(InvalidNameError):
        if canonical(name) == name:
            return
    raise columns.fail(row, f"qname {name[:80]!r} is not in canonical form")


def _check_text(columns: _Columns, name: str, longest: int) -> None:
    """Check a column of printable ASCII."""
    bounds, octets = _octets(columns[name])
    if octets.tobytes().translate(None, _PRINTABLE):
        bad = np.flatnonzero(_others(octets, _PRINTABLE))
        row = int(np.searchsorted(bounds, bad[0], side="right") - 1)
        raise columns.fail(row, f"{name} has other than printable ASCII characters")
    long = np.flatnonzero(np.diff(bounds) > longest)
    if len(long):
        raise columns.fail(int(long[0]), f"{name} is longer than {longest} bytes")
