"""Texts to canonical names, many at a time: the plain ones, nearly all, without a Python loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import InvalidNameError
from mlplugin.qname import LONGEST_LABEL, LONGEST_WIRE, canonical

_DOT, _NEWLINE = ord("."), ord("\n")

# Bytes of a lower-case name that need no care, dots included.
_PLAIN = np.zeros(256, np.bool_)
_PLAIN[0x21:0x7F] = True
_PLAIN[[ord("\\"), _NEWLINE]] = False, True


class Intake(NamedTuple):
    """What became of texts.

    Attributes:
        names: the canonical names of those that are names, in order.
        rows: which texts they came from; None if all did, in order.
        faults: why the others are none, by their place.
    """

    names: list[str]
    rows: list[int] | None
    faults: dict[int, InvalidNameError]


def canonical_many(texts: Sequence[str]) -> Intake:
    """Give the canonical form of each text, as ``qname.canonical`` does."""
    if not texts:
        return Intake([], None, {})
    names, odd = _plain(texts)
    faults: dict[int, InvalidNameError] = {}
    for row in odd:
        try:
            names[row] = canonical(texts[row])
        except InvalidNameError as error:
            faults[row] = error
    if not faults:
        return Intake(names, None, faults)
    rows = [row for row in range(len(texts)) if row not in faults]
    return Intake([names[row] for row in rows], rows, faults)


def _plain(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Give the lower-case texts, and the places of those that need a closer look."""
    joined = "\n".join(texts)
    if not joined.isascii():
        odd = [row for row, text in enumerate(texts) if not text.isascii()]
        names, more = _plain([text if text.isascii() else "a" for text in texts])
        return names, sorted({*odd, *more})
    lower = (joined.lower() + "\n").replace(".\n", "\n")
    names = lower[:-1].split("\n")
    if len(names) != len(texts):  # a text has a line break inside
        return list(texts), list(range(len(texts)))
    return names, _odd_rows(np.frombuffer(lower.encode("ascii"), np.uint8))


def _odd_rows(text: NDArray[np.uint8]) -> list[int]:
    """Rows of newline-ended texts with other than plain bytes, or lengths that DNS forbids."""
    stops = np.flatnonzero((text == _DOT) | (text == _NEWLINE))
    label = np.diff(stops, prepend=-1) - 1
    wrong = stops[(label == 0) | (label > LONGEST_LABEL)]
    ends = stops[text[stops] == _NEWLINE]
    # On the wire a name has one octet before its first label and one behind its last.
    long = ends[np.diff(ends, prepend=-1) - 1 + 2 > LONGEST_WIRE]
    found = np.concatenate([wrong, long, np.flatnonzero(~_PLAIN[text])])
    rows: list[int] = np.unique(np.searchsorted(ends, found)).tolist()
    return rows
