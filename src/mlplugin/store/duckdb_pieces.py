"""Which pieces of the history the embedded store has summed up, and what of a range they cover.

The sums of a piece are those of all events of its stretch of time, or it is not there: whatever
adds an event to it or takes one away deletes the piece in the same transaction, and it is made
anew some time later. So a sum over a range is always the sum over the pieces inside of it and over
the events of the rest. Pieces of level 0 lie beside each other; one of a higher level lies over
several of the level below, for what is cheaper to read summed up further.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

# From when on and until before when; None for no bound. Times of the store's columns.
Range = tuple[datetime | None, datetime | None]
# Of so many ranges each time is compared with all; of a name that is in every other piece there
# are hundreds.
MOST_SIDE_BY_SIDE = 16


class Piece(NamedTuple):
    """A stretch of time of which there are sums."""

    id: int
    level: int
    since: datetime
    until: datetime

    def inside(self, within: Range) -> bool:
        """Whether a range has all of it."""
        since, until = within
        return (since is None or since <= self.since) and (until is None or self.until <= until)


@dataclass(frozen=True, slots=True)
class Cover:
    """What sums of a range are added up from.

    Attributes:
        leaves: the pieces of level 0 that lie in it.
        tops: as few pieces as possible of the same stretches.
        rest: the ranges whose events are to be read.
    """

    leaves: Sequence[int]
    tops: Sequence[int]
    rest: Sequence[Range]


def read(connection: duckdb.DuckDBPyConnection) -> list[Piece]:
    """Read all pieces, by time; one of a higher level before those below it."""
    found = connection.execute(
        "SELECT id, level, since, until FROM pieces ORDER BY since, level DESC"
    ).fetchall()
    return [Piece(*row) for row in found]


def leaves(pieces: Iterable[Piece]) -> list[Piece]:
    """Those of level 0."""
    return [piece for piece in pieces if piece.level == 0]


def gaps(within: Range, pieces: Iterable[Piece]) -> list[Range]:
    """What is left of a range beside pieces, by time, that lie in it."""
    at, until = within
    found: list[Range] = []
    for piece in pieces:
        if at is None or at < piece.since:
            found.append((at, piece.since))
        at = piece.until
    if at is None or until is None or at < until:
        found.append((at, until))
    return found


def joined(pieces: Iterable[Piece]) -> list[Range]:
    """The ranges that pieces of level 0 have, by time; those beside each other are one."""
    found: list[Range] = []
    for piece in pieces:
        if found and found[-1][1] == piece.since:
            found[-1] = (found[-1][0], piece.until)
        else:
            found.append((piece.since, piece.until))
    return found


def cover(pieces: Iterable[Piece], within: Range) -> Cover:
    """Choose what to add up for a range, out of all pieces as `read` gives them."""
    inside = [piece for piece in pieces if piece.inside(within)]
    below = leaves(inside)
    tops: list[Piece] = []
    for piece in inside:
        if not tops or piece.since >= tops[-1].until:
            tops.append(piece)
    return Cover([piece.id for piece in below], [piece.id for piece in tops], gaps(within, below))


def within(ranges: Iterable[Range]) -> tuple[str, list[Any]]:
    """SQL that a time is in one of some ranges, which lie by time, and its parameters."""
    found = list(ranges)
    if len(found) <= MOST_SIDE_BY_SIDE:
        return _one_of(found)
    # Each time is compared with as many bounds as there are halvings, and not with all of them.
    middle = len(found) // 2
    begin = found[middle][0]
    (before, parameters), (behind, more) = within(found[:middle]), within(found[middle:])
    return f"(CASE WHEN time < ? THEN {before} ELSE {behind} END)", [begin, *parameters, *more]


def _one_of(ranges: Iterable[Range]) -> tuple[str, list[Any]]:
    parts, parameters = [], []
    for since, until in ranges:
        bounds = [("time >= ?", since), ("time < ?", until)]
        parts.append(" AND ".join(said for said, bound in bounds if bound is not None) or "true")
        parameters += [bound for _, bound in bounds if bound is not None]
    return f"({' OR '.join(f'({part})' for part in parts) or 'false'})", parameters
