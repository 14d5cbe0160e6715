"""`mlplugin check`: configuration, Corefile, model, store and ports, each fault one line."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs

from mlplugin.bundled.ports import parse_endpoint
from mlplugin.cli.client import service_token
from mlplugin.cli.coredns import coredns_binary
from mlplugin.cli.stores import cluster_options
from mlplugin.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from mlplugin.bundled.checks import Finding
    from mlplugin.config import Store

EXAMPLES = """\b
Examples:
  mlplugin check
  mlplugin check Corefile
  mlplugin check mlplugin.toml
  mlplugin check --model model
"""


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The model directory.  [default: the promoted one, else the shipped one]",
)
@click.option(
    "--dns",
    metavar="ADDR",
    help="Where DNS will listen, where no Corefile says it; an address alone means port 1053.  "
    "[default: 127.0.0.1:1053]",
)
@click.option(
    "--http",
    metavar="ADDR",
    help="Where the service will listen.  [default: 127.0.0.1:5000]",
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
    dns: str | None,
    http: str | None,
    data: Path | None,
    store: str | None,
) -> int:
    """See whether a start would work: FILE is a Corefile, or a configuration if it ends in .toml.

    The Corefile is read by CoreDNS itself, which sets up its plugins and listens nowhere.
    One line a part; the exit status is 1 if there is a fault.
    """
    if file is not None and not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    from mlplugin.bundled.checks import configuration_finding  # noqa: PLC0415 - slow to import

    configured = os.environ.get("MLPLUGIN_CONFIG")
    toml = file if file is not None and file.suffix == ".toml" else None
    finding, config = configuration_finding(toml or (Path(configured) if configured else None))
    findings = [finding] if toml or configured or finding.fault else []
    wanted = Wanted(
        model=model or config.model.dir,
        corefile=config.dns.corefile if file is None or toml else file,
        dns=dns or config.dns.listen,
        http=http or config.service.http,
        data=data or config.data.dir or platformdirs.user_data_path("mlplugin", appauthor=False),
        store=store or config.store.url,
        configured=config.store,
    )
    faults = 0
    for found in chain(findings, _findings(wanted)):
        faults += found.fault
        click.echo(f"{'FAULT' if found.fault else 'ok   '}  {found.part}: {found.detail}")
    return 1 if faults else 0


@dataclass(frozen=True)
class Wanted:
    """What a start would use."""

    model: Path | None
    corefile: Path | None
    dns: str
    http: str
    data: Path
    store: str | None
    configured: Store


def _findings(wanted: Wanted) -> Iterator[Finding]:
    from mlplugin.bundled import checks  # noqa: PLC0415 - slow to import

    listen = parse_endpoint(wanted.http, 5000)
    yield checks.model_finding(wanted.model, wanted.data)
    if wanted.corefile is not None:
        yield from checks.corefile_findings(wanted.corefile, coredns_binary(), wanted.data, listen)
    else:
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        yield checks.port_finding("dns", parse_endpoint(wanted.dns, 1053), kinds, wanted.data)
    yield checks.port_finding("http", listen, (socket.SOCK_STREAM,), wanted.data)
    options = None
    try:
        options = cluster_options(wanted.store, wanted.configured)
    except ConfigError as fault:
        yield checks.Finding("store", str(fault), fault=True)
        return
    yield checks.store_finding(wanted.store, wanted.data, listen, options, service_token())
