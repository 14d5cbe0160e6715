"""Times as the outside writes them: RFC 3339, and spans such as 24h."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mlplugin.errors import UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SPAN = re.compile(r"(\d{1,9})([smhdw])")
# The whole of RFC 3339; the standard library takes more forms and fewer digits.
MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*([Zz]|[+-]\d\d:\d\d)?)?"
)


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC, with as many digits as it has, six at most."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def parse_span(text: str) -> timedelta:
    """Read `90s`, `15m`, `24h`, `7d` or `2w`. Raises UsageError."""
    match = SPAN.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text[:40]!r} is no span of time: write 90s, 15m, 24h, 7d or 2w")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def parse_moment(text: str) -> datetime:
    """Read an RFC 3339 time or a date; one without a zone is UTC. Raises UsageError."""
    match = MOMENT.fullmatch(text.strip())
    if match is not None:
        date, clock, fraction, zone = match.groups()
        clock = clock or "00:00:00"
        if len(clock) == 5:
            clock += ":00"
        digits = (fraction or "0")[:6].ljust(6, "0")
        zone = "+00:00" if zone is None or zone in "Zz" else zone
        try:
            return datetime.fromisoformat(f"{date}T{clock}.{digits}{zone}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise UsageError(f"{text[:40]!r} is no time: write it as 2026-11-23T10:00:00Z")


def parse_when(text: str, now: datetime | None = None) -> datetime:
    """Read a time, or a span as that long ago. Raises UsageError."""
    if SPAN.fullmatch(text.strip()):
        try:
            return (now or datetime.now(UTC)) - parse_span(text)
        except OverflowError:
            raise UsageError(f"{text[:40]!r} is before there were calendars") from None
    try:
        return parse_moment(text)
    except UsageError as fault:
        raise UsageError(f"{fault}, or 24h for that long ago") from None
