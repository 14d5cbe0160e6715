"""A retraining as it goes: its stage, how far it is, its loss, and what it finds by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
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
LOOKS = ("first look", "second look")
KINDS = ("first", "second")
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


def _under_way(events: Events) -> Element:
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
                    f" {share:.0%} of the {_look(last)}: pass {last['pass']} of {last['passes']}, "
                    f"loss {last['loss']:.3f}, {last['seconds_left']:.0f} s left in it",
                ],
                className="amount progress",
            )
        )
    return html.Div(parts, role="status")


def _found(found: Events) -> Element:
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


def _look(event: Mapping[str, Any]) -> str:
    """Say which look a fit is of; there is one fit of each, in this order."""
    return LOOKS[(int(event["fit"]) - 1) % len(LOOKS)]


def _share(value: float | None) -> str:
    return text.MISSING if value is None else measured.percent(value)


def curve(events: Events) -> Element | None:
    """Draw the loss of each look over its passes; None before the first."""
    looks: dict[str, list[tuple[float, float]]] = {}
    for one in of_kind(events, "progress"):
        passed = float(one["share"]) * float(one["passes"])
        looks.setdefault(_look(one), []).append((passed, float(one["loss"])))
    if not looks:
        return None
    points = [point for line in looks.values() for point in line]
    least, most = min(loss for _, loss in points), max(loss for _, loss in points)
    height, last = 190, max(at for at, _ in points) or 1
    kinds = {line: KINDS[place % len(KINDS)] for place, line in enumerate(looks)}
    said = f"The loss of each look over its passes: from {most:.3f} to {least:.3f}"
    across = charts.Scale(0, last, 0, charts.ACROSS)
    up = charts.Scale(least, most, height - charts.BOTTOM, charts.TOP)
    return charts.curves(
        charts.Frame("learning-loss", said, height),
        looks,
        kinds,
        charts.Axis(across, charts.number_ticks(0, last, 6), "passes"),
        charts.Axis(up, charts.number_ticks(least, most, 4), "loss"),
    )


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
        "Retrainings, the newest first", columns, jobs, kind="dense stack",
        mark=lambda job: "current" if job["id"] == shown_now else "",
    )  # fmt: skip
