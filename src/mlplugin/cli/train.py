"""`mlplugin train`: fit a model."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from mlplugin.errors import MlpluginError

_EXTRA = "this needs the `train` extra: `uv sync --extra train` or `pip install 'mlplugin[train]'`"


@click.command(epilog="Example: mlplugin train --data names --out models/2026.12.0")
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of labelled names: TSV files, gzip too.",
)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The model directory to write; new or empty.",
)
@click.option("--version", metavar="V", help="Version of the model; default: this month's first.")
@click.option("--seed", default=1, show_default=True, help="Of everything that is left to chance.")
@click.option("--passes", type=click.IntRange(1), help="Passes over the data.")
@click.option(
    "--holdout",
    type=click.Choice(["probe", "domains"]),
    default="probe",
    show_default=True,
    help="A tenth of all registered domains is always held out; `probe` also fits a second "
    "model without a third of the generator families and the latest names, to measure on those.",
)
@click.option(
    "--traffic",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A log or capture of benign traffic to count false alarms in; repeatable.",
)
def train(
    *,
    data: Path,
    out: Path,
    version: str | None,
    seed: int,
    passes: int | None,
    holdout: str,
    traffic: tuple[Path, ...],
) -> None:
    """Fit, calibrate and measure a model on labelled names, and write its directory.

    The same data, seed and version give the same weights, byte for byte.
    """
    try:
        from mlplugin.training.fit import Recipe  # noqa: PLC0415
        from mlplugin.training.run import Order, run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MlpluginError(f"{error.name} is missing: {_EXTRA}") from error
    recipe = Recipe(seed=seed) if passes is None else Recipe(seed=seed, passes=passes)
    today = datetime.datetime.now(datetime.UTC)
    named = version or f"{today.year}.{today.month:02}.0"
    order = Order(data, out, named, recipe, holdout == "probe", traffic)
    metrics = run(order, lambda line: click.echo(line, err=True))
    clean = metrics["false_positives"].get("clean, unseen domains", {})
    flagged = clean.get("suspicious or worse", 0.0)
    click.echo(f"{out}: model {named}; {flagged:.3%} of clean unseen names flagged")
