"""`mlplugin up`: CoreDNS with the plugin and the service, in one go."""

from __future__ import annotations

import ipaddress
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs

from mlplugin.bundled.child import Printer
from mlplugin.bundled.ports import Endpoint, parse_endpoint
from mlplugin.cli.client import DEFAULT_SERVICE
from mlplugin.cli.coredns import coredns_binary
from mlplugin.cli.serve import PRIVATE, proxy_address, read_token, token_option
from mlplugin.cli.stores import require_place
from mlplugin.errors import UsageError
from mlplugin.service.password import Password

if TYPE_CHECKING:
    from mlplugin.bundled.system import System, Wishes

START_SECONDS = 90.0

EXAMPLES = """\b
Examples:
  mlplugin up
  mlplugin up --on "malicious nxdomain" --on "phishing sinkhole"
  mlplugin up --dns 0.0.0.0:53 --forward 192.0.2.53,tls://192.0.2.54
  mlplugin up --corefile Corefile --http 127.0.0.1:8080
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--dns",
    default="127.0.0.1:1053",
    show_default=True,
    metavar="ADDR",
    help="Where DNS listens; an address alone means port 1053.",
)
@click.option(
    "--http",
    default="127.0.0.1:5000",
    show_default=True,
    metavar="ADDR",
    help="Where the service and the dashboard listen.",
)
@click.option(
    "--forward",
    multiple=True,
    metavar="ADDR[,ADDR]",
    help="Resolvers to forward to.  [default: this machine's]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where history, spool and Corefile are kept.  [default: the user's data folder]",
)
@click.option("--store", metavar="URL", help="The store, where it is not the embedded one.")
@click.option(
    "--corefile",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Use this Corefile, as it is, in place of the written one.",
)
@click.option(
    "--on",
    "rules",
    multiple=True,
    metavar="'VERDICT ACTION'",
    help="What to do with a verdict or a threat: observe, nxdomain, nodata, refuse, drop or "
    "sinkhole; may be repeated.  [default: observe]",
)
@click.option(
    "--model",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The model directory.  [default: the promoted one, else the shipped one]",
)
@token_option
@click.option(
    "--trusted-proxy",
    metavar="ADDR",
    help="The address of a proxy in front of the service: its X-Forwarded-For says who asks.",
)
@click.option("--full", is_flag=True, help="Take the CoreDNS with every plugin.")
def up(
    *,
    dns: str,
    http: str,
    forward: tuple[str, ...],
    data: Path | None,
    store: str | None,
    corefile: Path | None,
    rules: tuple[str, ...],
    model: Path | None,
    token_file: Path | None,
    trusted_proxy: str | None,
    full: bool,
) -> int:
    """Run a resolver that judges every query, with its history, on this machine.

    CoreDNS with the plugin and the service on the embedded store; Ctrl-C stops both.
    """
    if corefile and (rules or forward):
        raise UsageError("--corefile is used as it is: write --on and --forward into the file")
    require_place(store)  # before it stands in the command line of a child
    listen = parse_endpoint(http, 5000)
    proxy = None if trusted_proxy is None else proxy_address(trusted_proxy)
    place = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    from mlplugin.bundled.system import Wishes  # noqa: PLC0415 - slow to import

    wishes = Wishes(
        dns=parse_endpoint(dns, 1053),
        http=listen,
        data=place,
        forward=tuple(part for text in forward for part in text.split(",") if part.strip()),
        rules=rules,
        store=store,
        corefile=corefile,
        model=model,
        trusted_proxy=proxy,
        token=read_token(token_file) or _own_token(listen, place, proxy),
    )
    return _run(wishes, full=full)


def _own_token(http: Endpoint, data: Path, proxy: str | None) -> str | None:
    """Give a token for CoreDNS alone where people need a password and programs have no token."""
    alone = ipaddress.ip_address(http.host).is_loopback and proxy is None
    if alone or not Password(data).exists():
        return None
    return secrets.token_hex(32)


def _run(wishes: Wishes, *, full: bool) -> int:
    """Run until a signal comes; the exit status is 130 after Ctrl-C, else 0."""
    from mlplugin.bundled.system import assemble, held  # noqa: PLC0415 - slow to import
    from mlplugin.service import in_use  # noqa: F401, PLC0415

    binary = coredns_binary(full=full)
    os.umask(PRIVATE)  # after the imports: what Python compiles of them is for everyone
    printer = Printer(sys.stderr)
    try:
        with held(wishes.data):
            system = assemble(wishes, binary, printer, lambda line: click.echo(line, err=True))
            with system.supervisor.signals():
                try:
                    if system.supervisor.start(START_SECONDS):
                        _introduce(system, wishes)
                        system.supervisor.watch()
                finally:
                    system.supervisor.stop()
            return 130 if system.supervisor.stopped_by == signal.SIGINT else 0
    finally:
        printer.close()


def acts_on(rules: tuple[str, ...]) -> str:
    """What is done with which verdicts, and how to have something done where nothing is."""
    done = ", ".join(" ".join(rule.split()) for rule in rules if rule.split()[-1] != "observe")
    vetted = "what you vet as blocked or honeypot"
    if done:
        return f"{done}, and {vetted}"
    return f"{vetted} alone, the rest is reported; --on 'malicious nxdomain' blocks more"


def _introduce(system: System, wishes: Wishes) -> None:
    """Say on stdout where everything is and what to try."""
    service = ""
    if system.service_url != DEFAULT_SERVICE:
        service = f" --service {system.service_url}"
    if wishes.corefile is None:
        dns = wishes.dns.reachable
        click.echo(f"DNS        {wishes.dns}, forwarding to {', '.join(system.forward)}")
    else:
        dns = None
        click.echo(f"DNS        {', '.join(system.listening()) or 'no server'} ({wishes.corefile})")
    if wishes.corefile is None:
        click.echo(f"Acts on    {acts_on(wishes.rules)}")
    click.echo(f"Dashboard  {system.service_url}/")
    if system.metrics_url:
        click.echo(f"Metrics    {system.metrics_url} and {system.service_url}/metrics")
    click.echo(f"Data       {wishes.data.resolve()}")
    if dns is not None:
        click.echo(f"Try        dig @{dns.host} -p {dns.port} example.org")
        click.echo(f"       or  echo example.org | mlplugin replay - --dns {dns}{service}")
    click.echo(f"Look up    mlplugin queries{service} --limit 5")
    if note := _newer(wishes):
        click.echo(f"Model      {note}")
    click.echo("Ctrl-C stops it.")
    sys.stdout.flush()


def _newer(wishes: Wishes) -> str | None:
    """Say that a newer model came with this program than the promoted one, if that is so."""
    from mlplugin.service.in_use import newer_shipped  # noqa: PLC0415 - slow to import
    from mlplugin.service.registry import Registry  # noqa: PLC0415

    return newer_shipped(Registry(wishes.data)) if wishes.model is None else None
