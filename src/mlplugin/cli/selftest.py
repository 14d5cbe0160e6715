"""`mlplugin selftest`: plants harmless probes and tells what became of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import click
from click.core import ParameterSource

from mlplugin.bundled.child import Printer
from mlplugin.bundled.ports import parse_endpoint
from mlplugin.bundled.probes import probes
from mlplugin.bundled.selftest import UNKNOWN, Target, own_system, run
from mlplugin.cli.coredns import coredns_binary
from mlplugin.cli.history import DEFAULT_SERVICE, Client
from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.model import load
from mlplugin.replay.history import History, check_url

EXAMPLES = """\b
Examples:
  mlplugin selftest
  mlplugin selftest --dns 127.0.0.1:1053 --service http://127.0.0.1:5000
"""
COLUMNS = ("threat", "probe", "score", "detected", "action", "event", "search")


@click.command(epilog=EXAMPLES)
@click.option(
    "--dns",
    "server",
    metavar="ADDR",
    help="Test the system that runs here.  [default: start one for the test]",
)
@click.option(
    "--service",
    default=DEFAULT_SERVICE,
    show_default=True,
    metavar="URL",
    help="The service of the system that --dns names.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for events.",
)
@click.option("--verbose", is_flag=True, help="Show what the servers log.")
@format_option
@click.pass_context
def selftest(
    context: click.Context,
    *,
    server: str | None,
    service: str,
    patience: float,
    verbose: bool,
    output_format: Format,
) -> int:
    """See whether detection, actions, events and search work, end to end.

    Probes are harmless names that the shipped model flags; nobody owns their domains.
    Without --dns a system is started for the test, where nothing leaves this machine and
    every action is tried; with it the probes go through that system to its resolvers.
    The exit status is 1 if anything failed.
    """
    # A configured address is where DNS listens when it runs; only a typed one says that it does.
    if context.get_parameter_source("server") is not ParameterSource.COMMANDLINE:
        server = None
    model = load()
    found = probes(model)
    missing = [threat.value for threat, group in found.items() if not group]
    with _target(server, service, verbose=verbose) as target:
        history = History(Client(target.service_url).request, time.time() - 0.001)
        planted = [probe for group in found.values() for probe in group]
        outcomes = run(target, planted, lambda filters: list(history.rows(filters)), patience)
    write_rows((outcome.row() for outcome in outcomes), COLUMNS, output_format)
    failed = sum(not outcome.passed for outcome in outcomes)
    click.echo(
        f"{len(outcomes) - failed} of {len(outcomes)} passed, model {model.version}", err=True
    )
    if missing:
        click.echo(f"not tried, the model is sure of no probe: {', '.join(missing)}", err=True)
    return 1 if failed or not planted else 0


@contextlib.contextmanager
def _target(server: str | None, service: str, *, verbose: bool) -> Iterator[Target]:
    if server is not None:
        endpoint = parse_endpoint(server, 53).reachable
        yield Target({UNKNOWN: endpoint}, check_url(service))
        return
    binary = coredns_binary()
    with open_quietly(verbose=verbose) as printer, own_system(binary, printer) as target:
        yield target


@contextlib.contextmanager
def open_quietly(*, verbose: bool) -> Iterator[Printer]:
    """A printer for what the servers log: to stderr, or to nobody."""
    printer = Printer(sys.stderr if verbose else None)
    try:
        yield printer
    finally:
        printer.close()
