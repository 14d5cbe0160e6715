"""The running service as the command line talks to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlplugin.errors import MlpluginError, PortError, RefusedError, StoreError, UsageError
from mlplugin.replay.history import check_url

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_SERVICE = "http://127.0.0.1:5000"
TIMEOUT_SECONDS = 60.0
# Where a service has no room for one more, it is asked again so often, after as long as it says.
NO_ROOM, MOST_TRIES, LONGEST_WAIT_SECONDS = 429, 5, 10
NOT_THERE = 404
# What else the user got wrong, not the service.
MISTAKES = frozenset({400, 422})
UNANSWERED = (
    urllib.error.URLError,
    TimeoutError,
    ConnectionError,
    http.client.HTTPException,
)


class NobodyError(PortError):
    """Nothing answers at the service's address; `listens` if something might be there."""

    listens = False


class NotThereError(UsageError):
    """The service answers, and does not have what was asked for."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would carry the token to wherever it is sent."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Give no request to follow with."""


# Past any proxy of the environment, which has no business with a service of one's own and
# would see the token.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


class Client:
    """A service as the command line talks to it; with the token of the environment, if any."""

    def __init__(self, url: str, patience: float = TIMEOUT_SECONDS) -> None:
        """Talk to the service at a URL; `patience` is how long to wait for it, in seconds."""
        self.url = check_url(url).rstrip("/")
        self._patience = patience

    def request(
        self, path: str, query: dict[str, str] | None = None, method: str = "GET", body: Any = None
    ) -> Any:
        """Ask, and give the JSON of the answer.

        Raises NobodyError if nobody answers, PortError if it is no service of ours, UsageError
        or StoreError as the service says.
        """
        with self.open(path, query, method, body) as answer:
            text = answer.read()
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise PortError(f"what answers at {self.url} is no mlplugin service") from None

    @contextlib.contextmanager
    def open(
        self, path: str, query: dict[str, str] | None = None, method: str = "GET", body: Any = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and give the answer to read from. Raises as `request` does."""
        arguments = f"?{urllib.parse.urlencode(query)}" if query else ""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        if token := service_token():
            headers["Authorization"] = f"Bearer {token}"
        asked = urllib.request.Request(  # noqa: S310 - check_url has seen the scheme
            f"{self.url}{path}{arguments}", data=data, method=method, headers=headers
        )
        try:
            with _patiently(asked, self._patience) as answer:
                yield answer
        except urllib.error.HTTPError as fault:
            with fault:
                raise self._refused(fault) from None
        except BrokenPipeError:
            raise  # whoever reads our own output has gone; a server that has is an URLError
        except UNANSWERED as fault:
            reason = getattr(fault, "reason", fault)
            nobody = NobodyError(
                f"no service answers at {self.url} ({reason}): start `mlplugin up`, "
                "or name it with --service"
            )
            nobody.listens = not isinstance(reason, ConnectionRefusedError)
            raise nobody from None

    def batches(self, answer: http.client.HTTPResponse) -> Iterator[pa.RecordBatch]:
        """Read columns from an answer. Raises PortError where it breaks off."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and rarely wanted

        try:
            yield from pa.ipc.open_stream(answer)
        except pa.ArrowInvalid as fault:
            raise PortError(f"{self.url} broke off: {fault}") from None

    def _refused(self, fault: urllib.error.HTTPError) -> MlpluginError:
        try:
            detail = str(json.loads(fault.read(65536))["detail"])
        except (ValueError, KeyError, TypeError, OSError):
            return PortError(f"what answers at {self.url} is no mlplugin service: {fault.code}")
        if fault.code == 401:
            has = "does not know this token" if service_token() else "wants a token"
            return StoreError(
                f"{self.url} {has}: set MLPLUGIN_SERVICE_TOKEN or MLPLUGIN_SERVICE_TOKEN_FILE"
            )
        if fault.code == 409:
            return RefusedError(detail)
        if fault.code == NOT_THERE:
            return NotThereError(detail)
        return (UsageError if fault.code in MISTAKES else StoreError)(detail)


def _patiently(asked: urllib.request.Request, patience: float) -> http.client.HTTPResponse:
    """Ask, and again where the service has no room just now and says when to come again."""
    for _ in range(MOST_TRIES):
        try:
            answer: http.client.HTTPResponse = _DIRECT.open(asked, timeout=patience)
        except urllib.error.HTTPError as fault:
            wait = fault.headers.get("Retry-After", "")
            if fault.code != NO_ROOM or not wait.isdecimal():
                raise
            fault.close()
            time.sleep(min(int(wait), LONGEST_WAIT_SECONDS))
        else:
            return answer
    last: http.client.HTTPResponse = _DIRECT.open(asked, timeout=patience)
    return last


def service_token() -> str | None:
    """Give the token that services ask for, as the environment has it; None for none.

    Raises UsageError if it cannot be one.
    """
    token, name = os.environ.get("MLPLUGIN_SERVICE_TOKEN"), "MLPLUGIN_SERVICE_TOKEN"
    if place := os.environ.get("MLPLUGIN_SERVICE_TOKEN_FILE"):
        with contextlib.suppress(OSError):
            token = Path(place).read_text(encoding="utf-8", errors="replace")
            name = "MLPLUGIN_SERVICE_TOKEN_FILE"
    token = token.strip() if token else token
    if token and not (token.isascii() and token.isprintable()):
        raise UsageError(f"{name} has characters that no token has")
    return token
