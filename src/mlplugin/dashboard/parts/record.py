"""What was decided on names, by whom, when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, deciding, taking, text
from mlplugin.service.service import Service
from mlplugin.service.vetting import override_json

# Of so many entries of the record those on one name are looked for.
LOOKED_AT, SHOWN = 500, 20


def standing(name: str, service: Service) -> list[Any]:
    """Show every decision on a name, to be taken back, and one on a name above that covers it."""
    mine = [override_json(one) for one in service.vetting.all() if one.name == name]
    shown: list[Any] = []
    if mine:
        each = [
            html.Li([deciding.status(one), taking.button("domain", one, named=False)])
            for one in mine
        ]
        shown.append(html.Ul(each, className="standing"))
    above = service.vetting.current().match(name, None, datetime.now(UTC))
    if above is not None and above.name != name:
        covered = [text.name(above.name), ": ", deciding.status(override_json(above))]
        shown.append(html.P(["Covered by ", *covered]))
    return shown or [html.P(deciding.status(None))]


def recorded(name: str, service: Service) -> Any:
    """Show who decided what on a name, when, and why."""
    changes = service.vetting.changes(LOOKED_AT)["changes"]
    mine = [change for change in changes if change["name"] == name][:SHOWN]
    if not mine and len(changes) == LOOKED_AT:
        return cards.empty(f"None of the latest {LOOKED_AT} decisions is on this name.")
    if not mine:
        return cards.empty("Nobody decided anything on this name yet.")
    return changed(mine, named=False)


def changed(changes: Sequence[Mapping[str, Any]], *, named: bool = True) -> Element:
    """List entries of the record of decisions."""
    return html.Ul([_entry(change, named) for change in changes], className="decided")


def _entry(change: Mapping[str, Any], named: bool) -> Element:
    """One entry in two lines: what and on whom, then when, who and why."""
    first: list[Any] = [
        html.Span(className=f"mark {change['status']}", **{"aria-hidden": "true"}),
        html.Strong(text.plain(change["status"])),
    ]
    if named:
        first += [" ", text.name(change["name"])]
    if change["client"]:
        first += [" for ", html.Span(text.plain(change["client"]), className="client")]
    second: list[Any] = [text.moment(change["at"]), " by ", text.plain(change["who"])]
    if change["reason"]:
        second.append(html.Q(text.plain(change["reason"])))
    return html.Li([html.Div(first, className="status"), html.Div(second, className="note")])
