"""Panels, figures at a glance, and what is said where there is nothing to show."""

from __future__ import annotations

from typing import Any

from dash import html as live

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts.text import number, plain, share, short


def heading(title: str, *beside: Any) -> Element:
    """Give the head of a page: its title, and what stands beside it."""
    return html.Div([html.H1(title), html.Div(list(beside), className="beside")], className="head")


def card(
    title: str, *children: Any, beside: Any = None, name: str = "", wide: bool = False
) -> Element:
    """Give a panel with a title.

    Args:
        beside: what stands at the other end of the title's line.
        name: an id for the panel's body, which callbacks fill.
        wide: whether it takes a whole row.
    """
    said = [html.H2(title)]
    if beside is not None:
        said.append(html.Div(beside, className="beside"))
    inside = html.flat(children)
    body = (
        live.Div(inside, className="body", id=name) if name else html.Div(inside, className="body")
    )
    return html.Section(
        [html.Div(said, className="card-head"), body], className="card wide" if wide else "card"
    )


def tile(
    label: str, value: float, before: float | None = None, *, href: str = "", tone: str = ""
) -> Element:
    """Give one figure, with that of the range before.

    Args:
        tone: `bad` where a rise is bad, else none.
    """
    shown: Any = html.Span(short(value), className="value", title=number(value))
    if href:
        shown = html.A(shown, href=href, className="quiet")
    parts = [html.Span(label, className="label"), shown]
    if before is not None:
        parts.append(_change(value, before, tone))
    return html.Div(parts, className=f"tile {tone}")


def _change(now: float, before: float, tone: str) -> Element:
    """Say how it changed, and from what."""
    if not before:
        return html.Span("none in the range before", className="change")
    if now == before:
        return html.Span("as in the range before", className="change")
    times = now / before
    way = "+" if now > before else "−"
    said = f"×{short(times)}" if times >= 10 else f"{way}{share(abs(now - before), before)}"
    worse = tone == "bad" and now > before
    return html.Span(
        f"{said} from {short(before)}",
        className="change worse" if worse else "change",
        title=f"{number(before)} in the range before",
    )


def empty(title: str, *hints: Any) -> Element:
    """Say that there is nothing, and what to do about it."""
    return html.Div([html.P(title, className="title"), *(html.P(hint) for hint in hints)],
                    className="empty")  # fmt: skip


def fault(message: object, *hints: Any) -> Element:
    """Say what is wrong, and what to do about it."""
    return html.Div(
        [html.P(plain(message), className="title"), *(html.P(hint) for hint in hints)],
        className="empty fault",
        role="alert",
    )


def facts(pairs: list[tuple[str, Any]]) -> Element:
    """Give names and values, a line each."""
    return html.Dl([html.Div([html.Dt(term), html.Dd(said)]) for term, said in pairs])


def waiting(lines: int = 3) -> Element:
    """Give what stands where something is still being counted."""
    return html.Div(
        [html.Span("Counting…", className="unseen")]
        + [html.Div(className="bone", **{"aria-hidden": "true"}) for _ in range(lines)],
        className="waiting",
    )
