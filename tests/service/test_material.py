"""What a retraining learns from, and the sets that it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.model import Model, load
from mlplugin.service import material
from mlplugin.service.material import Choice, Decided, Material, Seen, checked, gathered
from mlplugin.service.service import Service
from mlplugin.store.port import Filter, Override
from mlplugin.verdict import Threat
from tests.support.events import NOON, event, ndjson

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def model() -> Model:
    return load()


def override(name: str, status: str = "blocked", **about: object) -> Override:
    given = {"scope": "subdomains", "client": None, "expires": None, "reason": ""} | about
    return Override(name=name, status=status, created=NOW, **given)  # type: ignore[arg-type]


def bad(count: int, threat: str | None = "dga") -> list[Decided]:
    return [Decided(f"qx{number}zkv{number}jw.net", threat) for number in range(count)]


def usual(count: int) -> list[Seen]:
    return [Seen(f"www.shop{number}.com", 9, 0) for number in range(count)]


def filled(service: Service) -> Service:
    rows = [event(n, qname=f"h{n % 120}.office.net", registered_domain="office.net",
                  time=NOON + n) for n in range(600)]  # fmt: skip
    flagged = {"verdict": "malicious", "threat": "phishing", "score": 45.0}
    rows += [
        event(n, qname=f"x{n}.qxevilkv.net", registered_domain="qxevilkv.net", time=NOON, **flagged)
        for n in range(600, 640)
    ]
    rows += [event(n, qname="stopped.net", registered_domain="stopped.net", action="nxdomain",
                   verdict="malicious", time=NOON + n) for n in range(640, 645)]  # fmt: skip
    service.ingest.take("edge", ndjson(rows), "", None)
    return service


def test_decisions_and_traffic_become_material(service: Service, model: Model) -> None:
    store = filled(service).store
    decisions = [
        override("qxevilkv.net"),
        override("x601.qxevilkv.net", "benign", scope="name"),
        *(override(f"qx{n}zkv.org", "honeypot") for n in range(8)),
        override("for-one.net", client=ip_network("192.0.2.7/32")),
        override("for-a-day.net", expires=NOW + timedelta(days=1)),
    ]
    choice = Choice({"QX1zkv.org": Threat.TUNNEL}, Threat.SCAM)
    found = gathered(store, decisions, model, choice)
    threats = {one.name: one.threat for one in found.decided}
    assert threats["qxevilkv.net"] == "phishing"  # as it was flagged
    assert threats["x601.qxevilkv.net"] is None  # the most specific decision holds
    assert sum(name.endswith(".qxevilkv.net") for name in threats) == material.BELOW + 1
    assert threats["qx1zkv.org"] == "tunnel"  # as it was chosen
    assert threats["qx2zkv.org"] == "scam"  # by default
    assert "for-one.net" not in threats
    assert "for-a-day.net" not in threats
    assert "2 decisions for one client or for a time" in found.notes[0]
    names = {one.name for one in found.traffic}
    assert "h1.office.net" in names
    assert not any("qxevilkv" in name or "stopped" in name for name in names)
    assert [(one.name, one.queries) for one in found.blocked] == [("stopped.net", 5)]
    told = material.summary(found)
    assert told["by_threat"] == {"phishing": 21, "scam": 7, "tunnel": 1}
    assert told["benign"] == 1


@pytest.mark.parametrize("most", [material.MOST_TRAFFIC, 2])
def test_how_often_decided_names_were_asked_for_is_known(
    most: int, service: Service, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no traffic to learn from, and may be none of the frequent names."""
    store = filled(service).store
    monkeypatch.setattr(material, "MOST_TRAFFIC", most)
    monkeypatch.setattr(material, "MOST_ASKED", 3)
    decisions = [
        override("stopped.net", scope="name"),
        override("x601.qxevilkv.net", scope="name"),
        override("qx77zkv.org", "benign"),
        *(override(one.name) for one in bad(10)),
    ]
    found = {one.name: one.queries for one in gathered(store, decisions, model).decided}
    assert found == {
        "stopped.net": 5, "x601.qxevilkv.net": 1, "qx77zkv.org": 0,
        **{one.name: 0 for one in bad(10)},
    }  # fmt: skip


def test_what_one_client_alone_asks_for_is_not_taken_as_harmless(
    service: Service, model: Model
) -> None:
    """An infected client asks often for what no other asks for."""
    store = filled(service).store
    decisions = [override(one.name) for one in bad(12)]
    found = gathered(store, decisions, model)
    assert found.least == 1  # whoever is alone vouches for itself
    assert found.common == found.traffic
    two = [event(n, qname="www.both.net", registered_domain="both.net", time=NOON,
                 client=f"192.0.2.{n % 2 + 1}") for n in range(700, 712)]  # fmt: skip
    service.ingest.take("edge", ndjson(two), "", None)
    found = gathered(store, decisions, model)
    assert found.least == material.LEAST_CLIENTS
    assert [one.name for one in found.common] == ["www.both.net"]
    assert len(found.traffic) > 100
    assert f"{len(found.traffic) - 1} names that one client alone asked for" in found.notes[-1]


def test_a_range_that_nobody_gives_is_the_last_month(service: Service, model: Model) -> None:
    month = 31 * 86_400_000_000
    old = [event(n, qname="old.net", registered_domain=None, time=NOON - month)
           for n in range(900, 909)]  # fmt: skip
    service.ingest.take("edge", ndjson(old), "", None)
    store = filled(service).store
    decisions = [override(one.name) for one in bad(12)]
    names = [one.name for one in gathered(store, decisions, model).traffic]
    assert "h1.office.net" in names
    assert "old.net" not in names
    since = Choice(range=Filter(since=datetime(2020, 1, 1, tzinfo=UTC)))
    assert "old.net" in [one.name for one in gathered(store, decisions, model, since).traffic]


def test_a_range_that_ends_where_calendars_begin_is_one(service: Service) -> None:
    end = datetime(1, 1, 5, tzinfo=UTC)
    found = material.recent(service.store, Filter(until=end))
    assert found == Filter(since=datetime.min.replace(tzinfo=UTC), until=end)


def test_without_any_word_the_model_says_the_threat(service: Service, model: Model) -> None:
    store = filled(service).store
    found = gathered(store, [override(one.name) for one in bad(12)], model)
    assert {one.threat for one in found.decided} <= set(Threat)


def test_a_chosen_name_that_is_none(service: Service, model: Model) -> None:
    with pytest.raises(InvalidNameError):
        gathered(service.store, [], model, Choice({"a..b": Threat.DGA}))


def test_a_set_that_contradicts_itself(model: Model) -> None:
    torn = [*bad(12), Decided("qx1zkv1jw.net", None), Decided("qx2zkv2jw.net", None)]
    with pytest.raises(UsageError, match=r"'qx1zkv1jw.net' and 1 more is decided both"):
        checked(Material(torn, usual(200)), model)


def test_a_set_of_one_class(model: Model) -> None:
    with pytest.raises(UsageError, match=r"all 12 decided names are blocked, and 3 ordinary"):
        checked(Material(bad(12), usual(3)), model)
    assert checked(Material(bad(12), usual(100)), model).notes == []
    benign = checked(Material(bad(12, None), []), model)
    assert "all decided names are benign" in benign.notes[-1]
    assert checked(benign, model).notes == benign.notes


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_a_set_of_two_names(count: int, model: Model) -> None:
    with pytest.raises(UsageError, match=f"^{count} names? (is|are) decided.* 10 are the least"):
        checked(Material(bad(count), usual(200)), model)


def test_a_set_of_a_million_names(model: Model) -> None:
    million = [Decided(f"n{number}.qxzkvjw.net", "dga") for number in range(1_000_000)]
    found = checked(Material(million, usual(200)), model)
    assert len(found.decided) == material.MOST
    assert found.notes == ["of 1,000,000 decided names 20,000 are taken"]


def test_popular_names_that_somebody_blocked(model: Model) -> None:
    """A poisoned set: what everybody knows is not evil because somebody says so."""
    known = [Decided(f"{name}.com", "malware") for name in ("google", "microsoft", "amazon")]
    with pytest.raises(UsageError, match=r"3 of 13 blocked names, 'google.com' among them"):
        checked(Material([*bad(10), *known], usual(200)), model)
    found = checked(Material([*bad(10), *known[:2]], usual(200)), model)
    assert len(found.decided) == 10
    assert "2 decided names are none that the model judges" in found.notes[-1]


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    asked = Decided("asked.net", None, queries=7)
    made = Material([*bad(3), asked], usual(2), ["a note"], 2, [Seen("stopped.net", 5, 5)])
    made.write(tmp_path / "material.jsonl")
    found = Material.read(tmp_path / "material.jsonl")
    assert (found.decided, found.traffic, found.least) == (made.decided, made.traffic, 2)
    assert found.blocked == made.blocked
    assert found.sha256 == made.sha256
    for text in ("{", "[]\n", '{"kind":"decided","nane":1}\n', '{"name":"a"}\n'):
        (tmp_path / "material.jsonl").write_text(text)
        with pytest.raises(UsageError, match="no material"):
            Material.read(tmp_path / "material.jsonl")
