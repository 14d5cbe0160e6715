"""`mlplugin vet`: say what a name is."""

from __future__ import annotations

import contextlib
import shlex
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mlplugin.cli.client import DEFAULT_SERVICE, Client, NotThereError
from mlplugin.cli.listing import STDIN, chunks, list_option
from mlplugin.cli.lookalikes import mistaken
from mlplugin.errors import InvalidNameError, MlpluginError, UsageError
from mlplugin.qname import canonical, escaped
from mlplugin.service.overrides import BENIGN, STATUSES, SUBDOMAINS
from mlplugin.service.times import parse_span, rfc3339
from mlplugin.store.port import UNVETTED
from mlplugin.verdict import SOURCES, Source

if TYPE_CHECKING:
    from mlplugin.model import Model

# A few names of a kind show what kind it is.
SHOWN = 3
EXAMPLES = """\b
Examples:
  mlplugin vet example.org benign --reason "the payroll supplier"
  mlplugin vet bad.example.org blocked --client 192.0.2.0/24 --for 24h
  mlplugin vet a.example.net b.example.net honeypot
  mlplugin vet -f names.txt blocked --reason "the incident of May"
  mlplugin vet example.org unvetted
  mlplugin vet zip blocked --wide
"""


class _Status(click.Choice[str]):
    """A status; who left it out had the last name taken for one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Say what it may be, and where it stands."""
        return f"{super().get_invalid_choice_message(value, ctx)} The status comes last."


@click.command(epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.argument("status", type=_Status([*STATUSES, UNVETTED]))
@list_option
@click.option("--client", metavar="ADDR", help="For this address or subnet only.")
@click.option("--for", "span", metavar="SPAN", help="For so long: 90s, 15m, 24h, 7d, 2w.")
@click.option("--reason", default="", metavar="TEXT", help="Why; shown with every block.")
@click.option(
    "--scope",
    type=click.Choice(["subdomains", "name"]),
    default=SUBDOMAINS,
    show_default=True,
    help="The name and all below it, or the name alone.",
)
@click.option("--wide", is_flag=True, help="NAME may be the root or a public suffix.")
@click.option(
    "--service",
    default=DEFAULT_SERVICE,
    show_default=True,
    metavar="URL",
    help="The running service.",
)
def vet(
    *,
    names: tuple[str, ...],
    status: str,
    source: str | None,
    client: str | None,
    span: str | None,
    reason: str,
    scope: str,
    wide: bool,
    service: str,
) -> None:
    """Say that names are benign, honeypot or blocked; unvetted takes that back.

    Benign names are never flagged, blocked ones are answered as malicious, honeypot ones with
    the sinkhole. Sensors follow within seconds. A list is read whole before anything is decided.
    """
    qnames = _wanted(names, source)
    whose = f" for {client}" if client else ""
    if status == UNVETTED:
        if span or reason:
            raise UsageError("unvetted takes neither --for nor --reason")
        query = {"client": client} if client else None
        _take_back(Client(service), qnames, query, f"{status}{whose}")
        return
    expires = None if span is None else rfc3339(datetime.now(UTC) + parse_span(span))
    from mlplugin.model import load  # noqa: PLC0415 - slow to import

    model = load()
    if scope == SUBDOMAINS and not wide:
        _ask_twice(model, qnames, status)
    body = {
        "status": status, "scope": scope, "client": client, "expires": expires, "reason": reason,
    }  # fmt: skip
    until = f" until {expires}" if expires else ""
    _decide(Client(service), qnames, body, f"{status}{whose}{until}")
    if status != BENIGN and client is None:
        _tell_popular(
            model,
            qnames,
            "" if service == DEFAULT_SERVICE else f" --service {shlex.quote(service)}",
        )


def _wanted(names: Sequence[str], source: str | None) -> list[str]:
    """Give the names in canonical form, each once. Raises InvalidNameError or UsageError."""
    if not names and source is None:
        raise click.UsageError("name what to vet, or a list of it with -f FILE")
    found = dict.fromkeys(map(_canonical, names))
    if source is not None:
        place = "standard input" if source == STDIN else source
        try:
            found |= dict.fromkeys(_canonical(text) for part in chunks(source) for text in part)
        except InvalidNameError as fault:
            raise InvalidNameError(f"{place}: {fault}") from None
        if not found:
            raise UsageError(f"{place} has no names")
    return list(found)


def _canonical(text: str) -> str:
    """Give a name in canonical form; raises InvalidNameError, which says of what."""
    said = mistaken(text)
    if said is not None:
        raise InvalidNameError(f"{escaped(text)} {said}")
    try:
        return canonical(text)
    except InvalidNameError as fault:
        raise InvalidNameError(f"{escaped(text)!r}: {fault}") from None


def _path(qname: str) -> str:
    return f"/api/v1/overrides/{urllib.parse.quote(qname, safe='')}"


def _decide(service: Client, qnames: Sequence[str], body: dict[str, Any], told: str) -> None:
    """Send the same decision on each name, and tell of it; raises as `Client.request` does."""
    for done, qname in enumerate(qnames):
        with _names_left(done, qnames):
            service.request(_path(qname), method="PUT", body=body)
        click.echo(f"{qname} is {told}")


def _take_back(
    service: Client, qnames: Sequence[str], query: dict[str, str] | None, told: str
) -> None:
    """Take the decision on each name back, and tell of it.

    Of several names, those on which nothing was decided are passed over.

    Raises:
        UsageError: at the end if there were such names; else as `Client.request`.
    """
    undecided = 0
    for done, qname in enumerate(qnames):
        try:
            with _names_left(done, qnames):
                service.request(_path(qname), query, method="DELETE")
        except NotThereError as fault:
            if len(qnames) == 1:
                raise
            undecided += 1
            click.echo(f"mlplugin: {qname}: {fault}", err=True)
        else:
            click.echo(f"{qname} is {told}")
    if undecided:
        raise UsageError(f"nothing was decided on {undecided:,} of {len(qnames):,} names")


@contextlib.contextmanager
def _names_left(done: int, qnames: Sequence[str]) -> Iterator[None]:
    """Have an error that ends the work say from which name on nothing was done."""
    try:
        yield
    except NotThereError:
        raise
    except MlpluginError as fault:
        if not done:
            raise
        left = f"{qnames[done]} and what follows it ({len(qnames) - done:,} of {len(qnames):,})"
        raise type(fault)(f"{fault}; nothing was done about {left}") from None


def _ask_twice(model: Model, qnames: Sequence[str], status: str) -> None:
    """Have a decision confirmed that holds for everybody's names. Raises UsageError."""
    for qname in qnames:
        if model.split(qname).registered_domain is not None:
            continue
        what = "the root" if qname == "." else f"{qname}, under which anybody may have names,"
        told = f"{what} and all below it would be {status}"
        if not sys.stdin.isatty():
            raise UsageError(f"{told}: say --wide if that is meant, or --scope name")
        click.confirm(f"{told}. Is that meant?", abort=True)


def _tell_popular(model: Model, qnames: Sequence[str], where: str) -> None:
    """Tell which names the model holds for popular: a wrong block of one is soon felt.

    `where` is the option that names the service.
    """
    reputed = model.judge_many(qnames).source == SOURCES.index(Source.REPUTATION)
    popular = [qname for qname, known in zip(qnames, reputed.tolist(), strict=True) if known]
    if not popular:
        return
    more = len(popular) - SHOWN
    some = ", ".join(popular[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    have, which = ("has", popular[0]) if len(popular) == 1 else ("have", "NAME")
    click.echo(
        f"mlplugin: {some} {have} been popular for years, and people here may need that; "
        f"`mlplugin vet {which} unvetted{where}` ends the decision",
        err=True,
    )
