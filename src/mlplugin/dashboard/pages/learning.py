"""Learning: retrain on what was decided, look at what would change, put it in use, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, no_update
from dash import html as live

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, faults, jobs, models, report, text
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.errors import MlpluginError
from mlplugin.service.history import Asked
from mlplugin.service.job_files import JobState
from mlplugin.service.lineage import State as Part
from mlplugin.service.material import CLEAN, FEWEST
from mlplugin.service.service import Service
from mlplugin.verdict import Threat

TITLE = "Learning"
LOOK_SECONDS = 1.5
# What a model in shadow thinks otherwise is counted over this range; it and the models, which
# others change too, are looked at so often.
USUAL = "7d"
SHADOW_FRESH_SECONDS = 10.0


def layout(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
    """Give the page; `query` is what the address says."""
    hindrance = service.retraining.hindrance()
    start = live.Button("Retrain", id="learning-start", type="button", className="primary",
                        disabled=hindrance is not None)  # fmt: skip
    cancel = live.Button("Cancel", id="learning-cancel", type="button", hidden=True)
    wrong = html.Span(text.plain(hindrance), className="wrong") if hindrance else ""
    wanted = query.get("job") or None
    shown = _first(service, wanted)
    cancel.hidden = shown["no_cancel"] is not False
    return [
        cards.heading(TITLE),
        dcc.Interval(id="learning-tick", interval=int(LOOK_SECONDS * 1000)),
        dcc.Interval(id="learning-slow", interval=int(SHADOW_FRESH_SECONDS * 1000)),
        dcc.Store(id="learning-wanted", data=wanted),
        dcc.Store(id="learning-asked"),
        dcc.Store(id="learning-seen", data=shown["seen"]),
        dcc.Store(id="learning-confirm"),
        html.Div(
            [
                html.Div(
                    [
                        cards.card(
                            "To learn from",
                            live.Div(material(service), id="learning-material"),
                            _harm(),
                            live.Div(wrong, id="learning-said", role="status",
                                     className="said-done"),
                            beside=start,
                        ),
                        cards.card("Retrainings", shown["jobs"], name="learning-jobs"),
                    ],
                    className="column",
                ),
                html.Div(
                    cards.card(
                        "The job",
                        live.Div(shown["job"], id="learning-job"),
                        live.Div(shown["loss"], id="learning-curve"),
                        beside=cancel,
                    ),
                    className="most",
                ),
            ],
            className="grid",
        ),
        live.Div(shown["report"], id="learning-report", className="grid learning"),
        html.Div(_models(service, shared), className="grid learning"),
    ]  # fmt: skip


def _first(service: Service, wanted: str | None) -> dict[str, Any]:
    """Give the parts of the page that are about a job, as they are now."""
    now = told(lambda: looked(service, wanted, None, None))
    if isinstance(now, Element):
        now = {**_unchanged(), "job": now}
    return {name: None if part is no_update else part for name, part in now.items()}


def _harm() -> Element:
    """A plain choice, which `assets/pages.js` reads: the harm of which nothing else tells."""
    said = [html.Option("as the model finds", value=""),
            *(html.Option(threat, value=threat) for threat in Threat)]  # fmt: skip
    return html.Div(
        [
            html.Label("Blocked names that were never flagged are", htmlFor="learning-threat"),
            html.Select(said, id="learning-threat", className="box"),
        ],
        className="field",
    )


def _models(service: Service, shared: Shared) -> list[Element]:
    return [
        html.Div(
            cards.card(
                "Models",
                live.Div(known(service, None), id="learning-models"),
                live.Div(id="learning-done", role="status", className="said-done"),
            ),
            className="most",
        ),
        cards.card("In shadow", thinks(service, shared), name="learning-shadow"),
    ]


def material(service: Service) -> Any:
    """Show what there is to learn from: decisions for everyone and for good."""
    found = service.vetting.all()
    lasting = [one for one in found if one.client is None and one.expires is None]
    benign = sum(one.status == CLEAN for one in lasting)
    left = len(found) - len(lasting)
    facts = [
        ("Benign", text.number(benign)),
        ("Blocked", text.number(len(lasting) - benign)),
        ("Left out", f"{left:,} for one client or for a time"),
    ]
    more = (
        f"At least {FEWEST} names have to be decided on for everyone and for good."
        if len(lasting) < FEWEST
        else "The traffic of this network is learnt from, too."
    )
    return [
        cards.facts(facts),
        html.P([more, " ", html.A("To the queue", href="/vetting")], className="note"),
    ]


def known(service: Service, confirm: str | None) -> Any:
    """Show the models that are here."""
    rows = service.insight.models()["models"]
    return models.shown(rows, confirm, service.retraining.serving())


def thinks(service: Service, shared: Shared) -> Any:
    """Show what the model in shadow thinks otherwise."""
    rows = service.insight.models()["models"]
    version = next((row["version"] for row in rows if row["state"] == Part.SHADOW), None)
    if version is None:
        return models.thinks({}, None)
    asked = Asked(since=USUAL, shadow_model=version)
    found = told(
        lambda: shared.get(
            ("shadow", asked), lambda: service.review.shadow(asked), SHADOW_FRESH_SECONDS
        )
    )
    return found if isinstance(found, Element) else models.thinks(found, version)


def register(app: Dash, service: Service, shared: Shared) -> None:
    """Add the page's callbacks."""
    _register_job(app, service, shared)
    _register_models(app, service, shared)

    app.clientside_callback(
        ClientsideFunction("mlplugin_pages", "retrain"),
        Output("learning-asked", "data"),
        Input("learning-start", "n_clicks"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("learning-wanted", "data"),
        Output("learning-said", "children"),
        Output("learning-material", "children"),
        Input("learning-asked", "data"),
        running=[(Output("learning-start", "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def start(asked: dict[str, Any] | None) -> Any:
        if not asked:
            return (no_update,) * 3
        said: Any
        try:
            threat = str(asked.get("threat") or "") or None
            job = service.retraining.start(who=faults.who(), threat=threat)
        except MlpluginError as fault:
            wanted, said = no_update, html.Span(text.plain(fault), className="wrong")
        else:
            wanted, said = job["id"], f"A job to make {text.plain(job['version'])} has begun."
        return wanted, said, told(lambda: material(service))

    @app.callback(
        Output("learning-said", "children", allow_duplicate=True),
        Input("learning-cancel", "n_clicks"),
        State("learning-seen", "data"),
        prevent_initial_call=True,
    )
    def cancel(clicks: int | None, seen: list[Any] | None) -> Any:
        if not clicks or not seen:
            return no_update
        job = service.retraining.cancel(seen[0])
        return "" if job is None else f"The job for {text.plain(job['version'])} is {job['state']}."


def _register_job(app: Dash, service: Service, shared: Shared) -> None:
    @app.callback(
        output={
            "job": Output("learning-job", "children"),
            "loss": Output("learning-curve", "children"),
            "no_cancel": Output("learning-cancel", "hidden"),
            "jobs": Output("learning-jobs", "children"),
            "report": Output("learning-report", "children"),
            "models": Output("learning-models", "children", allow_duplicate=True),
            "seen": Output("learning-seen", "data"),
        },
        inputs=[Input("learning-tick", "n_intervals"), Input("learning-wanted", "data")],
        state=[State("learning-seen", "data"), State("learning-confirm", "data")],
        prevent_initial_call=True,
    )
    def watch(
        _tick: int, wanted: str | None, seen: list[Any] | None, confirm: str | None
    ) -> dict[str, Any]:
        found = told(lambda: looked(service, wanted, seen, confirm))
        return {**_unchanged(), "job": found} if isinstance(found, Element) else found


def looked(
    service: Service, wanted: str | None, seen: list[Any] | None, confirm: str | None
) -> dict[str, Any]:
    """Give what changed of the job that is looked at, the newest one where none is wanted.

    Args:
        service: whose jobs they are.
        wanted: the job.
        seen: what the page shows: a job, its state, how much it told, and how many jobs there are.
        confirm: the model that waits for a second press.
    """
    every = service.retraining.all()["jobs"]
    job = next(
        (one for one in every if one["id"] == wanted), None if wanted else (every or [None])[0]
    )
    events = service.retraining.told(job["id"]) if job else []
    now = [job["id"], job["state"], len(events), len(every)] if job else ["", "", 0, len(every)]
    changed = _unchanged()
    if now == seen:
        return changed
    changed["seen"] = now
    if job is None:
        there = "There is no such job." if wanted else "Nothing was retrained yet."
        hint = "Decide on names under Vetting, then press Retrain."
        return changed | {"job": cards.empty(there, hint), "report": [], "loss": None,
                          "no_cancel": True, "jobs": jobs.earlier(every, None)}  # fmt: skip
    changed |= {
        "job": jobs.shown(job, events), "loss": jobs.curve(events),
        "no_cancel": job["state"] != JobState.RUNNING,
    }  # fmt: skip
    if seen is None or [seen[0], seen[1], seen[3]] != [now[0], now[1], now[3]]:
        found = service.retraining.find(job["id"]) or {}
        drawn_report = told(lambda: report.shown(found.get("report") or {}))
        changed |= {
            "report": drawn_report if found.get("report") else [],
            "jobs": jobs.earlier(every, job["id"]),
            "models": known(service, confirm),
        }
    return changed


def _unchanged() -> dict[str, Any]:
    outputs = ("job", "loss", "no_cancel", "jobs", "report", "models", "seen")
    return dict.fromkeys(outputs, no_update)


def _register_models(app: Dash, service: Service, shared: Shared) -> None:
    pressed = {"type": models.KIND, "do": ALL, "version": ALL}

    @app.callback(
        Output("learning-models", "children"),
        Output("learning-shadow", "children"),
        Output("learning-done", "children"),
        Output("learning-confirm", "data"),
        Input(pressed, "n_clicks"),
        prevent_initial_call=True,
    )
    def act(_clicks: list[int | None]) -> Any:
        # a button that has just been drawn was not pressed
        asked = ctx.triggered_id
        if not asked or not ctx.triggered[0]["value"]:
            return (no_update,) * 4
        said, confirm = models.pressed(service, asked["do"], asked["version"])
        now = told(lambda: known(service, confirm))
        return now, told(lambda: thinks(service, shared)), said, confirm

    @app.callback(
        Output("learning-models", "children", allow_duplicate=True),
        Output("learning-shadow", "children", allow_duplicate=True),
        Input("learning-slow", "n_intervals"),
        State("learning-confirm", "data"),
        prevent_initial_call=True,
    )
    def again(_tick: int, confirm: str | None) -> Any:
        return told(lambda: known(service, confirm)), told(lambda: thinks(service, shared))
