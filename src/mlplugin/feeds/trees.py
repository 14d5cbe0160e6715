"""Readers of JSON feeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.rows import Dated, Entry, Fault, Item
from mlplugin.feeds.table import Feed
from mlplugin.feeds.tables import day

# JSON is read as a whole; the largest of these feeds has 20 MB.
MOST = 128 << 20
_COMMENT = re.compile(rb"^\s*//[^\n]*$", re.M)


def hsts(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """Chromium's preload list: JSON with ``//`` lines; entries without HTTPS are passed over."""
    entries = _field(_tree(stream, comments=True), "entries", list)
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            yield Fault(str(entry))
        elif entry.get("mode") == "force-https":
            yield Entry(entry["name"])
        else:
            yield None


def misp(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """A MISP warning list: ``list``, and ``version`` as YYYYMMDD."""
    tree = _tree(stream)
    version = str(tree.get("version", "")) if isinstance(tree, dict) else ""
    if date := day(f"{version[:4]}-{version[4:6]}-{version[6:8]}"):
        yield Dated(date)
    for entry in _field(tree, "list", list):
        yield Entry(entry) if isinstance(entry, str) else Fault(str(entry))


def allowdeny(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """``allow`` and ``deny``; the first, names like those of the second, are passed over."""
    tree = _tree(stream)
    for entry in _field(tree, "deny", list):
        yield Entry(entry) if isinstance(entry, str) else Fault(str(entry))
    for _ in _field(tree, "allow", list):
        yield None


def _tree(stream: BufferedReader, *, comments: bool = False) -> Any:
    data = stream.read(MOST + 1)
    if len(data) > MOST:
        raise FeedError(f"it is larger than {MOST:,} bytes of JSON")
    if not data.strip():
        raise FeedError("it is empty")
    try:
        return json.loads(_COMMENT.sub(b"", data) if comments else data)
    except (ValueError, RecursionError) as error:
        raise FeedError("it is no JSON: cut short, or another format") from error


def _field(tree: object, key: str, kind: type[list[Any]]) -> list[Any]:
    found = tree.get(key) if isinstance(tree, dict) else None
    if not isinstance(found, kind):
        raise FeedError(f"it has no list {key!r}: has its format changed?")
    return found
