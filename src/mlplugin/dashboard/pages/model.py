"""The model: what its thresholds would flag on this history, what was measured, and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from mlplugin.dashboard import links
from mlplugin.dashboard.parts import cards, charts, forms, markdown, measured, tables, text
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.service.service import Service

TITLE = "Model"
CURRENT = "current"
SHOWN = 30
HIGHEST, STEP = 60, 0.5
# Labels under the slider must not run into each other.
APART = 5
USUAL = "7d"


def layout(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Give the page; `query` is what the address says."""
    given = {"since": USUAL, **query} if not query.get("until") else dict(query)
    wanted = query.get("version") or CURRENT
    found = service.insight.model(wanted)
    if found is None:
        return [
            cards.heading(TITLE),
            cards.empty("There is no model of this version here.",
                        html.A("To the one in use", href="/model")),
        ]  # fmt: skip
    known = service.insight.models()["models"]
    metrics = found.get("metrics") or {}
    kept = {name: given[name] for name in ("since", "until", "version") if given.get(name)}
    return [
        cards.heading(
            f"Model {text.plain(found['version'])}", forms.range_picker("/model", kept)
        ),
        dcc.Store(id="model-version", data=found["version"]),
        dcc.Store(id="model-card-text"),
        html.Div(
            [
                _thresholds(found["thresholds"], links.range_of(given), service, shared),
                _facts(found, known),
                *_measured(metrics),
                *_more(found),
            ],
            className="grid model",
        ),
    ]  # fmt: skip


def _thresholds(
    limits: Mapping[str, float], kept: Mapping[str, str], service: Service, shared: Shared
) -> Component:
    asked = links.ranged(kept)
    bins = shared.get(("scores", asked), lambda: service.insight.scores(asked))["bins"]
    at = float(limits["suspicious"])
    marks: dict[float, str] = {
        score: str(score)
        for score in range(0, HIGHEST + 1, 10)
        if all(abs(score - limit) > APART for limit in limits.values())
    }
    marks |= {limit: f"{level} {limit:g}" for level, limit in limits.items()}
    slider = dcc.Slider(
        id="threshold", min=0, max=HIGHEST, step=STEP, value=at, marks=marks, included=False,
        updatemode="mouseup", tooltip={"always_visible": True, "placement": "top"},
    )  # fmt: skip
    said = (
        "Move the threshold and see which names of this network's own history would be flagged. "
        "Nothing is changed by looking: what is done about flagged names stands in the Corefile."
    )
    return html.Section(
        [
            html.Div([html.H2("What would be flagged")], className="card-head"),
            html.Div(
                [
                    html.P(said, className="note"),
                    charts.chart("scores", histogram_said(bins), histogram(bins, at, limits),
                                 height=190),
                    html.Div(slider, className="threshold",
                             role="group", **{"aria-label": "Threshold"}),
                    dcc.Store(id="score-bins", data=list(bins)),
                    dcc.Store(id="score-limits", data=dict(limits)),
                    dcc.Store(id="score-range", data=dict(kept)),
                    html.Div(cards.waiting(), id="would-flag", role="status"),
                ],
                className="body",
            ),
        ],
        className="card most",
    )  # fmt: skip


def histogram_said(bins: Sequence[Mapping[str, Any]]) -> str:
    """Say what the histogram shows."""
    total = sum(one["names"] for one in bins)
    high = sum(one["names"] for one in bins if one["score"] >= 30)
    return f"Names of this history by score: {total:,} in all, {high:,} from 30 on"


def histogram(
    bins: Sequence[Mapping[str, Any]], at: float, limits: Mapping[str, float]
) -> charts.Figure:
    """Draw how many names have which score, those from the threshold on in another colour."""
    scores = [one["score"] + 0.5 for one in bins]
    beyond = [one["score"] + 1 > at for one in bins]
    bars = {
        "type": "bar",
        "x": scores,
        "y": [one["names"] or None for one in bins],
        "customdata": [f"{one['score']:g} to {one['score'] + 1:g}" for one in bins],
        "marker": {
            "color": ["var(--malicious)" if far else "var(--benign)" for far in beyond],
            "line": {"width": 0},
        },
        "hovertemplate": "score %{customdata}<br>%{y:,} names<extra></extra>",
    }
    lines = [
        {"type": "line", "x0": score, "x1": score, "y0": 0, "y1": 1, "yref": "paper",
         "line": {"color": "var(--edge)", "width": 1, "dash": "dot"}}
        for score in limits.values()
    ]  # fmt: skip
    lines.append({"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper",
                  "line": {"color": "var(--accent)", "width": 2}})  # fmt: skip
    layout = charts.layout(
        bargap=0.06,
        xaxis={"range": [0, HIGHEST], "dtick": 10, "title": {"text": "score", "standoff": 4}},
        yaxis={"type": "log", "title": {"text": "names", "standoff": 4}, "dtick": 1,
               "rangemode": "normal"},
        shapes=lines,
    )  # fmt: skip
    return {"data": [bars], "layout": layout}


def flagged(found: Mapping[str, Any], kept: Mapping[str, str]) -> Any:
    """Show what would be flagged at a threshold."""
    score, often = float(found["score"]), 10 ** (float(found["score"]) / 10)
    promise = f"about one clean name in {often:,.0f} scores so high"
    if not found["names"]:
        return cards.empty(
            f"At {score:g} nothing of this history would be flagged.", f"Elsewhere {promise}."
        )
    said = html.P(
        [
            html.Strong(f"{text.number(found['names'])} names"),
            f", {text.number(found['queries'])} queries of {text.number(found['clients'])} clients "
            f"would be flagged from {score:g} on; {promise}.",
        ]
    )
    columns = [
        tables.Column("Name", lambda row: text.name(row["value"], **kept), "grow", heads=True),
        tables.Column("Score", lambda row: text.score(row["score"]), "n"),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
        tables.Column("Clients", lambda row: text.number(row["clients"]), "n"),
    ]
    parts: list[Any] = [
        said, tables.table("Names that would be flagged", columns, found["values"], kind="dense"),
    ]  # fmt: skip
    more = found["names"] - len(found["values"])
    if more > 0:
        href = links.to_queries(min_score=f"{score:g}", source="model", **kept)
        parts.append(html.P(html.A(f"and {more:,} more: see all queries", href=href)))
    return parts


def _facts(found: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> Component:
    limits = found["thresholds"]
    columns = [
        tables.Column("Version", lambda row: html.A(text.plain(row["version"]), href=(
            links.to_model(row["version"]))), heads=True),
        tables.Column("Made", lambda row: text.moment(row["created"]), "nowrap"),
        tables.Column("In use", lambda row: "in use" if row["in_use"] else text.MISSING),
    ]  # fmt: skip
    facts = [
        ("Version", text.plain(found["version"])),
        ("Made", text.moment(found.get("created"))),
        ("Newest name in it", text.plain(found.get("data_cutoff") or text.MISSING)),
        ("Suspicious from", f"{limits['suspicious']:g}"),
        ("Malicious from", f"{limits['malicious']:g}"),
        ("SHA-256", html.Span(text.plain(found.get("sha256") or text.MISSING), className="mono")),
    ]
    return cards.card(
        "About it",
        cards.facts(facts),
        html.H3("Models here", className="below"),
        tables.table("Models here", columns, known, kind="dense"),
        html.P(["Another one is put in use under ", html.A("Learning", href="/learning"), "."],
               className="note"),
    )  # fmt: skip


def _measured(metrics: Mapping[str, Any]) -> list[Component]:
    finds, alarms = measured.finds(metrics), measured.false_positives(metrics)
    if not finds and not alarms:
        nothing = cards.empty("Nothing was measured of this model.", "mlplugin evaluate does that.")
        return [cards.card("Measured", nothing)]
    return [
        _half("What it finds", "finds", finds, "Malicious names that it never saw"),
        _half("False positives", "alarms", alarms, "Benign names that it flags", log=True),
    ]


def _half(
    title: str, name: str, rows: list[measured.Measured], said: str, *, log: bool = False
) -> Component:
    body = html.Div(measured.shown(name, said, rows, log=log), className="body")
    head = html.Div([html.H2(title), html.Div(said, className="beside")], className="card-head")
    return html.Section([head, body], className="card half")


def _more(found: Mapping[str, Any]) -> list[Component]:
    """What is long, and comes when it is opened."""
    parts = []
    families = measured.families(found.get("metrics") or {})
    if families:
        parts.append(_opened("families", f"Families of generated names ({len(families)})"))
    if found.get("card"):
        parts.append(_opened("card", "Model card"))
    return parts


def _opened(name: str, title: str) -> Component:
    details = html.Details(
        [
            html.Summary(html.H2(title), id=f"model-{name}-open", n_clicks=0),
            html.Div(id=f"model-{name}", className="markdown" if name == "card" else ""),
        ],
        className="body",
    )
    return html.Section(details, className="card wide", **{"aria-label": title})


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks."""
    _register_opened(app, service)

    @app.callback(
        charts.data("scores"),
        Output("would-flag", "children"),
        Input("threshold", "value"),
        State("score-bins", "data"),
        State("score-limits", "data"),
        State("score-range", "data"),
    )
    def show(score: float | None, bins: list[dict[str, Any]], limits: dict[str, float],
             kept: dict[str, str]) -> Any:  # fmt: skip
        if score is None:
            return no_update, no_update
        asked = links.ranged(kept)
        found = told(
            lambda: shared.get(
                ("would", asked, score), lambda: service.insight.would_flag(asked, score, SHOWN)
            )
        )
        if isinstance(found, Component):
            return no_update, found
        return histogram(bins, score, limits), flagged(found, kept)


def _register_opened(app: Dash, service: Service) -> None:
    """Bring what is long when it is opened."""

    @app.callback(
        Output("model-families", "children"),
        Input("model-families-open", "n_clicks"),
        State("model-version", "data"),
        prevent_initial_call=True,
    )
    def show_families(clicks: int, version: str) -> Any:
        found = service.insight.model(version) if clicks == 1 else None
        if found is None:
            return no_update
        families = measured.families(found.get("metrics") or {})
        return measured.table("Families of generated names", families)

    @app.callback(
        Output("model-card-text", "data"),
        Input("model-card-open", "n_clicks"),
        State("model-version", "data"),
        prevent_initial_call=True,
    )
    def give_card(clicks: int, version: str) -> Any:
        found = service.insight.model(version) if clicks == 1 else None
        return no_update if found is None else markdown.rendered(found.get("card") or "")

    app.clientside_callback(
        ClientsideFunction("mlplugin_pages", "fill"),
        Output("model-card", "data-filled"),
        Input("model-card-text", "data"),
        prevent_initial_call=True,
    )
