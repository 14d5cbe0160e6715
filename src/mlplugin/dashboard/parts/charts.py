"""Charts: a figure whose colours are those of the page's theme, and the same as a table.

A figure is a plain dictionary as plotly takes it. Its colours are written `var(--suspicious)`,
and `assets/charts.js` puts the theme's in; times on the x axis are RFC 3339 and are put into
local time where the page's switch says so.
"""

from __future__ import annotations

from typing import Any

from dash import MATCH, ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

Figure = dict[str, Any]
CONFIG = {"displayModeBar": False, "responsive": True, "doubleClick": False}
VERDICT_COLOURS = {
    "benign": "var(--benign)",
    "suspicious": "var(--suspicious)",
    "malicious": "var(--malicious)",
}


def chart(
    name: str, said: str, figure: Figure | None = None, *, height: int = 220, zoom: str = ""
) -> Component:
    """Give a chart.

    Args:
        name: its own name on the page; `data(name)` is where a callback puts another figure.
        said: what it shows, in a sentence for those who do not see it.
        height: in pixels.
        zoom: the address of the page that a stretch of time is opened in when it is drawn over.
    """
    return html.Div(
        [
            dcc.Store(id=_id("chart-data", name), data=figure),
            dcc.Store(id=_id("chart-zoom", name), data=zoom),
            html.Div(
                dcc.Graph(
                    id=_id("chart", name),
                    figure={"data": [], "layout": BLANK},
                    config=CONFIG,
                    style={"height": f"{height}px"},
                ),
                role="img",
                **{"aria-label": said},
            ),
        ],
        className="chart",
    )


def data(name: str) -> Output:
    """Give where a callback puts a chart's figure."""
    return Output(_id("chart-data", name), "data")


def _id(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "name": name}


BLANK: Figure = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "xaxis": {"visible": False},
    "yaxis": {"visible": False},
}


def ticks(most: int, about: int) -> dict[str, Any]:
    """Give where an axis of counts up to so many has its ticks: never between two counts."""
    if most < about:
        return {"dtick": 1, "tickformat": "d"}
    return {"nticks": about, "tickformat": "~s"}


def layout(**changed: Any) -> Figure:
    """Give the layout that every chart has: quiet axes, no frame, the page's letters."""
    axis = {
        "gridcolor": "var(--line)",
        "zerolinecolor": "var(--line)",
        "linecolor": "var(--line)",
        "automargin": True,
        "fixedrange": True,
    }
    found: Figure = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "var(--letters)", "size": 11, "color": "var(--quiet)"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line)",
            "font": {"color": "var(--text)", "family": "var(--letters)", "size": 12},
        },
        "showlegend": False,
        "bargap": 0.12,
        "xaxis": {**axis, "showgrid": False},
        "yaxis": {**axis, "rangemode": "tozero"},
    }
    for key, value in changed.items():
        inner = found.get(key)
        merge = isinstance(inner, dict) and isinstance(value, dict)
        found[key] = {**inner, **value} if merge else value  # type: ignore[dict-item]
    if "yaxis2" in found:
        found["yaxis2"] = {**axis, "rangemode": "tozero", **found["yaxis2"]}
    return found


def register(app: Dash) -> None:
    """Let the browser paint every chart in the colours of its theme, and open what is zoomed."""
    app.clientside_callback(
        ClientsideFunction("mlplugin", "paint"),
        Output(_id("chart", MATCH), "figure"),
        Input(_id("chart-data", MATCH), "data"),
        Input("look", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("mlplugin", "zoom"),
        Output(_id("chart-zoom", MATCH), "data"),
        Input(_id("chart", MATCH), "relayoutData"),
        State(_id("chart-zoom", MATCH), "data"),
        prevent_initial_call=True,
    )
