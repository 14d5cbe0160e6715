"""`mlplugin hindsight` and `mlplugin hunt`: the history as another model or policy judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import platformdirs

from mlplugin.cli.history import STRETCH, asked, filter_options, place_options, stretch
from mlplugin.cli.output import Format, format_option, progress, write_rows
from mlplugin.cli.which_model import with_shadow
from mlplugin.model import Model, load
from mlplugin.service.hindsight import (
    KINDS,
    NOW_MALICIOUS,
    Effects,
    Found,
    Replay,
    now_malicious,
    otherwise,
)
from mlplugin.service.lists import Lists
from mlplugin.service.past import LISTED, MOST_LISTED
from mlplugin.service.registry import Registry
from mlplugin.service.rules import DEFAULT_ACTIONS, Limits, Rules, parse_actions
from mlplugin.service.times import rfc3339

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
COLUMNS = (
    "change", "qname", "verdict", "threat", "score", "source", "queries", "clients", "first",
    "last", "asked_by",
)  # fmt: skip
WORDS = {
    "newly_blocked": "would be blocked",
    "no_longer_blocked": "would no longer be blocked",
    "newly_flagged": "would be flagged",
    "no_longer_flagged": "would no longer be flagged",
    NOW_MALICIOUS: "are malicious now",
}

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Wish:
    """What to judge with, and where the history is, as it was asked for."""

    service: str
    data: Path | None
    store: str | None
    model: str | None
    allow: tuple[Path, ...]
    deny: tuple[Path, ...]
    limits: Limits
    on: tuple[str, ...] = ()
    overrides: bool = True


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
    wish = Wish(
        service, data, store, model, allow, deny, Limits(suspicious, malicious), on, overrides
    )
    _look_back(wish, otherwise, limit, filters, output_format)


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
    wish = Wish(service, data, store, model, allow, deny, Limits(suspicious, malicious))
    _look_back(wish, now_malicious, limit, filters, output_format)


def _look_back(
    wish: Wish,
    effects: Effects,
    limit: int,
    filters: dict[str, Any],
    form: Format,
) -> None:
    wanted = asked(filters)
    if wanted.until is None:  # what comes meanwhile is no part of the past
        wanted = replace(wanted, until=rfc3339(datetime.now(UTC)))
    rules = _rules(wish)
    with (
        stretch(wish.service, wish.data, wish.store, wanted) as kept,
        progress("names", kept.names) as advance,
    ):
        if wish.overrides:
            rules = replace(rules, decisions=kept.decisions)
        found = Replay(kept.past, rules, effects, limit, advance).run()
    write_rows(_rows(found, form), COLUMNS, form)
    click.echo(_summary(found, rules.model), err=True)


def _rules(wish: Wish) -> Rules:
    """Read what to judge with, before anything is asked. Raises UsageError or ModelError."""
    lists = Lists()
    for paths, allowed in ((wish.allow, True), (wish.deny, False)):
        for path in paths:
            wrong = lists.read(path, allowed=allowed)
            if wrong:
                click.echo(f"{path}: {wrong} lines are not understood and passed over", err=True)
    actions = parse_actions(wish.on) if wish.on else DEFAULT_ACTIONS
    place = wish.data or platformdirs.user_data_path("mlplugin", appauthor=False)
    registry = Registry(place)
    used = registry.in_use() if wish.model is None else with_shadow(wish.model, registry, "--model")
    return Rules(load(used), wish.limits, actions, lists)


def _rows(found: Found, form: Format) -> Iterator[Mapping[str, Any]]:
    """Give the names; in a table and in CSV, clients as one text."""
    for row in found.listed:
        if form is Format.JSONL:
            yield row
        else:
            clients = [one["client"] for one in row["asked_by"]]
            more = row["clients"] - len(clients)
            yield {**row, "asked_by": " ".join(clients) + (f" +{more}" if more else "")}


def _summary(found: Found, model: Model) -> str:
    """Say in one line what came out."""
    parts = [
        f"{total.queries:,} queries for {total.names:,} names by {total.clients:,} clients "
        f"{WORDS[kind]}"
        for kind, total in found.totals.items()
        if total.queries
    ]
    said = "; ".join(parts) or (
        "nothing would have been otherwise" if len(found.totals) == len(KINDS) else "nothing is new"
    )
    return f"{found.queries:,} queries for {found.names:,} names, model {model.version}: {said}"
