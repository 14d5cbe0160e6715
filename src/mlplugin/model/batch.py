"""Many canonical names as one block of bytes, split into labels, with the hash of every tail.

A tail is a name from one of its labels to its end: what suffix rules, special-use zones
and the reputation are looked up by. Nothing here loops over names in Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import InvalidNameError

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_DOT, _NEWLINE = ord("."), ord("\n")
_ESCAPE = re.compile(rb"\\.")
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Batch(NamedTuple):
    """Names, one behind the other, and their labels.

    Attributes:
        text: every name with a newline behind it.
        start: where each name begins in ``text``.
        end: where each name's newline is.
        first: the index of each name's first label.
        label_start: where each label begins.
        place: the number of each label in its name, from the left, from 0.
        tail: the 64-bit FNV-1a hash from each label to its name's end.
    """

    text: Bytes
    start: Indices
    end: Indices
    first: Indices
    label_start: Indices
    place: Indices
    tail: Hashes

    def __len__(self) -> int:
        return len(self.start)

    def labels(self) -> Indices:
        """Give the number of labels of each name; the root has one, which is itself."""
        return np.diff(self.first, append=len(self.label_start))


def pack(names: Sequence[str]) -> Batch:
    """Pack canonical names, at least one.

    Raises:
        InvalidNameError: if one is empty, not ASCII, or has a line break, as no canonical name has.
    """
    joined = "\n".join(names) + "\n"
    if not joined.isascii():
        raise InvalidNameError("a name that is not in canonical form: not ASCII")
    data = joined.encode("ascii")
    text = np.frombuffer(data, np.uint8)
    stops = np.flatnonzero((text == _DOT) | (text == _NEWLINE))
    is_end = text[stops] == _NEWLINE
    end = stops[is_end]
    start = np.concatenate([[0], end[:-1] + 1])
    if len(end) != len(names) or (start == end).any():
        raise InvalidNameError("a name that is not in canonical form: empty, or with a line break")
    inside = _not_separators(data, text, start, end)
    if inside is not None:
        kept = ~np.isin(stops, inside)
        stops, is_end = stops[kept], is_end[kept]
    last = np.flatnonzero(is_end)
    first = np.concatenate([[0], last[:-1] + 1])
    count = np.diff(first, append=len(stops))
    label_start = np.concatenate([[0], stops[:-1] + 1])
    place = np.arange(len(stops)) - np.repeat(first, count)
    tail = _hash_tails(text, label_start, np.repeat(end, count) - label_start)
    return Batch(text, start, end, first, label_start, place, tail)


def _not_separators(data: bytes, text: Bytes, start: Indices, end: Indices) -> Indices | None:
    """Where dots stand that separate nothing: escaped ones, and the root itself."""
    found = start[(end - start == 1) & (text[start] == _DOT)]
    if b"\\" in data:
        escaped = (match.end() - 1 for match in _ESCAPE.finditer(data))
        found = np.concatenate([found, np.fromiter(escaped, np.int64)])
    return found if len(found) else None


def _hash_tails(text: Bytes, start: Indices, length: Indices) -> Hashes:
    """Hash stretches of bytes, one byte of all that are long enough at a time."""
    order = np.argsort(-length.astype(np.int16), kind="stable")
    place = start[order]
    ascending = length[order][::-1]
    alive = len(length) - np.searchsorted(ascending, np.arange(ascending[-1]), side="right")
    wide = text.astype(np.uint64)
    value = np.full(len(length), _BASIS)
    for step, count in enumerate(alive.tolist()):
        part = value[:count]
        part ^= wide[place[:count] + step]
        part *= _PRIME
    hashes = np.empty_like(value)
    hashes[order] = value
    return hashes
