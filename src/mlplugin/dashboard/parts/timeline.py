"""Queries over time, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import charts, tables, text

SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def said(timeline: Mapping[str, Any]) -> str:
    """Say what it shows in a sentence."""
    buckets = timeline["buckets"]
    if not buckets:
        return "No queries in this range."
    total = sum(bucket["queries"] for bucket in buckets)
    flagged = sum(bucket["flagged"] for bucket in buckets)
    most = max(buckets, key=lambda bucket: bucket["queries"])
    return (
        f"{text.counted(total, 'query', 'queries')}, {text.number(flagged)} flagged, in steps of "
        f"{span_text(timeline['step'])}; most at {most['time'][:16].replace('T', ' ')} UTC."
    )


def span_text(seconds: float) -> str:
    """Write a step of time: `5 minutes`."""
    for size, unit in SPANS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


def as_table(timeline: Mapping[str, Any]) -> Element:
    """Give the same numbers as a table that opens."""

    def counted(level: str) -> tables.Column:
        return tables.Column(level, lambda bucket: text.number(bucket["counts"].get(level, 0)), "n")

    columns = [
        tables.Column("Time", lambda bucket: text.moment(bucket["time"]), "nowrap", heads=True),
        *(counted(level) for level in charts.VERDICTS),
    ]
    busy = [bucket for bucket in timeline["buckets"] if bucket["queries"]]
    return html.Details(
        [
            html.Summary("As a table"),
            tables.table("Queries over time, by verdict", columns, busy, kind="dense"),
        ]
    )


def legend() -> Element:
    """Say which colour is which verdict."""
    return html.Span([text.verdict(level) for level in charts.VERDICTS], className="legend")
