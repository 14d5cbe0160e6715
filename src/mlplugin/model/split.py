"""Public suffix, label, subdomain; special-use names; reputation: all by the hashes of tails."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlplugin.model.batch import Batch, Hashes, Indices
from mlplugin.qname import ROOT, split_labels

PLAIN, WILDCARD, EXCEPTION = 1, 2, 4
_NO_RULE = -1
_NO_LABEL = -1

# RFC 6761 and its registry; RFC 6762, appendix G; and one that many routers use.
SPECIAL = frozenset(
    {
        *("alt", "arpa", "example", "example.com", "example.net", "example.org", "home.arpa"),
        *("internal", "invalid", "local", "localhost", "onion", "resolver.arpa", "service.arpa"),
        *("test", "intranet", "private", "corp", "home", "lan", "localdomain"),
    }
)
_LONGEST_SPECIAL = 2  # labels


class Parts(NamedTuple):
    """One name taken apart; what is not there is empty."""

    subdomain: str
    label: str
    suffix: str

    @property
    def registered_domain(self) -> str | None:
        """Label and suffix, None if the name is itself a suffix or the root."""
        return f"{self.label}.{self.suffix}" if self.label else None


class Splits(NamedTuple):
    """Where names split.

    Attributes:
        suffix: where the public suffix begins in the batch's text.
        label: where the label before it begins, -1 where the name is itself a suffix.
        domain: the hash of the registered domain; meaningless where there is none.
        rule: the row of the suffix rule that matched, -1 where none did.
    """

    suffix: Indices
    label: Indices
    domain: Hashes
    rule: Indices

    def regions(self, batch: Batch) -> tuple[Indices, Indices]:
        """Give begin and end of subdomain, label and suffix, each as (names, 3)."""
        is_suffix = self.label == _NO_LABEL
        label = np.where(is_suffix, self.suffix, self.label)
        begin = np.stack([batch.start, label, self.suffix], axis=1)
        end = np.stack([label - 1, self.suffix - 1, batch.end], axis=1)
        return begin, np.maximum(begin, end)  # an empty region would end before it begins


def find(hashes: Hashes, wanted: Hashes) -> Indices:
    """Give the place of each wanted hash among ascending ones, -1 where it is not there."""
    if not len(hashes):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
    return np.where(hashes[place] == wanted, place, -1)


def split(batch: Batch, rule_hash: Hashes, rule_flag: NDArray[np.uint8]) -> Splits:
    """Split names by the rules, whose hashes ascend."""
    row = find(rule_hash, batch.tail)
    flags = np.zeros(len(row), np.uint8)
    flags[row >= 0] = rule_flag[row[row >= 0]]
    before_last = np.append(batch.place[1:] > 0, values=False)  # another label follows in the name
    under_wildcard = before_last & (np.append(flags[1:], np.uint8(0)) & WILDCARD > 0)
    plain = flags & PLAIN > 0
    count = batch.labels()
    far = np.where(plain | under_wildcard, batch.place, len(row))
    size_left = np.minimum.reduceat(far, batch.first)
    matched = size_left < len(row)
    left = np.where(matched, size_left, count - 1)
    at = batch.first + left
    parent = np.minimum(at + 1, len(row) - 1)
    rule = np.where(matched, np.where(plain[at], row[at], row[parent]), _NO_RULE)
    for index in np.flatnonzero(before_last & (flags & EXCEPTION > 0)).tolist():
        name = int(np.searchsorted(batch.first, index, side="right")) - 1
        left[name], rule[name] = batch.place[index] + 1, row[index]
    at = batch.first + left
    has_label = left > 0
    domain = batch.tail[np.maximum(at - 1, 0)]
    label = np.where(has_label, batch.label_start[np.maximum(at - 1, 0)], _NO_LABEL)
    return Splits(batch.label_start[at], label, domain, rule)


def is_special(batch: Batch, special_hash: Hashes) -> NDArray[np.bool_]:
    """Whether names are no public names: the root, single labels, special-use and private ones."""
    count = batch.labels()
    special: NDArray[np.bool_] = count == 1
    last = batch.first + count - 1
    for size in range(1, _LONGEST_SPECIAL + 1):
        long_enough = count >= size
        tail = batch.tail[np.maximum(last + 1 - size, 0)]
        special |= long_enough & (find(special_hash, tail) >= 0)
    return special


def special_rule(qname: str) -> str | None:
    """Give the rule by which a canonical name is no public name, None if it is one.

    The zone that it is at or under, ``single label``, or ``.`` for the root.
    """
    if qname == ROOT:
        return ROOT
    labels = split_labels(qname)
    if len(labels) == 1:
        return "single label"
    tails = (".".join(labels[-size:]) for size in range(_LONGEST_SPECIAL, 0, -1))
    return next((tail for tail in tails if tail in SPECIAL), None)


def fnv64(text: str) -> int:
    """Give the 64-bit FNV-1a hash of a canonical name."""
    value = 0xCBF29CE484222325
    for byte in text.encode("ascii"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


SPECIAL_HASH = np.array(sorted(map(fnv64, SPECIAL)), np.uint64)
