"""From n-grams to logits, for many names at once; all in float64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.model.batch import Bytes, Indices
from mlplugin.model.directory import Floats, Tensors
from mlplugin.model.settings import REGIONS, Settings

BASIS, PRIME = np.uint32(2166136261), np.uint32(16777619)
BEGIN, END = ord("^"), ord("$")


class Activations(NamedTuple):
    """What the network computed, a row a name.

    Attributes:
        before: the hidden units before the rectifier.
        suffix: what the suffix adds to each logit.
    """

    logits: Floats
    before: Floats
    suffix: Floats


class Network:
    """The part of a model that is arithmetic."""

    def __init__(self, settings: Settings, tensors: Tensors) -> None:
        self._settings = settings
        self._tensors = tensors
        self._mask = np.uint32(settings.ngram.buckets - 1)
        self._sizes = np.arange(settings.ngram.min, settings.ngram.max + 1)
        numbers = np.arange(1, len(REGIONS) + 1, dtype=np.uint32)
        self._seed = (BASIS ^ numbers) * PRIME

    def forward(self, text: Bytes, begin: Indices, end: Indices, rule: Indices) -> Activations:
        """Compute the logits of names.

        Args:
            text: what ``begin`` and ``end`` point into; a byte must stand behind every end.
            begin: of each region, as (names, regions).
            end: of each region, equal to ``begin`` where it is empty.
            rule: the row of each name's suffix rule, -1 where there is none.
        """
        tensors, wide = self._tensors, self._settings.dimensions
        name, region = np.nonzero(end > begin)
        start, length = begin[name, region], (end - begin)[name, region]
        buckets, counts = self._buckets(text, start, length, region)
        first = np.cumsum(counts) - counts
        rows = tensors.table.take(buckets, axis=0)
        some = counts > 0
        sums = np.zeros((len(counts), rows.shape[1]))
        if some.any():
            sums[some] = np.add.reduceat(rows, first[some], axis=0, dtype=np.int32)
        sums *= tensors.table_scale
        number = np.maximum(counts, 1).astype(np.float64)[:, None]
        bags = np.zeros((len(begin), len(REGIONS), wide))
        bags[name, region] = sums[:, :wide] / number**self._settings.pooling.bag
        linear = np.zeros((len(begin), len(REGIONS), sums.shape[1] - wide))
        linear[name, region] = sums[:, wide:] / number**self._settings.pooling.linear
        before = bags.reshape(len(begin), len(REGIONS) * wide) @ tensors.w1.T + tensors.b1
        suffix = np.where((rule >= 0)[:, None], self._suffix_terms(rule), 0.0)
        logits = np.maximum(before, 0) @ tensors.w2.T
        logits += tensors.b2
        logits += linear.sum(axis=1)
        logits += suffix
        return Activations(logits, before, suffix)

    def _suffix_terms(self, rule: Indices) -> Floats:
        weights = self._tensors.suffix_weight
        if not len(weights):
            return np.zeros((len(rule), weights.shape[1]))
        terms: Floats = weights[np.maximum(rule, 0)] * self._tensors.suffix_scale
        return terms

    def _buckets(
        self, text: Bytes, start: Indices, length: Indices, region: Indices
    ) -> tuple[NDArray[np.int64], Indices]:
        """Give the buckets of all n-grams of all tokens, token by token, and how many each has."""
        size = length + 2
        stop = np.cumsum(size)
        begin = stop - size
        total = int(stop[-1]) if len(stop) else 0
        where = np.arange(total)
        longest = int(self._sizes[-1])
        token = np.zeros(total + longest, np.uint32)
        token[:total] = text[where + np.repeat(start - 1 - begin, size)]
        token[begin], token[stop - 1] = BEGIN, END
        value = np.repeat(self._seed[region], size)
        found = np.empty((total, len(self._sizes)), np.uint32)
        for step in range(1, longest + 1):
            value ^= token[step - 1 : total + step - 1]
            value *= PRIME
            if step >= self._sizes[0]:
                found[:, step - self._sizes[0]] = value
        found ^= found >> np.uint32(16)
        found &= self._mask
        left = (np.repeat(stop, size) - where).astype(np.int32)
        inside = left[:, None] >= self._sizes.astype(np.int32)
        counts = np.maximum(size[:, None] - self._sizes + 1, 0).sum(axis=1)
        return found[inside].astype(np.int64), counts

    def grams(self, text: str, region: int) -> list[tuple[str, int]]:
        """Give every n-gram of one region's text, with its bucket, as often as it occurs.

        Args:
            text: of the region, not empty.
            region: its place in ``REGIONS``.
        """
        data = np.frombuffer(text.encode("ascii") + b"\n", np.uint8)
        buckets, _ = self._buckets(data, np.array([0]), np.array([len(text)]), np.array([region]))
        token = f"^{text}$"
        sizes = self._sizes.tolist()
        grams = [
            token[at : at + size]
            for at in range(len(token))
            for size in sizes
            if at + size <= len(token)
        ]
        return list(zip(grams, buckets.tolist(), strict=True))

    def gram_weights(
        self, text: str, region: int, threat: int, active: NDArray[np.bool_]
    ) -> dict[str, float]:
        """Give what each distinct n-gram of one region adds to a logit.

        Args:
            text: of the region, not empty.
            region: its place in ``REGIONS``.
            threat: the column of the logit.
            active: the hidden units that are active at the whole name.
        """
        tensors, pooling, wide = self._tensors, self._settings.pooling, self._settings.dimensions
        grams = self.grams(text, region)
        inputs = tensors.w1[:, region * wide : (region + 1) * wide]
        slope = (tensors.w2[threat] * active) @ inputs * tensors.table_scale[:wide]
        rows = tensors.table[[bucket for _, bucket in grams]]
        weights = np.array([row @ slope for row in rows[:, :wide]]) / len(grams) ** pooling.bag
        column = rows[:, wide + threat] * tensors.table_scale[wide + threat]
        weights += column / len(grams) ** pooling.linear
        found: dict[str, float] = {}
        for (gram, _), weight in zip(grams, weights.tolist(), strict=True):
            found[gram] = found.get(gram, 0.0) + weight
        return found
