"""What the report of a retraining comes to, in words that the command and the page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlplugin.service.material import CLEAN, HELD_FROM

STRICTER, MILDER = "stricter", "milder"
# Fewer than so many of the malicious names that were decided on are found, and the share of them
# that is found rose by less: the candidate learnt next to nothing.
FEW, GAIN = 0.5, 0.1
# So many malicious names that were held back tell more than all that were learnt from.
ENOUGH_HELD = 10


def agrees(way: str, decided: str | None) -> bool | None:
    """Say whether a change goes the way of what was decided; None where nothing was."""
    if decided is None:
        return None
    return (way == STRICTER) == (decided != CLEAN)


def sides(way: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Say how many changes go the way of what was decided and how many against it, if any do."""
    found = [agrees(way, row.get("decided")) for row in rows]
    parts = ((found.count(True), "as decided"), (found.count(False), "against a decision"))
    return ", ".join(f"{count:,} {words}" for count, words in parts if count)


def little(report: Mapping[str, Any]) -> str | None:
    """Say that hardly more is found of what was decided than before, and what helps; else None.

    What was held back says it where that is enough, for names that were learnt from may be found
    and others of their family not.
    """
    decided = report.get("decided") or {}
    learnt, held = (
        decided.get(name) or {when: {} for when in ("before", "after")}
        for name in ("learnt", "held_back")
    )
    if held["after"].get("malicious", 0) >= ENOUGH_HELD:
        rows, which = [held], "that were held back"
    else:
        rows, which = [learnt, held], "that were decided on"
    count, now, then = (
        sum(row[when].get(key, 0) for row in rows)
        for when, key in (("after", "malicious"), ("after", "found"), ("before", "found"))
    )
    if not count or now >= FEW * count or now - then >= GAIN * count:
        return None
    said = (
        f"it learnt little: {now:,} of {count:,} malicious names {which} are found, before "
        f"{then:,}; vet more names of the same family (300 of one taught it in what was "
        "measured), and say what harm they do"
    )
    if not sum(held["after"].get(key, 0) for key in ("malicious", "benign")):
        said += f"; below {HELD_FROM} decided names nothing is held back to measure on"
    return said


def taken(material: Mapping[str, Any]) -> str | None:
    """Say what harm malicious names were taken to do; None where there is none."""
    found = material.get("by_threat") or {}
    counts = sorted(found.items(), key=lambda row: -row[1])
    return ", ".join(f"{count:,} {threat}" for threat, count in counts) or None
