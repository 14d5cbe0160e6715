"""Compiled loops over names: hashing, splitting, n-grams; see ``docs/model-format.md``."""

# ruff: noqa: PLR0917 - compiled loops take arrays, not objects

from __future__ import annotations

import numpy as np
from numba import njit

BASIS32, PRIME32 = np.uint32(2166136261), np.uint32(16777619)
BASIS64, PRIME64 = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
LONGEST = 5000  # n-grams of one region: a canonical name has at most 1,020 bytes
NO_RULE, NO_LABEL = -1, -1


@njit(nogil=True)
def fnv(blob, start, end):  # type: ignore[no-untyped-def]
    """64-bit FNV-1a of a stretch of bytes."""
    value = BASIS64
    for at in range(start, end):
        value = (value ^ np.uint64(blob[at])) * PRIME64
    return value


@njit(nogil=True)
def _find(hashes, value):  # type: ignore[no-untyped-def]
    at = np.searchsorted(hashes, value)
    if at < len(hashes) and hashes[at] == value:
        return at
    return -1


@njit(nogil=True)
def _suffix_of(blob, starts, count, end, hashes, flags):  # type: ignore[no-untyped-def]
    """The index of the suffix's first label, and the row of the rule that matched."""
    best, row = count - 1, NO_RULE
    below = -1  # the row of the tail one label shorter
    for at in range(count - 1, -1, -1):
        found = _find(hashes, fnv(blob, starts[at], end))
        if below >= 0 and flags[below] & 2:
            best, row = at, below
        if found >= 0:
            if flags[found] & 4:
                return at + 1, found
            if flags[found] & 1:
                best, row = at, found
        below = found
    return best, row


@njit(nogil=True)
def split_all(blob, offsets, hashes, flags):  # type: ignore[no-untyped-def]
    """Of every name: where its label starts, where its suffix starts, its rule, its domain's hash.

    Where a name is itself a suffix its label starts nowhere (-1) and the hash is its own.
    """
    total = len(offsets) - 1
    label_at = np.empty(total, np.int32)
    suffix_at = np.empty(total, np.int32)
    rule = np.empty(total, np.int32)
    domain = np.empty(total, np.uint64)
    starts = np.empty(1100, np.int64)
    for i in range(total):
        start, end = offsets[i], offsets[i + 1]
        starts[0], count, at = start, 1, start
        while at < end:
            if blob[at] == 92:  # a backslash: the byte behind it separates nothing
                at += 1
            elif blob[at] == 46:
                starts[count] = at + 1
                count += 1
            at += 1
        best, row = _suffix_of(blob, starts, count, end, hashes, flags)
        suffix_at[i], rule[i] = starts[best] - start, row
        label_at[i] = starts[best - 1] - start if best > 0 else NO_LABEL
        domain[i] = fnv(blob, starts[best - 1] if best > 0 else start, end)
    return label_at, suffix_at, rule, domain


@njit(nogil=True)
def _absorb(value, byte):  # type: ignore[no-untyped-def]
    """One byte of 32-bit FNV-1a; compiled arithmetic is wider, so it is cut back each time."""
    return np.uint32((value ^ np.uint32(byte)) * PRIME32)


@njit(nogil=True)
def grams(blob, start, end, region, mask, out):  # type: ignore[no-untyped-def]
    """Buckets of the 2- to 5-grams of ``^text$``; how many."""
    if start >= end:
        return 0
    basis = _absorb(BASIS32, region)
    length = end - start + 2
    count = 0
    for i in range(length - 1):
        value = _absorb(basis, 94 if i == 0 else blob[start + i - 1])
        for j in range(i + 1, min(i + 5, length)):
            value = _absorb(value, 36 if j == length - 1 else blob[start + j - 1])
            out[count] = np.int32((value ^ (value >> np.uint32(16))) & mask)
            count += 1
    return count
