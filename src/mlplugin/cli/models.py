"""`mlplugin models`: which models there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import ModelError
from mlplugin.model import load, shipped

COLUMNS = ("version", "in_use", "data_cutoff", "sha256", "directory", "error")


@click.command(epilog="Example: mlplugin models --format jsonl")
@click.option(
    "--models",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of model directories; default: where the shipped model lies.",
)
@format_option
def models(*, folder: Path | None, output_format: Format) -> None:
    """List the models, each checked, and say which one is in use."""
    used = shipped()
    write_rows(_rows(folder or used.parent, used), COLUMNS, output_format)


def _rows(folder: Path, used: Path) -> Iterator[dict[str, Any]]:
    for place in sorted(path.parent for path in folder.glob("*/config.json")):
        row: dict[str, Any] = {"version": place.name, "in_use": place == used}
        try:
            model = load(place)
            config = json.loads((place / "config.json").read_text(encoding="utf-8"))
            row |= {
                "version": model.version,
                "data_cutoff": config["data_cutoff"],
                "sha256": model.sha256,
                "error": None,
            }
        except ModelError as error:
            row["error"] = str(error)
        yield row | {"directory": str(place)}
