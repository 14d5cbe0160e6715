"""Cleaning both sides, reputation, and the hold-out by registered domain.

Popularity lists hold malware and malicious feeds hold compromised good sites, so that
neither label is taken at its word where the other side knows the registered domain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.training.datasets import BENIGN, Labelled, Splits
from mlplugin.training.sources import Source, known, split, usable
from mlplugin.training.suffixes import PRIVATE, Rules

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

# A domain in feeds by its bare name, twice at most, needs this many votes to be trusted.
VOTES_AGAINST_FEEDS = 4
# A domain with so many malicious hosts, and fewer benign ones, rents them out.
HOSTS_OF_A_HOSTER = 3
VOTERS = ("popularity", "reference")
YEARS_APART = 2
_HOLDOUT_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Standing:
    """What all files together know of registered domains; every array ascends by ``domain``.

    Attributes:
        domain: hashes of the registered domains.
        votes: how many popularity and reference lists hold the domain or a host below it.
        years: from the first sight in any of them to the last of these lists.
        feeds: malicious rows of the bare domain or its ``www.``.
        hosts: malicious rows at or below the domain.
        benign: benign rows at or below the domain.
        private: under a private rule of the public suffix list: shared hosting.
    """

    domain: Hashes
    votes: NDArray[np.int32]
    years: NDArray[np.int32]
    feeds: NDArray[np.int32]
    hosts: NDArray[np.int32]
    benign: NDArray[np.int32]
    private: Mask

    def rows(self, domain: Hashes) -> NDArray[np.int64]:
        """The row of each domain; every one must be known here."""
        return np.searchsorted(self.domain, domain)

    def hoster(self) -> Mask:
        """Domains that rent out their subdomains, so that one says nothing of another."""
        rented = (self.hosts >= HOSTS_OF_A_HOSTER) & (self.hosts > self.benign)
        return np.asarray(self.private | rented)

    def trusted(self, votes: int) -> Mask:
        """Domains in so many lists, years apart, that no feed contradicts."""
        old = (self.votes >= votes) & (self.years >= YEARS_APART)
        outweighed = (self.votes >= VOTES_AGAINST_FEEDS) & (self.feeds <= 2)
        return np.asarray(old & ~self.hoster() & ((self.feeds == 0) | outweighed))


def standing(data: Labelled, splits: Splits, rules: Rules) -> Standing:
    """Count votes and malicious rows for each registered domain."""
    domain, row = np.unique(splits.domain, return_inverse=True)
    table = known()
    benign = data.target == BENIGN
    lists = _lists(data, table)
    votes = np.zeros(len(domain), np.int32)
    first = np.full(len(domain), 9999, np.int32)
    last = np.zeros(len(domain), np.int32)
    seen = data.first_seen.astype("datetime64[Y]").astype(np.int32) + 1970
    for source, rows_with in lists:
        chosen = benign & rows_with[data.source]
        holds = np.zeros(len(domain), np.bool_)
        holds[row[chosen]] = True
        votes += holds
        dated = chosen & ~np.isnat(data.first_seen)
        np.minimum.at(first, row[dated], seen[dated])
        last[holds] = np.maximum(last[holds], source.year or 0)
    bare = (splits.label_at == 0) | _is_www(data, splits)
    bad = ~benign & ~data.of_file("dga", "tunnel")
    private = np.zeros(len(domain), np.bool_)
    ruled = splits.rule >= 0
    private[row[ruled]] = (rules.flags[splits.rule[ruled]] & PRIVATE) > 0
    size = len(domain)
    feeds = np.bincount(row[bad & bare], minlength=size).astype(np.int32)
    hosts = np.bincount(row[bad], minlength=size).astype(np.int32)
    good = np.bincount(row[benign], minlength=size).astype(np.int32)
    return Standing(domain, votes, np.maximum(last - first, 0), feeds, hosts, good, private)


def _lists(data: Labelled, table: dict[str, Source]) -> list[tuple[Source, Mask]]:
    """Each list that has a vote, with which values of the source column name it."""
    parts = [split(text, table) for text in data.sources]
    named = dict.fromkeys(source for part in parts for source in part if source.kind in VOTERS)
    return [(source, np.array([source in part for part in parts], np.bool_)) for source in named]


def _is_www(data: Labelled, splits: Splits) -> Mask:
    found: Mask = splits.label_at == 4
    starts = data.names.offsets[:-1]
    for at, byte in enumerate(b"www."):
        place = np.minimum(starts + at, len(data.names.blob) - 1)
        found &= data.names.blob[place] == byte
    return found


def usable_rows(data: Labelled) -> Mask:
    """Rows that may train a model that ships: not those whose only source forbids it."""
    table = known()
    fine = np.array([usable(split(text, table)) for text in data.sources], np.bool_)
    return fine[data.source]


def held_out(domain: Hashes, share: float) -> Mask:
    """A fixed share of all registered domains, chosen by hash."""
    mixed = (domain ^ (domain >> np.uint64(31))) * _HOLDOUT_MIX
    return (mixed >> np.uint64(40)).astype(np.float64) < share * 2.0**24


def clean_rows(data: Labelled, splits: Splits, known_of: Standing) -> Mask:
    """Rows whose label both sides can live with.

    Benign rows go where a feed holds the registered domain and popularity does not outweigh
    it; malicious rows go where the registered domain is long in the lists.
    """
    row = known_of.rows(splits.domain)
    trusted = known_of.trusted(2)[row]
    benign = data.target == BENIGN
    hoster = known_of.hoster()[row]
    listed = ~hoster & (known_of.hosts[row] > 0)
    made = data.of_file("dga", "tunnel", "benign_hard", "benign_traffic")
    keep = np.where(benign, trusted | ~listed, ~trusted) | made
    return keep & (splits.label_at >= 0)


def best_known(known_of: Standing, votes: int, limit: int) -> Hashes:
    """The reputation table: at most ``limit`` trusted domains, most votes first."""
    fit = np.flatnonzero(known_of.trusted(votes))
    order = np.lexsort((known_of.domain[fit], -known_of.years[fit], -known_of.votes[fit]))
    return np.sort(known_of.domain[fit[order[:limit]]])
