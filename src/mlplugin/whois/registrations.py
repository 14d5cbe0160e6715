"""Registrations of domains, asked for one at a time and remembered for a while."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlplugin.qname import split_labels
from mlplugin.whois.answer import registration, servers
from mlplugin.whois.fetch import Fetcher, FetchError

BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
DAY, HOUR = 86_400.0, 3_600.0
# How long an answer is kept; a fault for so short a time that pressing again soon asks again.
KEPT, KEPT_UNKNOWN, KEPT_FAULT = DAY, HOUR, 20.0
MOST_KEPT = 2_000
# Domains that are asked for at once: each keeps a thread of the service as long as it takes.
AT_ONCE = 2
# Of the time for a domain a newer list of registries takes so much, where there is an old one.
LIST_SHARE = 0.25
NOT_FOUND, TOO_MANY = 404, 429
UNKNOWN = "nobody has registered it: the registry does not know it"
PAUSE, LONGEST_PAUSE = 60.0, HOUR
EMPTY: dict[str, Any] = {
    "registrar": None, "created": None, "updated": None, "expires": None, "status": [],
    "nameservers": [], "abuse": None, "dnssec": None,
}  # fmt: skip


@dataclass(frozen=True)
class _Kept:
    until: float
    answer: dict[str, Any]


class Registrations:
    """Asks the registries, as IANA's list says whom to ask for which top-level domain."""

    def __init__(
        self,
        fetcher: Fetcher | None = None,
        bootstrap: str = BOOTSTRAP,
        clock: Callable[[], float] = time.monotonic,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nobody yet.

        Args:
            fetcher: gets documents.
            bootstrap: where IANA's list is.
            clock: tells how old an answer is.
            stopwatch: tells how long a question has taken.
        """
        self._fetcher = fetcher or Fetcher()
        self._bootstrap = bootstrap
        self._clock = clock
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._servers: tuple[float, dict[str, str]] | None = None
        # until when the list is not asked for again, and why
        self._no_list: tuple[float, str] = (float("-inf"), "")
        self._paused: dict[str, float] = {}

    def find(self, domain: str) -> dict[str, Any]:
        """Give what a registry says of a registered domain; `error` says why it says nothing.

        Under a suffix that belongs to a company, such as a host of blogs, the company's own domain
        is what is registered; `domain` is the one that the answer is about.
        """
        with self._lock:
            kept = self._kept.get(domain)
            if kept is not None and self._clock() < kept.until:
                self._kept.move_to_end(domain)
                return kept.answer
        if not self._room.acquire(blocking=False):
            return unanswered(domain, "too many questions at once: try again in some seconds")
        try:
            answer, seconds = self._asked(domain)
        finally:
            self._room.release()
        with self._lock:
            self._kept[domain] = _Kept(self._clock() + seconds, answer)
            self._kept.move_to_end(domain)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return answer

    def _asked(self, domain: str) -> tuple[dict[str, Any], float]:
        """The answer, and how long it is good."""
        labels = split_labels(domain)
        if len(labels) < 2 or "\\" in domain:
            return unanswered(domain, "it is no domain that anybody could register"), KEPT_UNKNOWN
        end = self._stopwatch() + self._fetcher.limits.seconds
        try:
            base = self._server(labels[-1], end)
            if base is None:
                return unanswered(domain, f"the registry of .{labels[-1]} offers no RDAP"), HOUR
            for size in range(len(labels), 1, -1):
                found = self._one(base, ".".join(labels[-size:]), end)
                # above counts what a customer has, not what is the registry's own, such as co.uk
                if found is not None and (size == len(labels) or found["registrar"]):
                    return found, KEPT
            return unanswered(domain, UNKNOWN), KEPT_UNKNOWN
        except FetchError as fault:
            return unanswered(domain, str(fault)), KEPT_FAULT

    def _server(self, suffix: str, end: float) -> str | None:
        """The base URL for a top-level domain; an old list is better than none."""
        known = self._servers
        if known is None or self._clock() - known[0] >= DAY:
            known = self._listed(end) or known
        if known is None:
            raise FetchError(f"IANA's list of registries cannot be had: {self._no_list[1]}")
        return known[1].get(suffix)

    def _listed(self, end: float) -> tuple[float, dict[str, str]] | None:
        """Ask for IANA's list, unless it could not be had a moment ago; None where it cannot."""
        if self._clock() < self._no_list[0]:
            return None
        left = end - self._stopwatch()
        try:
            document = self._fetcher.get(
                self._bootstrap, left if self._servers is None else left * LIST_SHARE
            )
            self._servers = self._clock(), servers(document)
        except (FetchError, ValueError) as fault:
            self._no_list = self._clock() + KEPT_FAULT, str(fault)
            return None
        return self._servers

    def _one(self, base: str, domain: str, end: float) -> dict[str, Any] | None:
        """Ask for one domain; None if the registry does not know it. Raises FetchError."""
        host = urllib.parse.urlsplit(base).hostname or base
        left = self._paused.get(host, 0.0) - self._clock()
        if left > 0:
            raise FetchError(f"{host} was asked too often: try again in {left:.0f} s")
        quoted = urllib.parse.quote(domain, safe="")
        try:
            document = self._fetcher.get(
                f"{base.rstrip('/')}/domain/{quoted}", end - self._stopwatch()
            )
            said = registration(document)
        except ValueError:
            raise FetchError(f"{host} answers with something other than a domain") from None
        except FetchError as fault:
            if fault.status == NOT_FOUND:
                return None
            if fault.status == TOO_MANY:
                pause = min(fault.retry_after or PAUSE, LONGEST_PAUSE)
                self._paused[host] = self._clock() + pause
                raise FetchError(
                    f"{host} was asked too often: try again in {pause:.0f} s"
                ) from fault
            raise FetchError(f"{host}: {fault}") from fault
        return {"domain": domain, **said, "server": host, "asked": _now(), "error": None}


def unanswered(domain: str, why: str) -> dict[str, Any]:
    """Give what stands in place of an answer."""
    return {"domain": domain, **EMPTY, "server": None, "asked": _now(), "error": why}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
