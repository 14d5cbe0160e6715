"""Forms that are addresses: what is filled in ends up in the page's address, nothing else happens.

`assets/shell.js` leaves out what is empty and opens the address without loading the page anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element

RANGES = (
    ("15m", "15 min"), ("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"),
    ("30d", "30 d"), (links.ALL, "All"),
)  # fmt: skip


def form(action: str, *fields: Any, label: str, kind: str = "") -> Element:
    """Give a form that opens a page."""
    return html.Form(
        list(fields), action=action, method="get", className=kind, **{"aria-label": label}
    )


def text_field(label: str, name: str, value: str | None = None, *, hint: str = "",
               kind: str = "") -> Element:  # fmt: skip
    """Give a labelled field for a text."""
    box = html.Input(
        id=f"field-{name}", name=name, value=value or "", type="text", placeholder=hint,
        autoComplete="off", spellCheck="false", className="box",
    )  # fmt: skip
    return html.Div(
        [html.Label(label, htmlFor=f"field-{name}"), box], className=f"field {kind}".strip()
    )


def choice_field(
    label: str, name: str, value: str | None, options: Sequence[tuple[str, str]], *, kind: str = ""
) -> Element:
    """Give a labelled choice of one, or of any."""
    known = [("", "any"), *options]
    if value and value not in {key for key, _ in options}:
        known.append((value, value))
    said = [html.Option(text, value=key, selected=key == (value or "")) for key, text in known]
    return html.Div(
        [
            html.Label(label, htmlFor=f"field-{name}"),
            html.Select(said, id=f"field-{name}", name=name, className="box",
                        key=f"{name}:{value or ''}"),
        ],
        className=f"field {kind}".strip(),
    )  # fmt: skip


def hidden(name: str, value: str) -> Element:
    """Give a field that carries something on."""
    return html.Input(id=f"field-{name}", name=name, value=value, type="hidden")


def range_picker(path: str, query: Mapping[str, str]) -> Element:
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
