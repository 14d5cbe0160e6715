"""`mlplugin vet`: say what a name is."""

from __future__ import annotations

import sys
import urllib.parse
from datetime import UTC, datetime

import click

from mlplugin.cli.history import DEFAULT_SERVICE, Client
from mlplugin.cli.lookalikes import mistaken
from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.model import load
from mlplugin.qname import canonical, escaped
from mlplugin.service.overrides import STATUSES, SUBDOMAINS
from mlplugin.service.times import parse_span, rfc3339
from mlplugin.store.port import UNVETTED

EXAMPLES = """\b
Examples:
  mlplugin vet example.org benign --reason "the payroll supplier"
  mlplugin vet bad.example.org blocked --client 192.0.2.0/24 --for 24h
  mlplugin vet example.org unvetted
  mlplugin vet zip blocked --wide
"""


@click.command(epilog=EXAMPLES)
@click.argument("name")
@click.argument("status", type=click.Choice([*STATUSES, UNVETTED]))
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
    name: str,
    status: str,
    client: str | None,
    span: str | None,
    reason: str,
    scope: str,
    wide: bool,
    service: str,
) -> None:
    """Say that NAME is benign, honeypot or blocked; unvetted takes that back.

    Benign names are never flagged, blocked ones are answered as malicious, honeypot ones with
    the sinkhole. Sensors follow within seconds.
    """
    said = mistaken(name)
    if said is not None:
        raise InvalidNameError(f"{escaped(name)} {said}")
    qname = canonical(name)
    path = f"/api/v1/overrides/{urllib.parse.quote(qname, safe='')}"
    whose = f" for {client}" if client else ""
    if status == UNVETTED:
        if span or reason:
            raise UsageError("unvetted takes neither --for nor --reason")
        query = {"client": client} if client else None
        Client(service).request(path, query, method="DELETE")
        click.echo(f"{qname} is unvetted{whose}")
        return
    if scope == SUBDOMAINS and not wide:
        _ask_twice(qname, status)
    expires = None if span is None else rfc3339(datetime.now(UTC) + parse_span(span))
    body = {
        "status": status, "scope": scope, "client": client, "expires": expires, "reason": reason,
    }  # fmt: skip
    Client(service).request(path, method="PUT", body=body)
    until = f" until {expires}" if expires else ""
    click.echo(f"{qname} is {status}{whose}{until}")


def _ask_twice(qname: str, status: str) -> None:
    """Have a decision confirmed that holds for everybody's names. Raises UsageError."""
    if load().split(qname).registered_domain is not None:
        return
    what = "the root" if qname == "." else f"{qname}, under which anybody may have names,"
    told = f"{what} and all below it would be {status}"
    if not sys.stdin.isatty():
        raise UsageError(f"{told}: say --wide if that is meant, or --scope name")
    click.confirm(f"{told}. Is that meant?", abort=True)
