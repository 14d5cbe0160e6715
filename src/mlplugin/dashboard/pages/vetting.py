"""Names that wait for a decision, the uncertain ones first, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dash import Dash, Input, Output, State, dcc, no_update
from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import (
    cards,
    deciding,
    forms,
    letters,
    reasons,
    record,
    tables,
    taking,
    text,
)
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.qname import canonical
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.service.vetting import override_json

TITLE = "Vetting"
SHOWN, CHANGES = 60, 30
# The queue is looked for over this range unless the address says another.
USUAL = "7d"
ORDER = (
    "Flagged names first; among them, and below them, what is nearest to a threshold, is asked for "
    "most and by most clients."
)
KEYS = (
    ("j, k", "to the next name, to the one before"), ("space", "select it, for several at once"),
    ("b, h, x", "benign, honeypot, blocked"), ("u", "undo the latest decision"),
    ("?", "show or hide this help"),
)  # fmt: skip


def layout(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Give the page; `query` is what the address says."""
    given = dict(query)
    if not given.get("since") and not given.get("until"):
        given["since"] = USUAL
    kept = links.range_of(given)
    return [
        cards.heading(TITLE, forms.range_picker("/vetting", kept)),
        dcc.Store(id="queue-range", data=kept),
        dcc.Store(id="queue-do"),
        dcc.Store(id="queue-name"),
        dcc.Store(id="queue-made", data=[]),
        dcc.Store(id="queue-current"),
        html.Div(
            [
                html.Section(
                    [
                        html.Div(
                            [
                                html.H2("Waiting for a decision"),
                                html.Span(id="chosen-count", className="note", role="status"),
                                html.Div(_help(), className="beside"),
                            ],
                            className="card-head",
                        ),
                        html.Div(
                            [
                                deciding.buttons("queue"),
                                deciding.terms("queue"),
                                live.Div(id="queue-said", role="status", className="said-done"),
                            ],
                            className="toolbar",
                        ),
                        live.Div(queue(kept, service, shared), id="queue", className="body"),
                    ],
                    className="card most",
                    **{"aria-label": "Waiting for a decision"},
                ),
                html.Div(
                    [
                        cards.card("Why", cards.empty("Go to a name with j and k, or select one."),
                                   name="queue-why"),
                        cards.card("Decided", decided(service, kept), name="queue-decided"),
                        cards.card("Record of decisions", recorded(service), name="queue-record"),
                    ],
                    className="column",
                ),
            ],
            className="grid vetting",
        ),
    ]  # fmt: skip


def _help() -> list[Element]:
    keys = html.Dl([html.Div([html.Dt(html.Kbd(key)), html.Dd(does)]) for key, does in KEYS])
    return [
        html.Details(
            [
                html.Summary("Keys"),
                html.Div(
                    [
                        keys,
                        html.P("They work while no field is being written in.", className="note"),
                        html.Button("Keys are on", id="keys-on", type="button",
                                    **{"aria-pressed": "true"}),
                    ],
                    className="sheet",
                ),
            ],
            id="keys-help",
            className="help",
        )
    ]  # fmt: skip


def waiting(kept: Mapping[str, str], service: Service, shared: Shared) -> list[Mapping[str, Any]]:
    """Give the names that nobody decided on yet."""
    said = {name: kept[name] for name in links.RANGE if kept.get(name)}
    if said.get("since") == links.ALL:
        del said["since"]
    asked = Asked(**said)

    def decided() -> frozenset[tuple[Any, ...]]:
        return frozenset((one.name, one.client, one.scope) for one in service.vetting.all())

    def counted() -> tuple[Any, frozenset[tuple[Any, ...]]]:
        before = decided()
        return service.insight.queue(asked, SHOWN), before | decided()

    found, without = shared.get(("queue", asked), counted)
    if without - decided():  # what was taken back since then waits again at once
        shared.forget(("queue", asked))
        found, _ = shared.get(("queue", asked), counted)
    # what was decided for everyone since then is out of the way at once
    decisions, now = service.vetting.current(), datetime.now(UTC)
    return [row for row in found["names"] if decisions.match(row["qname"], None, now) is None]


def queue(kept: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Show the names that nobody decided on yet."""
    rows = waiting(kept, service, shared)
    if not rows:
        return cards.empty(
            "Nothing waits for a decision.",
            "Names that the model is unsure of, or flags again and again, come here by themselves. "
            "Take a longer range to see older ones.",
        )
    return [html.P(ORDER, className="note"), _table(rows, kept)]


def _table(rows: Sequence[Mapping[str, Any]], kept: Mapping[str, str]) -> Element:
    heads = (
        (html.Button("All", id="choose-all", type="button", className="small",
                     title="Select all, or none"), ""),
        ("Name", "grow"), ("Verdict", ""), ("Score", "n"), ("Queries", "n"), ("Clients", "n"),
        ("Flagged", "n"), ("Last", ""),
    )  # fmt: skip
    head = html.Tr(
        [html.Th(said, scope="col", role="columnheader", className=kind) for said, kind in heads],
        role="row",
    )
    body = [_row(row, kept) for row in rows]
    caption = "Names that wait for a decision, the ones most worth it first"
    return html.Div(
        html.Table(
            [html.Caption(caption, className="unseen"), html.Thead(head, role="rowgroup"),
             html.Tbody(body, id="queue-rows", role="rowgroup")],
            className="dense queue stack", role="table",
        ),
        className="scroll", role="region", tabIndex="0", **{"aria-label": caption},
    )  # fmt: skip


def _row(row: Mapping[str, Any], kept: Mapping[str, str]) -> Element:
    name = row["name"]
    box = html.Button(
        "", type="button", role="checkbox", className="tick",
        **{"aria-checked": "false", "aria-label": f"Select {text.plain(name)}"},
    )  # fmt: skip
    score = html.Span(
        [tables.meter(min(float(row["score"] or 0), 60), 60), text.score(row["score"])],
        className="amount",
    )
    cells = [
        html.Td(box, role="cell"),
        html.Th(text.name(name, **kept), scope="row", role="rowheader", className="grow"),
        html.Td(text.verdict(row["verdict"], row["threat"]), role="cell"),
        html.Td(score, role="cell", className="n", **{"data-label": "Score"}),
        *(
            html.Td(text.number(row[title.lower()]), role="cell", className="n",
                    **{"data-label": title})
            for title in ("Queries", "Clients", "Flagged")
        ),
        html.Td(text.moment(row["last"]), role="cell", className="nowrap"),
    ]  # fmt: skip
    return html.Tr(cells, role="row", title=text.plain(row["why"]), **{"data-name": name})


def decided(service: Service, kept: Mapping[str, str]) -> Any:
    """Show every decision that holds, to be taken back."""
    rows = sorted(service.vetting.all(), key=lambda override: override.created, reverse=True)
    if not rows:
        return cards.empty("Nothing is decided yet.", "Every name is judged by the model alone.")
    shown = [
        html.Li(
            [
                text.name(one["name"], **kept),
                html.Div([deciding.status(one), taking.button("queue", one, named=True)]),
            ]
        )
        for one in map(override_json, rows[:SHOWN])
    ]
    more = len(rows) - len(shown)
    rest = [html.P(f"and {more:,} older ones", className="note")] if more > 0 else []
    return html.Div([html.Ul(shown, className="decided"), *rest])


def recorded(service: Service) -> Any:
    """Show who decided what, when, and why."""
    changes = service.vetting.changes(CHANGES)["changes"]
    if not changes:
        return cards.empty("Nobody decided anything yet.")
    return record.changed(changes)


def told_why(name: str, service: Service, kept: Mapping[str, str], why: str) -> list[Any]:
    """Show why a name waits, and what the model thinks of it, in little."""
    opinion = service.judging.opinion(name)
    own, weights = opinion["verdict"], opinion["letters"]
    parts: list[Any] = [html.P([text.name(name, **kept)], className="current-name"),
                        html.P([text.verdict(own["verdict"], own["threat"]), " ",
                                html.Span(text.plain(why), className="note")])]  # fmt: skip
    if weights is not None:
        parts.append(letters.drawn(name, weights, reasons.leading(own)))
    parts.append(letters.listed(own["reasons"]))
    return parts


def explained(name: str, service: Service, shared: Shared, kept: Mapping[str, str]) -> list[Any]:
    """Show why a name of the queue waits."""
    rows = waiting(kept, service, shared)
    row = next((row for row in rows if row["name"] == name), {"qname": name, "why": ""})
    return told_why(canonical(row["qname"]), service, kept, row["why"])


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks."""
    shows: dict[str, deciding.Show] = {
        "queue": lambda _name, kept: queue(kept, service, shared),
        "queue-decided": lambda _name, kept: decided(service, kept),
        "queue-record": lambda _name, _kept: recorded(service),
    }
    deciding.register(app, service, "queue", shows)

    @app.callback(
        Output("queue-why", "children"),
        Input("queue-current", "data"),
        State("queue-range", "data"),
        prevent_initial_call=True,
    )
    def explain(name: str | None, kept: dict[str, str] | None) -> Any:
        if not name:
            return no_update
        return told(lambda: explained(name, service, shared, kept or {}))
