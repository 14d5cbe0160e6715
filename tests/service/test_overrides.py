"""The rules of overrides, by the table that both languages read."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import UsageError
from mlplugin.model import load
from mlplugin.service.overrides import (
    Overrides,
    lineage,
    overruled,
    parse_address,
    parse_client,
)
from mlplugin.service.times import parse_moment
from mlplugin.store.port import Override
from mlplugin.verdict import Level, Source

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((ROOT / "testdata" / "golden" / "overrides.json").read_text())


def made(entry: dict[str, Any]) -> Override:
    return Override(
        name=entry["name"],
        scope=entry["scope"],
        status=entry["status"],
        client=entry["client"] and parse_client(entry["client"]),
        expires=entry["expires"] and parse_moment(entry["expires"]),
        reason=entry["reason"],
        created=parse_moment(entry["created"]),
    )


OVERRIDES = Overrides(made(entry) for entry in GOLDEN["overrides"])


@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=lambda case: f"{case['qname']} {case['client']} {case['at']}"
)
def test_golden(case: dict[str, Any]) -> None:
    found = OVERRIDES.match(case["qname"], ip_address(case["client"]), parse_moment(case["at"]))
    assert (found and found.reason) == case["reason"]


def test_without_a_client_only_everyones_hold() -> None:
    found = OVERRIDES.match("www.example.org", None, parse_moment("2026-01-15T00:00:00Z"))
    assert found is not None
    assert found.reason == "all"


def test_the_newest_of_equals_wins() -> None:
    entry = {**GOLDEN["overrides"][0], "name": "new.example.org"}
    older = made({**entry, "reason": "older"})
    newer = made({**entry, "reason": "newer", "created": "2026-01-02T00:00:00Z"})
    for order in ([older, newer], [newer, older]):
        found = Overrides(order).match("new.example.org", None, parse_moment("2026-02-01"))
        assert found is newer


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("a.b.example.org", ["a.b.example.org", "b.example.org", "example.org", "org"]),
        (r"a\.b.org", [r"a\.b.org", "org"]),
        (r"a\\.b.org", [r"a\\.b.org", "b.org", "org"]),
        (r"a\032.org", [r"a\032.org", "org"]),
        (".", ["."]),
    ],
)
def test_lineage(name: str, above: list[str]) -> None:
    assert list(lineage(name)) == above


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8::5/32", "2001:db8::/32"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.9/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_clients(text: str, network: str) -> None:
    assert parse_client(text) == ip_network(network)


@pytest.mark.parametrize(
    "text", ["", "host", "192.0.2.1/33", "fe80::1%eth0", "1.2.3", "192.0.2.1:5"]
)
def test_what_is_no_client(text: str) -> None:
    with pytest.raises(UsageError):
        parse_client(text)


def test_addresses_of_ipv4_in_ipv6() -> None:
    assert str(parse_address("::ffff:192.0.2.1")) == "192.0.2.1"
    with pytest.raises(UsageError):
        parse_address("192.0.2.0/24")


def test_what_a_decision_makes_of_a_verdict() -> None:
    verdict = load(ROOT / "testdata" / "model-tiny").judge("www.example.net")
    entry = {**GOLDEN["overrides"][0], "reason": "because"}
    for status, level, score in (
        ("benign", Level.BENIGN, 0.0),
        ("blocked", Level.MALICIOUS, 60.0),
        ("honeypot", Level.MALICIOUS, 60.0),
    ):
        decided = overruled(verdict, made({**entry, "status": status}))
        assert (decided.level, decided.score, decided.threat) == (level, score, None)
        assert decided.source is Source.OVERRIDE
        assert decided.reasons[0].text == f"{status}: because"
