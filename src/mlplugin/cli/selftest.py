"""`mlplugin selftest`: plants harmless probes and tells what became of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.bundled.child import Printer
from mlplugin.bundled.ports import parse_endpoint
from mlplugin.bundled.probes import probes
from mlplugin.bundled.selftest import CONTROL, UNKNOWN, Target, own_system, run
from mlplugin.cli.coredns import coredns_binary
from mlplugin.cli.history import DEFAULT_SERVICE, Client
from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import ModelError
from mlplugin.model import load, shipped
from mlplugin.replay.history import History, check_url
from mlplugin.service.registry import Registry, chosen

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
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data directory whose promoted model is tried.  [default: the user's data folder]",
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
    data: Path | None,
    patience: float,
    verbose: bool,
    output_format: Format,
) -> int:
    """See whether detection, actions, events and search work, end to end.

    Probes are harmless names that the model in use flags; nobody owns their domains.
    Without --dns a system is started for the test, where nothing leaves this machine and
    every action is tried; with it the probes go through that system to its resolvers.
    The exit status is 1 if anything failed.
    """
    # A configured address is where DNS listens when it runs; only a typed one says that it does.
    if context.get_parameter_source("server") is not ParameterSource.COMMANDLINE:
        server = None
    kept = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    place = _in_use(kept) if server is None else _running(service, kept)
    model = load(place)
    found = probes(model)
    missing = [threat.value for threat, group in found.items() if not group]
    with _target(server, service, place, verbose=verbose) as target:
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


def _in_use(data: Path) -> Path:
    """Give the directory of the model in use on a data directory."""
    return chosen(None, data) or shipped()


def _running(service: str, data: Path) -> Path:
    """Give the directory of the model that a running service judges with.

    If it is not here, that of the data directory has to do, which is said on stderr.
    """
    asked = {"names": [CONTROL]}
    answer = Client(check_url(service)).request("/api/v1/classify", method="POST", body=asked)
    version = answer["verdicts"][0]["model"]
    used = _in_use(data)
    for place in (used, shipped(), *Registry(data).directories()):
        with contextlib.suppress(ModelError):
            if load(place).version == version:
                return place
    click.echo(
        f"the service judges with model {version}, which is not in {data}: its directory is "
        f"named with --data; probes are picked with {load(used).version}",
        err=True,
    )
    return used


@contextlib.contextmanager
def _target(server: str | None, service: str, model: Path, *, verbose: bool) -> Iterator[Target]:
    if server is not None:
        endpoint = parse_endpoint(server, 53).reachable
        yield Target({UNKNOWN: endpoint}, check_url(service))
        return
    binary = coredns_binary()
    with open_quietly(verbose=verbose) as printer, own_system(binary, printer, model) as target:
        yield target


@contextlib.contextmanager
def open_quietly(*, verbose: bool) -> Iterator[Printer]:
    """A printer for what the servers log: to stderr, or to nobody."""
    printer = Printer(sys.stderr if verbose else None)
    try:
        yield printer
    finally:
        printer.close()
