"""Sums up pieces of the embedded store's history, and takes back what is not true any more.

All of it is called with the one connection that writes, in a transaction; `duckdb_pieces` says
what a piece is.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from mlplugin.store import duckdb_often
from mlplugin.store.duckdb_pieces import Piece, Range, gaps, leaves, read, within
from mlplugin.store.duckdb_query import BLOCKED, FLAGGED

# A piece of level 0 has about so many events: what is left beside pieces is read anew each time,
# which of larger ones takes longer than all sums where a range begins and ends.
PIECE_EVENTS = 500_000
# So many pieces beside each other become one of the next level.
TOGETHER = 8
# Of what was asked for so often in a piece, who asked for it is summed up too. What a piece says
# nothing of is seldomer: to change it is to make all pieces anew (`schema`).
OFTEN = 1000
# The finest step of the sums by time (seconds); pieces begin and end with minutes.
SLOT_SECONDS = 600
MINUTE = timedelta(minutes=1)
# Names that are different in each piece are as cheap to read apart: so many of them may be left.
MOST_LEFT = 0.7
# So many are looked at to tell.
SAMPLE_NAMES = 200_000
# Names that are summed up further in one transaction.
PART_NAMES = 1_000_000

TABLES = (
    "sums_by_time", "sums_by_client", "sums_by_name", "sums_by_asker", duckdb_often.GROUPS,
    duckdb_often.TIMES,
)  # fmt: skip
MINUTES = "SELECT time_bucket(INTERVAL 1 MINUTE, time) AS minute, count(*) FROM events WHERE "
BY_TIME = f"""
    INSERT INTO sums_by_time
    SELECT ?, time_bucket(INTERVAL {SLOT_SECONDS} SECOND, time), sensor, qtype, rcode, verdict,
        threat, source, action, count(*)
    FROM events WHERE {{within}} GROUP BY ALL
"""  # noqa: S608 - only our own text
BY_CLIENT = """
    INSERT INTO sums_by_client
    SELECT ?, client, sensor, qtype, rcode, verdict, threat, source, action, count(*), min(time),
        max(time), max(score)
    FROM events WHERE {within} GROUP BY ALL
"""
BY_NAME = f"""
    INSERT INTO sums_by_name
    SELECT ?, qname, domain_length, count(*), count(*) FILTER ({FLAGGED})
    FROM events WHERE {{within}} GROUP BY qname, domain_length
"""  # noqa: S608 - only our own text
OFTEN_DOMAINS = """
    CREATE OR REPLACE TEMP TABLE often_domains AS
    SELECT right(qname, domain_length) AS value
    FROM sums_by_name WHERE piece = ? AND domain_length IS NOT NULL GROUP BY 1 HAVING sum(n) >= ?
"""
# Names that are asked for often, and those whose registered domains are.
OFTEN_NAMES = """
    CREATE OR REPLACE TEMP TABLE often_names AS
    SELECT qname, n >= ? AS itself
    FROM sums_by_name WHERE piece = ? AND (
        n >= ? OR domain_length IS NOT NULL
        AND right(qname, domain_length) IN (SELECT value FROM often_domains)
    )
"""
ASKED = f"""
    CREATE OR REPLACE TEMP TABLE asked AS
    SELECT qname, domain_length, client, {FLAGGED} AS flagged, sum(n) AS n,
        coalesce(sum(n) FILTER ({BLOCKED}), 0) AS blocked, min(first) AS first,
        max(last) AS last, max(score) AS score
    FROM grouped GROUP BY qname, domain_length, client, flagged
"""  # noqa: S608 - only our own text
BY_ASKER = """
    INSERT INTO sums_by_asker
    SELECT ?, {domain}, {value}, client, flagged, sum(n), sum(blocked), min(first), max(last),
        max(score)
    FROM asked WHERE {value} IN ({often}) GROUP BY ALL
"""
# Whether it is of registered domains, what it is of, and which are asked for often.
ASKED_FOR = (
    ("false", "qname", "SELECT qname FROM often_names WHERE itself"),
    ("true", "right(qname, domain_length)", "SELECT value FROM often_domains"),
)
NAMES = """
    FROM sums_by_name WHERE piece BETWEEN ? AND ? AND piece IN (SELECT unnest(?::BIGINT[]))
"""
MERGED = """
    INSERT INTO sums_by_name
    SELECT ?, qname, domain_length, sum(n), sum(flagged)
    FROM sums_by_name
    WHERE piece BETWEEN ? AND ? AND piece IN (SELECT unnest(?::BIGINT[])) AND {part}
    GROUP BY qname, domain_length
"""


class Stretch(NamedTuple):
    """A stretch of time that is to be summed up: from when on, before when."""

    since: datetime
    until: datetime


def plan(
    connection: duckdb.DuckDBPyConnection, horizon: datetime, avoided: Sequence[Range] = ()
) -> list[Stretch]:
    """Say what is to be summed up, by time.

    Args:
        connection: reads.
        horizon: nothing that is later.
        avoided: of a gap that has some of these ranges, nothing behind their beginning.
    """
    below = leaves(read(connection))
    found: list[Stretch] = []
    for gap in gaps((None, None), below):
        since, until = gap
        begins = [one[0] for one in avoided if one[0] is not None and _meet(gap, one)]
        end = min([horizon, *begins])
        if since is not None and end <= since:
            continue
        # A gap that goes on behind the end is left open, also where a piece lies in the future,
        # made while a clock ran ahead.
        closed = None if until is None or until > end else until
        text, parameters = within([(since, closed or end)])
        minutes = connection.execute(f"{MINUTES}{text} GROUP BY 1 ORDER BY 1", parameters)
        found += _cut(minutes.fetchall(), since, closed, end)
    return found


def _meet(one: Range, other: Range) -> bool:
    return (one[0] is None or other[1] is None or one[0] < other[1]) and (
        one[1] is None or other[0] is None or other[0] < one[1]
    )


def _cut(
    minutes: Sequence[tuple[datetime, int]],
    since: datetime | None,
    until: datetime | None,
    horizon: datetime,
) -> Iterator[Stretch]:
    """Cut a gap into stretches of about `PIECE_EVENTS`; what is left of it at an end may stay.

    Between two pieces nothing stays; a stretch without events there goes to the one before.
    """
    enclosed = since is not None and until is not None
    whole = sum(count for _, count in minutes)
    if not minutes or (not enclosed and whole < PIECE_EVENTS):
        return
    begin, counted, left = since or minutes[0][0], 0, whole
    for minute, count in minutes:
        if until is None and minute > horizon - MINUTE:
            return
        end = minute + MINUTE
        counted, left = counted + count, left - count
        # Before a piece the last stretch takes what would be too little by itself.
        if counted >= PIECE_EVENTS and (until is None or left >= PIECE_EVENTS):
            yield Stretch(begin, end)
            begin, counted = end, 0
    if until is not None:
        yield Stretch(begin, until)


def sum_up(connection: duckdb.DuckDBPyConnection, stretch: Stretch) -> bool:
    """Make a piece of level 0; False if one is there that it would lie over."""
    if any(_meet(stretch, (one.since, one.until)) for one in read(connection)):
        return False
    (number,) = _row(connection, "SELECT nextval('piece_ids')")
    text, bounds = within([stretch])
    for query in (BY_TIME, BY_CLIENT, BY_NAME):
        connection.execute(query.format(within=text), [number, *bounds])
    connection.execute(OFTEN_DOMAINS, [number, OFTEN])
    connection.execute(OFTEN_NAMES, [OFTEN, number, OFTEN])
    duckdb_often.sum_up(connection, number, (text, bounds), SLOT_SECONDS)
    connection.execute(ASKED)
    for domain, value, often in ASKED_FOR:
        query = BY_ASKER.format(domain=domain, value=value, often=often)
        connection.execute(query, [number])
    connection.execute("INSERT INTO pieces VALUES (?, 0, ?, ?)", [number, *stretch])
    return True


class Merge(NamedTuple):
    """Pieces beside each other that are to become one of the next level, part by part."""

    number: int
    below: Sequence[Piece]
    parts: int


def next_merge(connection: duckdb.DuckDBPyConnection, apart: set[int]) -> Merge | None:
    """Choose pieces to be merged; None if there are none.

    Args:
        connection: writes.
        apart: numbers of pieces that are not to be merged; those whose names are mostly different
            are added.
    """
    pieces = read(connection)
    apart &= {piece.id for piece in pieces}
    for level in range(max((piece.level for piece in pieces), default=-1) + 1):
        above = [piece for piece in pieces if piece.level == level + 1]
        run: list[Piece] = []
        for piece in pieces:
            if piece.level != level:
                continue
            beside = not run or run[-1].until == piece.since
            taken = piece.id in apart or any(piece.inside((one.since, one.until)) for one in above)
            run = [] if taken else [*(run if beside else ()), piece]
            if len(run) < TOGETHER:
                continue
            if (merge := _merge(connection, run)) is not None:
                return merge
            apart.update(one.id for one in run)
            run = []
    return None


def _merge(connection: duckdb.DuckDBPyConnection, run: Sequence[Piece]) -> Merge | None:
    """Say how these become one; None where that is not worth its space."""
    numbers = [piece.id for piece in run]
    bounds = [min(numbers), max(numbers), numbers]
    (names,) = _row(connection, f"SELECT count(*) {NAMES}", *bounds)
    some = f"{NAMES} AND (hash(qname) >> 32) % {1 + names // SAMPLE_NAMES} = 0"
    before, after = _row(
        connection, f"SELECT count(*), count(DISTINCT (qname, domain_length)) {some}", *bounds
    )
    if after > MOST_LEFT * before:
        return None
    (number,) = _row(connection, "SELECT nextval('piece_ids')")
    return Merge(number, run, 1 + names // PART_NAMES)


def merge_part(connection: duckdb.DuckDBPyConnection, merge: Merge, part: int) -> bool:
    """Merge one part; with the last one the piece is there. False if one below is not any more."""
    numbers = [piece.id for piece in merge.below]
    if not set(merge.below) <= set(read(connection)):
        return False
    # By the first letters of a hash; of one part it is not asked.
    cut = "true" if merge.parts == 1 else f"(hash(qname) >> 32) % {merge.parts} = {part}"
    bounds = [min(numbers), max(numbers)]
    connection.execute(MERGED.format(part=cut), [merge.number, *bounds, numbers])
    if part == merge.parts - 1:
        connection.execute(
            "INSERT INTO pieces VALUES (?, ?, ?, ?)",
            [merge.number, merge.below[0].level + 1, merge.below[0].since, merge.below[-1].until],
        )
    return True


def take_back(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], moments: Iterable[datetime]
) -> bool:
    """Delete the pieces that have some of these moments; whether there were any."""
    below = leaves(pieces)
    begins = [piece.since for piece in below]
    gone: set[int] = set()
    for moment in moments:
        place = bisect.bisect_right(begins, moment) - 1
        if place < 0 or moment >= below[place].until:
            continue
        leaf = below[place]
        gone |= {one.id for one in pieces if leaf.inside((one.since, one.until))}
    if gone:
        connection.execute(
            "DELETE FROM pieces WHERE id IN (SELECT unnest(?::BIGINT[]))", [sorted(gone)]
        )
    return bool(gone)


def sweep(connection: duckdb.DuckDBPyConnection, merging: int | None = None) -> None:
    """Delete the sums of pieces that are not there (any more), but of one that is being merged."""
    for table in TABLES:
        found = connection.execute(
            f"SELECT DISTINCT piece FROM {table} WHERE piece NOT IN (SELECT id FROM pieces)"  # noqa: S608
        ).fetchall()
        if numbers := [number for (number,) in found if number != merging]:
            connection.execute(
                f"DELETE FROM {table} WHERE piece IN (SELECT unnest(?::BIGINT[]))",  # noqa: S608
                [numbers],
            )


def _row(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> tuple[Any, ...]:
    found = connection.execute(query, list(parameters)).fetchone()
    assert found is not None  # noqa: S101 - each of these gives one row
    return found
