"""A retraining as it goes: its stage, how far it is, its loss, and what it finds by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from mlplugin.dashboard import links
from mlplugin.dashboard.parts import cards, charts, measured, tables, text
from mlplugin.service.job_files import JobState

Job = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]
STAGES = {
    "reading": "Read",
    "rehearsal": "Make names up",
    "fit": "Learn",
    "calibration": "Calibrate",
    "measuring": "Measure",
}
COLOURS = ("var(--accent)", "var(--malicious)")
WORDS = {
    JobState.RUNNING: "runs",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def of_kind(events: Events, kind: str) -> list[Mapping[str, Any]]:
    """Give the events of a kind."""
    return [event for event in events if event.get("event") == kind]


def shown(job: Job, events: Events) -> list[Any]:
    """Show how a job stands."""
    state = JobState(job["state"])
    parts: list[Any] = [
        cards.facts(
            [
                ("Makes", text.plain(job["version"])),
                ("From", text.plain(job["parent"])),
                ("Began", text.moment(job["created"])),
                ("Ended", text.moment(job["ended"])),
                ("By", text.plain(job["who"])),
                ("State", html.Strong(WORDS[state])),
            ]
        )
    ]
    if state is JobState.RUNNING:
        parts.append(_under_way(events))
    elif state is JobState.FAILED:
        parts.append(html.P(f"It failed: {text.plain(job['reason'])}.", className="wrong"))
    elif state is JobState.CANCELLED:
        parts.append(html.P("It was cancelled; nothing else changed.", className="note"))
    found = of_kind(events, "measured")
    if found:
        parts.append(_found(found))
    notes = job["material"].get("notes") or []
    parts += [html.P(f"{text.plain(note)}.", className="note") for note in notes]
    return parts


def _under_way(events: Events) -> Component:
    """Show the stages, and how far the fit is."""
    begun = of_kind(events, "stage")
    now = str(begun[-1].get("stage")) if begun else ""
    trail = [
        html.Li(said, **({"aria-current": "step"} if stage == now else {}))
        for stage, said in STAGES.items()
    ]
    parts: list[Any] = [html.Ol(trail, className="stages")]
    at = of_kind(events, "progress")
    if now == "fit" and at:
        last = at[-1]
        share = min(max(float(last["share"]), 0.0), 1.0)
        parts.append(
            html.P(
                [
                    tables.meter(share, 1),
                    f" {share:.0%} of fit {last['fit']}: pass {last['pass']} of {last['passes']}, "
                    f"loss {last['loss']:.3f}, {last['seconds_left']:.0f} s left in it",
                ],
                className="amount progress",
            )
        )
    return html.Div(parts, role="status")


def _found(found: Events) -> Component:
    """Show what was judged right after the first pass and after the latest."""
    first, last = found[0], found[-1]
    rows = [
        {"what": "judged right, of all", "first": first["accuracy"], "last": last["accuracy"]},
        *(
            {"what": f"{threat} found", "first": first["recall"].get(threat), "last": share}
            for threat, share in last["recall"].items()
        ),
    ]
    columns = [
        tables.Column("Of made-up names", lambda row: text.plain(row["what"]), "grow", heads=True),
        tables.Column("First pass", lambda row: _share(row["first"]), "n"),
        tables.Column("Latest", lambda row: _share(row["last"]), "n"),
    ]
    return tables.table("Accuracy and recall while it learns", columns, rows, kind="dense")


def _share(value: float | None) -> str:
    return text.MISSING if value is None else measured.percent(value)


def figure(events: Events) -> charts.Figure:
    """Draw the loss of each fit over its passes."""
    fits: dict[int, list[tuple[float, float]]] = {}
    for one in of_kind(events, "progress"):
        passed = float(one["share"]) * float(one["passes"])
        fits.setdefault(int(one["fit"]), []).append((passed, float(one["loss"])))
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"fit {number}",
            "x": [at for at, _ in points],
            "y": [loss for _, loss in points],
            "line": {"color": COLOURS[(number - 1) % len(COLOURS)], "width": 2},
            "hovertemplate": f"fit {number}, %{{x:.2f}} passes: loss %{{y:.4f}}<extra></extra>",
        }
        for number, points in sorted(fits.items())
    ]
    axis = {"title": {"text": "passes", "font": {"size": 10}}, "rangemode": "tozero"}
    layout = charts.layout(
        xaxis=axis,
        yaxis={"rangemode": "normal", "title": {"text": "loss", "font": {"size": 10}}},
        showlegend=len(data) > 1,
        legend={"orientation": "h", "y": 1.15},
    )
    return {"data": data, "layout": layout}


def earlier(jobs: Sequence[Job], shown_now: str | None) -> Any:
    """List the jobs, each a link to its report."""
    if not jobs:
        return cards.empty("Nothing was retrained yet.")
    columns = [
        tables.Column("Job", lambda job: html.A(text.moment(job["created"]),
                                                href=links.to_job(job["id"])), heads=True),
        tables.Column("Model", lambda job: text.plain(job["version"])),
        tables.Column("State", lambda job: WORDS[JobState(job["state"])]),
        tables.Column("By", lambda job: text.plain(job["who"])),
    ]  # fmt: skip
    return tables.table(
        "Retrainings, the newest first", columns, jobs, kind="dense",
        mark=lambda job: "current" if job["id"] == shown_now else "",
    )  # fmt: skip
