"""What people decide about names: taking it, taking it back, and the snapshot for sensors."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlplugin.errors import UsageError
from mlplugin.qname import canonical
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.overrides import (
    NAME,
    STATUSES,
    SUBDOMAINS,
    Overrides,
    parse_client,
)
from mlplugin.service.times import rfc3339
from mlplugin.store.port import Change, Network, Override, Store

UNVETTED = "unvetted"
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What sensors pull: the document, and its strong entity tag."""

    body: bytes
    etag: str


class Vetting:
    """Decisions on names, kept in the store."""

    def __init__(self, store: Store, models: ModelInUse) -> None:
        self._store = store
        self._models = models
        self._lock = threading.Lock()
        self._known: tuple[list[Override], Overrides] | None = None

    def decide(
        self,
        name: str,
        status: str,
        *,
        who: str,
        scope: str = SUBDOMAINS,
        client: str | None = None,
        expires: datetime | None = None,
        reason: str = "",
    ) -> Override:
        """Take a decision, in place of the one on the same name and client.

        Raises UsageError or InvalidNameError where it makes no sense.
        """
        if status not in STATUSES:
            raise UsageError(f"status {status!r} is none of {', '.join(STATUSES)}")
        if scope not in {NAME, SUBDOMAINS}:
            raise UsageError(f"scope {scope!r} is neither {SUBDOMAINS} nor {NAME}")
        now = datetime.now(UTC)
        if expires is not None and expires <= now:
            raise UsageError(f"expires {rfc3339(expires)} is past")
        if len(reason) > LONGEST_REASON:
            raise UsageError(f"the reason is longer than {LONGEST_REASON} characters")
        qname = canonical(name)
        if qname.startswith("*."):
            raise UsageError(f"{qname} is one name: {qname[2:]} covers everything below it")
        override = Override(
            name=qname,
            scope=scope,
            status=status,
            client=_client(client),
            expires=expires,
            reason=reason,
            created=now,
        )
        with self._lock:
            self._store.put_override(override, who)
            self._known = None
        return override

    def take_back(self, name: str, client: str | None, *, who: str, reason: str = "") -> bool:
        """Take a decision back; False if there is none."""
        qname, network = canonical(name), _client(client)
        change = Change(datetime.now(UTC), who, qname, network, UNVETTED, reason)
        with self._lock:
            done = self._store.delete_override(qname, network, change)
            self._known = None
        return done

    def find(self, name: str, client: str | None) -> Override | None:
        """Give the decision on this name and this client, not one that covers it."""
        qname, network = canonical(name), _client(client)
        mine = (o for o in self.all() if o.name == qname and o.client == network)
        return next(mine, None)

    def all(self) -> list[Override]:
        """Give every decision that holds now."""
        now = datetime.now(UTC)
        return [o for o in self._read()[0] if o.expires is None or now < o.expires]

    def current(self) -> Overrides:
        """Give the decisions as what names are matched against."""
        return self._read()[1]

    def _read(self) -> tuple[list[Override], Overrides]:
        known = self._known
        if known is None:
            with self._lock:
                found = self._store.overrides()
                known = self._known = (found, Overrides(found))
        return known

    def snapshot(self) -> Snapshot:
        """Give the document of `GET /api/v1/policy`."""
        entries = [override_json(override) for override in self.all()]
        text = json.dumps(entries, separators=(",", ":"), sort_keys=True)
        model = self._models.model
        document = {
            "version": hashlib.sha256(text.encode()).hexdigest(),
            "model": {"version": model.version, "sha256": model.sha256},
            "overrides": entries,
        }
        body = json.dumps(document, separators=(",", ":")).encode()
        return Snapshot(body, hashlib.sha256(body).hexdigest())


def _client(text: str | None) -> Network | None:
    return None if text is None else parse_client(text)


def client_text(client: Network | None) -> str | None:
    """A client as people write it: an address, a subnet, or nothing for everyone."""
    if client is None:
        return None
    single = client.prefixlen == client.max_prefixlen
    return str(client.network_address) if single else str(client)


def override_json(override: Override) -> dict[str, Any]:
    """Give the object of the interface."""
    return {
        "name": override.name,
        "scope": override.scope,
        "status": override.status,
        "client": client_text(override.client),
        "expires": None if override.expires is None else rfc3339(override.expires),
        "reason": override.reason,
        "created": rfc3339(override.created),
    }
