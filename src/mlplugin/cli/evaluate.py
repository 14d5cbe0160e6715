"""`mlplugin evaluate`: measure a model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import MlpluginError
from mlplugin.model import shipped

_EXTRA = "this needs the `train` extra: `uv sync --extra train` or `pip install 'mlplugin[train]'`"


@click.command(epilog="Example: mlplugin evaluate --data names --traffic dns.log.gz")
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The model directory; default: the model that is shipped.",
)
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of labelled names: TSV files, gzip too.",
)
@click.option(
    "--traffic",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A log or capture of benign traffic to count false alarms in; repeatable.",
)
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write everything that was measured there, as JSON.",
)
@format_option
def evaluate(
    *,
    model: Path | None,
    data: Path,
    traffic: tuple[Path, ...],
    report: Path | None,
    output_format: Format,
) -> None:
    """Measure a model on labelled names: false positives, and finds by file and family.

    `found_0.1` is the share found where 0.1 % of clean unseen names are flagged; `own` uses the
    set's own threat alone, `floor` the public suffix alone; `suspicious` and `malicious` are shares
    flagged as shipped.
    """
    try:
        from mlplugin.training import evaluation  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MlpluginError(f"{error.name} is missing: {_EXTRA}") from error
    measured = evaluation.evaluate(model or shipped(), data, traffic)
    if report is not None:
        report.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    write_rows(evaluation.rows(measured), evaluation.COLUMNS, output_format)
