"""`mlplugin models`: which models there are, which one is in use, and another in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import platformdirs

from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import ModelError, RefusedError, UsageError
from mlplugin.model import load, shipped
from mlplugin.service.registry import LINK, Entry, Registry
from mlplugin.training import comparison

COLUMNS = ("version", "in_use", "data_cutoff", "sha256", "directory", "error")
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
  mlplugin models promote model --force
"""
_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data directory whose model it is.  [default: the user's data folder]",
)


@click.group(invoke_without_command=True, epilog=EXAMPLES)
@click.option(
    "--models",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of model directories; default: where the shipped model lies, and the registry.",
)
@_data_option
@format_option
@click.pass_context
def models(
    context: click.Context, *, folder: Path | None, data: Path | None, output_format: Format
) -> None:
    """List the models, each checked, and say which one is in use; promote one, or roll back."""
    if context.invoked_subcommand is None:
        write_rows(_rows(folder, _registry(context, data)), COLUMNS, output_format)


def _rows(folder: Path | None, registry: Registry) -> Iterator[dict[str, Any]]:
    """One row a model: of the folder, or of what is shipped and what was promoted."""
    fault = None
    try:
        used = registry.in_use() or shipped()
    except ModelError as error:
        fault, used = str(error), registry.link
    folders = [folder] if folder else [shipped().parent]
    places = [path.parent for one in folders for path in one.glob("*/config.json")]
    places = sorted(path for path in places if path.name != LINK and path.name[0] != ".")
    if folder is None:
        places += registry.directories()
    if fault is not None:
        yield {"version": LINK, "in_use": True, "directory": str(registry.link), "error": fault}
    for place in places:
        yield _row(place, in_use=fault is None and place.resolve() == used.resolve())


def _row(place: Path, *, in_use: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"version": place.name, "in_use": in_use}
    try:
        model = load(place)
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        row |= {
            "version": model.version,
            "data_cutoff": config.get("data_cutoff"),
            "sha256": model.sha256,
            "error": None,
        }
    except ModelError as error:
        row["error"] = str(error)
    return row | {"directory": str(place)}


@models.command(epilog=PROMOTE_EXAMPLES)
@click.argument("model", metavar="DIR|VERSION")
@_data_option
@click.option("--force", is_flag=True, help="Promote it although it flags more benign names.")
@format_option
@click.pass_context
def promote(
    context: click.Context, *, model: str, data: Path | None, force: bool, output_format: Format
) -> None:
    """Put a model in use: a directory, or a version that is here already.

    It is checked, compared with the model in use, and copied into the data directory. What runs
    there takes it up within seconds. Rows that were measured of both are listed: `in_use` and
    `candidate` are shares, `low` to `high` is the candidate's 95 % interval. If a false-positive
    rate is worse beyond chance the exit status is 1, and nothing is changed.
    """
    registry = _registry(context, data)
    directory = _directory(model, registry)
    candidate = load(directory)
    version = candidate.version
    metrics = comparison.metrics_of(directory, candidate.sha256)
    refusal = _compared(directory, metrics, registry, output_format)
    if refusal and not force:
        raise RefusedError(f"{version} is not promoted, {refusal}; --force does it all the same")
    entry = registry.promote(directory, forced=refusal is not None)
    if entry is None:
        click.echo(f"{version} is in use already", err=True)
    else:
        click.echo(f"{version} is in use in place of {_named(entry.previous)}", err=True)


@models.command(epilog="Example: mlplugin models rollback --data /var/lib/mlplugin")
@_data_option
@click.pass_context
def rollback(context: click.Context, *, data: Path | None) -> None:
    """Go back to the model that was in use before the last promotion; at the end, the shipped one.

    What runs on the data directory takes it up within seconds.
    """
    entry: Entry = _registry(context, data).rollback()
    click.echo(f"{_named(entry.version)} is in use in place of {entry.previous}", err=True)


def _registry(context: click.Context, data: Path | None) -> Registry:
    above = context.parent.params.get("data") if context.parent is not None else None
    return Registry(data or above or platformdirs.user_data_path("mlplugin", appauthor=False))


def _directory(text: str, registry: Registry) -> Path:
    """Find what is meant: a directory goes before a version of the same name."""
    places = [Path(text)]
    if "/" not in text:
        places += [registry.folder / text, shipped().parent / text]
    for place in places:
        if place.is_dir():
            return place
    if "/" in text:
        raise UsageError(f"{text}: there is no such directory")
    raise UsageError(f"{text} is no directory and no version here: `mlplugin models` lists them")


def _compared(
    directory: Path, candidate: comparison.Metrics | None, registry: Registry, form: Format
) -> str | None:
    """List what was measured of both, and give the reason to refuse the candidate."""
    try:
        used_at = registry.in_use() or shipped()
        model = load(used_at)
        name, used = model.version, comparison.metrics_of(used_at, model.sha256)
    except ModelError as fault:
        click.echo(f"nothing to compare with: {fault}", err=True)
        return None
    if used_at.resolve() == directory.resolve():
        return None
    rows = comparison.compare(used, candidate) if used and candidate else []
    if not rows:
        click.echo(f"not compared with {name}: nothing was measured of both", err=True)
        return None
    if used and candidate and used.get("data") != candidate.get("data"):
        click.echo(f"{name} was measured on other names: only large differences count", err=True)
    write_rows((row.listed() for row in rows), comparison.COLUMNS, form)
    worse = comparison.alarming(rows)
    if not worse:
        return None
    more = f", and {len(worse) - 1} more rows" if len(worse) > 1 else ""
    return f"it is worse than {name} beyond chance in {comparison.in_words(worse[0])}{more}"


def _named(version: str | None) -> str:
    return version if version is not None else f"the shipped model {load().version}"
