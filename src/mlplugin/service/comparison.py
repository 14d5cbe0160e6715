"""Is a candidate better than the model in use? From what was measured of both, and how surely.

Needs nothing of the `train` extra: a model is promoted where it runs, not where it was made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlplugin.errors import ModelError
from mlplugin.service.intervals import wilson

COLUMNS = ("row", "measured_on", "in_use", "candidate", "low", "high", "change")
BETTER, SAME, WORSE = "better", "same", "worse"
LEVELS = ("suspicious or worse", "malicious")
ALARMS = "false positives"
METRICS = "metrics.json"
LEAST_KEPT = 0.5  # of the share of a threat that is found

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """A measured share with its 95 % interval, None where nothing says how sure it is."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Row:
    """One thing that was measured of both.

    Attributes:
        name: what it is.
        place: the names on which it was measured, in words.
        used: of the model in use.
        candidate: of the other one.
    """

    name: str
    place: str
    used: Share
    candidate: Share

    @property
    def is_alarm(self) -> bool:
        """Whether less of it is better."""
        return self.name.startswith(ALARMS)

    @property
    def change(self) -> str | None:
        """Better, worse, or the same as far as the intervals can tell; None without them.

        The interval of a difference of two shares from theirs: G. Y. Zou and A. Donner,
        Construction of confidence limits about effect measures, Statistics in Medicine 27 (2008).
        """
        if self.used.interval is None or self.candidate.interval is None:
            return None
        used, new = self.used, self.candidate
        (used_low, used_high), (low, high) = self.used.interval, self.candidate.interval
        difference = new.value - used.value
        least = difference - math.hypot(new.value - low, used_high - used.value)
        most = difference + math.hypot(high - new.value, used.value - used_low)
        if least <= 0 <= most:
            return SAME
        return BETTER if (most < 0) == self.is_alarm else WORSE

    def listed(self) -> dict[str, Any]:
        """The row of a table, shares between 0 and 1."""
        low, high = self.candidate.interval or (None, None)
        values = (self.name, self.place, self.used.value, self.candidate.value, low, high)
        return dict(zip(COLUMNS, (*values, self.change), strict=True))


def metrics_of(directory: Path, sha256: str) -> Metrics | None:
    """Read what was measured of a model; None where nothing is told.

    Args:
        directory: of the model.
        sha256: of its ``config.json``.

    Raises:
        ModelError: if the file is there and cannot be used, or is of another model.
    """
    path = directory / METRICS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as fault:
        raise ModelError(
            f"{path} cannot be read: train the model again, or measure it with --names"
        ) from fault
    if not isinstance(found, dict):
        raise ModelError(
            f"{path} holds no metrics: train the model again, or measure it with --names"
        )
    measured = _at(found.get("model"), "config_sha256")
    if measured is not None and measured != sha256:
        raise ModelError(
            f"{path} is of another model: `mlplugin evaluate --card` measures this one"
        )
    return found


def compare(used: Metrics, candidate: Metrics) -> list[Row]:
    """Give what was measured of both: the rows of the goals, or else false positives and finds.

    Rows of the goals count only if a false-positive rate is among them.
    """
    rows = list(_common(_goals(used), _goals(candidate)))
    if any(row.is_alarm for row in rows):
        return rows
    return list(_common(_plain(used), _plain(candidate)))


def incomparable(used: Metrics | None, candidate: Metrics | None, name: str) -> str | None:
    """Say why nothing follows from two measurements; None if something does.

    Args:
        used: of the model in use, None where nothing was measured.
        candidate: of the other one.
        name: of the model in use.
    """
    if candidate is None:
        return "nothing was measured of it (it has no metrics.json)"
    if used is None:
        return f"nothing was measured of {name}, which is in use (it has no metrics.json)"
    if not _same_names(used, candidate):
        return f"it was measured on other names than {name}"
    if not any(row.is_alarm and row.change is not None for row in compare(used, candidate)):
        return f"no false-positive rate was measured of both it and {name}"
    return None


def lost(used: Metrics, candidate: Metrics) -> list[str]:
    """Give the threats of which the model in use finds names and the candidate hardly any.

    None at all, nothing measured, or beyond chance less than :data:`LEAST_KEPT` of it in every
    set of names that was measured of both.
    """
    before, after = dict(_by_threat(used)), dict(_by_threat(candidate))
    return [threat for threat, sets in before.items() if _is_lost(sets, after.get(threat, {}))]


def _is_lost(before: Mapping[str, Share], after: Mapping[str, Share]) -> bool:
    if not any(share.value for share in before.values()):
        return False
    if not any(share.value for share in after.values()):
        return True
    both = [Row("found", name, before[name], after[name]) for name in before if name in after]
    return bool(both) and all(
        row.change == WORSE and row.candidate.value < LEAST_KEPT * row.used.value for row in both
    )


def _by_threat(metrics: Metrics) -> Iterator[tuple[str, dict[str, Share]]]:
    """What was found of each threat, by set of names."""
    found: dict[str, dict[str, Share]] = {}
    section = metrics.get("finds")
    for name, row in section.items() if isinstance(section, dict) else ():
        threat = _at(row, "threat")
        share = _share(row, LEVELS[0], _at(_at(row, "interval"), LEVELS[0]))
        if isinstance(threat, str) and share is not None:
            found.setdefault(threat, {})[name] = share
    yield from found.items()


def _same_names(used: Metrics, candidate: Metrics) -> bool:
    """Whether both tell the same of what they were measured on; `data` in older ones."""
    key = "measured_on" if "measured_on" in used and "measured_on" in candidate else "data"
    try:
        return used.get(key) is not None and bool(used[key] == candidate.get(key))
    except RecursionError:
        return False


def alarming(rows: list[Row]) -> list[Row]:
    """Give the false-positive rates that are worse beyond chance."""
    return [row for row in rows if row.is_alarm and row.change == WORSE]


def in_words(row: Row) -> str:
    """Say what a row says."""
    low, high = row.candidate.interval or (row.candidate.value,) * 2
    return (
        f"{row.name}, {row.place}: {row.candidate.value:.3%} ({low:.3%} to {high:.3%}) "
        f"against {row.used.value:.3%}"
    )


def _common(
    used: Iterator[tuple[tuple[str, str], Share]],
    candidate: Iterator[tuple[tuple[str, str], Share]],
) -> Iterator[Row]:
    before = dict(used)
    for key, share in candidate:
        if key in before:
            yield Row(*key, before[key], share)


def _goals(metrics: Metrics) -> Iterator[tuple[tuple[str, str], Share]]:
    entries = metrics.get("goals")
    for entry in entries if isinstance(entries, list) else ():
        share = _share(entry, "share", _at(entry, "interval"))
        if share is not None:
            place = f"{_at(entry, 'measured_on')}: {_at(entry, 'set')}"
            yield (str(_at(entry, "row")), place), share


def _plain(metrics: Metrics) -> Iterator[tuple[tuple[str, str], Share]]:
    parts = (("false_positives", ALARMS), ("macro", "found, mean of families"), ("finds", "found"))
    for part, what in parts:
        section = metrics.get(part)
        for name, row in section.items() if isinstance(section, dict) else ():
            if part == "finds" and ": " in name:
                continue  # a family, which is in its mean
            for level in LEVELS:
                share = _share(row, level, _at(_at(row, "interval"), level))
                if share is not None:
                    yield (f"{what}: {level}", name), share


def _share(row: object, key: str, interval: object) -> Share | None:
    """A share with the interval that was measured, or the one that its number of names gives.

    None where there is none, or a number that cannot be one.
    """
    value = _at(row, key)
    if not _is_number(value) or not 0 <= value <= 1:
        return None
    span = list(interval) if isinstance(interval, list | tuple) else []
    if len(span) == 2 and all(map(_is_number, span)):
        return Share(float(value), (float(span[0]), float(span[1])))
    names = _at(row, "names")
    if not _is_number(names):
        return Share(float(value), None)
    low, high = wilson(float(value), float(names))
    return Share(float(value), (low, high))


def _at(row: object, key: str) -> Any:
    return row.get(key) if isinstance(row, dict) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
