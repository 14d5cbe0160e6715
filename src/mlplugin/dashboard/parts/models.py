"""The models that are here, the part that each plays, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, faults, tables, text
from mlplugin.errors import MlpluginError
from mlplugin.service.lineage import State
from mlplugin.service.promotion import ObjectionError
from mlplugin.service.service import Service

KIND = "learning-act"
PROMOTE, CONFIRM, SHADOW, UNSHADOW, ROLLBACK = (
    "promote", "confirm", "shadow", "unshadow", "rollback",
)  # fmt: skip
WORDS = {
    PROMOTE: "Promote",
    CONFIRM: "Promote now",
    SHADOW: "Put in shadow",
    UNSHADOW: "Take out of shadow",
    ROLLBACK: "Roll back",
}


def button(what: str, version: str) -> Any:
    """Give a button that changes the part of a model."""
    # whoever goes back sees what is in use: the button has a name by itself
    named = WORDS[what] if what == ROLLBACK else f"{WORDS[what]} {text.plain(version)}"
    return live.Button(
        WORDS[what], id={"type": KIND, "do": what, "version": version}, type="button",
        className="small danger" if what == CONFIRM else "small", **{"aria-label": named},
    )  # fmt: skip


def shown(rows: Sequence[Mapping[str, Any]], confirm: str | None, used: str) -> list[Element]:
    """Show the models, and the way back.

    Args:
        rows: as the service lists them.
        confirm: the version that is promoted by a second press.
        used: the version in use, which going back goes from: pressed twice it is one step.
    """
    columns = [
        tables.Column("Version", lambda row: html.A(
            text.plain(row["version"]), href=links.to_model(row["version"])), heads=True),
        tables.Column("State", lambda row: _state(row["state"])),
        tables.Column("From", lambda row: text.plain(row["parent"] or text.MISSING)),
        tables.Column("By", lambda row: text.plain(row["who"] or text.MISSING)),
        tables.Column("Added", lambda row: text.moment(row["added"] or row["created"]), "nowrap"),
        tables.Column("Do", lambda row: _buttons(row, confirm), "acts"),
    ]  # fmt: skip
    return [
        tables.table("Models and what they are here", columns, rows, kind="dense stack"),
        html.Div(button(ROLLBACK, used), className="line"),
    ]


def _state(state: str) -> Any:
    return html.Strong(state) if state in {State.LIVE, State.SHADOW} else str(state)


def _buttons(row: Mapping[str, Any], confirm: str | None) -> Any:
    version, state = row["version"], row["state"]
    if state == State.LIVE:
        return "in use"
    promote = button(CONFIRM if version == confirm else PROMOTE, version)
    return [button(UNSHADOW if state == State.SHADOW else SHADOW, version), " ", promote]


def pressed(service: Service, what: str, version: str) -> tuple[Any, str | None]:
    """Do what a button says; give what to tell, and the version that waits for a second press."""
    loop = service.retraining
    shown_version = text.plain(version)
    try:
        if what == PROMOTE:
            again = f"Press again to put {shown_version} in use for everyone."
            return html.Span(again), version
        if what == CONFIRM:
            found = loop.promote(version, who=faults.who())
            said = f"{shown_version} is in use." if found else f"{shown_version} is not here."
        elif what == SHADOW:
            loop.shadow(version)
            said = f"{shown_version} judges beside the one in use, and decides nothing."
        elif what == UNSHADOW:
            loop.unshadow(version)
            said = f"{shown_version} does not judge beside the one in use any more."
        else:
            back = loop.rollback(who=faults.who(), version=version)
            said = f"Back to {text.plain(back['version'] or 'the shipped model')}."
    except ObjectionError as fault:
        return [html.Span(text.plain(fault), className="wrong"), _overruled(version)], None
    except MlpluginError as fault:
        return html.Span(text.plain(fault), className="wrong"), None
    return html.Span(said), None


def _overruled(version: str) -> Element:
    """Say how a model is promoted against what was measured of it.

    Not by a press: whoever is signed in may decide on names, and a model that was taught badly is
    what the measuring is for. It takes the machine, or the API with its token, and is recorded.
    """
    command = f"mlplugin models promote {text.plain(version)} --force"
    return html.P(
        ["To put it in use all the same, look into the reasons first; then, on the service's "
         "machine: ", html.Code(command), ". That is written into the record."],
        className="note",
    )  # fmt: skip


def thinks(found: Mapping[str, Any], version: str | None) -> Element:
    """Show what a model in shadow thinks otherwise.

    Args:
        found: as the service says it.
        version: the model in shadow now, None for none.
    """
    if version is None:
        hint = "One in shadow judges every query beside the one in use, and decides nothing."
        return cards.empty("No model is in shadow.", hint)
    named = text.plain(version)
    if version not in {one["model"] for one in found["models"]}:
        hints = ["Sensors judge with it where ", html.Code("shadow"), " is in their Corefile."]
        return cards.empty(f"Nothing was judged by {named} yet.", hints)
    counted = text.counted(found["queries"], "query is", "queries are")
    said = f"{counted} judged otherwise by {named}."
    parts: list[Any] = [html.P(said)]
    for way, title in (("worse", "Worse in shadow"), ("better", "Better in shadow")):
        if found[way]:
            parts += [html.H3(title, className="below"), _otherwise(title, found[way])]
    return html.Div(parts)


def _otherwise(title: str, rows: Sequence[Mapping[str, Any]]) -> Element:
    columns = [
        tables.Column("Name", lambda row: text.name(row["value"]), "grow", heads=True),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
        tables.Column("In use", lambda row: text.verdict(row["live"])),
        tables.Column("In shadow", lambda row: text.verdict(row["shadow"])),
    ]
    return html.Div(tables.table(title, columns, rows, kind="dense stack"), className="tall")
