"""The tables of the embedded store, and how an older file becomes one of today."""

from __future__ import annotations

import duckdb

from mlplugin.errors import StoreError
from mlplugin.store.port import ACTIONS, TRANSPORTS
from mlplugin.verdict import LEVELS, SOURCES, THREATS


def _enum(name: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"CREATE TYPE {name} AS ENUM ({listed});"


# Each entry takes a file from the version of its place to the next; none is ever changed.
#
# `events` is made for its size: no index (the intervals in `sequences` keep doubles out), the
# registered domain, always the end of the name, as its length, answers joined.
MIGRATIONS = (
    "".join(
        (
            _enum("verdict", LEVELS),
            _enum("threat", THREATS),
            _enum("source", SOURCES),
            _enum("action", ACTIONS),
            _enum("transport", TRANSPORTS),
        )
    )
    + """
    CREATE TABLE sensors (id INTEGER NOT NULL, name VARCHAR NOT NULL);
    CREATE TABLE sequences (sensor INTEGER NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL);
    CREATE TABLE counters (
        sensor INTEGER NOT NULL, started BIGINT NOT NULL, served BIGINT NOT NULL,
        dropped VARCHAR NOT NULL
    );
    CREATE TABLE events (
        time TIMESTAMP NOT NULL, sensor INTEGER NOT NULL, sequence BIGINT NOT NULL,
        client VARCHAR NOT NULL, transport transport, qname VARCHAR NOT NULL,
        domain_length USMALLINT, qtype VARCHAR NOT NULL, rcode VARCHAR, answers VARCHAR,
        duration UINTEGER, verdict verdict NOT NULL, threat threat, score DECIMAL(3, 1) NOT NULL,
        source source NOT NULL, model VARCHAR NOT NULL, action action NOT NULL, reason VARCHAR
    );
    CREATE TABLE overrides (
        name VARCHAR NOT NULL, scope VARCHAR NOT NULL, status VARCHAR NOT NULL, client VARCHAR,
        expires TIMESTAMP, reason VARCHAR NOT NULL, created TIMESTAMP NOT NULL
    );
    CREATE TABLE changes (
        time TIMESTAMP NOT NULL, who VARCHAR NOT NULL, name VARCHAR NOT NULL, client VARCHAR,
        status VARCHAR NOT NULL, reason VARCHAR NOT NULL
    );
    """,
    """
    ALTER TABLE events ADD COLUMN shadow_verdict verdict;
    ALTER TABLE events ADD COLUMN shadow_score DECIMAL(3, 1);
    ALTER TABLE events ADD COLUMN shadow_model VARCHAR;
    """,
    # What `duckdb_pieces` is about: sums made beforehand, each of all events of a piece of time.
    """
    CREATE SEQUENCE piece_ids;
    CREATE TABLE pieces (
        id BIGINT NOT NULL, level UTINYINT NOT NULL, since TIMESTAMP NOT NULL,
        until TIMESTAMP NOT NULL
    );
    CREATE TABLE sums_by_time (
        piece BIGINT NOT NULL, slot TIMESTAMP NOT NULL, sensor INTEGER NOT NULL,
        qtype VARCHAR NOT NULL, rcode VARCHAR, verdict verdict NOT NULL, threat threat,
        source source NOT NULL, action action NOT NULL, n BIGINT NOT NULL
    );
    CREATE TABLE sums_by_client (
        piece BIGINT NOT NULL, client VARCHAR NOT NULL, sensor INTEGER NOT NULL,
        qtype VARCHAR NOT NULL, rcode VARCHAR, verdict verdict NOT NULL, threat threat,
        source source NOT NULL, action action NOT NULL, n BIGINT NOT NULL,
        first TIMESTAMP NOT NULL, last TIMESTAMP NOT NULL, score DECIMAL(3, 1) NOT NULL
    );
    CREATE TABLE sums_by_name (
        piece BIGINT NOT NULL, qname VARCHAR NOT NULL, domain_length USMALLINT,
        n BIGINT NOT NULL, flagged BIGINT NOT NULL
    );
    CREATE TABLE sums_by_asker (
        piece BIGINT NOT NULL, domain BOOLEAN NOT NULL, value VARCHAR NOT NULL,
        client VARCHAR NOT NULL, flagged BOOLEAN NOT NULL, n BIGINT NOT NULL,
        blocked BIGINT NOT NULL, first TIMESTAMP NOT NULL, last TIMESTAMP NOT NULL,
        score DECIMAL(3, 1) NOT NULL
    );
    """,
    # What `duckdb_often` is about; the pieces are made anew, with these sums and finer.
    """
    CREATE TABLE sums_of_often (
        piece BIGINT NOT NULL, domain BOOLEAN NOT NULL, value VARCHAR NOT NULL,
        client VARCHAR NOT NULL, qname VARCHAR NOT NULL, domain_length USMALLINT,
        verdict verdict NOT NULL, threat threat, action action NOT NULL, rcode VARCHAR,
        answers VARCHAR, n BIGINT NOT NULL, first TIMESTAMP NOT NULL, last TIMESTAMP NOT NULL,
        score DECIMAL(3, 1) NOT NULL
    );
    CREATE TABLE times_of_often (
        piece BIGINT NOT NULL, domain BOOLEAN NOT NULL, value VARCHAR NOT NULL,
        qname VARCHAR NOT NULL, domain_length USMALLINT, slot TIMESTAMP NOT NULL,
        verdict verdict NOT NULL, threat threat, action action NOT NULL, n BIGINT NOT NULL
    );
    DELETE FROM pieces;
    """,
)
VERSION = len(MIGRATIONS)


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The version of the file's tables, 0 for a new file.

    Raises StoreError where the file is another program's.
    """
    tables = {
        str(name)
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
    }
    if not tables:
        return 0
    found = None
    if "mlplugin" in tables:
        found = connection.execute("SELECT max(version) FROM mlplugin").fetchone()
    if not found or not isinstance(found[0], int):
        raise StoreError("it is a database of another program: name another place with --data")
    return found[0]


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the file to today's version, all or nothing.

    Raises StoreError where the file is newer than this program, or another program's.
    """
    version = version_of(connection)
    if version > VERSION:
        raise StoreError(
            f"it was written by a newer mlplugin (tables of version {version}, this one knows "
            f"{VERSION}): upgrade mlplugin, or name another place with --data"
        )
    if version == VERSION:
        return
    connection.begin()
    if version == 0:
        connection.execute("CREATE TABLE mlplugin (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO mlplugin VALUES (0)")
    for step in MIGRATIONS[version:]:
        connection.execute(step)
    connection.execute("UPDATE mlplugin SET version = ?", [VERSION])
    connection.commit()
