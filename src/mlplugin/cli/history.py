"""The history for the command line: from the running service, else from its file."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.cli.stores import opened
from mlplugin.errors import MlpluginError, PortError, RefusedError, StoreError, UsageError
from mlplugin.replay.history import check_url
from mlplugin.service.history import Asked, History
from mlplugin.service.overrides import parse_client
from mlplugin.service.past import Past
from mlplugin.service.times import parse_moment
from mlplugin.store.port import Override
from mlplugin.verdict import Level, Threat

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_SERVICE = "http://127.0.0.1:5000"
PAGE = 1000
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

Command = TypeVar("Command", bound=Callable[..., Any])


class NobodyError(PortError):
    """Nothing answers at the service's address."""


class NotThereError(UsageError):
    """The service answers, and does not have what was asked for."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: urllib would carry the token to wherever it is sent."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Give no request to follow with."""


# Past any proxy of the environment, which has no business with a service of one's own and
# would see the token.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)

FILTERS = {
    "qname": click.option("--qname", metavar="NAME", help="The name; * stands for any characters."),
    "domain": click.option("--domain", metavar="NAME", help="The registered domain (eTLD+1)."),
    "client": click.option("--client", metavar="ADDR", help="The client: an address or a subnet."),
    "verdict": click.option(
        "--verdict", type=click.Choice([level.value for level in Level]), help="How bad it was."
    ),
    "threat": click.option(
        "--threat", type=click.Choice([threat.value for threat in Threat]), help="What harm it was."
    ),
    "action": click.option(
        "--action", metavar="ACTION", help="What was done: observe, nxdomain, ..."
    ),
    "rcode": click.option("--rcode", metavar="RCODE", help="How it was answered: NOERROR, ..."),
    "qtype": click.option("--qtype", metavar="TYPE", help="What was asked for: A, AAAA, ..."),
    "sensor": click.option("--sensor", metavar="NAME", help="Where it was seen."),
    "shadow": click.option(
        "--shadow",
        type=click.Choice([level.value for level in Level]),
        help="What a candidate in shadow thought, where that was otherwise.",
    ),
    "since": click.option(
        "--since", metavar="TIME", help="From 2026-11-23T10:00:00Z on, or the last 24h."
    ),
    "until": click.option(
        "--until", metavar="TIME", help="Before that time, or until that long ago."
    ),
}
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
    click.option(
        "--store",
        metavar="URL",
        help="The store, where it is not the embedded one, if no service runs.",
    ),
)


# Those that say which stretch of history, and not what was thought of it.
STRETCH = frozenset({"qname", "domain", "client", "sensor", "since", "until"})


def filter_options(command: Command, only: frozenset[str] | None = None) -> Command:
    """Add the options of a filter, or some of them, to a command; `asked` makes one of them."""
    for name, option in reversed(FILTERS.items()):
        if only is None or name in only:
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
        if token := service_token():
            headers["Authorization"] = f"Bearer {token}"
        asked = urllib.request.Request(  # noqa: S310 - check_url has seen the scheme
            f"{self.url}{path}{arguments}", data=data, method=method, headers=headers
        )
        try:
            with _patiently(asked) as answer:
                yield answer
        except urllib.error.HTTPError as fault:
            with fault:
                raise self._refused(fault) from None
        except BrokenPipeError:
            raise  # whoever reads our own output has gone; a server that has is an URLError
        except UNANSWERED as fault:
            reason = getattr(fault, "reason", fault)
            raise NobodyError(
                f"no service answers at {self.url} ({reason}): start `mlplugin up`, "
                "or name it with --service"
            ) from None

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
            return StoreError(
                f"{self.url} wants a token: set MLPLUGIN_SERVICE_TOKEN or "
                "MLPLUGIN_SERVICE_TOKEN_FILE"
            )
        if fault.code == 409:
            return RefusedError(detail)
        if fault.code == NOT_THERE:
            return NotThereError(detail)
        return (UsageError if fault.code in MISTAKES else StoreError)(detail)


def _patiently(asked: urllib.request.Request) -> http.client.HTTPResponse:
    """Ask, and again where the service has no room just now and says when to come again."""
    for _ in range(MOST_TRIES):
        try:
            answer: http.client.HTTPResponse = _DIRECT.open(asked, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as fault:
            wait = fault.headers.get("Retry-After", "")
            if fault.code != NO_ROOM or not wait.isdecimal():
                raise
            fault.close()
            time.sleep(min(int(wait), LONGEST_WAIT_SECONDS))
        else:
            return answer
    last: http.client.HTTPResponse = _DIRECT.open(asked, timeout=TIMEOUT_SECONDS)
    return last


def service_token() -> str | None:
    """Give the token that services ask for, as the environment has it; None for none."""
    place = os.environ.get("MLPLUGIN_SERVICE_TOKEN_FILE")
    if place:
        with contextlib.suppress(OSError):
            return Path(place).read_text(encoding="utf-8").strip()
    return os.environ.get("MLPLUGIN_SERVICE_TOKEN")


@contextlib.contextmanager
def _source(service: str, data: Path | None, url: str | None) -> Iterator[Client | History]:
    """Give the service, or the history in its store if none runs. Raises StoreError.

    A service that the user named, and no store beside it, is not traded for another history.
    """
    client = Client(service)
    try:
        client.request("/healthz")
    except NobodyError as unanswered:
        if data is None and url is None and _named("service"):
            raise
        with _opened(data, url, unanswered) as history:
            yield history
        return
    yield client


def _named(option: str) -> bool:
    context = click.get_current_context(silent=True)
    source = context.get_parameter_source(option) if context else None
    return source is ParameterSource.COMMANDLINE


def pages(
    service: str, data: Path | None, store: str | None, wanted: Asked, limit: int | None
) -> Iterator[dict[str, Any]]:
    """Give rows, newest first, at most `limit`."""
    left = limit
    cursor: str | None = None
    with _source(service, data, store) as source:
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


class FarStretch:
    """A stretch of history of a running service."""

    def __init__(self, client: Client, wanted: Asked) -> None:
        self._client = client
        self._query = _query(wanted)

    def names(self) -> Iterator[pa.RecordBatch]:
        """Give every name once."""
        return self._ask("/api/v1/names")

    def askers(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names."""
        return self._ask("/api/v1/names/clients", "POST", {"names": list(names)})

    def _ask(self, path: str, method: str = "GET", body: Any = None) -> Iterator[pa.RecordBatch]:
        with self._client.open(path, self._query, method, body) as answer:
            yield from self._client.batches(answer)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch of history, how many names it has about, and what people decided."""

    past: Past
    names: int
    decisions: list[Override]


@contextlib.contextmanager
def stretch(service: str, data: Path | None, store: str | None, wanted: Asked) -> Iterator[Kept]:
    """Give a stretch of history to look back on."""
    with _source(service, data, store) as source:
        if isinstance(source, History):
            names = int(source.stats(wanted)["names"])
            yield Kept(source.stretch(wanted), names, source.decisions())
            return
        stats = source.request("/api/v1/stats", _query(wanted))
        found = source.request("/api/v1/overrides")["overrides"]
        yield Kept(FarStretch(source, wanted), int(stats["names"]), list(map(_decision, found)))


def _decision(told: Mapping[str, Any]) -> Override:
    """Read a decision of the interface."""
    client, expires = told["client"], told["expires"]
    return Override(
        name=told["name"],
        scope=told["scope"],
        status=told["status"],
        client=None if client is None else parse_client(client),
        expires=None if expires is None else parse_moment(expires),
        reason=told["reason"],
        created=parse_moment(told["created"]),
    )


@contextlib.contextmanager
def columns(
    service: str, data: Path | None, store: str | None, wanted: Asked
) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """Give how many rows there are, and all of them as columns, oldest first."""
    with _source(service, data, store) as source:
        if isinstance(source, History):
            yield source.count(wanted), source.columns(wanted)
            return
        query = _query(wanted)
        total = int(source.request("/api/v1/queries", {**query, "limit": "1"})["total"])
        with source.open("/api/v1/export", query) as answer:
            yield total, source.batches(answer)


def _query(wanted: Asked) -> dict[str, str]:
    parts = (_given(name, getattr(wanted, name)) for name in Asked.__dataclass_fields__)
    return {name: value for part in parts for name, value in part.items()}


def _given(name: str, value: object) -> dict[str, str]:
    return {} if value is None else {name: str(value)}


@contextlib.contextmanager
def _opened(data: Path | None, url: str | None, unanswered: PortError) -> Iterator[History]:
    """Open the store to read. Raises StoreError, which also says what was tried before."""
    place = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    try:
        store = opened(url, place, read_only=True)
    except StoreError as fault:
        raise StoreError(f"{unanswered}; and {fault}") from None
    try:
        yield History(store)
    finally:
        store.close()
