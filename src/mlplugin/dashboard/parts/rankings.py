"""Values and how often each occurs; names that look like another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, tables, text

RANKED = 12


def ranked(
    caption: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    show: Any,
    *,
    nothing: str = "None in this range.",
    flagged: Callable[[Mapping[str, Any]], str] | None = None,
) -> Element:
    """Give a panel with values and how often each occurs.

    Args:
        flagged: gives the address of a value's flagged queries.
    """

    def count(row: Mapping[str, Any]) -> Any:
        said = text.number(row.get("flagged") or 0)
        return html.A(said, href=flagged(row)) if flagged and row.get("flagged") else said

    extra = [tables.Column("Flagged", count, "n")]
    if not rows:
        return cards.card(caption, cards.empty(nothing))
    rows = rows[:RANKED]
    return cards.card(caption, tables.bars(caption, title, rows, show, extra=extra))


def alike(found: Mapping[str, Any], kept: Mapping[str, str]) -> Any:
    """Show names of the history that look like this one."""
    rows = found["lookalikes"]
    if not rows:
        return cards.empty("No domain of this history looks like it.")
    columns = [
        tables.Column("Domain", lambda row: text.name(row["domain"], **kept), heads=True),
        tables.Column("Kind", lambda row: text.plain(row["kind"])),
        tables.Column("Verdict", lambda row: text.verdict(row["verdict"])),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
    ]
    return tables.table("Look-alikes", columns, rows, kind="dense stack")
