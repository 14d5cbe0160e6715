"""What people decided: overrides under optimistic concurrency, and the record that only grows.

The record is written first: no decision changes without one.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from typing import Any

from mlplugin.store.elastic.client import WRITE_SECONDS, Client
from mlplugin.store.elastic.template import Indices
from mlplugin.store.port import EXPIRED, Change, Network, Override, StoreUnavailableError
from mlplugin.store.precedence import holds, is_gone, taken_back

PAGE = 1000
TRIES = 20
MOST = 2**31
AT_ONCE = {"refresh": "true"}


def client_text(client: Network | None) -> str:
    """A client as it stands in a document; everyone is the empty text, which sorts first."""
    if client is None:
        return ""
    single = client.prefixlen == client.max_prefixlen
    return str(client.network_address) if single else str(client)


def _client(text: str) -> Network | None:
    return ip_network(text) if text else None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _key(name: str, client: Network | None) -> str:
    return hashlib.sha256(f"{name} {client_text(client)}".encode()).hexdigest()[:40]


def _override(source: dict[str, Any]) -> Override:
    expires = source["expires"]
    return Override(
        name=source["name"],
        scope=source["scope"],
        status=source["status"],
        client=_client(source["client"]),
        expires=None if expires is None else datetime.fromisoformat(expires),
        reason=source["reason"],
        created=datetime.fromisoformat(source["created"]),
    )


def _document(override: Override) -> dict[str, Any]:
    return {
        "name": override.name,
        "client": client_text(override.client),
        "scope": override.scope,
        "status": override.status,
        "expires": None if override.expires is None else _time(override.expires),
        "created": _time(override.created),
        "reason": override.reason,
    }


class Decisions:
    """Overrides and their record; any number of services may change them."""

    def __init__(self, client: Client, indices: Indices) -> None:
        self._client = client
        self._overrides = indices.overrides
        self._audit = indices.audit

    def _pages(self, index: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Give every hit, page by page."""
        body = {"size": PAGE, "seq_no_primary_term": True, **body}
        while True:
            hits = self._client.search(index, body)["hits"]["hits"]
            yield from hits
            if len(hits) < body["size"]:
                return
            body["search_after"] = hits[-1]["sort"]

    def all(self) -> list[Override]:
        """Give every decision, by name and client."""
        body = {"sort": [{"name": "asc"}, {"client": "asc"}]}
        return [_override(hit["_source"]) for hit in self._pages(self._overrides, body)]

    def put(self, override: Override, who: str) -> None:
        """Record a decision, and write it in place of an earlier one.

        Raises StoreUnavailableError where others change it all the time.
        """
        change = Change(
            override.created, who, override.name, override.client, override.status, override.reason
        )
        self.record(change, uuid.uuid4().hex)
        self._put(override, lambda _there: True)

    def _put(self, override: Override, yields: Callable[[Override], bool]) -> bool:
        """Write a decision where none is there, or one that yields; whether that was done."""
        key, body = _key(override.name, override.client), _document(override)
        for _ in range(TRIES):
            there = self._there(key)
            if there is not None and not yields(there[0]):
                return False
            params = {"op_type": "create"} if there is None else there[1]
            answer = self._client.ask(
                "PUT", f"/{self._overrides}/_doc/{key}", body, params={**params, **AT_ONCE},
                seconds=WRITE_SECONDS, fine=(200, 201, 409),
            )  # fmt: skip
            if answer.status != 409:
                return True
        raise StoreUnavailableError(f"{override.name} is decided on by others just now: try again")

    def _there(self, key: str) -> tuple[Override, dict[str, str]] | None:
        """The decision that is there, and what a change of it must be based on; None for none."""
        answer = self._client.ask("GET", f"/{self._overrides}/_doc/{key}", fine=(200, 404))
        data = answer.data
        if answer.status == 404 or not isinstance(data, dict):
            return None
        version = {
            "if_seq_no": str(data["_seq_no"]),
            "if_primary_term": str(data["_primary_term"]),
        }
        return _override(data["_source"]), version

    def delete(self, name: str, client: Network | None, change: Change) -> bool:
        """Take a decision back, and record that; False if there is none."""
        key, entry = _key(name, client), uuid.uuid4().hex
        for _ in range(TRIES):
            there = self._there(key)
            if there is None:
                return False
            self.record(change, entry)
            if self._delete(key, there[1]):
                return True
        raise StoreUnavailableError(f"{name} is decided on by others just now: try again")

    def _delete(self, key: str, version: dict[str, str]) -> bool:
        answer = self._client.ask(
            "DELETE", f"/{self._overrides}/_doc/{key}", params={**version, **AT_ONCE},
            seconds=WRITE_SECONDS, fine=(200, 404, 409),
        )  # fmt: skip
        return answer.status == 200

    def drop_expired(self, before: datetime, at: datetime, who: str) -> int:
        """Delete the decisions that expired before a time, and record each once; how many."""
        body = {
            "query": {"range": {"expires": {"lt": _time(before)}}},
            "sort": [{"name": "asc"}, {"client": "asc"}],
        }
        gone = 0
        for hit in list(self._pages(self._overrides, body)):
            source = hit["_source"]
            change = Change(
                at, who, source["name"], _client(source["client"]), EXPIRED, source["reason"]
            )
            number, term = str(hit["_seq_no"]), str(hit["_primary_term"])
            self.record(change, f"expired-{hit['_id']}-{term}-{number}")
            gone += self._delete(hit["_id"], {"if_seq_no": number, "if_primary_term": term})
        return gone

    def record(self, change: Change, entry: str) -> bool:
        """Write an entry of the record, each id once; whether it is new."""
        body = {
            "@timestamp": _time(change.at),
            "order": time.time_ns(),
            "who": change.who,
            "name": change.name,
            "client": client_text(change.client),
            "status": change.status,
            "reason": change.reason,
        }
        answer = self._client.ask(
            "PUT", f"/{self._audit}/_create/{entry}", body, params=AT_ONCE,
            seconds=WRITE_SECONDS, fine=(200, 201, 409),
        )  # fmt: skip
        return answer.status != 409

    def take_over(self, overrides: list[Override], changes: list[Change]) -> int:
        """Take decisions and entries of the record from another store; how many."""
        known = set(self.changes(MOST))
        taken = 0
        for change in (one for one in reversed(changes) if one not in known):
            text = repr((change.at, change.who, change.name, change.client, change.status,
                         change.reason))  # fmt: skip
            taken += self.record(change, hashlib.sha256(text.encode()).hexdigest()[:40])
        gone = taken_back(known.union(changes))
        for override in (one for one in overrides if not is_gone(one, gone)):
            taken += self._put(override, partial(holds, override))
        for override in (one for one in self.all() if is_gone(one, gone)):
            taken += self._drop(override)
        return taken

    def _drop(self, override: Override) -> bool:
        """Delete a decision if it is still that one; the record tells of it already."""
        key = _key(override.name, override.client)
        there = self._there(key)
        return there is not None and there[0] == override and self._delete(key, there[1])

    def changes(self, limit: int) -> list[Change]:
        """Give the latest entries of the record, newest first."""
        found: list[Change] = []
        body = {
            "size": min(limit, PAGE),
            "sort": [{"@timestamp": "desc"}, {"order": "desc"}],
        }
        for hit in self._pages(self._audit, body):
            source = hit["_source"]
            found.append(
                Change(
                    datetime.fromisoformat(source["@timestamp"]), source["who"], source["name"],
                    _client(source["client"]), source["status"], source["reason"],
                )
            )  # fmt: skip
            if len(found) == limit:
                break
        return found
