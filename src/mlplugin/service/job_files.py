"""The folder of a job: what it was given, what it tells, and how it stands."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

STATE, ORDER, MATERIAL, PROGRESS, REPORT, MODEL, LOG = (
    "job.json", "order.json", "material.jsonl", "progress.jsonl", "report.json", "model",
    "worker.log",
)  # fmt: skip


MEMORY = 2 << 30
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Bounds:
    """What a job may take."""

    memory: int = MEMORY
    seconds: float = LONGEST_SECONDS


class JobState(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        who: started it.
        created: when, RFC 3339, UTC; so is ended.
        version: of the model that it makes.
        parent: the model that it goes on from.
        material: what it learns from, in numbers.
        reason: why it failed, or why what it made is not to be promoted.
    """

    id: str
    kind: str
    state: JobState
    who: str
    created: str
    version: str
    parent: str
    material: dict[str, Any] = field(default_factory=dict)
    ended: str | None = None
    reason: str | None = None


def job_json(job: Job) -> dict[str, Any]:
    """Give the object of the interface."""
    return asdict(job)


def last_error(place: Path) -> str | None:
    """Give the error that a job's process told last, else the last line of its output."""
    for event in reversed(told(place)):
        if event.get("event") == "error":
            return str(event.get("message"))
    output = [line for line in _lines(place / LOG) if line.strip()]
    return output[-1] if output else None


def told(place: Path) -> list[dict[str, Any]]:
    """Give what a job's process has told so far; a line that is not whole yet is left out."""
    found = []
    for line in _lines(place / PROGRESS):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                found.append(event)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def read(path: Path) -> Job | None:
    """Read how a job stands; None where that cannot be read."""
    try:
        told = json.loads(path.read_bytes())
        return Job(**told | {"state": JobState(told["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(place: Path, job: Job) -> None:
    """Write how a job stands, whole or not at all."""
    beside = place / f"{STATE}.part"
    beside.write_text(json.dumps(asdict(job)), encoding="utf-8")
    beside.replace(place / STATE)
