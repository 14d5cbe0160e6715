"""`mlplugin check`: configuration, Corefile, model, store and ports, each fault one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import click
import platformdirs

from mlplugin.bundled.checks import (
    Finding,
    corefile_findings,
    model_finding,
    port_finding,
    store_finding,
)
from mlplugin.bundled.ports import parse_endpoint
from mlplugin.cli.coredns import coredns_binary
from mlplugin.errors import UsageError

EXAMPLES = """\b
Examples:
  mlplugin check
  mlplugin check Corefile
  mlplugin check --model models/2026.11.0
"""


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The model directory to check.  [default: the shipped one]",
)
@click.option(
    "--dns",
    default="127.0.0.1:1053",
    show_default=True,
    metavar="ADDR",
    help="Where DNS will listen, where FILE does not say it.",
)
@click.option(
    "--http",
    default="127.0.0.1:5000",
    show_default=True,
    metavar="ADDR",
    help="Where the service will listen.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data directory.  [default: the user's data folder]",
)
@click.option("--store", metavar="URL", help="The store, where it is not the embedded one.")
def check(
    *,
    file: Path | None,
    model: Path | None,
    dns: str,
    http: str,
    data: Path | None,
    store: str | None,
) -> int:
    """See whether a start would work: FILE is a Corefile.

    The Corefile is read by CoreDNS itself, which sets up its plugins and listens nowhere.
    One line a part; the exit status is 1 if there is a fault.
    """
    if file is not None and not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    faults = 0
    place = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    for finding in _findings(file=file, model=model, dns=dns, http=http, data=place, store=store):
        faults += finding.fault
        click.echo(f"{'FAULT' if finding.fault else 'ok   '}  {finding.part}: {finding.detail}")
    return 1 if faults else 0


def _findings(
    *, file: Path | None, model: Path | None, dns: str, http: str, data: Path, store: str | None
) -> Iterator[Finding]:
    listen = parse_endpoint(http, 5000)
    yield model_finding(model)
    if file is not None:
        yield from corefile_findings(file, coredns_binary())
    else:
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        yield port_finding("dns", parse_endpoint(dns, 53), kinds)
    yield port_finding("http", listen, (socket.SOCK_STREAM,))
    yield store_finding(store, data, listen)
