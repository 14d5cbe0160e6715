"""A name: its verdict and why, who asked for it and when, its relatives, its registration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from dash import Dash, Input, Output, State, dcc, no_update
from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import (
    activity,
    cards,
    deciding,
    forms,
    rankings,
    reasons,
    record,
    registration,
    text,
)
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.errors import MlpluginError
from mlplugin.qname import canonical
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.verdict import Level

TITLE = "Domain"
LOOKALIKES = 12
# So long look-alikes are waited for when the rest of the page is there.
ALIKE_SECONDS = 0.1
FLAGGED = "suspicious,malicious"


def layout(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Give the page; `query` is what the address says."""
    if not query.get("name"):
        return [cards.heading(TITLE), cards.empty("Which name?", "Write one above.")]
    name = canonical(query["name"])
    asked = links.ranged(query)
    found = shared.get(("domain", name, asked), lambda: service.insight.domain(name, asked))
    opinion = service.judging.opinion(name)
    domain = opinion["verdict"]["registered_domain"]
    scope = {"domain": name} if domain == name else {"qname": name}
    return [
        _head(name, scope, query),
        dcc.Store(id="domain-name", data=name),
        dcc.Store(id="domain-range", data=links.range_of(query)),
        html.Div(
            [
                _verdict(name, opinion, service, links.range_of(query),
                         _all_the_same(found, opinion, scope, query)),
                _decision(name, service, found),
                _activity(
                    found,
                    _timeline(found, replace(asked, **scope), query, service, shared),
                ),
                *_tables(found, query, domain, scope),
                # last of all: they take longest, and are not what is looked at first
                cards.card("Look-alikes in this history",
                           _so_far(_begun(name, asked, service, shared), query),
                           name="lookalikes"),
                registration.asking(domain),
                _record(name, service),
            ],
            className="grid domain",
        ),
    ]  # fmt: skip


def _head(name: str, scope: Mapping[str, str], query: Mapping[str, str]) -> Element:
    """The name, as DNS has it and as its readers write it; the range; a way to the queries."""
    readable = text.u_label_form(name)
    title = [html.Span(text.plain(name), className="name")]
    if readable:
        title.append(html.Bdi(readable, className="u-label"))
    queries = links.to_queries(**scope, **links.range_of(query))
    beside = [
        forms.range_picker(links.to_domain(name), links.range_of(query)),
        html.A("Queries", href=queries, className="button"),
    ]
    return html.Div(
        [html.H1(title), html.Div(beside, className="beside")], className="head name-head"
    )


def _all_the_same(
    found: Mapping[str, Any],
    opinion: Mapping[str, Any],
    scope: Mapping[str, str],
    query: Mapping[str, str],
) -> list[Element]:
    """Say that requests were flagged where the name itself is not."""
    if opinion["verdict"]["verdict"] != Level.BENIGN or not found["flagged"]:
        return []
    whose = "for it and for names below it" if "domain" in scope else "for it"
    said = (
        f"Flagged all the same: {text.number(found['flagged'])} of "
        f"{text.number(found['queries'])} requests {whose}. "
    )
    held = links.to_queries(**scope, verdict=FLAGGED, **links.range_of(query))
    return [html.P([html.Strong(said), html.A("Look at them", href=held)])]


def _verdict(
    name: str,
    opinion: Mapping[str, Any],
    service: Service,
    kept: Mapping[str, str],
    more: list[Element],
) -> Element:
    """What is thought of a name now, and why: the letters, and beside them the reasons."""
    said = live.Div(
        reasons.judged(name, opinion, service, kept), id="domain-judged", className="said"
    )
    return html.Section(
        [said, *more, *reasons.why(name, opinion)],
        className="card wide verdict-card",
        **{"aria-label": "Verdict"},
    )


def _decision(name: str, service: Service, found: Mapping[str, Any]) -> Element:
    clients = [row["value"] for row in found["top_clients"]]
    return cards.card(
        "Decision",
        live.Div(record.standing(name, service), id="domain-standing"),
        deciding.buttons("domain", "Undo"),
        deciding.terms("domain", clients),
        live.Div(id="domain-said", role="status", className="said-done"),
        dcc.Store(id="domain-made", data=[]),
        dcc.Store(id="domain-do"),
        wide=True,
    )


def _activity(found: Mapping[str, Any], timeline: Element | list[Any]) -> Element:
    facts = [
        ("Requests", text.number(found["queries"])),
        ("Flagged", text.number(found["flagged"])),
        ("Blocked", text.number(found["blocked"])),
        ("NXDOMAIN", text.share(found["nxdomain"], found["queries"])),
        ("Clients", text.number(found["clients"])),
        ("Names", text.number(found["names"])),
        ("First seen", text.moment(found["first"])),
        ("Last seen", text.moment(found["last"])),
    ]
    strip = html.Dl(
        [html.Div([html.Dt(term), html.Dd(said)]) for term, said in facts], className="strip"
    )
    parts = timeline if isinstance(timeline, list) else [timeline]
    return cards.card("Requests", strip, *parts, wide=True)


def _timeline(
    found: Mapping[str, Any], asked: Asked, query: Mapping[str, str], service: Service,
    shared: Shared,
) -> Any:  # fmt: skip
    """The requests that a filter holds, over time."""
    name = found["name"]
    if not found["queries"]:
        if query.get("since") == links.ALL:
            return cards.empty("Nobody asked for this name in the whole history.")
        return cards.empty(
            "Nobody asked for this name in this range.",
            html.A("Look in the whole history", href=links.to_domain(name, since=links.ALL)),
        )
    scope = {"domain": asked.domain, "qname": asked.qname}
    return activity.shown(
        activity.counted(asked, query, found, service, shared),
        query,
        lambda **ends: links.to_domain(name, **ends),
        lambda **ends: links.to_queries(**scope, **ends),
        f"for {text.plain(name)}",
    )


def _tables(
    found: Mapping[str, Any],
    query: Mapping[str, str],
    domain: str | None,
    scope: Mapping[str, str],
) -> list[Element]:
    kept = links.range_of(query)
    # A domain has names below it, a name has siblings beside it.
    names, title_of = found["top_names"], "Names below it"
    if domain != found["name"] and found.get("siblings"):
        names, title_of = found["siblings"], "Names beside it"

    def flagged(key: str) -> Callable[[Mapping[str, Any]], str]:
        within = {} if key == "qname" else scope
        return lambda row: links.to_queries(
            **{**within, key: row["value"], "verdict": FLAGGED, **kept}
        )

    return [
        rankings.ranked("Clients", "Client", found["top_clients"],
               lambda row: text.client(row["value"], **kept), flagged=flagged("client")),
        rankings.ranked("Answers seen", "Answer", found["top_answers"], lambda row: text.in_little(
            html.Span, text.plain(row["value"]), "mono")),
        rankings.ranked(title_of, "Name", names, lambda row: text.name(row["value"], **kept),
               flagged=flagged("qname")),
    ]  # fmt: skip


def _record(name: str, service: Service) -> Element:
    return cards.card(
        "Record of decisions", live.Div(record.recorded(name, service), id="domain-record")
    )


def _begun(name: str, asked: Asked, service: Service, shared: Shared) -> Future[dict[str, Any]]:
    """Look for domains of the history that look like a name's."""
    return shared.begin(
        ("lookalikes", name, asked),
        lambda: service.insight.lookalikes(name, asked, LOOKALIKES, clients=False),
    )


def _so_far(alike: Future[dict[str, Any]], query: Mapping[str, str]) -> Any:
    """Show them where they are found by now; they are the slowest of the page, and not its first.

    Dash asks for them again, which shows what was not found, too.
    """
    try:
        return rankings.alike(alike.result(ALIKE_SECONDS), links.range_of(query))
    except (TimeoutError, MlpluginError):
        alike.cancel()  # where it has not begun, it does not for a page that may be gone
        return cards.waiting()


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks."""
    shows: dict[str, deciding.Show] = {
        "domain-judged": lambda name, kept: reasons.judged(
            str(name), service.judging.opinion(str(name)), service, kept
        ),
        "domain-standing": lambda name, _kept: record.standing(str(name), service),
        "domain-record": lambda name, _kept: record.recorded(str(name), service),
    }
    deciding.register(app, service, "domain", shows)

    @app.callback(
        Output("lookalikes", "children"),
        Input("domain-name", "data"),
        State("domain-range", "data"),
    )
    def show_lookalikes(name: str | None, kept: dict[str, str] | None) -> Any:
        if not name:
            return no_update
        found = told(lambda: _begun(name, links.ranged(kept or {}), service, shared).result())
        return found if isinstance(found, Element) else rankings.alike(found, kept or {})

    @app.callback(
        Output("domain-registration", "children"),
        Input("domain-ask", "n_clicks"),
        State("domain-name", "data"),
        running=[(Output("domain-ask", "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def ask_registry(clicks: int | None, name: str) -> Any:
        if not clicks:
            return no_update
        return told(lambda: registration.registered(service.registration(name)))
