"""Requests over time by day, hour or minute: a bar opens the stretch that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, charts, tables, text
from mlplugin.dashboard.shared import Shared
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.service.timeline import MOST_STEPS
from mlplugin.service.times import parse_when, rfc3339

STEPS = {"day": 86_400, "hour": 3_600, "minute": 60}
# Up to so many seconds are shown by this step, the finest that fits.
FITS = {"minute": 3 * 3_600 + 1, "hour": 8 * 86_400 + 1, "day": 5 * 366 * 86_400}
FINER = {"day": "hour", "hour": "minute"}
MOST_ROWS = 200
NAME = "activity"
Address = Callable[..., str]


def step_of(query: Mapping[str, str], first: str | None, last: str | None) -> str:
    """Give the step that an address asks for, else the one that fits its range."""
    if query.get("step") in STEPS:
        return query["step"]
    begin, end = bounds(query, first, last)
    seconds = (end - begin).total_seconds()
    return next((step for step, most in FITS.items() if seconds <= most), "day")


def counted(
    asked: Asked, query: Mapping[str, str], found: Mapping[str, Any], service: Service,
    shared: Shared,
) -> Mapping[str, Any]:  # fmt: skip
    """Count by the step that fits, or by a coarser one where that makes too many."""
    step: str | None = step_of(query, found["first"], found["last"])
    begin, end = bounds(query, found["first"], found["last"])
    # What has no beginning begins with its first request, not with the history.
    if asked.since is None and found["first"]:
        after = parse_when(found["last"]) + timedelta(microseconds=1)
        asked = replace(asked, since=found["first"], until=asked.until or rfc3339(after))
    if (end - begin).total_seconds() / STEPS[str(step)] > MOST_STEPS - 2:
        step = None
    return shared.get(
        ("timeline", asked, step),
        lambda: service.insight.timeline(asked, step=step, by="verdict"),
    )


def bounds(
    query: Mapping[str, str], first: str | None, last: str | None
) -> tuple[datetime, datetime]:
    """Give the range that an address says; the history's own ends where it says none."""
    asked = links.filter_of(query)
    now = datetime.now(UTC)
    end = parse_when(asked["until"]) if asked.get("until") else None
    begin = parse_when(asked["since"]) if asked.get("since") else None
    if begin is None:
        begin = parse_when(first) if first else now - timedelta(days=1)
    if end is None:
        end = now if asked.get("since") or not last else parse_when(last)
    return begin, max(end, begin)


def shown(
    timeline: Mapping[str, Any], query: Mapping[str, str], to: Address, onwards: Address, about: str
) -> list[Any]:
    """Show a timeline.

    Args:
        timeline: as the service counts it, by verdict.
        query: what the page's address says.
        to: gives this page's address over a range.
        onwards: gives the address of the queries themselves, where a minute leads.
        about: whose requests these are.
    """
    step = _name(timeline["step"])
    buckets = timeline["buckets"]
    hrefs = [_opened(bucket, timeline["step"], step, to, onwards) for bucket in buckets]
    said = f"Requests {about} by {step}: {_in_short(buckets)}"
    return [
        html.Div([_trail(query, to), _steps(query, step, to)], className="line"),
        charts.over_time(NAME, said, timeline, height=210, opens=_address(step, to, onwards)),
        _as_table(buckets, hrefs, step),
    ]


def _name(seconds: float) -> str:
    by_size = {size: name for name, size in STEPS.items()}
    return by_size.get(int(seconds), f"{int(seconds)} s")


def _opened(bucket: Mapping[str, Any], size: float, step: str, to: Address, on: Address) -> str:
    begin = parse_when(bucket["time"])
    ends = {"since": bucket["time"], "until": rfc3339(begin + timedelta(seconds=size))}
    return _address(step, to, on, **ends)


def _address(step: str, to: Address, on: Address, **ends: str) -> str:
    """Give the address that a stretch of a step is opened in."""
    return to(**ends, step=FINER[step]) if step in FINER else on(**ends)


def _in_short(buckets: Sequence[Mapping[str, Any]]) -> str:
    if not buckets:
        return "none"
    most = max(buckets, key=lambda bucket: int(bucket["queries"]))
    total = sum(bucket["queries"] for bucket in buckets)
    flagged = sum(bucket["flagged"] for bucket in buckets)
    return f"{total:,} in all, {flagged:,} flagged, most ({most['queries']:,}) at {most['time']}"


def _trail(query: Mapping[str, str], to: Address) -> Element:
    """The way back up from a stretch that was opened."""
    asked = links.filter_of(query)
    parts: list[Any] = [html.A("All", href=to(since=links.ALL))]
    if asked.get("since") and asked.get("until"):
        begin, end = parse_when(asked["since"]), parse_when(asked["until"])
        day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        if end - begin < timedelta(days=1):
            whole = {"since": rfc3339(day), "until": rfc3339(day + timedelta(days=1))}
            parts.append(html.A(f"{day:%Y-%m-%d}", href=to(**whole, step="hour")))
            parts.append(html.Span(f"{begin:%H:%M} to {end:%H:%M} UTC", **CURRENT))
        else:
            parts.append(
                html.Span(f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC", **CURRENT)
            )
    elif asked.get("since"):
        parts.append(html.Span(f"since {text.plain(asked['since'])}", **CURRENT))
    return html.Nav(html.Ol([html.Li(part) for part in parts]), className="trail",
                    **{"aria-label": "Stretch of time"})  # fmt: skip


CURRENT = {"aria-current": "true"}


def _steps(query: Mapping[str, str], step: str, to: Address) -> Element:
    kept = {name: query[name] for name in ("since", "until") if query.get(name)}
    found = [
        html.A(f"by {name}", href=to(**kept, step=name), **(CURRENT if name == step else {}))
        for name in STEPS
    ]
    return html.Nav(found, className="segments", **{"aria-label": "Step of the chart"})


def _as_table(buckets: Sequence[Mapping[str, Any]], hrefs: Sequence[str], step: str) -> Element:
    """The same for those who do not see the bars or use no mouse."""
    rows = [
        {**bucket, "href": href}
        for bucket, href in zip(buckets, hrefs, strict=True)
        if bucket["queries"]
    ]
    columns = [
        tables.Column(step.capitalize(), lambda row: html.A(text.moment(row["time"]),
                      href=row["href"]), heads=True),
        tables.Column("Requests", lambda row: text.number(row["queries"]), "n"),
        tables.Column("Flagged", lambda row: text.number(row["flagged"]), "n"),
        tables.Column("Blocked", lambda row: text.number(row["blocked"]), "n"),
    ]  # fmt: skip
    said = "As a table" if len(rows) <= MOST_ROWS else f"As a table (the last {MOST_ROWS})"
    body: Any = (
        tables.table(f"Requests by {step}", columns, rows[-MOST_ROWS:])
        if rows
        else cards.empty("Nothing in this stretch.")
    )
    return html.Details([html.Summary(said), body], className="more")
