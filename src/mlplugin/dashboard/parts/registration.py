"""Who registered a domain, as its registry says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dash import html as live

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, text
from mlplugin.service.times import parse_moment

YOUNG_DAYS = 30


def asking(domain: str | None) -> Element:
    """Give the button that asks, and the place for what comes."""
    if domain is None:
        nothing = cards.empty("It is no domain that anybody could register.")
        return cards.card("Registration", nothing)
    return cards.card(
        "Registration",
        html.P(
            [
                "Who registered ", html.Span(text.plain(domain), className="name"),
                ", and when? This asks its registry over the internet (RDAP), which then knows "
                "that somebody here wants to know.",
            ],
            className="note",
        ),
        live.Button("Ask the registry", id="domain-ask", type="button"),
        live.Div(id="domain-registration", role="status"),
    )  # fmt: skip


def registered(found: Mapping[str, Any]) -> Any:
    """Show what a registry says."""
    if found["error"]:
        said = text.plain(found["error"])
        return cards.empty(f"{said[:1].upper()}{said[1:]}.")
    age: Any = ""
    if found["created"]:
        days = (datetime.now(UTC) - parse_moment(found["created"])).days
        age = f"{days:,} days ago" if days < 730 else f"{days / 365.25:.0f} years ago"
        young = days < YOUNG_DAYS
        age = html.Strong(f" {age}: young", className="young") if young else f" {age}"
    signed = {True: "signed", False: "not signed", None: text.MISSING}[found["dnssec"]]
    return html.Div(
        [
            cards.facts([
                ("Domain", html.Span(text.plain(found["domain"]), className="name")),
                ("Registrar", text.plain(found["registrar"] or text.MISSING)),
                ("Registered", [text.moment(found["created"]), age]),
                ("Changed", text.moment(found["updated"])),
                ("Expires", text.moment(found["expires"])),
                ("Name servers", _lines(found["nameservers"])),
                ("Status", _lines(found["status"])),
                ("DNSSEC", signed),
                ("Complaints to", text.plain(found["abuse"] or text.MISSING)),
            ]),
            html.P(["By ", text.plain(found["server"]), " at ", text.moment(found["asked"])],
                   className="note"),
        ]
    )  # fmt: skip


def _lines(texts: Sequence[str]) -> Any:
    return [html.Div(text.plain(one)) for one in texts] or text.MISSING
