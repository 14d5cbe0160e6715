"""The overview: what happened in a range of time, beside the range before, and what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import Dash, Input, Output, State, dcc, no_update
from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, charts, forms, tables, text, timeline
from mlplugin.dashboard.parts import queries as rows
from mlplugin.dashboard.parts.faults import of_filter, told
from mlplugin.dashboard.shared import Shared
from mlplugin.service.history import Asked
from mlplugin.service.service import Service

TITLE = "Overview"
# How often the numbers and the newest flagged queries are asked for.
NUMBERS_SECONDS = 5
LIVE_SECONDS = 2
# So old may be the newest ones when others look too.
LIVE_FRESH_SECONDS = 1.5
NEWEST = 15
TOP = 10
FLAGGED = "suspicious,malicious"
Query = Mapping[str, str]


def layout(query: Query, service: Service, shared: Shared) -> Any:
    """Give the page; its numbers come by and by."""
    # one of Dash's, since it has nothing to stop before Dash is there
    pause = live.Button("Pause", id="overview-pause", type="button", **{
        "aria-pressed": "false", "data-numbers": str(NUMBERS_SECONDS * 1000),
        "data-live": str(LIVE_SECONDS * 1000),
    })  # fmt: skip
    now = counted(query, service, shared)
    return [
        dcc.Store(id="overview-query", data=dict(query)),
        dcc.Store(id="live-newest"),
        dcc.Store(id="overview-tick"),
        dcc.Store(id="live-tick"),
        cards.heading(TITLE, forms.range_picker("/", query), pause),
        live.Div(now["tiles"], id="overview-tiles"),
        html.Div(
            [
                html.Div(cards.card("Queries", now["chart"], name="overview-chart",
                                    beside=timeline.legend()), className="most"),
                cards.card("Threats and actions", now["threats"], name="overview-threats"),
                cards.card("Most flagged", now["flagged"], name="overview-flagged"),
                cards.card("Most asked, benign", now["benign"], name="overview-benign"),
                cards.card("Busiest clients", now["clients"], name="overview-clients"),
                html.Div(
                    cards.card("Newest flagged",
                               told(lambda: _newest(_latest(service, shared), query)),
                               name="live", beside=html.Span("live", id="live-state")),
                    className="most",
                ),
                html.Div(cards.card("State", now["state"], name="overview-state")),
            ],
            className="grid",
        ),
    ]  # fmt: skip


NOT_COUNTED = "Not counted: what is wrong stands above."
PARTS = ("tiles", "chart", "threats", "flagged", "benign", "clients", "state")


def counted(query: Query, service: Service, shared: Shared) -> dict[str, Any]:
    """Give what the page counts, a part of the page each; what goes wrong stands in its place."""
    state = told(lambda: _state(service, shared))
    if fault := of_filter(query):
        return {**dict.fromkeys(PARTS, cards.empty(NOT_COUNTED)), "tiles": fault, "state": state}
    compared = told(lambda: _compared(service, shared, query))
    if isinstance(compared, Element):
        tiles = compared
        threats = clients = cards.empty(NOT_COUNTED)
    else:
        tiles, threats = _tiles(compared, query), _threats(compared["now"], query)
        clients = _top_clients(compared["now"]["top"]["client"][:TOP], query)
    return {
        "tiles": tiles,
        "chart": told(lambda: _over_time(service, shared, query)),
        "threats": threats,
        "flagged": told(lambda: _top_domains(service, shared, query, FLAGGED)),
        "benign": told(lambda: _top_domains(service, shared, query, "benign")),
        "clients": clients,
        "state": state,
    }


def _over_time(service: Service, shared: Shared, query: Query) -> list[Element]:
    asked = links.asked_of(query)
    found = shared.get(("timeline", asked), lambda: service.insight.timeline(asked))
    said = "Queries over time, stacked by verdict; the table below has the numbers."
    zoom = links.to_overview(**links.filters_of(query))
    return [
        charts.over_time("overview", said, found, height=232, apart=True, zoom=zoom),
        html.P(timeline.said(found), className="note"),
        timeline.as_table(found),
    ]


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks: one for what is counted, one for what is newest."""

    @app.callback(
        *(Output(f"overview-{part}", "children") for part in PARTS),
        Input("overview-tick", "data"),
        State("overview-query", "data"),
        prevent_initial_call=True,
    )
    def numbers(_tick: int, query: dict[str, str]) -> tuple[Any, ...]:
        now = counted(query, service, shared)
        return tuple(now[part] for part in PARTS)

    @app.callback(
        Output("live", "children"),
        Output("live-newest", "data"),
        Input("live-tick", "data"),
        State("live-newest", "data"),
        State("overview-query", "data"),
        prevent_initial_call=True,
    )
    def newest(_tick: int, before: list[Any] | None, query: dict[str, str]) -> tuple[Any, Any]:
        found = told(lambda: _latest(service, shared))
        if isinstance(found, Element):
            return found, None
        mark = [found[0][key] for key in ("time", "sensor", "sequence")] if found else []
        if mark == before:
            return no_update, no_update
        return _newest(found, query), mark


def _latest(service: Service, shared: Shared) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shared.get(
        "live", lambda: service.history.latest_flagged(NEWEST), LIVE_FRESH_SECONDS
    )
    return found


def _compared(service: Service, shared: Shared, query: Query) -> dict[str, Any]:
    """Count, all at once: the range, the one before, its clients, and its sensors that sent."""
    asked = links.asked_of(query)

    def ask() -> dict[str, Any]:
        limit = max(TOP, len(service.history.sensors()))
        return service.insight.compared(asked, ("client", "sensor"), limit)

    return shared.get(("compared", asked), ask)


def _tiles(compared: Mapping[str, Any], query: Query) -> Element:
    now, before = compared["now"], compared["before"]
    kept = links.filters_of(query)
    bad = links.verdicts_of(query, FLAGGED)

    def tile(label: str, key: str, href: str = "", tone: str = "") -> Element:
        return cards.tile(label, now[key], before[key] if before else None, href=href, tone=tone)

    known = len(now["sensors"])
    lost = "nothing lost"
    if now["dropped"]:
        lost = f"{text.share(now['dropped'], now['served'])} of {text.short(now['served'])} served"
    return html.Div(
        [
            tile("Queries", "queries", links.to_queries(**kept)),
            tile("Flagged", "flagged", links.to_queries(**{**kept, "verdict": bad}) if bad else "",
                 "bad"),
            tile("Blocked", "blocked"),
            tile("Clients", "clients"),
            tile("Names", "names"),
            _figure("Dropped, ever", now["dropped"], lost),
            _figure("Sensors", len(now["top"]["sensor"]), f"of {known} sent something"),
        ],
        className="tiles",
    )  # fmt: skip


def _figure(label: str, value: float, said: str) -> Element:
    return html.Div(
        [
            html.Span(label, className="label"),
            html.Span(text.short(value), className="value", title=text.number(value)),
            html.Span(said, className="change"),
        ],
        className="tile",
    )


def _threats(stats: Mapping[str, Any], query: Query) -> Any:
    """Show what was flagged by kind, and what was done."""
    kept = links.filters_of(query)

    def counted(title: str, key: str, counts: Mapping[str, int]) -> Element:
        values = [{"value": name, "queries": count} for name, count in counts.items()]

        def show(row: tables.Row) -> Element:
            address = links.to_queries(**{**kept, key: row["value"]})
            return html.A(row["value"], href=address, className="quiet")

        return tables.bars(f"Queries by {key}", title, values, show)

    if not stats["by_threat"]:
        said = cards.empty("No threat in this range.", "What is flagged is listed here by kind.")
    else:
        said = counted("Threat", "threat", stats["by_threat"])
    return [said, counted("Action", "action", stats["by_action"])]


def _top_domains(service: Service, shared: Shared, query: Query, verdict: str) -> Element:
    within = links.verdicts_of(query, verdict)
    asked = replace(links.asked_of(query), verdict=within)
    found = _top(service, shared, asked) if within else []
    kept = links.range_of(query)
    if not found:
        if verdict == FLAGGED:
            return cards.empty("Nothing was flagged in this range.")
        return cards.empty("Nothing benign in this range.")
    return tables.bars(
        f"Registered domains by {'flagged' if verdict == FLAGGED else 'benign'} queries",
        "Domain",
        found,
        lambda row: text.name(row["value"], **kept),
        extra=[tables.Column("Clients", lambda row: text.number(row["clients"]), "n")],
    )  # fmt: skip


def _top_clients(found: list[dict[str, Any]], query: Query) -> Element:
    kept, bad = links.range_of(query), links.verdicts_of(query, FLAGGED)
    if not found:
        return cards.empty("No client asked in this range.")

    def flagged(row: tables.Row) -> Any:
        if not row["flagged"]:
            return "0"
        narrowed = {**links.filters_of(query), "client": row["value"], "verdict": bad}
        return html.A(text.number(row["flagged"]), href=links.to_queries(**narrowed))

    return tables.bars(
        "Clients by queries",
        "Client",
        found,
        lambda row: text.client(row["value"], **kept),
        extra=[tables.Column("Flagged", flagged, "n")],
    )


def _top(service: Service, shared: Shared, asked: Asked) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = service.insight.top(asked, "registered_domain", TOP)[
            "values"
        ]
        return values

    return shared.get(("top", asked), ask)


def _state(service: Service, shared: Shared) -> Any:
    size = service.history.size()
    sensors = shared.get("sensors", service.history.sensors)
    stored = text.counted(size.rows, "query", "queries")
    known = cards.facts(
        [
            ("Model", html.A(service.model.version, href="/model")),
            (
                "Store",
                f"answers, {stored} in {text.size(size.bytes)}",
            ),
            ("Decisions", html.A(text.number(len(service.vetting.all())), href="/vetting")),
        ]
    )
    if not sensors:
        return [
            known,
            cards.empty(
                "No sensor has sent anything yet.",
                ["Write ", html.Code("service"), " with this service's address into the Corefile."],
            ),
        ]
    columns = [
        tables.Column("Sensor", lambda one: text.plain(one["name"]), heads=True),
        tables.Column("Served", lambda one: text.short(one["served"]), "n"),
        tables.Column("Stored", lambda one: text.short(one["stored"]), "n"),
        tables.Column("Dropped", lambda one: text.short(one["dropped"]), "n"),
    ]
    return [known, tables.table("What sensors served, stored and dropped, ever", columns, sensors)]


def _newest(found: list[dict[str, Any]], query: Query) -> Element:
    if not found:
        return cards.empty(
            "Nothing was flagged yet.",
            ["To see that detection works, run ", html.Code("mlplugin selftest"), "."],
        )
    return tables.table(
        "The newest flagged queries",
        rows.brief(links.range_of(query)),
        found,
        kind="dense brief stack",
        mark=rows.mark,
    )
