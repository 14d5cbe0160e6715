"""The model: what its thresholds would flag on this history, what was measured, and its card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, State, dcc, no_update
from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, charts, forms, markdown, measured, tables, text
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.service.service import Service

TITLE = "Model"
CURRENT = "current"
SHOWN = 30
HIGHEST, STEP = 60, 0.5
# How high the histogram is, and where the words over it end.
HEIGHT, LIMITS_ROOM = 200, 18
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
    kept = {
        name: given[name] for name in ("since", "until", "version", "threshold") if given.get(name)
    }
    return [
        cards.heading(
            f"Model {text.plain(found['version'])}", forms.range_picker("/model", kept)
        ),
        dcc.Store(id="model-version", data=found["version"]),
        html.Div(
            [
                _thresholds(found["thresholds"], given, service, shared),
                _facts(found, known),
                *_measured(metrics),
                *_more(found),
            ],
            className="grid model",
        ),
    ]  # fmt: skip


def threshold_of(query: Mapping[str, str], limits: Mapping[str, float]) -> float:
    """Give the threshold that an address asks for, else that of what is suspicious."""
    try:
        wanted = float(query.get("threshold", ""))
    except ValueError:
        return float(limits["suspicious"])
    return min(max(wanted, 0.0), float(HIGHEST)) if math.isfinite(wanted) else float(HIGHEST)


def _thresholds(
    limits: Mapping[str, float], query: Mapping[str, str], service: Service, shared: Shared
) -> Element:
    kept = links.range_of(query)
    asked = links.ranged(kept)
    bins = shared.get(("scores", asked), lambda: service.insight.scores(asked))["bins"]
    at = threshold_of(query, limits)
    slider = html.Input(
        id="threshold", type="range", min=0, max=HIGHEST, step=STEP, value=at,
        className="slider", **{"aria-label": "Threshold"},
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
                    live.Div(histogram(bins, at, limits), id="model-scores"),
                    html.Div([slider, html.Output(f"{at:g}", id="threshold-said")],
                             className="threshold"),
                    dcc.Store(id="threshold-at"),
                    dcc.Store(id="score-limits", data=dict(limits)),
                    dcc.Store(id="score-range", data=dict(kept)),
                    live.Div(told(lambda: would_flag(at, kept, service, shared)),
                             id="would-flag", role="status"),
                ],
                className="body",
            ),
        ],
        className="card most",
    )  # fmt: skip


def would_flag(score: float, kept: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Show what would be flagged from a score on."""
    asked = links.ranged(kept)
    found = shared.get(
        ("would", asked, score), lambda: service.insight.would_flag(asked, score, SHOWN)
    )
    return flagged(found, kept)


def histogram_said(bins: Sequence[Mapping[str, Any]]) -> str:
    """Say what the histogram shows."""
    total = sum(one["names"] for one in bins)
    high = sum(one["names"] for one in bins if one["score"] >= 30)
    return f"Names of this history by score: {total:,} in all, {high:,} from 30 on"


def histogram(bins: Sequence[Mapping[str, Any]], at: float, limits: Mapping[str, float]) -> Element:
    """Draw how many names have which score, those from the threshold on in another colour."""
    most = max((one["names"] for one in bins), default=1)
    across = charts.Scale(0, HIGHEST, 0, charts.ACROSS)
    percent = charts.Scale(0, HIGHEST, 0, 100)
    bottom = HEIGHT - charts.BOTTOM
    # a bar of one name is seen, too
    up = charts.Scale(0.7, max(most, 10), bottom, LIMITS_ROOM, log=True)
    drawn = []
    for level in ("benign", "malicious"):
        bars = [
            (across(one["score"] + 0.04), up(one["names"]), across(0.92), bottom - up(one["names"]))
            for one in bins
            if one["names"] and (one["score"] + 1 > at) == (level == "malicious")
        ]
        drawn.append(html.Path(d=charts.outline(bars), className=level))
    powers = [10**power for power in range(10) if 10**power <= max(most, 10)]
    marks: list[Element] = []
    for level, limit in limits.items():
        x = f"{percent(limit):.2f}%"
        marks.append(html.Line(x1=x, x2=x, y1=LIMITS_ROOM, y2=bottom, className="limit"))
        side = "end" if level == "suspicious" else "start"
        marks.append(html.Text(f"{level} {limit:g}", x=x, y=11, className=side))
    x = f"{percent(at):.2f}%"
    marks.append(html.Line(x1=x, x2=x, y1=LIMITS_ROOM, y2=bottom, className="at"))
    below = charts.below_labels([(score, str(score)) for score in range(0, HIGHEST + 1, 10)],
                                percent, HEIGHT)  # fmt: skip
    names = [0] * HIGHEST
    for one in bins:
        names[min(int(one["score"]), HIGHEST - 1)] = one["names"]
    return charts.framed(
        charts.Frame("scores", histogram_said(bins), HEIGHT), charts.side_labels(powers, up),
        [*charts.lines_across(powers, up), charts.stretched(drawn, HEIGHT), *marks, *below],
        {"names": names, "high": HIGHEST},
    )  # fmt: skip


def flagged(found: Mapping[str, Any], kept: Mapping[str, str]) -> Any:
    """Show what would be flagged at a threshold."""
    score = float(found["score"])
    promise = f"{text.as_high(score)} so high"
    if not found["names"]:
        return cards.empty(
            f"At {score:g} nothing of this history would be flagged.", f"Elsewhere {promise}."
        )
    queries = text.counted(found["queries"], "query", "queries")
    clients = text.counted(found["clients"], "client", "clients")
    said = html.P(
        [
            html.Strong(text.counted(found["names"], "name", "names")),
            f", {queries} of {clients} would be flagged from {score:g} on; {promise}.",
        ]
    )
    columns = [
        tables.Column("Name", lambda row: text.name(row["value"], **kept), "grow", heads=True),
        tables.Column("Score", lambda row: text.score(row["score"]), "n"),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
        tables.Column("Clients", lambda row: text.number(row["clients"]), "n"),
    ]
    parts: list[Any] = [
        said,
        tables.table(
            "Names that would be flagged", columns, found["values"], kind="dense stack"
        ),
    ]  # fmt: skip
    more = found["names"] - len(found["values"])
    if more > 0:
        href = links.to_queries(min_score=f"{score:g}", source="model", **kept)
        parts.append(html.P(html.A(f"and {more:,} more: see all queries", href=href)))
    return parts


def _facts(found: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> Any:
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


def _measured(metrics: Mapping[str, Any]) -> list[Element]:
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
) -> Element:
    body = html.Div(measured.shown(name, said, rows, log=log), className="body")
    head = html.Div([html.H2(title), html.Div(said, className="beside")], className="card-head")
    return html.Section([head, body], className="card half")


def _more(found: Mapping[str, Any]) -> list[Element]:
    """What is long, and comes when it is opened."""
    parts = []
    families = measured.families(found.get("metrics") or {})
    if families:
        parts.append(_opened("families", f"Families of generated names ({len(families)})"))
    if found.get("card"):
        parts.append(_opened("card", "Model card"))
    return parts


def _opened(name: str, title: str) -> Element:
    details = html.Details(
        [
            live.Summary(html.H2(title), id=f"model-{name}-open", n_clicks=0),
            live.Div(id=f"model-{name}", className="markdown" if name == "card" else ""),
        ],
        className="body",
    )
    return html.Section(details, className="card wide", **{"aria-label": title})


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks."""
    _register_opened(app, service)

    @app.callback(
        Output("model-scores", "children"),
        Output("would-flag", "children"),
        Input("threshold-at", "data"),
        State("score-limits", "data"),
        State("score-range", "data"),
        prevent_initial_call=True,
    )
    def show(score: float | None, limits: dict[str, float], kept: dict[str, str]) -> Any:
        if score is None:
            return no_update, no_update
        asked = links.ranged(kept)

        def drawn() -> Element:
            bins = shared.get(("scores", asked), lambda: service.insight.scores(asked))["bins"]
            return histogram(bins, score, limits)

        return told(drawn), told(lambda: would_flag(score, kept, service, shared))


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
        Output("model-card", "children"),
        Input("model-card-open", "n_clicks"),
        State("model-version", "data"),
        prevent_initial_call=True,
    )
    def show_card(clicks: int, version: str) -> Any:
        found = service.insight.model(version) if clicks == 1 else None
        if found is None:
            return no_update
        return html.Div(html.Raw(markdown.rendered(found.get("card") or "")))
