"""`mlplugin hindsight` and `mlplugin hunt`: the history as another model or policy judges it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mlplugin.cli.history import STRETCH, asked, filter_options, place_options
from mlplugin.cli.output import Format, format_option
from mlplugin.service.past import LISTED, MOST_LISTED

HINDSIGHT_EXAMPLES = """\b
Examples:
  mlplugin hindsight --model model --since 7d
  mlplugin hindsight --since 24h --suspicious 28 --malicious 35 --on "phishing sinkhole"
  mlplugin hindsight --since 7d --deny deny.txt --format csv > changes.csv
"""
HUNT_EXAMPLES = """\b
Examples:
  mlplugin hunt --since 30d
  mlplugin hunt --since 30d --model model
  mlplugin hunt --since 7d --deny deny.txt --client 192.0.2.0/24
"""
Command = TypeVar("Command", bound=Callable[..., Any])


def _policy_options(command: Command) -> Command:
    """Add what both commands judge with."""
    a_file = click.Path(dir_okay=False, path_type=Path)
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(1, MOST_LISTED),
            default=LISTED,
            show_default=True,
            help="The most names; those with the most queries come first.",
        ),
        click.option(
            "--deny", type=a_file, multiple=True, metavar="FILE",
            help="A list of malicious names, as in a Corefile; may be repeated.",
        ),
        click.option(
            "--allow", type=a_file, multiple=True, metavar="FILE",
            help="A list of names never to flag; may be repeated.",
        ),
        click.option(
            "--malicious", type=click.FloatRange(0, 60), metavar="SCORE",
            help="From which score names are malicious.  [default: the model's]",
        ),
        click.option(
            "--suspicious", type=click.FloatRange(0, 60), metavar="SCORE",
            help="From which score names are suspicious.  [default: the model's]",
        ),
        click.option(
            "--model", metavar="DIR|VERSION",
            help="A model directory, a version that is here, or shadow.  [default: the promoted "
            "one, else the shipped one]",
        ),
    ):  # fmt: skip
        command = option(command)
    return filter_options(command, STRETCH)


@click.command(epilog=HINDSIGHT_EXAMPLES)
@_policy_options
@click.option(
    "--on",
    multiple=True,
    metavar="'VERDICT ACTION'",
    help="What to do with a verdict or a threat; may be repeated.  [default: malicious nxdomain]",
)
@click.option(
    "--overrides/--no-overrides",
    default=True,
    help="Whether what people decided goes first.  [default: it does]",
)
@place_options
@format_option
def hindsight(
    *,
    model: str | None,
    suspicious: float | None,
    malicious: float | None,
    on: tuple[str, ...],
    allow: tuple[Path, ...],
    deny: tuple[Path, ...],
    overrides: bool,
    limit: int,
    service: str,
    data: Path | None,
    store: str | None,
    output_format: Format,
    **filters: Any,
) -> None:
    """Say what a model and a policy would have blocked in the past, and what no longer.

    Every name of a stretch of history is judged once, here; those with which it would have been
    otherwise are listed, with the clients that asked. Nothing is changed. What lists in a Corefile
    decided stays as it was, and so does what was decided for an answer and not for a name.
    """
    wanted = asked(filters)
    from mlplugin.cli import looking_back  # noqa: PLC0415 - slow to import

    wish = looking_back.Wish(
        service,
        data,
        store,
        model,
        allow,
        deny,
        looking_back.Limits(suspicious, malicious),
        on,
        overrides,
    )
    looking_back.look_back(wish, looking_back.otherwise, limit, wanted, output_format)


@click.command(epilog=HUNT_EXAMPLES)
@_policy_options
@place_options
@format_option
def hunt(
    *,
    model: str | None,
    suspicious: float | None,
    malicious: float | None,
    allow: tuple[Path, ...],
    deny: tuple[Path, ...],
    limit: int,
    service: str,
    data: Path | None,
    store: str | None,
    output_format: Format,
    **filters: Any,
) -> None:
    """List names of the past that are malicious by what is known now, and who asked for them.

    Names that were thought malicious at the time are left out. A running service hunts by itself
    when a model is promoted or a name is condemned: `GET /api/v1/hunts` has what it found.
    """
    wanted = asked(filters)
    from mlplugin.cli import looking_back  # noqa: PLC0415 - slow to import

    wish = looking_back.Wish(
        service, data, store, model, allow, deny, looking_back.Limits(suspicious, malicious)
    )
    looking_back.look_back(wish, looking_back.now_malicious, limit, wanted, output_format)
