"""Who has signed in, and how often a sign-in may be tried."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

# A session ends when nobody used it for so long, and in any case after so long.
IDLE_SECONDS = 12 * 3600.0
LONGEST_SECONDS = 7 * 86400.0
MOST_SESSIONS = 1000
# So many attempts are free; each one after them has to wait twice as long as the one before.
FREE_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
FORGOTTEN_SECONDS = 3600.0
MOST_ADDRESSES = 10_000


@dataclass(slots=True)
class Session:
    """Somebody who signed in.

    Attributes:
        who: as whom, for the record of decisions.
        csrf: what requests that change something must repeat in a header.
        stamp: of the password that held then.
    """

    who: str
    csrf: str
    stamp: str
    began: float
    used: float


class Sessions:
    """The sessions of this process; they end with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, who: str, stamp: str) -> tuple[str, Session]:
        """Begin one; give what its cookie says, which is kept nowhere else."""
        key, now = secrets.token_urlsafe(32), self._clock()
        session = Session(who, secrets.token_urlsafe(32), stamp, now, now)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                oldest = min(self._sessions, key=lambda found: self._sessions[found].used)
                del self._sessions[oldest]
            self._sessions[_digest(key)] = session
        return key, session

    def find(self, key: str | None, stamp: str) -> Session | None:
        """Give the session of a cookie, None if it has ended or the password is another one."""
        if not key:
            return None
        digest, now = _digest(key), self._clock()
        with self._lock:
            session = self._sessions.get(digest)
            if session is None:
                return None
            old = now - session.used > IDLE_SECONDS or now - session.began > LONGEST_SECONDS
            if old or session.stamp != stamp:
                del self._sessions[digest]
                return None
            session.used = now
            return session

    def end(self, key: str | None) -> None:
        """End one."""
        with self._lock:
            self._sessions.pop(_digest(key or ""), None)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Throttle:
    """Slows down whoever guesses, by address (by network of 64 bits for IPv6)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: dict[str, tuple[int, float]] = {}

    def attempt(self, address: str) -> float:
        """Take an attempt: 0 if it may go on, else how many seconds it must wait.

        It counts as failed until `succeeded` says otherwise, so that many at once are many.
        """
        key, now = _network(address), self._clock()
        with self._lock:
            count, last = self._failed.get(key, (0, now))
            if now - last > FORGOTTEN_SECONDS:
                count = 0
            wait = _wait(count) - (now - last)
            if wait > 0:
                return wait
            if key not in self._failed and len(self._failed) >= MOST_ADDRESSES:
                del self._failed[min(self._failed, key=lambda found: self._failed[found][1])]
            self._failed[key] = (count + 1, now)
            return 0.0

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        with self._lock:
            self._failed.pop(_network(address), None)


def _wait(count: int) -> float:
    if count < FREE_ATTEMPTS:
        return 0.0
    return min(FIRST_WAIT_SECONDS * 2.0 ** min(count - FREE_ATTEMPTS, 20), LONGEST_WAIT_SECONDS)


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(int(found) >> 64) if found.ipv4_mapped is None else str(found.ipv4_mapped)
    return address
