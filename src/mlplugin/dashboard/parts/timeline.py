"""Queries over time, stacked by verdict, with the flagged ones on a scale of their own below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from mlplugin.dashboard.parts import charts, tables, text

VERDICTS = ("benign", "suspicious", "malicious")
SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def figure(timeline: Mapping[str, Any], *, flagged_apart: bool = True) -> charts.Figure:
    """Give the figure of what `insight.timeline` counted by verdict."""
    buckets: Sequence[Mapping[str, Any]] = timeline["buckets"]
    times = [bucket["time"] for bucket in buckets]
    width = timeline["step"] * 1000 if buckets else None
    traces = []
    for level in VERDICTS:
        counts = [bucket["counts"].get(level, 0) for bucket in buckets]
        base = {
            "type": "bar", "x": times, "y": counts, "name": level, "width": width, "offset": 0,
            "marker": {"color": charts.VERDICT_COLOURS[level], "line": {"width": 0}},
            "hovertemplate": "%{y:,} " + level + "<extra></extra>",
        }  # fmt: skip
        traces.append(base)
        if flagged_apart and level != "benign":
            traces.append({**base, "yaxis": "y2", "xaxis": "x", "hoverinfo": "skip",
                           "hovertemplate": None})  # fmt: skip
    most = max((bucket["queries"] for bucket in buckets), default=0)
    axes: dict[str, Any] = {"yaxis": {"domain": [0.0, 1.0], **charts.ticks(most, 5)}}
    if flagged_apart:
        flagged = max((bucket["flagged"] for bucket in buckets), default=0)
        axes = {
            "yaxis": {"domain": [0.36, 1.0], **charts.ticks(most, 5)},
            "yaxis2": {"domain": [0.0, 0.26], **charts.ticks(flagged, 3),
                       "title": {"text": "flagged", "font": {"size": 10}}},
        }  # fmt: skip
    span = {"range": [timeline["since"], timeline["until"]]} if buckets else {}
    return {
        "data": traces,
        "layout": charts.layout(
            barmode="stack",
            bargap=0,
            hovermode="x unified",
            dragmode="zoom",
            xaxis={"type": "date", "fixedrange": False, "anchor": "y2" if flagged_apart else "y",
                   **span},
            **axes,
        ),
    }  # fmt: skip


def said(timeline: Mapping[str, Any]) -> str:
    """Say what it shows in a sentence."""
    buckets = timeline["buckets"]
    if not buckets:
        return "No queries in this range."
    total = sum(bucket["queries"] for bucket in buckets)
    flagged = sum(bucket["flagged"] for bucket in buckets)
    most = max(buckets, key=lambda bucket: bucket["queries"])
    return (
        f"{text.number(total)} queries, {text.number(flagged)} flagged, in steps of "
        f"{span_text(timeline['step'])}; most at {most['time'][:16].replace('T', ' ')} UTC."
    )


def span_text(seconds: float) -> str:
    """Write a step of time: `5 minutes`."""
    for size, unit in SPANS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


def as_table(timeline: Mapping[str, Any]) -> Component:
    """Give the same numbers as a table that opens."""

    def counted(level: str) -> tables.Column:
        return tables.Column(level, lambda bucket: text.number(bucket["counts"].get(level, 0)), "n")

    columns = [
        tables.Column("Time", lambda bucket: text.moment(bucket["time"]), "nowrap", heads=True),
        *(counted(level) for level in VERDICTS),
    ]
    busy = [bucket for bucket in timeline["buckets"] if bucket["queries"]]
    return html.Details(
        [
            html.Summary("As a table"),
            tables.table("Queries over time, by verdict", columns, busy, kind="dense"),
        ]
    )


def legend() -> Component:
    """Say which colour is which verdict."""
    return html.Span([text.verdict(level) for level in VERDICTS], className="legend")
