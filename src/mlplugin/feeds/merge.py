"""All feeds together: one row for a name, one label, every source.

DuckDB does it, so that five million names need no more memory than half a million.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from mlplugin.feeds.rows import Row
from mlplugin.feeds.table import FILES, Feed

COLUMNS = ("name", "label", "category", "family", "first_seen", "source")
# A name that a feed and popularity lists of so many publishers hold is taken for benign.
VOTES_FOR_BENIGN = 2
BATCH = 1 << 17
_MEMORY = "1GB"
_SUFFIX = ".tsv.gz"

_ROWS = pa.schema(
    [(name, pa.string()) for name in ("name", "first_seen", "family", "teaches", "category")]
)

_TABLES = """
CREATE TABLE entries (
  name VARCHAR, first_seen VARCHAR, family VARCHAR, teaches VARCHAR, category VARCHAR,
  feed INTEGER);
CREATE TABLE feeds (
  feed INTEGER, day VARCHAR, source VARCHAR, publisher VARCHAR, own BOOLEAN);
CREATE TABLE files (teaches VARCHAR, file VARCHAR, place INTEGER, benign BOOLEAN);
CREATE TABLE before (name VARCHAR, first_seen VARCHAR);
CREATE VIEW rows AS
  SELECT name, coalesce(nullif(first_seen, ''), day) AS first_seen, family, teaches, category,
    source, publisher, own
  FROM entries JOIN feeds USING (feed);
"""

# Which label a name gets, and what both sides say of it.
_SIDES = """
CREATE TABLE sides AS
SELECT name,
  string_agg(DISTINCT source, ' ' ORDER BY source) FILTER (WHERE f.benign) AS good,
  string_agg(DISTINCT source, ' ' ORDER BY source) FILTER (WHERE NOT f.benign) AS bad,
  CASE WHEN bool_or(own) THEN bool_and(f.benign OR NOT own)
       ELSE count(DISTINCT publisher) FILTER (WHERE f.benign) >= ? END AS benign
FROM rows JOIN files f USING (teaches)
GROUP BY name
HAVING good IS NOT NULL AND bad IS NOT NULL
"""

_MERGED = """
CREATE TABLE merged AS
WITH kept AS (
  SELECT r.*, f.file, f.place, f.benign, s.good, s.bad
  FROM rows r JOIN files f USING (teaches) LEFT JOIN sides s ON s.name = r.name
  WHERE s.name IS NULL OR s.benign = f.benign),
places AS (
  SELECT name, file, place, any_value(benign) AS benign, any_value(good) AS good,
    any_value(bad) AS bad, min(nullif(category, '')) AS category,
    min(nullif(family, '')) AS family, count(DISTINCT source) AS sources
  FROM kept GROUP BY name, file, place),
best AS (
  SELECT * FROM places QUALIFY row_number() OVER (
    PARTITION BY name ORDER BY sources DESC, place) = 1),
every AS (
  SELECT name, string_agg(DISTINCT source, ',' ORDER BY source) AS source,
    min(nullif(first_seen, '')) AS first_seen
  FROM kept GROUP BY name)
SELECT b.file, b.name, CASE WHEN b.benign THEN 'benign' ELSE 'malicious' END AS label,
  coalesce(b.category, '') AS category, coalesce(b.family, '') AS family,
  coalesce(least(e.first_seen, p.first_seen), '') AS first_seen,
  CASE WHEN b.good IS NULL OR b.bad IS NULL THEN e.source
       ELSE e.source || ' (also ' || CASE WHEN b.benign THEN b.bad ELSE b.good END || ')'
  END AS source
FROM best b JOIN every e USING (name) LEFT JOIN before p USING (name)
"""


@dataclass(frozen=True)
class Written:
    """A file of labelled names: its rows, and the SHA-256 of its bytes."""

    rows: int
    sha256: str


class Merge:
    """Takes the names of one feed after the other, then writes the files. A context manager."""

    def __init__(self, scratch: Path) -> None:
        """Keep what does not fit into memory in a folder, which is there."""
        self._duck = duckdb.connect(
            config={"memory_limit": _MEMORY, "temp_directory": str(scratch), "threads": "2"}
        )
        self._feed = 0
        self._all(_TABLES)
        for place, (teaches, file) in enumerate(FILES.items()):
            benign = file.startswith("benign")
            self._all("INSERT INTO files VALUES (?, ?, ?, ?)", [teaches, file, place, benign])

    def __enter__(self) -> Merge:
        return self

    def __exit__(self, *_: object) -> None:
        self._duck.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Take the names of a feed; if reading them fails, none of them stays.

        Say next how the feed is written, by :meth:`date`.
        """
        self._feed += 1
        self._duck.begin()
        try:
            for batch in _batches(rows):
                self._duck.register("batch", batch)
                self._all("INSERT INTO entries SELECT *, ? FROM batch", [self._feed])
                self._duck.unregister("batch")
        except BaseException:
            self._duck.rollback()
            raise
        self._duck.commit()

    def date(self, feed: Feed, day: str, source: str) -> None:
        """Say how the feed that came last is written, and the day of its rows without one."""
        self._all(
            "INSERT INTO feeds VALUES (?, ?, ?, ?, ?)",
            [self._feed, day, source, feed.published_by if feed.votes else None, feed.own],
        )

    def remember(self, files: Sequence[Path]) -> None:
        """Take days of first sight from files that were written before, where they are earlier."""
        for path in files:
            self._all(
                "INSERT INTO before SELECT name, nullif(first_seen, '') FROM read_csv(?, "
                "delim='\t', header=true, quote='', escape='', all_varchar=true)",
                [str(path)],
            )

    def settle(self, since: str) -> int:
        """Give each name one label and one file; the number of names that both sides hold.

        Args:
            since: malicious names that were first seen before this day are left out.
        """
        self._all(_SIDES, [VOTES_FOR_BENIGN])
        self._all(_MERGED)
        self._all("DELETE FROM merged WHERE label = 'malicious' AND first_seen < ?", [since])
        return int(str(self._all("SELECT count(*) FROM sides")[0][0]))

    def files(self) -> list[str]:
        """Names of the files that there is something for, without their suffix."""
        return [str(row[0]) for row in self._all("SELECT DISTINCT file FROM merged ORDER BY file")]

    def write(self, file: str, path: Path) -> Written:
        """Write one of the files, in order of names, the same bytes for the same rows."""
        count = 0
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
            out.write(("\t".join(COLUMNS) + "\n").encode())
            reader = self._duck.sql(
                f"SELECT {', '.join(COLUMNS)} FROM merged WHERE file = ? ORDER BY name",  # noqa: S608
                params=[file],
            ).to_arrow_reader(BATCH)
            for batch in reader:
                columns = [column.to_pylist() for column in batch.columns]
                lines = map("\t".join, zip(*columns, strict=True))
                out.write(("\n".join(lines) + "\n").encode())
                count += len(batch)
        return Written(count, digest(path))

    def both_sides(self) -> Iterator[tuple[str, str, str, str]]:
        """Names that both sides hold: name, the label it got, benign and malicious sources."""
        found = self._duck.execute(
            "SELECT name, CASE WHEN benign THEN 'benign' ELSE 'malicious' END, good, bad "
            "FROM sides ORDER BY name"
        )
        while rows := found.fetchmany(10_000):
            yield from ((str(a), str(b), str(c), str(d)) for a, b, c, d in rows)

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run a query to its end: the next one may not begin before."""
        return [tuple(row) for row in self._duck.execute(query, list(values)).fetchall()]


def path_of(folder: Path, file: str) -> Path:
    """Where a file of labelled names stands."""
    return folder / f"{file}{_SUFFIX}"


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _batches(rows: Iterable[Row]) -> Iterator[pa.Table]:
    source = iter(rows)
    while chunk := list(islice(source, BATCH)):
        columns = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
        yield pa.Table.from_arrays(columns, schema=_ROWS)
