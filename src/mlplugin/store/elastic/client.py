"""Talking to a cluster: requests out, answers or one-line errors back.

`elastic_transport` alone is under it: it speaks to every version of both engines, spreads over
nodes and leaves dead ones alone for a while. It follows no redirect and uses no proxy.
"""

from __future__ import annotations

import contextlib
import json
import logging
import ssl
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import elastic_transport
from elastic_transport import Serializer, TlsError, Transport

from mlplugin.errors import StoreError
from mlplugin.store.elastic.faults import refused, short
from mlplugin.store.elastic.hanging import Breaker
from mlplugin.store.elastic.place import Place
from mlplugin.store.port import StoreUnavailableError

# Somebody waits for a read: seconds. A hanging cluster must not hold people up.
READ_SECONDS = 4.0
# The same for counts over months, for changes of indices, and for what is written.
COUNT_SECONDS = 15.0
ADMIN_SECONDS = 30.0
WRITE_SECONDS = 15.0
# So long an index may take to come up that was made just now.
NEW_SECONDS = 2.0
# What even a busy cluster says at once: its name.
PULSE_SECONDS = 1.0
# Requests that hang apart from each other. A long one, such as a search over months or a change
# of an index, says nothing of the others when it is late.
READ, WRITE, LONG = "read", "write", "long"

# Of every search: days may be missing, shards may not.
WHOLE = {
    "ignore_unavailable": "true",
    "allow_no_indices": "true",
    "allow_partial_search_results": "false",
}

JSON = "application/json"
NDJSON = "application/x-ndjson"
# Its own lines would tell every retry, with a stack trace.
logging.getLogger("elastic_transport").setLevel(logging.CRITICAL)


class _Raw(Serializer):
    """Bytes as they come: what is read of an answer is decided behind it."""

    mimetype: ClassVar[str] = JSON

    def loads(self, data: bytes) -> bytes:
        return data

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()


class _RawLines(_Raw):
    mimetype: ClassVar[str] = NDJSON


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, and its body as it came."""

    status: int
    body: bytes

    @property
    def data(self) -> Any:
        """The body read as JSON, None if it is none."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


class Client:
    """A cluster; any number of threads may use it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.shown = place.shown
        self._breakers = {kind: Breaker(place.shown, len(place.nodes)) for kind in (READ, WRITE)}
        try:
            self._transport = Transport(
                list(place.nodes),
                serializers={JSON: _Raw(), NDJSON: _RawLines()},
                default_mimetype=JSON,
                max_retries=len(place.nodes) - 1,
                retry_on_status=(502, 503, 504) if len(place.nodes) > 1 else (),
                max_dead_node_backoff=10.0,
            )
        except (ValueError, OSError) as fault:
            raise StoreError(f"store {self.shown}: {short(str(fault))}") from None

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, str] | None = None,
        seconds: float = READ_SECONDS,
        fine: tuple[int, ...] = (200, 201),
    ) -> Answer:
        """Send a request, bytes as lines and anything else as JSON; give the answer.

        Raises StoreUnavailableError or StoreError where the status is none of `fine`.
        """
        headers = {**self.place.headers, "accept": JSON}
        if body is not None:
            headers["content-type"] = NDJSON if isinstance(body, bytes) else JSON
        target = f"{path}?{urllib.parse.urlencode(params)}" if params else path
        kind = _kind(method, path, seconds)
        breaker = self._breakers[WRITE if kind == WRITE else READ]
        breaker.enter(seconds)
        with self._told(seconds, kind, breaker):
            meta, data = self._transport.perform_request(
                method, target, body=body, headers=headers, request_timeout=seconds,
                retry_on_timeout=kind == READ,
            )  # fmt: skip
        breaker.answered()
        answer = Answer(meta.status, data if isinstance(data, bytes) else str(data or "").encode())
        if meta.status not in fine:
            raise refused(self.shown, meta.status, answer.data)
        return answer

    def _late(self, kind: str, fault: elastic_transport.ConnectionTimeout) -> None:
        """Note that a request was not answered in time.

        A long search may just be long: a cluster that still says what it is does not hang.
        """
        nodes = 1 + sum(isinstance(e, elastic_transport.ConnectionTimeout) for e in fault.errors)
        if kind != LONG:
            self._breakers[kind].late(nodes)
        elif self._lives():
            self._breakers[READ].answered()
        else:
            for breaker in self._breakers.values():
                breaker.late(len(self.place.nodes))

    def _lives(self) -> bool:
        """Whether any node says anything."""
        try:
            self._transport.perform_request(
                "GET", "/", headers={**self.place.headers, "accept": JSON},
                request_timeout=PULSE_SECONDS, retry_on_timeout=True,
            )  # fmt: skip
        except elastic_transport.ConnectionTimeout:
            return False
        except elastic_transport.TransportError:
            return True
        return True

    def get(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The same, and give what the answer's JSON says.

        Raises StoreError too where it is no JSON.
        """
        answer = self.ask(method, path, body, **options)
        data = answer.data
        if not isinstance(data, dict | list):
            raise StoreError(f"what answers at {self.shown} is no search server")
        return data

    def search(self, index: str, body: dict[str, Any], seconds: float = READ_SECONDS) -> Any:
        """Give what a search finds in all of the indices that are there.

        Raises StoreUnavailableError where a part is missing or took too long: too little must
        not be taken for all.
        """
        found = self._found(index, body, seconds)
        if not isinstance(found, dict) or not isinstance(found.get("hits"), dict):
            raise StoreError(f"what answers at {self.shown} is no search server")
        shards = found.get("_shards")
        failed = shards.get("failed", 0) if isinstance(shards, dict) else 0
        if failed or found.get("timed_out"):
            what = f"{failed} shards are missing" if failed else "it took too long"
            raise StoreUnavailableError(f"store {self.shown} answers in part only: {what}")
        return found

    def _found(self, index: str, body: dict[str, Any], seconds: float) -> Any:
        """Search, again for a moment where a shard is missing: that of a new day comes up so."""
        end = time.monotonic() + NEW_SECONDS
        while True:
            try:
                return self.get("POST", f"/{index}/_search", body, params=WHOLE, seconds=seconds)
            except StoreUnavailableError as fault:
                if "missing shards" not in str(fault) or time.monotonic() > end:
                    raise
            time.sleep(0.1)

    @contextlib.contextmanager
    def _told(self, seconds: float, kind: str, breaker: Breaker) -> Iterator[None]:
        """Put what goes wrong on the way into one line."""
        try:
            yield
        except elastic_transport.ConnectionTimeout as fault:
            self._late(kind, fault)
            raise StoreUnavailableError(
                f"store {self.shown} did not answer within {seconds:g} s"
            ) from None
        except TlsError as fault:
            raise _tls(self.shown, fault) from None
        except elastic_transport.ConnectionError as fault:
            breaker.answered()  # who refuses at once hangs no more
            raise StoreUnavailableError(
                f"store {self.shown} cannot be reached: {_why(fault)}"
            ) from None
        except (elastic_transport.TransportError, ssl.SSLError, OSError, ValueError) as fault:
            raise StoreError(
                f"what answers at {self.shown} is no search server: {short(str(fault))}"
            ) from None

    def close(self) -> None:
        """Let go of every connection."""
        self._transport.close()


def _kind(method: str, path: str, seconds: float) -> str:
    """What a request is to those who wait for others."""
    document = "/_doc/" in path or "/_create/" in path
    if path.endswith("/_bulk") or (document and method in {"PUT", "DELETE"}):
        return WRITE
    return READ if method in {"GET", "HEAD"} and seconds <= READ_SECONDS else LONG


def _tls(shown: str, fault: Exception) -> StoreError:
    text = " ".join(repr(one) for one in (fault, *getattr(fault, "errors", ())))
    if "expired" in text:
        return StoreError(f"store {shown}: its certificate has expired: renew it there")
    if "doesn't match" in text:
        return StoreError(
            f"store {shown}: its certificate is for another name: see that the name is right"
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        known = "self-signed" in text or "unable to get" in text
        hint = "name the CA's file in store.ca_file" if known else "see that the name is right"
        what = text.partition("CERTIFICATE_VERIFY_FAILED] ")[2] or text
        return StoreError(f"store {shown}: its certificate is not trusted: {short(what)}; {hint}")
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
        return StoreError(f"store {shown} speaks no TLS: write http://, or turn TLS on there")
    return StoreUnavailableError(f"store {shown}: TLS failed: {short(text)}")


def _why(fault: Exception) -> str:
    """The cause in the system's words, where there is one."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        errors = getattr(seen, "errors", ())
        seen = seen.__cause__ or (errors[0] if errors else getattr(seen, "reason", None))
        if not isinstance(seen, BaseException):
            break
    text = str(fault)
    for words in ("Connection refused", "Name or service not known", "getaddrinfo failed",
                  "RemoteDisconnected", "reset by peer", "No route to host"):  # fmt: skip
        if words in text:
            return words
    return short(text)
