"""`mlplugin vet`: say what a name is."""

from __future__ import annotations

import urllib.parse
from datetime import UTC, datetime

import click

from mlplugin.cli.history import DEFAULT_SERVICE, Client
from mlplugin.cli.lookalikes import mistaken
from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.qname import canonical, escaped
from mlplugin.service.overrides import STATUSES, SUBDOMAINS
from mlplugin.service.times import parse_span, rfc3339
from mlplugin.store.port import UNVETTED

EXAMPLES = """\b
Examples:
  mlplugin vet example.org benign --reason "the payroll supplier"
  mlplugin vet bad.example.org blocked --client 192.0.2.0/24 --for 24h
  mlplugin vet example.org unvetted
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
    expires = None if span is None else rfc3339(datetime.now(UTC) + parse_span(span))
    body = {
        "status": status, "scope": scope, "client": client, "expires": expires, "reason": reason,
    }  # fmt: skip
    Client(service).request(path, method="PUT", body=body)
    until = f" until {expires}" if expires else ""
    click.echo(f"{qname} is {status}{whose}{until}")
