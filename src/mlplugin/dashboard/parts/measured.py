"""What was measured of a model: finds and false positives, as charts and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import charts, tables, text

WORSE, MALICIOUS = "suspicious or worse", "malicious"
# Sets whose figures are means over families, in `macro`.
MEANS = {"dga_random": "random DGA", "dga_dictionary": "dictionary DGA"}
PROMISED = 0.001
ROW_PIXELS = 26
# What stands for none on a logarithmic axis.
LEAST = 1e-6


@dataclass(frozen=True)
class Measured:
    """A share of a set of names, from 0 to 1, with its 95 % interval."""

    name: str
    names: int
    worse: float
    worse_span: tuple[float, float] | None
    malicious: float
    malicious_span: tuple[float, float] | None


def finds(metrics: Mapping[str, Any]) -> list[Measured]:
    """Read what share of malicious names is found: families count as one set each kind."""
    found = [
        _one(f"{MEANS.get(name, name)}, mean of {row.get('families', '?')} families", row)
        for name, row in _rows(metrics, "macro")
    ]
    single = (
        (name, row) for name, row in _rows(metrics, "finds") if name.partition(": ")[0] not in MEANS
    )
    named = (
        (name.removeprefix("mal_").replace("dga_nofamily", "DGA without a family"), row)
        for name, row in single
    )
    return found + [_one(name.replace("_", " "), row) for name, row in named]


def families(metrics: Mapping[str, Any]) -> list[Measured]:
    """Read what share of each family of generated names is found."""
    return [
        _one(name.partition(": ")[2], row)
        for name, row in _rows(metrics, "finds")
        if name.partition(": ")[0] in MEANS
    ]


def false_positives(metrics: Mapping[str, Any]) -> list[Measured]:
    """Read what share of benign names is flagged."""
    return [_one(name, row) for name, row in _rows(metrics, "false_positives")]


def _rows(metrics: Mapping[str, Any], key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    found = metrics.get(key)
    return found.items() if isinstance(found, Mapping) else ()


def _one(name: str, row: Mapping[str, Any]) -> Measured:
    spans = row.get("interval") or {}
    return Measured(
        name,
        int(row.get("names") or 0),
        float(row.get(WORSE) or 0.0),
        _span(spans.get(WORSE)),
        float(row.get(MALICIOUS) or 0.0),
        _span(spans.get(MALICIOUS)),
    )


def _span(found: Any) -> tuple[float, float] | None:
    match found:
        case [int() | float() as low, int() | float() as high]:
            return float(low), float(high)
    return None


def shown(name: str, title: str, rows: list[Measured], *, log: bool = False) -> list[Any]:
    """Draw shares with their intervals, and give the same as a table."""
    said = f"{title}: " + "; ".join(f"{row.name} {percent(row.worse)}" for row in rows)
    return [
        html.P(
            [html.Span("●", className="suspicious-mark"), " suspicious or worse · ",
             html.Span("■", className="malicious-mark"), " malicious · lines are 95 % intervals"],
            className="legend",
        ),
        drawn(name, said, rows, log=log),
        html.Details([html.Summary("As a table"), table(title, rows)], className="more"),
    ]  # fmt: skip


def drawn(name: str, said: str, rows: list[Measured], *, log: bool = False) -> Element:
    """Draw a point with an interval for each set and each level."""
    highest = max([100 * (row.worse_span or (0, row.worse))[1] for row in rows], default=0) or 1
    scale = (
        charts.Scale(100 * LEAST, 2, 0, 100, log=True) if log else charts.Scale(0, highest, 0, 100)
    )
    if log:
        ticks = [(100 * LEAST, "0"), (0.001, "0.001"), (0.01, "0.01"), (0.1, "0.1"), (1, "1 %")]
    else:
        ticks = [(at, f"{shown} %") for at, shown in charts.number_ticks(0, highest, 4).items()]
    grid = [
        html.Line(x1=f"{scale(at):.2f}%", x2=f"{scale(at):.2f}%", y1=0, y2=ROW_PIXELS,
                  className="rule")
        for at, _ in ticks
    ]  # fmt: skip
    if log:
        at = f"{scale(100 * PROMISED):.2f}%"
        grid.append(html.Line(x1=at, x2=at, y1=0, y2=ROW_PIXELS, className="limit"))
    lines = [
        html.Div([
            html.Span(row.name, className="label"),
            html.Svg([*grid, *_points(row, scale)], className="track", height=ROW_PIXELS),
        ], className="measured-row")
        for row in rows
    ]  # fmt: skip
    below = html.Svg(charts.below_labels(ticks, scale, 18), className="track", height=18)
    drawing = html.Div(
        [*lines, html.Div([html.Span(), below], className="measured-row")],
        className="measured", role="img", **{"aria-label": said},
    )  # fmt: skip
    return html.Div(drawing, className="chart", **{"data-name": name})


def _points(row: Measured, scale: charts.Scale) -> list[Element]:
    """Draw both levels of a set, each with its interval: a circle above, a square below."""
    found = []
    for level, value, span_of, y in (
        ("suspicious", row.worse, row.worse_span, 9),
        ("malicious", row.malicious, row.malicious_span, 18),
    ):
        low, high = (100 * end for end in span_of or (value, value))
        at = f"{scale(100 * value):.2f}%"
        found.append(html.Line(x1=f"{scale(low):.2f}%", x2=f"{scale(high):.2f}%", y1=y, y2=y,
                               className=f"interval {level}"))  # fmt: skip
        said = html.Title(f"{row.name}: {percent(value)} {level}")
        if level == "suspicious":
            found.append(html.Circle(said, cx=at, cy=y, r=4, className=level))
        else:
            found.append(html.Rect(said, x=at, y=y - 4, width=8, height=8,
                                      transform="translate(-4 0)", className=level))  # fmt: skip
    return found


def table(title: str, rows: list[Measured]) -> Element:
    """Give shares as a table."""
    columns = [
        tables.Column("Names", lambda row: row["name"], "grow", heads=True),
        tables.Column("How many", lambda row: text.number(row["names"]), "n"),
        tables.Column("Suspicious or worse", lambda row: percent(row["worse"]), "n"),
        tables.Column("95 %", lambda row: span(row["worse_span"]), "n"),
        tables.Column("Malicious", lambda row: percent(row["malicious"]), "n"),
        tables.Column("95 %", lambda row: span(row["malicious_span"]), "n"),
    ]
    return tables.table(title, columns, [vars(row) for row in rows], kind="dense stack")


def percent(share: float) -> str:
    """Write a share in percent with two digits that count."""
    value = share * 100
    if value >= 10:
        return f"{value:.0f} %"
    return f"{value:.2g} %" if value >= 0.001 or not value else f"{value:.1g} %"


def span(found: tuple[float, float] | None) -> str:
    """Write an interval."""
    return text.MISSING if found is None else f"{percent(found[0])} to {percent(found[1])}"
