"""Where models come from, and which part each plays: candidate, shadow, live, retired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PROMOTE, ROLLBACK = "promote", "rollback"


class State(StrEnum):
    """The part that a model plays."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    LIVE = "live"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from; a line of the record that is never changed.

    Attributes:
        time: when it was taken in, RFC 3339, UTC.
        version: its own.
        sha256: of its ``config.json``.
        parent: the version that it was retrained from, None if it was trained anew.
        parent_sha256: of that one's ``config.json``.
        data_sha256: of what it learnt from.
        who: the user that had it made.
        job: the job that made it, None if none did.
    """

    time: str
    version: str
    sha256: str
    parent: str | None
    parent_sha256: str | None
    data_sha256: str | None
    who: str
    job: str | None = None

    def listed(self) -> dict[str, Any]:
        """Give what the interface tells of it."""
        return {
            "parent": self.parent,
            "data_sha256": self.data_sha256,
            "who": self.who,
            "added": self.time,
        }


NOTHING_TOLD: dict[str, Any] = {"parent": None, "data_sha256": None, "who": None, "added": None}


def state(
    version: str | None, live: str | None, shadow: str | None, promoted: Iterable[str | None]
) -> State:
    """Say which part a model plays; the version None is the shipped model's.

    Args:
        version: whose.
        live: what is in use.
        shadow: what runs beside it.
        promoted: what ever was in use or gave way to something.
    """
    if version == live:
        return State.LIVE
    if version is not None and version == shadow:
        return State.SHADOW
    return State.RETIRED if version in promoted else State.CANDIDATE


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record; a version of None is the shipped model.

    Attributes:
        time: RFC 3339, UTC.
        action: ``promote`` or ``rollback``.
        version: in use from then on.
        sha256: of its ``config.json``.
        previous: the version that was in use before.
        who: the user that did it.
        forced: whether it was promoted although it was worse or could not be compared.
    """

    time: str
    action: str
    version: str | None
    sha256: str | None
    previous: str | None
    who: str
    forced: bool = False


def before(entries: Sequence[Entry], now: str | None) -> Entry | None:
    """Give the promotion to go back to from what is in use, None for the shipped model."""
    stack: list[Entry] = []
    for entry in _in_effect(entries, now):
        if entry.action == PROMOTE:
            stack.append(entry)
        elif stack:
            stack.pop()
    while stack and stack[-1].version != now:
        stack.pop()
    return stack[-2] if len(stack) > 1 else None


def _in_effect(entries: Sequence[Entry], now: str | None) -> Iterator[Entry]:
    """Leave out the changes that were written down and cut short before the link moved.

    After such a one the same version was in use as before it. Where a line is missing between two
    entries neither version follows the other, and that says nothing against the first.
    """
    after = [*(entry.previous for entry in entries[1:]), now]
    for entry, used in zip(entries, after, strict=False):
        if used == entry.version or used != entry.previous:
            yield entry
