"""Events as documents: valid JSON whatever they hold, named as ECS names them, and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.store.elastic.documents import bulk, day_name, identity, sequence_of
from mlplugin.store.elastic.template import EVENT_FIELDS
from tests.support.events import NOON, event, table

ECS = Path(__file__).resolve().parents[2] / "testdata" / "ecs-fields.csv"


def documents(*events: dict[str, Any], sensor: str = "one") -> list[tuple[str, dict[str, Any]]]:
    lines = [json.loads(line) for line in bulk(sensor, table(events)).splitlines()]
    return [(line["create"]["_id"], document) for line, document in zip(
        lines[::2], lines[1::2], strict=True
    )]  # fmt: skip


def flat(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{key}.")
        else:
            found[above + key] = value
    return found


def test_a_full_event() -> None:
    ((identifier, document),) = documents(
        event(
            3, time=NOON + 1, client="fe80::1%eth0", answers=["192.0.2.1", "a.example.net"],
            verdict="malicious", threat="dga", score=59.9, action="sinkhole", reason="why",
            shadow_verdict="benign", shadow_score=12.3, shadow_model='2.0-"x"',
        )
    )  # fmt: skip
    assert identifier == identity("one") + "3"
    assert sequence_of(identifier) == 3
    found = flat(document)
    assert set(found) == set(EVENT_FIELDS)
    assert found["@timestamp"] == "2026-09-21T14:13:20.000001Z"
    assert found["client.address"] == "fe80::1%eth0"
    assert found["client.ip"] == "fe80::1"
    assert found["event.duration"] == 250_000, "nanoseconds, as ECS has them"
    assert found["event.type"] == ["protocol", "denied"]
    assert found["dns.answers.data"] == ["192.0.2.1", "a.example.net"]
    assert found["mlplugin.score"] == 59.9
    shadow = {name: found[f"mlplugin.shadow.{name}"] for name in ("verdict", "score", "model")}
    assert shadow == {"verdict": "benign", "score": 12.3, "model": '2.0-"x"'}


def test_what_is_absent_is_left_out() -> None:
    absent = ("transport", "registered_domain", "rcode", "answers", "duration")
    ((_, document),) = documents(event(0, **dict.fromkeys(absent)))
    missing = set(EVENT_FIELDS) - set(flat(document))
    assert missing == {
        "mlplugin.transport", "dns.question.registered_domain", "dns.response_code",
        "dns.answers.data", "event.duration", "event.reason", "mlplugin.threat",
        "mlplugin.shadow.verdict", "mlplugin.shadow.score", "mlplugin.shadow.model",
    }  # fmt: skip


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


@given(qname=PRINTABLE, reason=PRINTABLE, answer=PRINTABLE, sensor=st.text(min_size=1))
def test_any_text_stays_what_it_is(qname: str, reason: str, answer: str, sensor: str) -> None:
    answers = [part for part in answer.split(" ") if part]
    ((_, document),) = documents(
        event(0, qname=qname, registered_domain=qname, reason=reason, answers=answers or None),
        sensor=sensor.encode("utf-8", "replace").decode(),
    )
    found = flat(document)
    assert found["dns.question.name"] == found["dns.question.registered_domain"] == qname
    assert found["event.reason"] == reason
    assert found.get("dns.answers.data", []) == answers
    assert found["observer.name"] == sensor.encode("utf-8", "replace").decode()


def test_identities_differ_and_stay() -> None:
    assert len({identity(f"sensor {n}") for n in range(10_000)}) == 10_000
    assert identity("one") == "106591765445504"


@pytest.mark.parametrize(
    ("day", "name"),
    [(20_783, "2026.11.26"), (20_383, "2025.10.22"), (20_382, "2025"), (0, "1970")],
)
def test_old_days_share_the_index_of_their_year(day: int, name: str) -> None:
    assert day_name(day, 20_783) == name


def test_the_fields_are_those_of_ecs() -> None:
    """The file has what the npm package @elastic/ecs 9.4.0 says of them; all values it allows."""
    with ECS.open() as file:
        rows = {row["Field"]: row for row in csv.DictReader(file)}
    published = {name: row["Type"] for name, row in rows.items()}
    same = {"date_nanos": "date"}
    for name, kind in EVENT_FIELDS.items():
        if not name.startswith("mlplugin."):
            assert published[name] == same.get(kind["type"], kind["type"]), name
    ((_, document),) = documents(event(0))
    found = flat(document)
    for name, row in rows.items():
        if row["Expected"]:
            values = found[name] if isinstance(found[name], list) else [found[name]]
            assert set(values) <= set(row["Expected"].split()), name
