"""Taking a decision back that stands: the button beside it, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import faults, text
from mlplugin.service.overrides import Overrides, parse_client
from mlplugin.service.service import Service
from mlplugin.service.times import parse_moment
from mlplugin.service.vetting import ChangedError, override_json
from mlplugin.store.port import Override

# What a page asks for, as it asks to decide.
TAKE_BACK = "take-back"
SENSORS = "Sensors have it within seconds."


def button(kind: str, found: Mapping[str, Any], *, named: bool) -> Element:
    """Give the button that takes a decision back; `assets/pages.js` hears it.

    Args:
        kind: what the ids of the page's other buttons begin with.
        found: the decision.
        named: whether several names are beside each other, so that each button has to say its own.
    """
    which = f"{text.plain(found['name'])}, {in_words(found)}" if named else in_words(found)
    return html.Button(
        "Take back", type="button", className="small take-back",
        **{"aria-label": f"Take back: {which}", "data-take": kind, "data-name": found["name"],
           "data-client": found["client"] or "", "data-created": found["created"]},
    )  # fmt: skip


def in_words(found: Mapping[str, Any]) -> str:
    """Say what is decided, for whom, and until when."""
    whom = text.plain(found["client"]) if found["client"] else "everybody"
    return f"{found['status']} for {whom}{until(found)}"


def until(found: Mapping[str, Any]) -> str:
    """Say until when a decision holds, if it ends."""
    return f" until {found['expires'][:16].replace('T', ' ')} UTC" if found["expires"] else ""


def take_back(
    service: Service, name: str, client: str | None, created: str
) -> tuple[str, dict[str, Any] | None]:
    """Take back the decision that was made at the time `created`, and no other.

    Gives what to tell, and the decision that was taken back, if it was. Raises MlpluginError.
    """
    expected = parse_moment(created)
    found = service.vetting.find(name, client)
    try:
        is_done = service.vetting.take_back(
            name, client, who=faults.who(), reason="taken back", expected=expected
        )
    except ChangedError:
        is_done = False
    now = _now(service, name, client)
    if found is None or not is_done:
        return f"Left as it is, because it was changed since: {text.plain(name)}. {now}", None
    was = override_json(found)
    return f"{text.plain(name)}: no longer {in_words(was)}. {now} {SENSORS}", was


def _now(service: Service, name: str, client: str | None) -> str:
    """Say which decision holds now, on the name or on one above it."""
    held = _held(service, name, client)
    if held is None:
        return "No decision holds on it now."
    where = "" if held.name == name else f", by the decision on {text.plain(held.name)}"
    return f"It is {in_words(override_json(held))} now{where}."


def _held(service: Service, name: str, client: str | None) -> Override | None:
    """Give the decision that holds for everybody, or for all of a client or subnet."""
    now = datetime.now(UTC)
    if client is None:
        return service.vetting.current().match(name, None, now)
    whose = parse_client(client)
    first, last = whose[0], whose[-1]
    wide = (
        one for one in service.vetting.all()
        if one.client is None or (first in one.client and last in one.client)
    )  # fmt: skip
    return Overrides(wide).match(name, first, now)
