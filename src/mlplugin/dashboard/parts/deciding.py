"""Deciding on names: the buttons, what they do, and how it is undone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update
from dash import html as live

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import faults, taking, text
from mlplugin.errors import MlpluginError
from mlplugin.service.service import Service
from mlplugin.service.times import parse_moment, parse_span
from mlplugin.service.vetting import NOTHING, ChangedError, decision, override_json

# Status, the key that decides so, the word on the button, and what it means.
CHOICES = (
    ("benign", "b", "Benign", "never flag it"),
    ("honeypot", "h", "Honeypot", "answer with the sinkhole's address"),
    ("blocked", "x", "Blocked", "answer that it does not exist"),
)
WORDS = {status: word for status, _, word, _ in CHOICES}
UNDO_KEY = "u"
SPANS = (("", "for good"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"))
SCOPES = (("subdomains", "all below too"), ("name", "this name only"))
MOST_AT_ONCE = 200
# How many decisions may be undone: the page sends them along, and a body has its bound.
MOST_UNDOS = 600
Made = dict[str, Any]
# Gives a part of a page, by the name that the page is about, if it is, and its range.
Show = Callable[[str | None, Mapping[str, str]], Any]


def buttons(kind: str, undo: str = "Undo") -> Any:
    """Give the buttons; their ids are `{kind}-benign` and so on, and `{kind}-undo`."""
    found = [
        live.Button(
            [html.Span(className=f"mark {status}", **{"aria-hidden": "true"}), word,
             html.Kbd(key, **{"aria-hidden": "true"})],
            id=f"{kind}-{status}", type="button", className=f"decide {status}", title=means,
            **{"data-key": key, "aria-keyshortcuts": key},
        )
        for status, key, word, means in CHOICES
    ]  # fmt: skip
    found.append(
        live.Button(
            [undo, html.Kbd(UNDO_KEY, **{"aria-hidden": "true"})], id=f"{kind}-undo", type="button",
            className="decide undo", **{"data-key": UNDO_KEY, "aria-keyshortcuts": UNDO_KEY},
        )
    )  # fmt: skip
    return live.Div(
        found, id=f"{kind}-buttons", className="decisions", role="group",
        **{"aria-label": "Decide", "aria-busy": "false"},
    )  # fmt: skip


def terms(kind: str, clients: Iterable[str] = (), client: str = "") -> Element:
    """Give the fields that say for whom, how long and why.

    Args:
        kind: what their ids begin with.
        clients: that are proposed.
        client: that is filled in.
    """
    proposed = html.Datalist(
        [html.Option(value=text.plain(one)) for one in clients], id=f"{kind}-clients"
    )
    whom = html.Input(id=f"{kind}-client", type="text", value=client, list=f"{kind}-clients",
                     placeholder="everyone", autoComplete="off", spellCheck="false",
                     className="box")  # fmt: skip
    why = html.Input(id=f"{kind}-reason", type="text", value="", maxLength=160, autoComplete="off",
                    placeholder="shown in blocked answers", className="box")  # fmt: skip
    return html.Div(
        [
            _field("Whom", f"{kind}-client", whom, proposed),
            _choice("How long", f"{kind}-span", SPANS),
            _choice("What", f"{kind}-scope", SCOPES),
            _field("Why", f"{kind}-reason", why, kind="grow"),
        ],
        className="terms",
    )


def _choice(label: str, name: str, options: Sequence[tuple[str, str]]) -> Element:
    """A plain choice, which `assets/pages.js` reads: Dash's own is no choice to screen readers."""
    said = [html.Option(text_of, value=value) for value, text_of in options]
    return _field(label, name, html.Select(said, id=name, className="box"))


def _field(label: str, name: str, *control: Any, kind: str = "") -> Element:
    return html.Div([html.Label(label, htmlFor=name), *control], className=f"field {kind}".strip())


def decide(
    service: Service,
    names: Sequence[str],
    status: str,
    *,
    client: str | None = None,
    span: str | None = None,
    scope: str | None = None,
    reason: str | None = None,
) -> list[Made]:
    """Decide on names, all alike; give what undoes it. Raises MlpluginError.

    Those before one that fails stay decided, and what undoes them is in the error's `made`.
    """
    made: list[Made] = []
    expires = datetime.now(UTC) + parse_span(span) if span else None
    for name in names[:MOST_AT_ONCE]:
        try:
            wanted = decision(
                name,
                status,
                scope=scope or "subdomains",
                client=(client or "").strip() or None,
                expires=expires,
                reason=(reason or "").strip(),
            )
            before = service.vetting.replace(wanted, who=faults.who())
        except MlpluginError as fault:
            if made:
                raise PartlyError(str(fault), made) from fault
            raise
        was = None if before is None else override_json(before)
        made.append({"after": override_json(wanted), "before": was})
    return made


class PartlyError(MlpluginError):
    """Some of several decisions were taken, and then one could not be."""

    def __init__(self, message: str, made: list[Made]) -> None:
        super().__init__(message)
        self.made = made


@dataclass
class Undone:
    """What an undo has done.

    Attributes:
        back: the names on which that holds again which held before.
        changed: those on which somebody else has decided since.
        again: each decision that holds again, as it was and as it is now.
    """

    back: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    again: list[tuple[Made, Made]] = field(default_factory=list)


def undo(service: Service, made: Sequence[Made]) -> Undone:
    """Put back what was before, the latest first; what others changed since is let be."""
    done = Undone()
    for entry in reversed(made):
        name = (entry["after"] or entry["before"])["name"]
        try:
            _put_back(service, entry["after"], entry["before"], done)
        except ChangedError:
            done.changed.append(name)
        else:
            done.back.append(name)
    return done


def _put_back(service: Service, after: Made | None, before: Made | None, done: Undone) -> None:
    """Put back what was before one decision, or before one was taken back: `after` is None then.

    Raises ChangedError if that does not hold any more.
    """
    vetting = service.vetting
    expected = NOTHING if after is None else parse_moment(after["created"])
    if before is None or _is_past(before["expires"]):
        if after is not None:
            name, client = after["name"], after["client"]
            vetting.take_back(name, client, who=faults.who(), reason="undone", expected=expected)
        return
    wanted = decision(
        before["name"],
        before["status"],
        scope=before["scope"],
        client=before["client"],
        expires=None if before["expires"] is None else parse_moment(before["expires"]),
        reason=before["reason"],
    )
    vetting.replace(wanted, who=faults.who(), expected=expected)
    done.again.append((before, override_json(wanted)))


def _is_past(expires: str | None) -> bool:
    return expires is not None and parse_moment(expires) <= datetime.now(UTC)


def told(made: Sequence[Made], word: str) -> str:
    """Say what was decided."""
    names = [text.plain(entry["after"]["name"]) for entry in made]
    shown = names[0] if len(names) == 1 else f"{len(names)} names"
    first = made[0]["after"]
    whom = f" for {text.plain(first['client'])}" if first["client"] else ""
    return f"{shown}: {word}{whom}{taking.until(first)}. {taking.SENSORS}"


def undone(done: Undone) -> str:
    """Say what was undone, and what was not."""
    said = []
    if done.back:
        shown = text.plain(done.back[0]) if len(done.back) == 1 else f"{len(done.back)} names"
        said.append(f"Undone: {shown}.")
    if done.changed:
        shown = ", ".join(map(text.plain, done.changed[:3]))
        said.append(f"Left as it is, because it was changed since: {shown}.")
    return " ".join(said)


def status(found: Mapping[str, Any] | None) -> Element:
    """Show what is decided on a name, and for whom, until when, and why."""
    if found is None:
        return html.Span("not vetted", className="status none")
    parts: list[Any] = [
        html.Span(className=f"mark {found['status']}", **{"aria-hidden": "true"}),
        html.Strong(found["status"]),
    ]
    parts += [" for ", _client(found["client"]) if found["client"] else "everybody"]
    if found["expires"]:
        parts += [" until ", text.moment(found["expires"])]
    if found["reason"]:
        parts.append(html.Q(text.plain(found["reason"])))
    return html.Span(parts, className=f"status {found['status']}")


def pressed(
    service: Service,
    status: str,
    names: Sequence[str],
    made: list[list[Made]],
    given: Mapping[str, Any],
) -> tuple[Any, list[list[Made]]]:
    """Do what a button says; give what to tell, and what may be undone from then on.

    Args:
        service: that keeps the decisions.
        status: to decide on, or `undo`.
        names: to decide on.
        made: what may be undone, the latest last.
        given: for whom, how long, on what and why; see `decide`.
    """
    try:
        if status == "undo":
            return _undone(service, made)
        return _decided(service, status, names, made, given)
    except PartlyError as fault:
        some = f"{told(fault.made, WORDS[status])} Then: {text.plain(fault)}"
        return _wrong(some), latest([*made, fault.made])
    except MlpluginError as fault:
        return _wrong(text.plain(fault)), made


def _undone(service: Service, made: list[list[Made]]) -> tuple[Any, list[list[Made]]]:
    if not made:
        return html.Span("There is nothing to undo."), made
    done = undo(service, made[-1])
    return html.Span(undone(done)), _renewed(made[:-1], done.again)


def _renewed(made: list[list[Made]], again: Sequence[tuple[Made, Made]]) -> list[list[Made]]:
    """What may be undone still, where decisions hold again: they were made anew for that."""

    def renewed(after: Made | None) -> Made | None:
        return next((is_now for was, is_now in again if was == after), after)

    return [[{**entry, "after": renewed(entry["after"])} for entry in one] for one in made]


def _decided(
    service: Service,
    status: str,
    names: Sequence[str],
    made: list[list[Made]],
    given: Mapping[str, Any],
) -> tuple[Any, list[list[Made]]]:
    if status not in WORDS or not names:
        return html.Span("Nothing is selected: choose a row first."), made
    done = decide(service, names, status, **given)
    return html.Span(told(done, WORDS[status])), latest([*made, done])


def latest(made: list[list[Made]]) -> list[list[Made]]:
    """The latest of what may be undone, as far as there is room for them."""
    left = MOST_UNDOS
    kept: list[list[Made]] = []
    for one in reversed(made):
        left -= len(one)
        if left < 0:
            break
        kept.insert(0, one)
    return kept


def _wrong(said: str) -> Element:
    return html.Span(said, className="wrong")


def register(app: Dash, service: Service, kind: str, shows: Mapping[str, Show]) -> None:
    """Let the buttons decide, and the page show what is decided then.

    The page has the stores `{kind}-do`, `{kind}-made`, `{kind}-range` and `{kind}-name`, which has
    the name that is decided on; where it has none, the names that are chosen are.

    Args:
        app: the dashboard.
        service: that keeps the decisions.
        kind: what the ids of the buttons begin with.
        shows: what gives the content of each part of the page, by its id.
    """
    app.clientside_callback(
        ClientsideFunction("mlplugin_pages", "press"),
        Output(f"{kind}-do", "data"),
        [Input(f"{kind}-{status}", "n_clicks") for status in (*WORDS, "undo")],
        prevent_initial_call=True,
    )

    @app.callback(
        # in the order in which the browser shows them: what was done is said at the end
        output={
            "parts": [Output(place, "children") for place in shows],
            "made": Output(f"{kind}-made", "data"),
            "said": Output(f"{kind}-said", "children"),
        },
        inputs={"asked": Input(f"{kind}-do", "data")},
        state={
            "name": State(f"{kind}-name", "data"),
            "kept": State(f"{kind}-range", "data"),
            "made": State(f"{kind}-made", "data"),
        },
        # What may be undone goes along with the next decision: one that did not wait would lose it.
        running=[(Output(f"{kind}-buttons", "aria-busy"), "true", "false")],
        prevent_initial_call=True,
    )
    def act(
        asked: dict[str, Any] | None,
        name: str | None,
        kept: dict[str, str] | None,
        made: list[list[Made]] | None,
    ) -> dict[str, Any]:
        if not asked:
            return {"parts": [no_update] * len(shows), "made": no_update, "said": no_update}
        said, left = _answered(service, asked, name, made or [])
        parts = [faults.told(functools.partial(show, name, kept or {})) for show in shows.values()]
        return {"parts": parts, "made": left, "said": said}


def _answered(
    service: Service, asked: Mapping[str, Any], name: str | None, made: list[list[Made]]
) -> tuple[Any, list[list[Made]]]:
    """Do what a button says; of a fault that nobody thought of is told, too."""
    names = [name] if name else asked["names"]

    def do() -> tuple[Any, list[list[Made]]]:
        if asked["status"] == taking.TAKE_BACK:
            return _taken_back(service, names[0], asked, made)
        return pressed(service, asked["status"], names, made, taken(asked))

    done = faults.told(do)
    return (done, made) if isinstance(done, Element) else done


def _taken_back(
    service: Service, name: str, asked: Mapping[str, Any], made: list[list[Made]]
) -> tuple[Any, list[list[Made]]]:
    """Take one decision back that stands, which may be undone like a decision."""
    try:
        said, was = taking.take_back(service, name, asked["client"] or None, asked["created"])
    except MlpluginError as fault:
        return _wrong(text.plain(fault)), made
    if was is None:
        return _wrong(said), made
    return html.Span(said), latest([*made, [{"after": None, "before": was}]])


def taken(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give for whom, how long, on what and why, out of what the buttons put into the store."""
    return {name: str(asked.get(name) or "") for name in ("client", "span", "scope", "reason")}


def _client(given: str) -> Any:
    """Show a client, linked to its page unless it is a subnet."""
    return text.bare_client(given) if "/" in given else text.client(given)
