"""`mlplugin models`: which models there are, which one is in use, and another in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.cli.client import DEFAULT_SERVICE
from mlplugin.cli.output import Format, format_option
from mlplugin.errors import UsageError

if TYPE_CHECKING:
    from mlplugin.service.registry import Registry

EXAMPLES = """\b
Examples:
  mlplugin models --format jsonl
  mlplugin models promote model
  mlplugin models rollback
"""
PROMOTE_EXAMPLES = """\b
Examples:
  mlplugin models promote models/2026.12.0
  mlplugin models promote 2026.12.0 --data /var/lib/mlplugin
  mlplugin models promote model --names names
  mlplugin models promote model --force
"""


def _place_options(command: Callable[..., object]) -> Callable[..., object]:
    command = click.option(
        "--service",
        metavar="URL",
        help=f"The service whose models are meant.  [default: {DEFAULT_SERVICE}]",
    )(command)
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="The data directory whose model it is.  [default: that of the service, if it runs on "
        "this machine, or the user's data folder]",
    )(command)


@click.group(invoke_without_command=True, epilog=EXAMPLES)
@click.option(
    "--models",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of model directories.  [default: where the shipped model and promoted ones lie]",
)
@_place_options
@format_option
@click.pass_context
def models(
    context: click.Context,
    *,
    folder: Path | None,
    data: Path | None,
    service: str | None,
    output_format: Format,
) -> None:
    """List the models, each checked, and say which one is in use; promote one, or roll back."""
    if context.invoked_subcommand is None:
        from mlplugin.cli.promoting import write_models  # noqa: PLC0415 - slow to import

        registry = _registry(context, data, service, ask=folder is None)
        write_models(registry, folder, output_format)


@models.command("list", short_help="List the models, as `mlplugin models` does.")
@_place_options
@format_option
@click.pass_context
def list_(
    context: click.Context, *, data: Path | None, service: str | None, output_format: Format
) -> None:
    """List the models, each checked, and say which one is in use."""
    from mlplugin.cli.promoting import write_models  # noqa: PLC0415 - slow to import

    above = context.parent.params if context.parent is not None else {}
    if context.get_parameter_source("output_format") is ParameterSource.DEFAULT:
        output_format = above.get("output_format", output_format)
    folder = above.get("folder")
    write_models(_registry(context, data, service, ask=folder is None), folder, output_format)


@models.command(epilog=PROMOTE_EXAMPLES, short_help="Put a model in use.")
@click.argument("model", metavar="DIR|VERSION")
@_place_options
@click.option(
    "--names",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Measure both models on these labelled names first.  [default: what their files tell]",
)
@click.option(
    "--force", is_flag=True, help="Promote it although it is worse, or cannot be compared."
)
@format_option
@click.pass_context
def promote(
    context: click.Context,
    *,
    model: str,
    data: Path | None,
    service: str | None,
    names: Path | None,
    force: bool,
    output_format: Format,
) -> None:
    """Put a model in use: a directory, or a version that is here already.

    It is checked, compared with the model in use, and copied into the data directory. What runs
    there takes it up within seconds. Rows that were measured of both are listed: `in_use` and
    `candidate` are shares, `low` to `high` is the candidate's 95 % interval. If a false-positive
    rate is worse beyond chance, a threat is not found any more, or nothing tells, because both
    were not measured on the same names, the exit status is 1, and nothing is changed.
    """
    from mlplugin.cli.promoting import put_in_use  # noqa: PLC0415 - slow to import

    put_in_use(_registry(context, data, service), model, names, output_format, force=force)


@models.command(
    epilog="Example: mlplugin models rollback --data /var/lib/mlplugin",
    short_help="Go back to the model before.",
)
@_place_options
@click.pass_context
def rollback(context: click.Context, *, data: Path | None, service: str | None) -> None:
    """Go back to the model that was in use before the last promotion; at the end, the shipped one.

    What runs on the data directory takes it up within seconds.
    """
    from mlplugin.cli.promoting import named  # noqa: PLC0415 - slow to import

    entry = _registry(context, data, service).rollback()
    click.echo(f"{named(entry.version)} is in use in place of {entry.previous}", err=True)


@models.command(
    epilog="Examples:\n\n  mlplugin models shadow 2026.11.2+1\n\n  mlplugin models shadow --off",
    short_help="Have a model judge beside the one in use.",
)
@click.argument("version", required=False)
@click.option("--off", is_flag=True, help="Have none.")
@_place_options
@click.pass_context
def shadow(
    context: click.Context,
    *,
    version: str | None,
    off: bool,
    data: Path | None,
    service: str | None,
) -> None:
    """Have a model that is here judge beside the one in use, and decide nothing.

    Plugins whose Corefile says so follow the link `models/shadow` of the data directory.
    """
    if (version is None) != off:
        raise UsageError("name a version, or give --off")
    _registry(context, data, service).shadow(version)
    click.echo(f"{version} is the shadow" if version else "there is no shadow", err=True)


def _registry(
    context: click.Context, data: Path | None, service: str | None, *, ask: bool = True
) -> Registry:
    from mlplugin.cli.which_model import data_directory  # noqa: PLC0415 - slow to import
    from mlplugin.service.registry import Registry  # noqa: PLC0415

    above = context.parent.params if context.parent is not None else {}
    data = data or above.get("data")
    if data is None and not ask:
        return Registry(platformdirs.user_data_path("mlplugin", appauthor=False))
    return Registry(data_directory(data, service or above.get("service") or DEFAULT_SERVICE))
