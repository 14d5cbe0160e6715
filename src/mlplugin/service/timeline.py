"""Steps of time: which ones a range has, and what is told of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlplugin.errors import UsageError
from mlplugin.service.times import rfc3339
from mlplugin.store.sums import Slice

NAMED = {"minute": 60, "hour": 3600, "day": 86_400}
# Of these the one is chosen that makes about `USUAL` steps, never more.
ROUND = (
    1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    2 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400, 90 * 86_400, 365 * 86_400,
)  # fmt: skip
USUAL = 150
MOST_STEPS = 2000
LONGEST_STEP = 366 * 86_400

EPOCH, SECOND = datetime.fromtimestamp(0, UTC), timedelta(seconds=1)
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Steps:
    """A range of time, and the length of its steps; they begin at multiples of it since 1970 UTC.

    Attributes:
        since: this time and later.
        until: before this time.
    """

    since: datetime
    until: datetime
    seconds: int

    @classmethod
    def of(
        cls,
        since: datetime | None,
        until: datetime | None,
        step: str | int | None,
        span: Callable[[], Span | None],
    ) -> Steps | None:
        """Give the steps of a range, None where nothing is there to tell it by.

        Raises UsageError where there are too many of them.
        """
        seconds = None if step is None else _seconds(step)
        known = None
        if since is None or until is None:
            known = span()
        if until is None:
            now = datetime.now(UTC)
            last = now if known is None else known[1] + timedelta(microseconds=1)
            # What has a beginning goes on until now, quiet as it may be at its end.
            until = last if since is None else max(last, now)
        if since is None:
            if known is None:
                return None
            since = known[0]
        since = max(since, EPOCH)  # no query is older
        until = max(since, until)
        if seconds is None:
            seconds = _round((until - since) // SECOND)
        steps = cls(since, until, seconds)
        if len(steps.numbers()) > MOST_STEPS:
            raise UsageError(
                f"a step of {seconds} s makes {len(steps.numbers()):,} steps, and {MOST_STEPS:,} "
                "is the most: give a longer step or a shorter range"
            )
        return steps

    def numbers(self) -> range:
        """The steps, counted since 1970."""
        first = (self.since - EPOCH) // (SECOND * self.seconds)
        end = -((EPOCH - self.until) // (SECOND * self.seconds))
        return range(first, max(end, first))

    @staticmethod
    def json(steps: Steps | None, slices: Iterable[Slice]) -> dict[str, Any]:
        """Give what is told of each step, also of those without a query."""
        if steps is None:
            return {"step": None, "since": None, "until": None, "buckets": []}
        buckets: dict[datetime, dict[str, Any]] = {}
        for number in steps.numbers():
            time = EPOCH + number * SECOND * steps.seconds
            buckets[time] = {
                "time": rfc3339(time), "queries": 0, "flagged": 0, "blocked": 0, "counts": {},
            }  # fmt: skip
        for one in slices:
            bucket = buckets[one.time]
            for name in ("queries", "flagged", "blocked"):
                bucket[name] += getattr(one, name)
            if one.value is not None:
                bucket["counts"][one.value] = one.queries
        return {
            "step": steps.seconds,
            "since": rfc3339(steps.since),
            "until": rfc3339(steps.until),
            "buckets": list(buckets.values()),
        }


def _round(length: int) -> int:
    """A step that makes about `USUAL` of so many seconds; years, where a clock ran wild."""
    years = ROUND[-1] * (1 + length // (ROUND[-1] * USUAL))
    return next((each for each in ROUND if length <= each * USUAL), years)


def _seconds(step: str | int) -> int:
    text = str(step).strip()
    seconds = NAMED.get(text) or (int(text) if text.isdecimal() and len(text) < 10 else 0)
    if not 1 <= seconds <= LONGEST_STEP:
        raise UsageError(
            f"step {text[:40]!r} is none: write seconds, up to {LONGEST_STEP}, or "
            f"{', '.join(NAMED)}"
        )
    return seconds
