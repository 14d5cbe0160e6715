"""Times as people and programs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import UsageError
from mlplugin.service.times import parse_moment, parse_span, parse_when, rfc3339

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23 12:00", NOON),
        ("2026-11-23T13:00:00+01:00", NOON),
        ("2026-11-23T12:00:00.000001Z", NOON + timedelta(microseconds=1)),
        ("2026-11-23T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2026-11-23T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("2026-11-23", NOON - timedelta(hours=12)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026", "2026-13-01", "2026-02-30T00:00:00Z", "2026-11-23T25:00:00Z", "24h", "1e9"],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError):
        parse_moment(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read(moment: datetime) -> None:
    assert parse_moment(rfc3339(moment)) == moment


def test_written_in_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert rfc3339(east) == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604800), ("2w", 1209600)],
)
def test_spans(text: str, seconds: int) -> None:
    assert parse_span(text) == timedelta(seconds=seconds)
    assert parse_when(text, NOON) == NOON - timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1y", "1.5h", "999999999w"])
def test_what_is_no_time_ago(text: str) -> None:
    with pytest.raises(UsageError):
        parse_when(text, NOON)
