"""The history for the command line: from the running service, else from its file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.cli.client import DEFAULT_SERVICE, Client, NobodyError
from mlplugin.cli.stores import opened
from mlplugin.errors import PortError, StoreError
from mlplugin.service.history import Asked, History
from mlplugin.service.overrides import parse_client
from mlplugin.service.past import Past
from mlplugin.service.times import parse_moment
from mlplugin.store.port import Override
from mlplugin.verdict import Level, Source, Threat

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 1000

Command = TypeVar("Command", bound=Callable[..., Any])


def _several(_context: click.Context, _option: click.Parameter, given: Sequence[str]) -> str | None:
    """Give what was chosen as filters have it, None for nothing."""
    return ",".join(dict.fromkeys(given)) or None


FILTERS = {
    "qname": click.option("--qname", metavar="NAME", help="The name; * stands for any characters."),
    "domain": click.option("--domain", metavar="NAME", help="The registered domain (eTLD+1)."),
    "client": click.option("--client", metavar="ADDR", help="The client: an address or a subnet."),
    "verdict": click.option(
        "--verdict",
        type=click.Choice([level.value for level in Level]),
        multiple=True,
        callback=_several,
        help="How bad it was; may be given several times.",
    ),
    "threat": click.option(
        "--threat", type=click.Choice([threat.value for threat in Threat]), help="What harm it was."
    ),
    "source": click.option(
        "--source", type=click.Choice([source.value for source in Source]), help="What decided."
    ),
    "min_score": click.option("--min-score", metavar="SCORE", help="This score and higher."),
    "max_score": click.option("--max-score", metavar="SCORE", help="This score and lower."),
    "action": click.option(
        "--action", metavar="ACTION", help="What was done: observe, nxdomain, ..."
    ),
    "rcode": click.option("--rcode", metavar="RCODE", help="How it was answered: NOERROR, ..."),
    "qtype": click.option("--qtype", metavar="TYPE", help="What was asked for: A, AAAA, ..."),
    "sensor": click.option("--sensor", metavar="NAME", help="Where it was seen."),
    "shadow": click.option(
        "--shadow",
        type=click.Choice([level.value for level in Level]),
        multiple=True,
        callback=_several,
        help="What a candidate in shadow thought, where that was otherwise; may be given several "
        "times.",
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
        help="Where the history is, if no service runs; and models, where they matter.  [default: "
        "the user's data folder]",
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
    if data is None and url is None:  # there may be others, which nobody thought of
        click.echo(
            f"mlplugin: no service answers, what is read is the history in {place}", err=True
        )
    try:
        yield History(store)
    finally:
        store.close()
