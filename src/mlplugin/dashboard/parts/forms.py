"""Forms that are addresses: what is filled in ends up in the page's address, nothing else happens.

`assets/shell.js` leaves out what is empty and opens the address without loading the page anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from mlplugin.dashboard import links

RANGES = (
    ("15m", "15 min"), ("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"),
    ("30d", "30 d"), (links.ALL, "All"),
)  # fmt: skip


def form(action: str, *fields: Any, label: str, kind: str = "") -> Component:
    """Give a form that opens a page."""
    return html.Form(
        list(fields), action=action, method="get", className=kind, **{"aria-label": label}
    )


def text_field(label: str, name: str, value: str | None = None, *, hint: str = "",
               kind: str = "") -> Component:  # fmt: skip
    """Give a labelled field for a text."""
    box = dcc.Input(
        id=f"field-{name}", name=name, value=value or "", type="text", placeholder=hint,
        autoComplete="off", spellCheck="false", debounce=True, className="box",
    )  # fmt: skip
    return html.Div(
        [html.Label(label, htmlFor=f"field-{name}"), box], className=f"field {kind}".strip()
    )


def choice_field(
    label: str, name: str, value: str | None, options: Sequence[tuple[str, str]], *, kind: str = ""
) -> Component:
    """Give a labelled choice of one, or of any."""
    said = [html.Option("any", value=""), *(html.Option(text, value=key) for key, text in options)]
    if value and value not in {key for key, _ in options}:
        said.append(html.Option(value, value=value))
    for option in said:
        option.selected = option.value == (value or "")
    return html.Div(
        [
            html.Label(label, htmlFor=f"field-{name}"),
            html.Select(said, id=f"field-{name}", name=name, className="box",
                        key=f"{name}:{value or ''}"),
        ],
        className=f"field {kind}".strip(),
    )  # fmt: skip


def hidden(name: str, value: str) -> Component:
    """Give a field that carries something on."""
    return dcc.Input(id=f"field-{name}", name=name, value=value, type="hidden")


def range_picker(path: str, query: Mapping[str, str]) -> Component:
    """Give the usual ranges as links to the same page, and the one that is chosen."""
    chosen = query.get("since") or ("" if query.get("until") else links.DEFAULT_SINCE)
    kept = {name: value for name, value in query.items() if name not in {"until", "cursor"}}
    found = []
    for span, said in RANGES:
        here = span == chosen and not query.get("until")
        mark = {"aria-current": "true"} if here else {}
        found.append(html.A(said, href=links.address(path, {**kept, "since": span}), **mark))
    if not any(span == chosen for span, _ in RANGES) or query.get("until"):
        until = query.get("until")
        found.append(html.Span(f"{chosen or 'start'} to {until}" if until else f"since {chosen}",
                               className="own"))  # fmt: skip
    return html.Nav(found, className="segments", **{"aria-label": "Range of time"})
