"""The second look: windows of a name's characters in their order, for many names at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.model.batch import Bytes, Indices
from mlplugin.model.directory import Floats, Tensors
from mlplugin.model.settings import REGION_SYMBOLS, Settings

Sums = NDArray[np.int16]  # of 15 rows of int8 at most

_CHARACTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-._"
_KIND = np.full(256, len(_CHARACTERS), np.int64)
_KIND[np.frombuffer(_CHARACTERS, np.uint8)] = np.arange(len(_CHARACTERS))

# So many places of texts at a time: their sums then fit in a processor's cache.
_PLACES = 1024


class Texts(NamedTuple):
    """The ends of names that are looked at.

    Attributes:
        begin: where each begins.
        size: the bytes of each; 0 where there is nothing to look at.
        label: where each name's label begins.
        suffix: where each name's public suffix begins.
    """

    begin: Indices
    size: Indices
    label: Indices
    suffix: Indices

    def part(self, rows: slice) -> Texts:
        """Give some of them."""
        return Texts(*(column[rows] for column in self))


class Look:
    """The part of a model that is the arithmetic of the second look."""

    def __init__(self, settings: Settings, tensors: Tensors) -> None:
        self._settings = settings.look
        self._tensors = tensors
        self._half = settings.look.window // 2

    def forward(self, text: Bytes, begin: Indices, end: Indices) -> Floats:
        """Compute the second look's logits of names.

        Args:
            text: what ``begin`` and ``end`` point into.
            begin: of each region, as (names, regions).
            end: of each region, equal to ``begin`` where it is empty. Where the suffix is, what
                is looked at ends with the label.
        """
        highest = self._highest(text, self._texts(begin, end))
        tensors = self._tensors
        hidden = np.maximum(highest @ tensors.look_w1.T + tensors.look_b1, 0)
        logits: Floats = hidden @ tensors.look_w2.T
        logits += highest @ tensors.look_w3.T
        logits += tensors.look_b2
        return logits

    def windows(
        self, qname: str, text: Bytes, begin: Indices, end: Indices, threat: int
    ) -> dict[str, float]:
        """Give what each distinct window of one name adds to a logit of the second look.

        Args:
            qname: the name.
            text: see ``forward``; so are the next two, of this one name.
            begin: of its regions.
            end: of its regions.
            threat: the column of the logit.
        """
        tensors, texts = self._tensors, self._texts(begin, end)
        values = tensors.look_bias + tensors.look_scale * self._sums(text, texts)
        place, highest = values.argmax(axis=0), np.maximum(values.max(axis=0), 0)
        active = tensors.look_w1 @ highest + tensors.look_b1 > 0
        slope = tensors.look_w3[threat] + (tensors.look_w2[threat] * active) @ tensors.look_w1
        seen = qname[-int(texts.size[0]) :]
        found: dict[str, float] = {}
        for at in np.flatnonzero(highest > 0).tolist():
            under = self._under(seen, int(place[at]))
            found[under] = found.get(under, 0.0) + float(slope[at] * highest[at])
        return found

    def _texts(self, begin: Indices, end: Indices) -> Texts:
        stop = np.where(end[:, 2] > begin[:, 2], end[:, 2], end[:, 1])
        first = np.maximum(begin[:, 0], stop - self._settings.longest)
        return Texts(first, stop - first, begin[:, 1], begin[:, 2])

    def _highest(self, text: Bytes, texts: Texts) -> Floats:
        """Give the highest value of every filter over the places of each text, 0 at least."""
        best = np.zeros((len(texts.size), self._settings.filters), np.int16)
        for rows in _blocks(texts.size):
            part = texts.part(rows)
            sums = self._sums(text, part)
            stop = np.cumsum(part.size)
            places = zip((stop - part.size).tolist(), stop.tolist(), best[rows], strict=True)
            for first, last, row in places:  # faster than one reduceat of all
                if last > first:
                    sums[first:last].max(axis=0, out=row)
        # A scale is above 0, so that the highest sum is the highest value.
        highest = np.maximum(best * self._tensors.look_scale + self._tensors.look_bias, 0)
        highest[texts.size == 0] = 0
        return highest

    def _sums(self, text: Bytes, texts: Texts) -> Sums:
        """Give the sum of the rows under the window at each place of all texts, one by one."""
        text_of = np.repeat(np.arange(len(texts.size)), texts.size)
        within = np.arange(len(text_of)) - (np.cumsum(texts.size) - texts.size)[text_of]
        at = texts.begin[text_of] + within
        region = (at >= texts.label[text_of]).astype(np.int64) + (at >= texts.suffix[text_of])
        # The texts one by one, with as much between them as a window reaches beyond.
        where = np.arange(len(text_of)) + text_of * self._half
        symbols = np.zeros(len(text_of) + (len(texts.size) + 1) * self._half, np.int64)
        symbols[where + self._half] = 1 + REGION_SYMBOLS * region + _KIND[text[at]]
        sums = np.zeros((len(text_of), self._settings.filters), np.int16)
        for step, rows in enumerate(self._tensors.look_table):
            sums += rows.take(symbols[where + step], axis=0)
        return sums

    def _under(self, seen: str, place: int) -> str:
        """Give the text under a window, with the ends of what is looked at marked."""
        first, last = place - self._half, place + self._half
        before, behind = "^" if first < 0 else "", "$" if last >= len(seen) else ""
        return f"{before}{seen[max(first, 0) : last + 1]}{behind}"


def _blocks(sizes: Indices) -> Iterator[slice]:
    """Cut texts into runs of few places, at least one text each."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        before = int(ends[first] - sizes[first])
        last = max(first + 1, int(np.searchsorted(ends, before + _PLACES, side="right")))
        yield slice(first, last)
        first = last
