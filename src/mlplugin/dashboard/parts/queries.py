"""Rows of the history as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import text
from mlplugin.dashboard.parts.tables import Column, Row

# An answer may have dozens of addresses.
MOST_ANSWERS = 4


def columns(query: Mapping[str, str], *, sortable: bool = False) -> list[Column]:
    """Give the columns of a table of queries.

    Args:
        query: what the page's address says: other filters are added to it, its range is carried on.
        sortable: whether its headers sort.
    """
    kept = links.range_of(query)

    def narrowed(key: str) -> Any:
        def show(row: Row) -> Any:
            value = row[key]
            if not value:
                return text.MISSING
            there = {name: said for name, said in query.items() if name != "cursor"}
            shown = text.action(value) if key == "action" else text.plain(value)
            return html.A(shown, href=links.to_queries(**{**there, key: value}), className="quiet")

        return show

    found = [
        Column("Time", lambda row: text.moment(row["time"], digits=3), "nowrap"),
        Column("Name", lambda row: text.name(row["qname"], **kept), heads=True),
        Column("Type", narrowed("qtype")),
        Column("Client", lambda row: text.client(row["client"], **kept), "nowrap"),
        Column("Verdict", lambda row: text.verdict(row["verdict"], row["threat"])),
        Column("Score", lambda row: text.score(row["score"]), "n"),
        Column("Action", narrowed("action")),
        Column("Answer", narrowed("rcode")),
        Column("Answers", _answers, "answers"),
        Column("ms", _milliseconds, "n"),
        Column("Sensor", narrowed("sensor"), "nowrap"),
        Column("Reason", lambda row: text.plain(row["reason"] or ""), "reason"),
    ]
    return [_sortable(column, query) for column in found] if sortable else found


def brief(query: Mapping[str, str]) -> list[Column]:
    """Give the columns that say the most, for where there is little room: all are seen."""
    wanted = ("Name", "Client", "Verdict", "Score", "Action")
    time = Column("Time", lambda row: text.moment(row["time"]), "nowrap")
    return [time, *(column for column in columns(query) if column.title in wanted)]


def mark(row: Row) -> str:
    """Give the class of a row: what is flagged is seen at its edge, too."""
    verdict: str = row["verdict"]
    return f"is-{verdict}" if verdict.isalpha() else ""


def _answers(row: Row) -> Element | str:
    answers: Sequence[str] | str = row["answers"] or ()
    if isinstance(answers, str):
        answers = answers.split()
    shown: list[Any] = []
    for answer in answers[:MOST_ANSWERS]:
        shown += [text.in_little(html.Span, text.plain(answer), "answer"), " "]
    if len(answers) > MOST_ANSWERS:
        shown.append(f"and {len(answers) - MOST_ANSWERS} more")
    return html.Span(shown, className="mono")


def _milliseconds(row: Row) -> str:
    micros = row["duration"]
    return text.MISSING if micros is None else f"{micros / 1000:,.1f}"


# What a column is sorted by, and how it is at the first press.
SORTS = {"Time": ("-time", "time"), "Score": ("-score", None), "ms": ("-duration", None)}


def _sortable(column: Column, query: Mapping[str, str]) -> Column:
    if column.title not in SORTS:
        return column
    falling, rising = SORTS[column.title]
    now = query.get("sort", "-time")
    descending = True if now == falling else False if now == rising else None
    other = rising if now == falling and rising else falling
    there = {name: said for name, said in query.items() if name not in {"cursor", "sort"}}
    address = links.to_queries(**there, sort=None if other == "-time" else other)
    return Column(column.title, column.show, column.kind, address, descending)
