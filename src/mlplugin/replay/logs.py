"""Queries out of text: Zeek's dns.log in its two forms, and lists of names."""

from __future__ import annotations

import ipaddress
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, islice

from mlplugin.errors import UsageError
from mlplugin.replay.query import CLASS_IN, TYPE_A, Client, Query, SkippedError, make_query
from mlplugin.replay.text import labels_of, qtype_of, zeek_labels

Skip = Callable[[str], None]
NEEDED = ("query", "qtype")
# A list is judged by so many lines before any of it is sent.
LOOKED_AT = 100


def from_names(lines: Iterable[str], skip: Skip) -> Iterator[Query]:
    """Queries of a list: `NAME` or `NAME TYPE` a line, nothing behind it; `#` comments.

    Raises UsageError, before it gives any, if most of the first lines are nothing of the kind:
    another text would go to the name server as names.
    """
    rest = iter(lines)
    head, fault = _head(rest)
    refused = sum(isinstance(found, SkippedError) for found in map(_listed, head))
    if refused * 2 > len(head):
        raise UsageError(
            f"this is no list of names: {refused} of its first {len(head)} lines are no NAME [TYPE]"
        )
    for line in chain(head, rest if fault is None else ()):
        if not _written(line):
            continue
        found = _listed(line)
        if isinstance(found, SkippedError):
            skip(str(found))
        else:
            yield found
    if fault is not None:
        raise fault


def _written(line: str) -> bool:
    """Whether there is anything but a comment on a line."""
    return not line.isspace() and line != "" and not line.lstrip().startswith("#")


def _head(lines: Iterator[str]) -> tuple[list[str], Exception | None]:
    """The first lines that are written, and what was wrong if the file is damaged there."""
    head: list[str] = []
    try:
        head.extend(islice(filter(_written, lines), LOOKED_AT))
    except (OSError, EOFError, zlib.error) as fault:
        return head, fault
    return head, None


def _listed(line: str) -> Query | SkippedError:
    """The query that a line of a list is, or why it is none."""
    name, *more = line.split()
    if len(more) > 1:
        return SkippedError("a line with more than a name and a type")
    qtype = qtype_of(more[0]) if more else TYPE_A
    if qtype is None:
        return SkippedError("a query type that is not known")
    try:
        return make_query(labels_of(name), qtype)
    except SkippedError as reason:
        return reason


def from_zeek_json(lines: Iterable[str], skip: Skip) -> Iterator[Query]:
    """Queries of a dns.log in JSON, one object a line."""
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            skip("a line that is no JSON")
            continue
        if not isinstance(row, dict):
            skip("a line that is no JSON object")
            continue
        try:
            yield _from_row({key: row[key] for key in _COLUMNS if key in row})
        except SkippedError as reason:
            skip(str(reason))


def from_zeek_tsv(lines: Iterable[str], skip: Skip) -> Iterator[Query]:
    """Queries of a dns.log in Zeek's tab-separated form, concatenated logs too.

    Raises UsageError if the header does not name the columns that are needed.
    """
    separator, unset, empty = "\t", "-", "(empty)"
    fields: list[str] = []
    for line in lines:
        text = line.rstrip("\r\n")
        if text.startswith("#"):
            key, _, value = text[1:].partition(" " if text.startswith("#separator") else separator)
            if key == "separator":
                separator = value.encode().decode("unicode_escape")
            elif key == "unset_field":
                unset = value
            elif key == "empty_field":
                empty = value
            elif key == "fields":
                fields = _checked(value.split(separator))
            continue
        if not text:
            continue
        row = {
            name: "" if value == empty else value
            for name, value in zip(fields, text.split(separator), strict=False)
            if value != unset and name in _COLUMNS
        }
        try:
            yield _from_row(row)
        except SkippedError as reason:
            skip(str(reason))


_COLUMNS = frozenset({"id.orig_h", "id.orig_p", "query", "qtype", "qclass"})


def _checked(fields: list[str]) -> list[str]:
    missing = [name for name in NEEDED if name not in fields]
    if missing:
        raise UsageError(f"this Zeek log has no column {' and '.join(missing)}: is it a dns.log?")
    return fields


def _from_row(row: Mapping[str, object]) -> Query:
    if "query" not in row:
        raise SkippedError("a record without a name")
    if "qtype" not in row:
        raise SkippedError("a record without a query type")
    try:
        qtype, qclass = int(str(row["qtype"])), int(str(row.get("qclass", CLASS_IN)))
        port = int(str(row.get("id.orig_p", 0)))
    except ValueError:
        raise SkippedError("a record with a number that is none") from None
    client = _client(str(row["id.orig_h"]), port) if "id.orig_h" in row else None
    return make_query(zeek_labels(str(row["query"])), qtype, qclass, client)


def _client(address: str, port: int) -> Client:
    return Client(_packed(address), port & 0xFFFF)


@lru_cache(4096)
def _packed(address: str) -> bytes:
    try:
        return ipaddress.ip_address(address).packed
    except ValueError:
        raise SkippedError("a record with an address that is none") from None
