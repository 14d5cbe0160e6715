"""Which decision on a name and client holds when two stores meet: the same, wherever it is asked.

The later one holds, be it that a decision was taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from mlplugin.store.port import TAKEN_BACK, Change, Network, Override

Key = tuple[str, Network | None]
NEVER = datetime.max.replace(tzinfo=UTC)


def holds(one: Override, other: Override) -> bool:
    """Whether a decision holds in place of another one on the same name and client."""
    return _rank(one) > _rank(other)


def _rank(override: Override) -> tuple[datetime, str, str, datetime, str]:
    """By time; of one time the order means nothing, but every store has the same."""
    return (
        override.created, override.status, override.scope, override.expires or NEVER,
        override.reason,
    )  # fmt: skip


def taken_back(record: Iterable[Change]) -> dict[Key, datetime]:
    """When the decision on each name and client was last taken back, or expired."""
    found: dict[Key, datetime] = {}
    for change in record:
        if change.status in TAKEN_BACK:
            key = change.name, change.client
            found[key] = max(change.at, found.get(key, change.at))
    return found


def is_gone(override: Override, gone: dict[Key, datetime]) -> bool:
    """Whether a decision was taken back after it was made."""
    at = gone.get((override.name, override.client))
    return at is not None and at > override.created
