"""`mlplugin selftest`: plants harmless probes and tells what became of them."""

from __future__ import annotations

from pathlib import Path

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.cli.client import DEFAULT_SERVICE
from mlplugin.cli.output import Format, format_option

EXAMPLES = """\b
Examples:
  mlplugin selftest
  mlplugin selftest --dns 127.0.0.1:1053 --service http://127.0.0.1:5000
"""


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
    help="The data directory whose promoted model is tried.  [default: with --dns that of the "
    "service, or the user's data folder]",
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
    from mlplugin.cli.probing import run  # noqa: PLC0415 - slow to import

    # A configured address is where DNS listens when it runs; only a typed one says that it does.
    if context.get_parameter_source("server") is not ParameterSource.COMMANDLINE:
        server = None
    if server is not None:
        from mlplugin.cli.which_model import data_directory  # noqa: PLC0415 - slow to import

        data = data_directory(data, service)
    kept = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    return run(server, service, kept, patience, output_format, verbose=verbose)
