"""`mlplugin evaluate`: measure a model."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click
import platformdirs

from mlplugin.cli.extra import missing
from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import UsageError

_KINDS = ("domains", "families", "dates", "sources", "odd")
EXAMPLES = """\b
Examples:
  mlplugin evaluate --data names --traffic dns.log.gz
  mlplugin evaluate --model model --data names --report report.json --plots plots
  mlplugin evaluate --model model --data names --holdout families --seeds 3
  mlplugin evaluate --model model --data names --holdout all --jobs 2 --report report.json --card
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The model directory.  [default: the promoted one, else the shipped one]",
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
@click.option(
    "--plots",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw ROC curves, reliability and families there, as SVG.",
)
@click.option(
    "--holdout",
    "kinds",
    multiple=True,
    type=click.Choice([*_KINDS, "all"]),
    help="Fit anew without what is held out, and measure on that; repeatable. domains: another "
    "tenth of registered domains; families: every generator, then a word list; dates: the latest "
    "names; sources: each big feed; odd: real traffic and hard names.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How often each hold-out is fitted, to tell how far the figures spread.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    help="Passes of these fits, of each of the two networks.  [default: as many as the model had]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many hold-outs are fitted at a time, each on a core of its own, in 2 GB.",
)
@click.option(
    "--paired",
    is_flag=True,
    help="Hold out generators and feeds in the same fits: half as many, each a little short of "
    "names.",
)
@click.option(
    "--card",
    is_flag=True,
    help="Write what was measured into the model directory: metrics.json, README.md and plots.",
)
@format_option
def evaluate(
    *,
    model: Path | None,
    data: Path,
    traffic: tuple[Path, ...],
    report: Path | None,
    plots: Path | None,
    kinds: tuple[str, ...],
    seeds: int,
    passes: int | None,
    jobs: int,
    paired: bool,
    card: bool,
    output_format: Format,
) -> None:
    """Measure a model on labelled names: false positives, and finds by file and family.

    `found_0.1` is the share found where 0.1 % of clean unseen names are flagged; `own` uses the
    set's own threat alone, `no_suffix` leaves out what the public suffix says, `floor` is the
    public suffix alone; `suspicious` and `malicious` are shares flagged as shipped, `low` to
    `high` is a 95 % interval, `least` to `most` the spread over seeds.

    A hold-out takes a few minutes a fit. With --report it is written down after each, and the
    same command goes on from there.
    """
    try:
        from mlplugin.training import evaluation, listing, run  # noqa: PLC0415
        from mlplugin.training import plots as drawing  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing(error) from error
    from mlplugin.model import load  # noqa: PLC0415 - slow to import

    folder, which = _measured_one(model)
    if card:
        run.told(folder)
        _writable(folder, "--card")
    if plots is not None:
        _writable(plots, "--plots")
    if report is not None:
        _writable(report.parent, "--report")
    click.echo(f"measuring model {load(folder).version} in {folder}, {which}", err=True)
    chosen = _KINDS if "all" in kinds else kinds
    request = evaluation.Request(folder, data, traffic, chosen, seeds, passes, report, jobs, paired)
    measured = evaluation.evaluate(request, lambda line: click.echo(line, err=True))
    try:
        _write(list(listing.rows(measured)), output_format)
    finally:  # a reader of the rows that went away takes nothing from the files
        if plots is not None:
            drawing.draw(measured, plots)
        if card:
            run.add(folder, measured)


def _writable(folder: Path, option: str) -> None:
    """Make a folder before the work whose result goes there. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"{folder}: {error.strerror}: {option} needs a folder that can be written"
        ) from error


def _measured_one(named: Path | None) -> tuple[Path, str]:
    """Give the model directory, and say why it is that one."""
    if named is not None:
        return named, "named with --model"
    from mlplugin.config import load  # noqa: PLC0415 - slow to import
    from mlplugin.model import shipped  # noqa: PLC0415
    from mlplugin.service.registry import Registry  # noqa: PLC0415

    place = os.environ.get("MLPLUGIN_CONFIG")
    config = load(Path(place) if place else None)
    if config.model.dir is not None:
        return config.model.dir, "which is configured"
    data = config.data.dir or platformdirs.user_data_path("mlplugin", appauthor=False)
    promoted = Registry(data).in_use()
    if promoted is not None:
        return promoted, f"promoted in {data}"
    return shipped(), "the shipped one"


def _write(rows: list[dict[str, Any]], form: Format) -> None:
    """One table a kind of row; JSON lines and CSV carry the kind in a column."""
    from mlplugin.training import listing  # noqa: PLC0415

    if form is not Format.TABLE:
        write_rows(rows, listing.COLUMNS, form)
        return
    for kind, columns in listing.SECTIONS.items():
        chosen = [row for row in rows if row["kind"] == kind]
        if chosen:
            click.echo(f"\n{kind}")
            write_rows(chosen, columns, form)
