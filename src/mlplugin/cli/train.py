"""`mlplugin train`: fit a model."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from mlplugin.cli.client import DEFAULT_SERVICE
from mlplugin.cli.extra import missing
from mlplugin.cli.wishes import SEED, Wishes
from mlplugin.errors import UsageError
from mlplugin.verdict import Threat

if TYPE_CHECKING:
    from mlplugin.training.progress import Reporter

# The generator of a pass starts at a thousand seeds and the pass, in 64 bits.
LARGEST_SEED = 2**32 - 1
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
# Options that mean something for one way to a model only.
OF_TRAINING = {
    "passes": "--passes", "holdout": "--holdout", "traffic": "--traffic", "created": "--created",
    "restart": "--restart", "every": "--checkpoint-every",
}  # fmt: skip
OF_RETRAINING = {
    "service": "--service", "data_dir": "--data-dir", "store": "--store", "threat": "--threat",
    "since": "--since",
}  # fmt: skip
EXAMPLES = """\b
Examples:
  mlplugin train --data names --out models/2026.12.0
  mlplugin train --data names --out models/2026.12.0 --restart
  mlplugin train --data names --out model --passes 1 --holdout domains
  mlplugin train --data names --out model --progress - | jq .loss
  mlplugin train --data names --out model --created 2026-12-01T00:00:00Z
  mlplugin train --from-history
  mlplugin train --from-history --data-dir /var/lib/mlplugin --threat dga
"""


def _created(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A time that is one."""
    if value is None:
        return None
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        value = ""
    if not _TIME.fullmatch(value):
        raise click.BadParameter("a time in UTC like 2026-12-01T00:00:00Z is needed")
    return value


@click.command(epilog=EXAMPLES)
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of labelled names: TSV files, gzip too.  Needed but with --from-history.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The model directory to write; new or empty.  Needed but with --from-history.",
)
@click.option(
    "--from-history",
    "history",
    is_flag=True,
    help="Go on from the model in use, with what was vetted and the traffic of this network.",
)
@click.option(
    "--service",
    default=DEFAULT_SERVICE,
    show_default=True,
    metavar="URL",
    help="With --from-history: the running service, which does the work.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --from-history: the data directory, if no service runs on it.",
)
@click.option(
    "--store",
    metavar="URL",
    help="With --from-history: the store, where it is not the embedded one.",
)
@click.option(
    "--threat",
    type=click.Choice([threat.value for threat in Threat]),
    help="With --from-history: the harm of blocked names that nothing was flagged of.",
)
@click.option(
    "--since", metavar="TIME", help="With --from-history: learn from the history from then on."
)
@click.option(
    "--version",
    metavar="V",
    help="Version of the model: letters, digits and .-+_ .  [default: this month's first]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=SEED,
    show_default=True,
    help="Of everything that is left to chance.",
)
@click.option(
    "--passes",
    type=click.IntRange(1),
    help="Passes of each of the two networks over the data.  [default: 2]",
)
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
@click.option(
    "--created",
    metavar="TIME",
    callback=_created,
    help="The time that the model carries, RFC 3339 in UTC.  [default: SOURCE_DATE_EPOCH, or now]",
)
@click.option(
    "--restart", is_flag=True, help="Throw away what an interrupted run left, and begin anew."
)
@click.option(
    "--checkpoint-every",
    "every",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How much work an interruption may cost; there is a checkpoint after each pass anyway.",
)
@click.option(
    "--progress",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Also write the progress there, as JSON lines that a program can follow; `-` is stdout.",
)
def train(
    *,
    data: Path | None,
    out: Path | None,
    history: bool,
    service: str,
    data_dir: Path | None,
    store: str | None,
    threat: str | None,
    since: str | None,
    version: str | None,
    seed: int,
    passes: int | None,
    holdout: str,
    traffic: tuple[Path, ...],
    created: str | None,
    restart: bool,
    every: float,
    progress: Path | None,
) -> None:
    """Fit, calibrate and measure a model on labelled names, and write its directory.

    The same data, seed, version and time give the same directory, byte for byte, on one kind of
    processor. A run that is interrupted, by Ctrl-C or by a crash, goes on when the same command is
    given again: until it is done, all that it needs is beside the model directory, in one whose
    name ends in `.partial`.

    With --from-history, a candidate is made from the model in use instead, in a minute or two.
    """
    _one_way(history=history)
    if history:
        from mlplugin.cli import retrain  # noqa: PLC0415 - slow to import

        wishes = Wishes(service, data_dir, store, data, out, version, threat, seed, since)
        with _reporters(progress) as reporters:
            report = retrain.from_history(wishes, reporters)
        retrain.conclude(report)
        return
    if data is None or out is None:
        raise UsageError(
            "--data and --out are needed, or --from-history to go on from the model in use"
        )
    try:
        from mlplugin.training import job  # noqa: PLC0415
        from mlplugin.training.fit import Recipe  # noqa: PLC0415
        from mlplugin.training.run import Order  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing(error) from error
    from mlplugin.cli.training import cost_lines  # noqa: PLC0415 - slow to import
    from mlplugin.service.registry import check_version  # noqa: PLC0415

    recipe = Recipe(seed=seed)
    if passes is not None:
        recipe = recipe.with_passes(passes)
    today = datetime.datetime.now(datetime.UTC)
    named = check_version(f"{today.year}.{today.month:02}.0" if version is None else version)
    order = Order(data, out, named, recipe, holdout == "probe", traffic, created)
    with _reporters(progress) as reporters:
        done = job.train(order, reporters, restart=restart, every=every)
    for line in cost_lines(done.cost):
        click.echo(line, err=True)
    clean = done.metrics["false_positives"].get("clean, unseen domains", {})
    flagged = clean.get("suspicious or worse", 0.0)
    to_stderr = str(progress) == "-"
    click.echo(f"{out}: model {named}; {flagged:.3%} of clean unseen names flagged", err=to_stderr)


def _one_way(*, history: bool) -> None:
    """Refuse options of the other way to a model. Raises UsageError."""
    context = click.get_current_context()
    for name, option in (OF_TRAINING if history else OF_RETRAINING).items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{option} says nothing {'with' if history else 'without'} --from-history: "
                "leave one of them out"
            )


@contextmanager
def _reporters(progress: Path | None) -> Iterator[list[Reporter]]:
    """Who watches: people on stderr, and a program if it is asked for."""
    from mlplugin.cli.training import Lines, LiveView  # noqa: PLC0415 - slow to import
    from mlplugin.training.progress import JsonLines  # noqa: PLC0415

    people: Reporter = LiveView() if sys.stderr.isatty() else Lines()
    if progress is None:
        yield [people]
        return
    with _stream(progress) as stream:
        yield [people, JsonLines(stream, people.line)]


@contextmanager
def _stream(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        # Behind what is there: a run that goes on keeps the story of how it began.
        stream = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}: name a file to write with --progress"
        ) from error
    with stream:
        yield stream
