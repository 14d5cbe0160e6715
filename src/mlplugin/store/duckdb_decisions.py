"""What people decided, in the embedded store: overrides, and the record that only grows."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_network
from typing import Any

import duckdb

from mlplugin.store.duckdb_query import aware, naive
from mlplugin.store.port import EXPIRED, Change, Network, Override
from mlplugin.store.precedence import holds, is_gone, taken_back

MOST = 2**31
SAME = "name = ? AND client IS NOT DISTINCT FROM ?"


def client_text(client: Network | None) -> str | None:
    """A client as people write it: an address, a subnet, or nothing for everyone."""
    if client is None:
        return None
    single = client.prefixlen == client.max_prefixlen
    return str(client.network_address) if single else str(client)


def _client(text: str | None) -> Network | None:
    return None if text is None else ip_network(text)


def _required(moment: Any) -> datetime:
    found = aware(moment)
    assert found is not None  # noqa: S101 - the column takes no NULL
    return found


def overrides(connection: duckdb.DuckDBPyConnection) -> list[Override]:
    """Read every decision, by name and client."""
    found = connection.execute(
        "SELECT name, scope, status, client, expires, reason, created FROM overrides "
        "ORDER BY name, client NULLS FIRST"
    ).fetchall()
    return [
        Override(name, scope, status, _client(client), aware(expires), reason, _required(created))
        for name, scope, status, client, expires, reason, created in found
    ]


def take_over(
    connection: duckdb.DuckDBPyConnection, decided: list[Override], recorded: list[Change]
) -> int:
    """Write decisions and entries of another store that are not here; how many."""
    known = set(changes(connection, MOST))
    new = [change for change in reversed(recorded) if change not in known]
    for change in new:
        _record(connection, change)
    gone = taken_back(changes(connection, MOST))
    mine = {(one.name, one.client): one for one in overrides(connection)}
    taken = len(new)
    for override in (one for one in decided if not is_gone(one, gone)):
        there = mine.get((override.name, override.client))
        if there is None or holds(override, there):
            _replace(connection, override)
            mine[override.name, override.client] = override
            taken += 1
    for override in (one for one in mine.values() if is_gone(one, gone)):
        _delete(connection, override.name, override.client)
        taken += 1
    return taken


def put(connection: duckdb.DuckDBPyConnection, override: Override, who: str) -> None:
    """Write a decision in place of an earlier one, and the record of it."""
    _replace(connection, override)
    change = Change(
        override.created, who, override.name, override.client, override.status, override.reason
    )
    _record(connection, change)


def _replace(connection: duckdb.DuckDBPyConnection, override: Override) -> None:
    client = client_text(override.client)
    _delete(connection, override.name, override.client)
    expires = None if override.expires is None else naive(override.expires)
    created = naive(override.created)
    connection.execute(
        "INSERT INTO overrides VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            override.name,
            override.scope,
            override.status,
            client,
            expires,
            override.reason,
            created,
        ],
    )


def delete(
    connection: duckdb.DuckDBPyConnection, name: str, client: Network | None, change: Change
) -> bool:
    """Take a decision back, and record that; False if there is none."""
    if not _delete(connection, name, client):
        return False
    _record(connection, change)
    return True


def _delete(connection: duckdb.DuckDBPyConnection, name: str, client: Network | None) -> bool:
    found = connection.execute(
        f"DELETE FROM overrides WHERE {SAME}",  # noqa: S608 - only our own text
        [name, client_text(client)],
    ).fetchone()
    return bool(found and found[0])


def drop_expired(
    connection: duckdb.DuckDBPyConnection, before: datetime, at: datetime, who: str
) -> int:
    """Delete the decisions that expired before a time, and record each; how many."""
    gone = connection.execute(
        "DELETE FROM overrides WHERE expires < ? RETURNING name, client, reason", [naive(before)]
    ).fetchall()
    for name, client, reason in sorted(gone, key=lambda row: (row[0], row[1] or "")):
        _record(connection, Change(at, who, name, _client(client), EXPIRED, reason))
    return len(gone)


def _record(connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    connection.execute(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
        [
            naive(change.at),
            change.who,
            change.name,
            client_text(change.client),
            change.status,
            change.reason,
        ],
    )


def changes(connection: duckdb.DuckDBPyConnection, limit: int) -> list[Change]:
    """Read the latest entries of the record, newest first."""
    found = connection.execute(
        "SELECT time, who, name, client, status, reason FROM changes "
        "ORDER BY time DESC, rowid DESC LIMIT ?",
        [limit],
    ).fetchall()
    return [
        Change(_required(at), who, name, _client(client), status, reason)
        for at, who, name, client, status, reason in found
    ]
