"""The queries: search in the history; the address is the filter, and can be sent to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dash import Dash

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, charts, forms, tables, text, timeline
from mlplugin.dashboard.parts import queries as rows
from mlplugin.dashboard.parts.faults import of_filter, told
from mlplugin.dashboard.shared import Shared
from mlplugin.service.service import Service
from mlplugin.store.port import ACTIONS
from mlplugin.verdict import Level, Threat

TITLE = "Queries"
LIMITS = (50, 100, 200, 500)
DEFAULT_LIMIT = 100
RCODES = ("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP")
QTYPES = ("A", "AAAA", "HTTPS", "PTR", "CNAME", "MX", "TXT", "NS", "SOA", "SRV", "SVCB", "CAA")
EXPORTS = (("csv", "CSV"), ("jsonl", "JSON lines"), ("parquet", "Parquet"))
FLAGGED = "suspicious,malicious"
# What an address says that the form has no field for: it stays when the form is sent.
CARRIED = ("sort", "limit", "source", "max_score", "shadow", "shadow_model")
Query = Mapping[str, str]


def layout(query: Query, service: Service, shared: Shared) -> Any:
    """Give the page: the filter, and one page of what it holds."""
    head = [cards.heading(TITLE, forms.range_picker("/queries", query)), form_of(query)]
    if fault := of_filter(query):
        return [*head, fault]
    return [
        *head,
        told(lambda: _over_time(query, service, shared)),
        html.Div(told(lambda: _found(query, service, shared)), className="results"),
    ]


def _over_time(query: Query, service: Service, shared: Shared) -> Element:
    asked = links.asked_of(query)
    found = shared.get(("timeline", asked), lambda: service.insight.timeline(asked))
    chart = charts.over_time(
        "queries",
        "The queries of this filter over time, stacked by verdict.",
        found,
        height=112,
        zoom=links.to_queries(**_without(query, "cursor")),
    )
    return cards.card("Over time", chart, beside=timeline.legend(), wide=True)


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks: there are none of its own."""


def form_of(query: Query) -> Element:
    """Give the form of the filter, filled in as an address says."""
    verdicts = [(FLAGGED, "flagged"), *((level.value, level.value) for level in Level)]
    buttons = html.Div(
        [
            html.Button("Search", className="primary"),
            html.A("Clear", href=links.to_queries(), className="button"),
        ],
        className="buttons",
    )
    kept = [forms.hidden(name, query[name]) for name in CARRIED if query.get(name)]
    return forms.form(
        "/queries",
        forms.text_field("Name", "qname", query.get("qname"), hint="*.example.org", kind="double"),
        forms.text_field("Registered domain", "domain", query.get("domain"), hint="example.org"),
        forms.text_field("Client", "client", query.get("client"), hint="192.0.2.0/24"),
        forms.choice_field("Verdict", "verdict", query.get("verdict"), verdicts),
        forms.choice_field("Threat", "threat", query.get("threat"), _same(Threat)),
        forms.choice_field("Action", "action", query.get("action"), _same(ACTIONS)),
        forms.choice_field("Answer", "rcode", query.get("rcode"), _same(RCODES)),
        forms.choice_field("Type", "qtype", query.get("qtype"), _same(QTYPES)),
        forms.text_field("Sensor", "sensor", query.get("sensor")),
        forms.text_field("Score from", "min_score", query.get("min_score"), hint="30"),
        forms.text_field("Since", "since", query.get("since"), hint="24h or 2026-11-23T10:00Z"),
        forms.text_field("Until", "until", query.get("until"), hint="1h or 2026-11-23T12:00Z"),
        *kept,
        buttons,
        label="Filter",
        kind="filter",
    )


def _same(values: Iterable[object]) -> list[tuple[str, str]]:
    """Give choices that are called what they are."""
    return [(str(value), str(value)) for value in values]


def _found(query: Query, service: Service, shared: Shared) -> list[Element]:
    """Give a page of the rows, how many there are, and where to go on."""
    asked, limit = links.asked_of(query), limit_of(query)
    sort, cursor = query.get("sort") or "-time", query.get("cursor")
    page = shared.get(
        ("search", asked, limit, cursor, sort),
        lambda: service.history.search(asked, limit, cursor, sort),
    )
    if not page["queries"]:
        return [cards.card("Nothing found", _nothing(query, service), wide=True)]
    table = tables.table(
        "Queries of the history",
        rows.columns(query, sortable=True),
        page["queries"],
        kind="dense stack",
        mark=rows.mark,
    )
    total = page["total"]
    said = html.Span(
        [html.Strong(text.number(total)), f" quer{'y' if total == 1 else 'ies'}"],
        role="status",
    )
    exports = html.Span(
        [
            "Export ",
            *(
                html.A(title, href=links.to_export(form, **links.filter_of(query)),
                       download="", className="button")
                for form, title in EXPORTS
            ),
        ],
        className="exports",
    )  # fmt: skip
    return [
        html.Section(
            [
                html.Div(
                    [html.H2("Results"), said, html.Div(exports, className="beside")],
                    className="card-head",
                ),
                html.Div([table, _pager(query, page, limit)], className="body"),
            ],
            className="card wide",
        )
    ]


def _pager(query: Query, page: Mapping[str, Any], limit: int) -> Element:
    there = _without(query, "cursor")
    found: list[Any] = []
    if query.get("cursor"):
        found.append(html.A("First page", href=links.to_queries(**there), className="button"))
    if page["next"]:
        address = links.to_queries(**there, cursor=page["next"])
        found.append(html.A("Next page", href=address, className="button primary"))
    else:
        found.append(html.Span("The end.", className="note"))
    sizes = [
        html.A(str(size), href=links.to_queries(**{**there, "limit": str(size)}),
               **({"aria-current": "true"} if size == limit else {}))
        for size in LIMITS
    ]  # fmt: skip
    found.append(html.Nav(sizes, className="segments beside", **{"aria-label": "Rows on a page"}))
    return html.Div(found, className="pager")


def _nothing(query: Query, service: Service) -> Element:
    if not service.history.size().rows:
        return cards.empty(
            "The history is empty.",
            ["A sensor fills it: ", html.Code("mlplugin up"), " runs one on this machine, and ",
             html.Code("mlplugin replay FILE"), " sends a capture through it."],
        )  # fmt: skip
    everything = {**_without(query, "cursor", "until"), "since": links.ALL}
    wider = html.A("the whole history", href=links.to_queries(**everything))
    return cards.empty(
        "No query is like that.",
        ["Look in ", wider, ", use ", html.Code("*"), " for any characters of a name, or ",
         html.A("clear the filter", href=links.to_queries()), "."],
    )  # fmt: skip


def _without(query: Query, *names: str) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in names}


def limit_of(query: Query) -> int:
    """Give how many rows a page has."""
    said = query.get("limit", "")
    return int(said) if said in {str(size) for size in LIMITS} else DEFAULT_LIMIT
