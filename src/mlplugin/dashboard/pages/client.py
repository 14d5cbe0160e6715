"""A client: what it asked and when, and what sets it apart from all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from dash import Dash

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import activity, cards, deciding, forms, rankings, tables, text
from mlplugin.dashboard.shared import Shared
from mlplugin.service.overrides import parse_address
from mlplugin.service.service import Service
from mlplugin.service.vetting import override_json

TITLE = "Client"
FLAGGED = "suspicious,malicious"


def layout(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Give the page; `query` is what the address says."""
    if not query.get("ip"):
        return [cards.heading(TITLE), cards.empty("Which client?", "Write its address above.")]
    client = str(parse_address(query["ip"]))
    asked = links.ranged(query)
    found = shared.get(("client", client, asked), lambda: service.insight.client(client, asked))
    kept = links.range_of(query)
    path = links.to_client(client)
    head = html.Div(
        [
            html.H1(html.Span(text.plain(client), className="client")),
            html.Div(
                [
                    forms.range_picker(path, kept),
                    html.A("Queries", href=links.to_queries(client=client, **kept),
                           className="button"),
                ],
                className="beside",
            ),
        ],
        className="head",
    )  # fmt: skip
    if not found["queries"]:
        return [head, _nothing(client, query)]
    return [
        head,
        _tiles(client, found, kept),
        html.Div(
            [
                _activity(client, found, query, service, shared),
                *_tables(client, found, kept),
                _decisions(client, service, kept),
            ],
            className="grid",
        ),
    ]


def _tables(client: str, found: Mapping[str, Any], kept: Mapping[str, str]) -> list[Element]:
    """What it asked for: what was flagged of it, what sets it apart, and what it asks most."""

    def ranked(caption: str, title: str, key: str, part: str, nothing: str = "") -> Element:
        return rankings.ranked(
            caption, title, found[part], lambda row: text.name(row["value"], **kept),
            nothing=nothing or "None in this range.",
            flagged=lambda row: links.to_queries(
                **{"client": client, key: row["value"], "verdict": FLAGGED, **kept}
            ),
        )  # fmt: skip

    return [
        ranked("Flagged names", "Name", "qname", "flagged_names",
               "Nothing that it asked was flagged."),
        ranked("Asked by nobody else", "Domain", "domain", "only_here",
               "Others asked for all of its domains, too."),
        _new(found, kept),
        ranked("Top domains", "Domain", "domain", "top_domains"),
        ranked("Top names", "Name", "qname", "top_names"),
    ]  # fmt: skip


def _nothing(client: str, query: Mapping[str, str]) -> Element:
    if query.get("since") == links.ALL:
        return cards.empty("This client asked nothing in the whole history.")
    return cards.empty(
        "This client asked nothing in this range.",
        html.A("Look in the whole history", href=links.to_client(client, since=links.ALL)),
    )


def _tiles(client: str, found: Mapping[str, Any], kept: Mapping[str, str]) -> Element:
    queries = found["queries"]
    tiles = [
        cards.tile("Queries", queries, href=links.to_queries(client=client, **kept)),
        cards.tile("Names", found["names"]),
        cards.tile("Flagged", found["flagged"], tone="bad", href=links.to_queries(
            client=client, verdict=FLAGGED, **kept)),
        cards.tile("Blocked", found["blocked"]),
        _share("NXDOMAIN", found["nxdomain"], queries, links.to_queries(
            client=client, rcode="NXDOMAIN", **kept)),
        _times(found),
    ]  # fmt: skip
    return html.Div(tiles, className="tiles")


def _share(label: str, part: int, whole: int, href: str) -> Element:
    return html.Div(
        [
            html.Span(label, className="label"),
            html.A(html.Span(text.share(part, whole), className="value"), href=href,
                   className="quiet"),
            html.Span(f"{text.number(part)} of {text.number(whole)}", className="change"),
        ],
        className="tile",
    )  # fmt: skip


def _times(found: Mapping[str, Any]) -> Element:
    return html.Div(
        [
            html.Span("Seen", className="label"),
            html.Span(["first ", text.moment(found["first"])]),
            html.Span(["last ", text.moment(found["last"])]),
        ],
        className="tile",
    )


def _activity(
    client: str, found: Mapping[str, Any], query: Mapping[str, str], service: Service,
    shared: Shared,
) -> Element:  # fmt: skip
    asked = replace(links.ranged(query), client=client)
    parts = activity.shown(
        activity.counted(asked, query, found, service, shared),
        query,
        lambda **ends: links.to_client(client, **ends),
        lambda **ends: links.to_queries(client=client, **ends),
        f"of {client}",
    )
    return cards.card("Queries over time", *parts, wide=True)


def _new(found: Mapping[str, Any], kept: Mapping[str, str]) -> Element:
    rows = found["new_domains"]
    if not rows:
        said = (
            "It asked for no domain that it had not asked for before."
            if links.filter_of(kept).get("since")
            else "Choose a beginning: new is what was not asked for before it."
        )
        return cards.card("New domains", cards.empty(said))
    columns = [
        tables.Column("Domain", lambda row: text.name(row["value"], **kept), "grow", heads=True),
        tables.Column("First", lambda row: text.moment(row["first"]), "nowrap"),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
    ]
    return cards.card(
        "New domains", tables.table("Domains that it had not asked for before", columns, rows)
    )


def _decisions(client: str, service: Service, kept: Mapping[str, str]) -> Element:
    """What people decided for this client alone, or for a subnet that it is in."""
    address = ip_address(client)
    mine = [one for one in service.vetting.all() if one.client and address in one.client]
    if not mine:
        nothing = cards.empty(
            "Nothing is decided for this client alone.",
            "What is decided on a name's page can be for one client.",
        )
        return cards.card("Decisions", nothing)
    shown = [
        html.Li([text.name(one.name, **kept), html.Div(deciding.status(override_json(one)))])
        for one in mine
    ]
    return cards.card("Decisions", html.Ul(shown, className="decided"))


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks: there are none of its own."""
