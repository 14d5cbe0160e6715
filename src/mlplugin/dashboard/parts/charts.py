"""Charts: drawn by the service, in the colours of the page's theme, and the same as a table.

A chart is a drawing in the page, which needs no script to be seen. Across it is measured in
percent, so that it is as wide as its place; down it is measured in pixels. What a pointer finds
in it is in `data-series`, of which `assets/charts.js` tells; a stretch of time that is drawn over
opens the address in `data-zoom`, a bar that is pressed the one in `data-open`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts.text import short

VERDICTS = ("benign", "suspicious", "malicious")
TOP, BOTTOM = 8, 20
# How many units of a path the plot is wide.
ACROSS = 1000
MOST_LABELS = 6
# Bars have a gap between them up to so many.
MOST_APART = 100
DAY = 86_400
STEPS = (
    1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY,
    14 * DAY,
)  # fmt: skip
# What steps of the calendar are called, in seconds.
MONTH, YEAR = 30 * DAY, 365 * DAY
LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
Bar = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scale:
    """Puts values between two places, by their size or by its logarithm."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Give the place of a value; one beyond an end is put at the end."""
        low, high = self._own(self.low), self._own(self.high)
        part = (self._own(value) - low) / (high - low) if high > low else 0.0
        return self.begin + min(max(part, 0.0), 1.0) * (self.end - self.begin)

    def _own(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.log else value


def over_time(
    name: str, said: str, timeline: Mapping[str, Any], *, height: int = 220,
    apart: bool = False, zoom: str = "", opens: str = "",
) -> Element:  # fmt: skip
    """Draw queries over time as bars, stacked by verdict.

    Args:
        name: the chart's own name on the page.
        said: what it shows, in a sentence for those who do not see it.
        timeline: as the service counts it, by verdict.
        height: in pixels.
        apart: whether the flagged ones are drawn again below, on a scale of their own.
        zoom: the address that a stretch of time is opened in when it is drawn over.
        opens: the address that a bar's stretch is opened in when it is pressed.
    """
    buckets = timeline["buckets"]
    counts = {level: [one["counts"].get(level, 0) for one in buckets] for level in VERDICTS}
    step = float(timeline["step"] or 0)
    at = [moment(one["time"]) for one in buckets]
    since, until = _span(timeline, at, step)
    across = Scale(since, until, 0, ACROSS)
    middle = height - BOTTOM - (round(height * 0.28) if apart else 0)
    most = max((one["queries"] for one in buckets), default=0)
    panels = [Panel(most, TOP, middle, 5, VERDICTS)]
    if apart:
        most = max((one["flagged"] for one in buckets), default=0)
        panels.append(Panel(most, middle + 14, height - BOTTOM, 3, VERDICTS[1:]))
    width = step * (0.92 if len(at) <= MOST_APART else 1.0)
    stretches = [(across(one), across(one + width)) for one in at]
    labels, inside = [], time_labels(since, until, height)
    for panel in panels:
        scale = Scale(0, panel.most or 1, panel.bottom, panel.top)
        labels += side_labels(count_ticks(panel.most, panel.ticks), scale)
        inside += lines_across(count_ticks(panel.most, panel.ticks), scale)
    drawn = [path for panel in panels for path in stacked(panel, stretches, counts)]
    if apart:
        inside.append(html.Text("flagged", x=2, y=middle + 12, className="start"))
    series = {
        "at": [one["time"] for one in buckets], "step": step, "counts": counts,
        "since": since, "until": until,
    }  # fmt: skip
    return framed(Frame(name, said, height), labels, [*inside, stretched(drawn, height)],
                  series, zoom=zoom, opens=opens)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A part of a plot with a scale of its own: from `bottom` up to `top`, in pixels."""

    most: int
    top: float
    bottom: float
    ticks: int
    levels: tuple[str, ...]


def _span(timeline: Mapping[str, Any], at: Sequence[float], step: float) -> tuple[float, float]:
    """From when to when a chart goes: over the range that is asked for, whole steps of it."""
    since, until = timeline.get("since"), timeline.get("until")
    begin = moment(since) if since else min(at, default=0.0)
    end = moment(until) if until else max(at, default=0.0) + step
    return begin, max(end, begin + 1)


def stacked(
    panel: Panel, stretches: Sequence[tuple[float, float]], counts: Mapping[str, Sequence[int]]
) -> list[Element]:
    """Draw bars one upon the other, all of a level as one path."""
    floors = [0] * len(stretches)
    found = []
    scale = Scale(0, panel.most or 1, 0, panel.bottom - panel.top)
    for level in panel.levels:
        bars = []
        for place, (count, (begin, end)) in enumerate(zip(counts[level], stretches, strict=True)):
            if count and end > begin:
                low, high = scale(floors[place]), scale(floors[place] + count)
                high = max(high, low + 1)  # what there is is seen
                bars.append((begin, panel.bottom - high, end - begin, high - low))
            floors[place] += count
        if bars:
            found.append(html.Path(d=outline(bars), className=level))
    return found


def outline(bars: Iterable[Bar]) -> str:
    """Write bars as the path around them."""
    return "".join(
        f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z" for x, y, width, height in bars
    )


def stretched(drawn: list[Any], height: int) -> Element:
    """Give what is drawn in units of its own across: it is stretched to the plot's width."""
    return html.Svg(
        drawn, viewBox=f"0 0 {ACROSS} {height}", preserveAspectRatio="none", width="100%",
        height=height,
    )  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """A chart's place: its own name on the page, what it shows in a sentence, its height."""

    name: str
    said: str
    height: int


def framed(
    frame: Frame, labels: list[Any], inside: list[Any], series: Mapping[str, Any], *,
    zoom: str = "", opens: str = "",
) -> Element:  # fmt: skip
    """Give a chart: what stands beside the plot, and the plot."""
    hidden = {"aria-hidden": "true"}
    data = {"data-series": json.dumps(series, separators=(",", ":"))}
    if zoom:
        data["data-zoom"] = zoom
    if opens:
        data["data-open"] = opens
    height = frame.height
    plot = html.Svg(inside, className="plot", height=height, **hidden, **data)
    side = html.Svg(labels, className="side", width=40, height=height, **hidden)
    drawing = html.Div([side, plot], className="drawing", role="img",
                       **{"aria-label": frame.said})  # fmt: skip
    return html.Div(drawing, className="chart", **{"data-name": frame.name})


def count_ticks(most: float, about: int) -> list[float]:
    """Give where an axis of counts up to so many has its ticks: never between two counts."""
    if most <= 0:
        return [0]
    rough = most / about
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= rough)
    step = max(step, 1)
    return [number * step for number in range(int(most // step) + 1)]


def side_labels(ticks: Iterable[float], scale: Scale, show: Any = short) -> list[Element]:
    """Write what the ticks of the side are."""
    return [html.Text(show(one), x=36, y=round(scale(one)) + 4, className="end") for one in ticks]


def lines_across(ticks: Iterable[float], scale: Scale) -> list[Element]:
    """Draw a line at each tick of the side."""
    return [
        html.Line(x1="0", x2="100%", y1=(at := round(scale(one)) + 0.5), y2=at, className="rule")
        for one in ticks
    ]


def below_labels(ticks: Iterable[tuple[float, str]], scale: Scale, height: int) -> list[Element]:
    """Write what the ticks below are; `scale` goes from 0 to 100."""
    return [
        html.Text(said, x=f"{scale(one):.2f}%", y=height - 5, className=_side(scale(one)))
        for one, said in ticks
    ]


def _side(percent: float) -> str:
    return "start" if percent < 3 else "end" if percent > 97 else "middle"


def time_labels(since: float, until: float, height: int) -> list[Element]:
    """Write what the times are; the page's switch turns them into local time."""
    step, ticks = time_ticks(since, until)
    scale = Scale(since, until, 0, 100)
    untold = {_when(since).year, _when(until).year}
    if len(untold) == 1:
        untold = set()  # all of one year: it need not be said
    found = []
    for at in ticks:
        when = _when(at)
        # by day, a year is said where it begins; by month, with each
        is_day = step >= DAY or not at % DAY
        is_said = is_day and (when.year in untold or (step >= MONTH and bool(untold)))
        if step < MONTH and is_day:
            untold.discard(when.year)
        marks = {"data-at": when.isoformat().replace("+00:00", "Z"), "data-step": str(step)}
        if is_said:
            marks["data-year"] = "true"
        found.append(
            html.Text(
                time_label(when, step, is_year_said=is_said), x=f"{scale(at):.2f}%",
                y=height - 5, className=_side(scale(at)), **marks,
            )
        )  # fmt: skip
    return found


def time_ticks(since: float, until: float) -> tuple[int, list[float]]:
    """Give where an axis of time has its ticks, at most `MOST_LABELS`, and the step between them.

    What is longer than some weeks goes by the calendar's months and years, for which the step
    stands in round numbers of days.
    """
    for step in STEPS:
        first, last = math.ceil(since / step), math.floor(until / step)
        if last - first < MOST_LABELS:
            return step, [at * step for at in range(first, last + 1)]
    begin, end = _when(since), _when(until)
    first, last = begin.year * 12 + begin.month - 1, end.year * 12 + end.month - 1
    for months in _calendar():
        numbers = range(-(-first // months) * months, last + 1, months)
        ticks = [at for one in numbers if one >= 12 and (at := _month(one)) >= since]
        if len(ticks) <= MOST_LABELS:
            break
    return (MONTH if months < 12 else YEAR), ticks


def _calendar() -> Iterator[int]:
    """Give steps of the calendar, in months: months of a year, then 1, 2, 5, 10, ... years."""
    yield from (1, 2, 3, 6)
    size = 12
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


def _month(number: int) -> float:
    """Give when a month begins; the first one of the year 1 is number 12."""
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()


def _when(at: float) -> datetime:
    return datetime.fromtimestamp(min(at, LAST), UTC)


def time_label(when: datetime, step: float, *, is_year_said: bool = False) -> str:
    """Write a time as short as the step between two of them allows."""
    year = f" {when.year}" if is_year_said else ""
    if step >= YEAR:
        return str(when.year)
    if step >= MONTH:
        return f"{when:%b}{year}"
    if step >= DAY or not (when.hour or when.minute or when.second):
        return f"{when.day} {when:%b}{year}"
    return f"{when:%H:%M}" if step >= 60 else f"{when:%H:%M:%S}"


def moment(rfc3339: str) -> float:
    """Give a time in seconds."""
    return datetime.fromisoformat(rfc3339).timestamp()


@dataclass(frozen=True)
class Axis:
    """What is along a side of a plot: where values are, its ticks, and what stands there."""

    scale: Scale
    ticks: Mapping[float, str]
    title: str


def curves(
    frame: Frame, lines: Mapping[str, Sequence[tuple[float, float]]], kinds: Mapping[str, str],
    across: Axis, up: Axis,
) -> Element:  # fmt: skip
    """Draw lines.

    Args:
        frame: the chart's place.
        lines: points of each, by its name.
        kinds: the CSS classes of each.
        across: from left to right, from 0 to `ACROSS`.
        up: from the bottom to the top.
    """
    drawn = [
        html.Polyline(
            points=" ".join(f"{across.scale(x):.1f},{up.scale(y):.1f}" for x, y in points),
            className=f"curve {kinds[line]}",
        )
        for line, points in lines.items()
    ]
    low, high, log = across.scale.low, across.scale.high, across.scale.log
    series = {
        "lines": {line: [[round(x, 6), round(y, 6)] for x, y in points]
                  for line, points in lines.items()},
        "low": low, "high": high, "log": log,
    }  # fmt: skip
    inside = [
        *lines_across(up.ticks, up.scale),
        *below_labels(across.ticks.items(), Scale(low, high, 0, 100, log), frame.height),
        stretched(drawn, frame.height),
    ]
    legend = html.P(
        [html.Span([html.I(className=f"swatch {kinds[line]}"), line]) for line in lines],
        className="legend",
    )
    title = html.P(f"{up.title}, by {across.title}", className="note")
    labels = side_labels(up.ticks, up.scale, up.ticks.__getitem__)
    chart = framed(frame, labels, inside, series)
    return html.Div([title, legend if len(lines) > 1 else None, chart])


def number_ticks(low: float, high: float, about: int) -> dict[float, str]:
    """Give ticks between two numbers, each with what stands there."""
    rough = (high - low) / about or 1.0
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= rough)
    first = math.ceil(low / step)
    return {at * step: f"{at * step:g}" for at in range(first, math.floor(high / step) + 1)}
