"""What was measured of a model: finds and false positives, as charts and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component

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
    height = ROW_PIXELS * len(rows) + 48
    return [
        html.P(
            [html.Span("●", className="suspicious-mark"), " suspicious or worse · ",
             html.Span("■", className="malicious-mark"), " malicious · lines are 95 % intervals"],
            className="legend",
        ),
        charts.chart(name, said, figure(rows, log=log), height=height),
        html.Details([html.Summary("As a table"), table(title, rows)], className="more"),
    ]  # fmt: skip


def figure(rows: list[Measured], *, log: bool = False) -> charts.Figure:
    """Draw a point with an interval for each set and each level."""
    turned = rows[::-1]  # the first on top
    levels = (
        ("suspicious", "circle", [row.worse for row in turned], [row.worse_span for row in turned]),
        ("malicious", "square", [row.malicious for row in turned],
         [row.malicious_span for row in turned]),
    )  # fmt: skip
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": level,
            "x": [max(value * 100, LEAST * 100 if log else 0) for value in values],
            "y": [row.name for row in turned],
            "marker": {"color": f"var(--{level})", "symbol": symbol, "size": 8},
            "error_x": _errors(values, spans, f"var(--{level})"),
            "customdata": [percent(value) for value in values],
            "hovertemplate": "%{y}<br>%{customdata} " + level + "<extra></extra>",
        }
        for level, symbol, values, spans in levels
    ]
    axis: dict[str, Any] = {"ticksuffix": " %", "showgrid": True, "rangemode": "tozero"}
    shapes: list[dict[str, Any]] = []
    if log:
        axis |= {
            "type": "log", "range": [-4.1, 0.3], "tickvals": [0.0001, 0.001, 0.01, 0.1, 1],
            "ticktext": ["0", "0.001", "0.01", "0.1", "1"],
        }  # fmt: skip
        line = {"color": "var(--edge)", "width": 1, "dash": "dot"}
        at = PROMISED * 100
        shapes = [{"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper",
                   "line": line}]  # fmt: skip
    layout = charts.layout(xaxis=axis, yaxis={"showgrid": False, "rangemode": "normal"},
                           shapes=shapes)  # fmt: skip
    return {"data": data, "layout": layout}


def _errors(
    values: list[float], spans: list[tuple[float, float] | None], colour: str
) -> dict[str, Any]:
    ends = [span or (value, value) for value, span in zip(values, spans, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (high - value) for value, (_, high) in zip(values, ends, strict=True)],
        "arrayminus": [100 * (value - low) for value, (low, _) in zip(values, ends, strict=True)],
        "color": colour,
        "thickness": 1.2,
        "width": 3,
    }


def table(title: str, rows: list[Measured]) -> Component:
    """Give shares as a table."""
    columns = [
        tables.Column("Names", lambda row: row["name"], "grow", heads=True),
        tables.Column("How many", lambda row: text.number(row["names"]), "n"),
        tables.Column("Suspicious or worse", lambda row: percent(row["worse"]), "n"),
        tables.Column("95 %", lambda row: span(row["worse_span"]), "n"),
        tables.Column("Malicious", lambda row: percent(row["malicious"]), "n"),
        tables.Column("95 %", lambda row: span(row["malicious_span"]), "n"),
    ]
    return tables.table(title, columns, [vars(row) for row in rows], kind="dense")


def percent(share: float) -> str:
    """Write a share in percent with two digits that count."""
    value = share * 100
    if value >= 10:
        return f"{value:.0f} %"
    return f"{value:.2g} %" if value >= 0.001 or not value else f"{value:.1g} %"


def span(found: tuple[float, float] | None) -> str:
    """Write an interval."""
    return text.MISSING if found is None else f"{percent(found[0])} to {percent(found[1])}"
