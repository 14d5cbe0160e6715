"""Looking back: a stretch of history judged again, and what would have been otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mlplugin.cli.history import stretch
from mlplugin.cli.output import Format, progress, write_rows
from mlplugin.cli.which_model import data_directory, with_shadow
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
from mlplugin.service.history import Asked
from mlplugin.service.lists import Lists
from mlplugin.service.registry import Registry
from mlplugin.service.rules import DEFAULT_ACTIONS, Limits, Rules, parse_actions
from mlplugin.service.times import rfc3339

__all__ = ["Limits", "Wish", "look_back", "now_malicious", "otherwise"]

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


def look_back(
    wish: Wish,
    effects: Effects,
    limit: int,
    wanted: Asked,
    form: Format,
) -> None:
    """Judge a stretch of history again, list what would be otherwise, and sum it up.

    Args:
        wish: what to judge with, and where the history is.
        effects: what is told of a name.
        limit: so many names are listed at most.
        wanted: the stretch.
        form: of the list.

    Raises:
        UsageError: if what to judge with makes no sense.
        ModelError: if there is no such model.
    """
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
    registry = Registry(data_directory(wish.data, wish.service))
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
