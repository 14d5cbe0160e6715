"""What people decide about names: taking it, taking it back, and the snapshot for sensors."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from mlplugin.errors import RefusedError, StoreError, UsageError
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
from mlplugin.store.port import UNVETTED, Change, Network, Override, Store

LOG = logging.getLogger(__name__)
# How old may be what others decided in the same store, and how soon one that does not answer
# is asked again.
FRESH_SECONDS = 2.0
RETRY_SECONDS = 10.0

Known = tuple[list[Override], Overrides]
LONGEST_REASON = 1000
# A few clients show for whom else there is a decision.
MOST_TOLD = 3


class Nothing(Enum):
    """What is expected to hold where no decision is."""

    NOTHING = "nothing"


NOTHING = Nothing.NOTHING
# When the decision was made that has to hold; NOTHING: none may; None: any, or none.
Expected = datetime | Nothing | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What sensors pull: the document, and its strong entity tag."""

    body: bytes
    etag: str


class ChangedError(RefusedError):
    """Somebody else has decided meanwhile: what was expected to hold does not any more."""


class Vetting:
    """Decisions on names, kept in the store."""

    def __init__(
        self, store: Store, models: ModelInUse, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._models = models
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._clock = clock
        self._read_at = 0.0

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
        override = decision(
            name, status, scope=scope, client=client, expires=expires, reason=reason
        )
        with self._lock:
            self._store.put_override(override, who)
            self._forget()
        return override

    def replace(
        self, override: Override, *, who: str, expected: Expected = None
    ) -> Override | None:
        """Take a decision, and give the one that held until then on the same name and client.

        Nobody decides in this process between the look and the deed; where several services share
        a store, another one may in the moment between.

        Args:
            override: what is decided; see `decision`.
            who: decides.
            expected: see `Expected`.

        Raises:
            ChangedError: if another one holds.
        """
        with self._lock:
            before = self._holding(override.name, override.client, expected)
            self._store.put_override(override, who)
            self._forget()
        return before

    def take_back(
        self,
        name: str,
        client: str | None,
        *,
        who: str,
        reason: str = "",
        expected: Expected = None,
    ) -> bool:
        """Take a decision back; False if there is none.

        Raises ChangedError if another one holds than is expected.
        """
        qname, network = canonical(name), _client(client)
        change = Change(datetime.now(UTC), who, qname, network, UNVETTED, reason)
        with self._lock:
            if expected is not None:
                self._holding(qname, network, expected)
            done = self._store.delete_override(qname, network, change)
            self._forget()
        return done

    def _holding(self, name: str, client: Network | None, expected: Expected) -> Override | None:
        """Give the decision that holds on this name and client. The caller holds the lock."""
        known = self._known
        found = self._ask() if known is None or self._store.shared else known
        now = datetime.now(UTC)
        mine = (
            one for one in found[0]
            if one.name == name and one.client == client
            and (one.expires is None or now < one.expires)
        )  # fmt: skip
        held = next(mine, None)
        holds = NOTHING if held is None else held.created
        if expected is not None and holds != expected:
            raise ChangedError(f"another decision was made on {name} meanwhile")
        return held

    def find(self, name: str, client: str | None) -> Override | None:
        """Give the decision on this name and this client, not one that covers it."""
        qname, network = canonical(name), _client(client)
        mine = (o for o in self.all() if o.name == qname and o.client == network)
        return next(mine, None)

    def nothing_decided(self, name: str, client: str | None) -> str:
        """Say that there is no decision on this name and this client, and for whom there is one."""
        qname = canonical(name)
        of_name = (other.client for other in self.all() if other.name == qname)
        others = sorted(client_text(whose) or "everyone" for whose in of_name)
        more = f" and {len(others) - MOST_TOLD:,} more" if len(others) > MOST_TOLD else ""
        there = f", but for {', '.join(others[:MOST_TOLD])}{more}" if others else ""
        return f"nobody decided anything on this name for {client or 'everyone'}{there}"

    def all(self) -> list[Override]:
        """Give every decision that holds now."""
        now = datetime.now(UTC)
        return [o for o in self._read()[0] if o.expires is None or now < o.expires]

    def changes(self, limit: int) -> dict[str, Any]:
        """Give the latest entries of the record of decisions, newest first."""
        return {"changes": [change_json(change) for change in self._store.changes(limit)]}

    def current(self) -> Overrides:
        """Give the decisions as what names are matched against."""
        return self._read()[1]

    def _forget(self) -> None:
        """Have the decisions read anew; those of a shared store are kept until that is done."""
        if not self._store.shared:
            self._known = None
        self._read_at = -math.inf

    def _read(self) -> tuple[list[Override], Overrides]:
        known = self._known
        if known is None:
            with self._lock:
                return self._ask()
        if self._store.shared and self._clock() - self._read_at >= FRESH_SECONDS:
            return self._read_again(known)
        return known

    def _ask(self) -> Known:
        """Read from the store. The caller holds the lock."""
        found = self._store.overrides()
        self._known = (found, Overrides(found))
        self._read_at = self._clock()
        return self._known

    def _read_again(self, known: Known) -> Known:
        """Read what others decided meanwhile, one thread at a time.

        The others, and everybody while the store does not answer, get what was read last.
        """
        if not self._lock.acquire(blocking=False):
            return known
        try:
            return self._ask()
        except StoreError as fault:
            LOG.warning("decisions of others cannot be read: %s", fault)
            self._read_at = self._clock() + RETRY_SECONDS - FRESH_SECONDS
            return known
        finally:
            self._lock.release()

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


def decision(
    name: str,
    status: str,
    *,
    scope: str = SUBDOMAINS,
    client: str | None = None,
    expires: datetime | None = None,
    reason: str = "",
) -> Override:
    """Make a decision of now. Raises UsageError or InvalidNameError where it makes no sense."""
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
    return Override(
        name=qname,
        scope=scope,
        status=status,
        client=_client(client),
        expires=expires,
        reason=reason,
        created=now,
    )


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


def change_json(change: Change) -> dict[str, Any]:
    """Give an entry of the record as an object of the interface."""
    return {
        "at": rfc3339(change.at),
        "who": change.who,
        "name": change.name,
        "client": client_text(change.client),
        "status": change.status,
        "reason": change.reason,
    }
