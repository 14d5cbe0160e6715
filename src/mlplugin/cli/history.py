"""The history for the command line: from the running service, else from its file."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import platformdirs
import pyarrow as pa
from click.core import ParameterSource

from mlplugin.errors import MlpluginError, PortError, StoreError, UsageError
from mlplugin.replay.history import check_url
from mlplugin.service.history import Asked, History
from mlplugin.store import open_store
from mlplugin.verdict import Level, Threat

DEFAULT_SERVICE = "http://127.0.0.1:5000"
PAGE = 1000
TIMEOUT_SECONDS = 60.0
# What the user got wrong, not the service.
MISTAKES = frozenset({400, 404, 422})
UNANSWERED = (
    urllib.error.URLError,
    TimeoutError,
    ConnectionError,
    http.client.HTTPException,
)

Command = TypeVar("Command", bound=Callable[..., Any])


class NobodyError(PortError):
    """Nothing answers at the service's address."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would carry the token to wherever it is sent."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Give no request to follow with."""


# Past any proxy of the environment, which has no business with a service of one's own and
# would see the token.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)

FILTERS = (
    click.option("--qname", metavar="NAME", help="The name; * stands for any characters."),
    click.option("--domain", metavar="NAME", help="The registered domain (eTLD+1)."),
    click.option("--client", metavar="ADDR", help="The client: an address or a subnet."),
    click.option("--verdict", type=click.Choice([level.value for level in Level])),
    click.option("--threat", type=click.Choice([threat.value for threat in Threat])),
    click.option("--action", metavar="ACTION", help="What was done: observe, nxdomain, ..."),
    click.option("--rcode", metavar="RCODE", help="How it was answered: NOERROR, ..."),
    click.option("--qtype", metavar="TYPE", help="What was asked for: A, AAAA, ..."),
    click.option("--sensor", metavar="NAME", help="Where it was seen."),
    click.option("--since", metavar="TIME", help="From 2026-11-23T10:00:00Z on, or the last 24h."),
    click.option("--until", metavar="TIME", help="Before that time, or until that long ago."),
)
PLACES = (
    click.option(
        "--service",
        default=DEFAULT_SERVICE,
        show_default=True,
        metavar="URL",
        help="The running service.",
    ),
    click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where the history is, if no service runs.  [default: the user's data folder]",
    ),
)


def filter_options(command: Command) -> Command:
    """Add the options of a filter to a command; `asked` makes one of them."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


def place_options(command: Command) -> Command:
    """Add the options that say where the history is."""
    for option in reversed(PLACES):
        command = option(command)
    return command


def asked(options: dict[str, Any]) -> Asked:
    """Give the filter of the options. Raises UsageError or InvalidNameError if it is none."""
    found = Asked(**options)
    found.parse()
    return found


class Client:
    """A service as the command line talks to it; with the token of the environment, if any."""

    def __init__(self, url: str) -> None:
        self.url = check_url(url).rstrip("/")

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
        if token := _token():
            headers["Authorization"] = f"Bearer {token}"
        asked = urllib.request.Request(  # noqa: S310 - check_url has seen the scheme
            f"{self.url}{path}{arguments}", data=data, method=method, headers=headers
        )
        try:
            with _DIRECT.open(asked, timeout=TIMEOUT_SECONDS) as answer:
                yield answer
        except urllib.error.HTTPError as fault:
            with fault:
                raise self._refused(fault) from None
        except UNANSWERED as fault:
            reason = getattr(fault, "reason", fault)
            raise NobodyError(
                f"no service answers at {self.url} ({reason}): start `mlplugin up`, "
                "or name it with --service"
            ) from None

    def _refused(self, fault: urllib.error.HTTPError) -> MlpluginError:
        try:
            detail = str(json.loads(fault.read(65536))["detail"])
        except (ValueError, KeyError, TypeError, OSError):
            return PortError(f"what answers at {self.url} is no mlplugin service: {fault.code}")
        if fault.code == 401:
            return StoreError(
                f"{self.url} wants a token: set MLPLUGIN_SERVICE_TOKEN or "
                "MLPLUGIN_SERVICE_TOKEN_FILE"
            )
        return (UsageError if fault.code in MISTAKES else StoreError)(detail)


def _token() -> str | None:
    place = os.environ.get("MLPLUGIN_SERVICE_TOKEN_FILE")
    if place:
        with contextlib.suppress(OSError):
            return Path(place).read_text(encoding="utf-8").strip()
    return os.environ.get("MLPLUGIN_SERVICE_TOKEN")


@contextlib.contextmanager
def _source(service: str, data: Path | None) -> Iterator[Client | History]:
    """Give the service, or the history in its file if none runs. Raises StoreError.

    A service that the user named, and no file beside it, is not traded for another history.
    """
    client = Client(service)
    try:
        client.request("/healthz")
    except NobodyError as unanswered:
        if data is None and _named("service"):
            raise
        with _opened(data, unanswered) as history:
            yield history
        return
    yield client


def _named(option: str) -> bool:
    context = click.get_current_context(silent=True)
    source = context.get_parameter_source(option) if context else None
    return source is ParameterSource.COMMANDLINE


def pages(
    service: str, data: Path | None, wanted: Asked, limit: int | None
) -> Iterator[dict[str, Any]]:
    """Give rows, newest first, at most `limit`."""
    left = limit
    cursor: str | None = None
    with _source(service, data) as source:
        while left is None or left > 0:
            most = PAGE if left is None else min(PAGE, left)
            if isinstance(source, History):
                page = source.search(wanted, most, cursor)
            else:
                query = {**_query(wanted), "limit": str(most)}
                page = source.request("/api/v1/queries", query | _given("cursor", cursor))
            yield from page["queries"]
            left = None if left is None else left - len(page["queries"])
            cursor = page["next"]
            if cursor is None:
                return


@contextlib.contextmanager
def columns(
    service: str, data: Path | None, wanted: Asked
) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """Give how many rows there are, and all of them as columns, oldest first."""
    with _source(service, data) as source:
        if isinstance(source, History):
            yield source.count(wanted), source.columns(wanted)
            return
        query = _query(wanted)
        total = int(source.request("/api/v1/queries", {**query, "limit": "1"})["total"])
        with source.open("/api/v1/export", query) as answer:
            try:
                reader = pa.ipc.open_stream(answer)
                yield total, iter(reader)
            except pa.ArrowInvalid as fault:
                raise PortError(f"{source.url} broke off: {fault}") from None


def _query(wanted: Asked) -> dict[str, str]:
    parts = (_given(name, getattr(wanted, name)) for name in Asked.__dataclass_fields__)
    return {name: value for part in parts for name, value in part.items()}


def _given(name: str, value: object) -> dict[str, str]:
    return {} if value is None else {name: str(value)}


@contextlib.contextmanager
def _opened(data: Path | None, unanswered: PortError) -> Iterator[History]:
    """Open the file to read. Raises StoreError, which also says what was tried before."""
    place = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    try:
        store = open_store(None, place, read_only=True)
    except StoreError as fault:
        raise StoreError(f"{unanswered}; and {fault}") from None
    try:
        yield History(store)
    finally:
        store.close()
