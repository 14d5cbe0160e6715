"""Decisions in a store that others change as well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mlplugin.service.in_use import ModelInUse
from mlplugin.service.vetting import (
    FRESH_SECONDS,
    NOTHING,
    RETRY_SECONDS,
    ChangedError,
    Vetting,
    decision,
)
from mlplugin.store.port import Change, Network, Override, StoreUnavailableError


class Shared:
    """As much of a store as is needed here; `asked` counts how often it was read."""

    shared = True

    def __init__(self) -> None:
        self.there: list[Override] = []
        self.asked = 0
        self.away = False

    def overrides(self) -> list[Override]:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("away")
        return list(self.there)

    def put_override(self, override: Override, who: str) -> None:
        assert who
        self._drop(override.name, override.client)
        self.there.append(override)

    def delete_override(self, name: str, client: Network | None, change: Change) -> bool:
        assert change.who
        return self._drop(name, client)

    def _drop(self, name: str, client: Network | None) -> bool:
        before = len(self.there)
        self.there = [one for one in self.there if (one.name, one.client) != (name, client)]
        return len(self.there) < before


def decided(name: str) -> Override:
    now = datetime.now(UTC)
    return Override(name, "subdomains", "blocked", None, None, "", now)


@pytest.fixture
def world() -> dict[str, Any]:
    store, clock = Shared(), [1000.0]
    vetting = Vetting(store, ModelInUse.__new__(ModelInUse), lambda: clock[0])  # type: ignore[arg-type]
    return {"store": store, "clock": clock, "vetting": vetting}


def names(vetting: Vetting) -> list[str]:
    return [one.name for one in vetting.all()]


def test_what_others_decide_is_seen_after_a_while(world: dict[str, Any]) -> None:
    store, clock, vetting = world["store"], world["clock"], world["vetting"]
    assert names(vetting) == []
    store.there.append(decided("example.org"))
    assert names(vetting) == []
    assert store.asked == 1
    clock[0] += FRESH_SECONDS
    assert names(vetting) == ["example.org"]
    assert store.asked == 2


def test_ones_own_decision_is_seen_at_once(world: dict[str, Any]) -> None:
    vetting = world["vetting"]
    assert names(vetting) == []
    vetting.decide("example.org", "blocked", who="ann")
    assert names(vetting) == ["example.org"]


def test_while_the_store_is_away_the_last_ones_hold(world: dict[str, Any]) -> None:
    store, clock, vetting = world["store"], world["clock"], world["vetting"]
    store.there.append(decided("example.org"))
    assert names(vetting) == ["example.org"]
    store.away = True
    clock[0] += FRESH_SECONDS
    assert names(vetting) == ["example.org"]
    asked = store.asked
    assert names(vetting) == ["example.org"]
    assert store.asked == asked, "it is left alone for a while"
    store.away = False
    store.there.append(decided("example.net"))
    clock[0] += RETRY_SECONDS
    assert names(vetting) == ["example.org", "example.net"]


def test_nobody_waits_while_another_one_reads(world: dict[str, Any]) -> None:
    clock, vetting = world["clock"], world["vetting"]
    assert names(vetting) == []
    clock[0] += FRESH_SECONDS
    with vetting._lock:
        assert names(vetting) == []


def test_without_a_first_answer_there_is_none(world: dict[str, Any]) -> None:
    world["store"].away = True
    with pytest.raises(StoreUnavailableError):
        world["vetting"].all()


def test_what_a_decision_took_the_place_of(world: dict[str, Any]) -> None:
    store, vetting = world["store"], world["vetting"]
    assert vetting.all() == []
    theirs = decided("example.org")
    store.there.append(theirs)
    mine = decision("example.org", "benign")
    assert vetting.replace(mine, who="ann") == theirs, "though it was not read again for a while"
    assert store.there == [mine]
    assert vetting.replace(decision("example.net", "benign"), who="ann") is None
    other = decision("example.org", "blocked", client="192.0.2.7")
    assert vetting.replace(other, who="ann") is None, "one for a client is another one"


def test_what_others_decided_meanwhile_stays(world: dict[str, Any]) -> None:
    store, vetting = world["store"], world["vetting"]
    mine = decision("example.org", "blocked")
    vetting.replace(mine, who="ann")
    theirs = vetting.decide("example.org", "benign", who="bob")
    for _ in range(2):
        with pytest.raises(ChangedError, match=r"on example\.org meanwhile"):
            vetting.replace(decision("example.org", "honeypot"), who="ann", expected=mine.created)
        with pytest.raises(ChangedError):
            vetting.take_back("example.org", None, who="ann", expected=mine.created)
    assert store.there == [theirs]
    assert vetting.take_back("example.org", None, who="ann", expected=theirs.created)
    with pytest.raises(ChangedError):
        vetting.take_back("example.org", None, who="ann", expected=theirs.created)


def test_nobody_decides_between_the_look_and_the_deed(
    world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, vetting = world["store"], world["vetting"]
    could: list[bool] = []

    def overrides() -> list[Override]:
        could.append(vetting._lock.acquire(blocking=False))
        return list(store.there)

    monkeypatch.setattr(store, "overrides", overrides)
    vetting.replace(decision("example.org", "benign"), who="ann")
    assert could == [False]


def test_where_none_is_expected_none_is_replaced(world: dict[str, Any]) -> None:
    store, vetting = world["store"], world["vetting"]
    mine = decision("example.org", "benign")
    assert vetting.replace(mine, who="ann", expected=NOTHING) is None
    with pytest.raises(ChangedError, match=r"example\.org meanwhile"):
        vetting.replace(decision("example.org", "blocked"), who="ann", expected=NOTHING)
    other = decision("example.org", "blocked", client="192.0.2.7")
    assert vetting.replace(other, who="ann", expected=NOTHING) is None
    assert store.there == [mine, other]


def test_one_that_has_expired_is_none(world: dict[str, Any]) -> None:
    store, vetting = world["store"], world["vetting"]
    past = replace(decided("example.org"), expires=datetime.now(UTC))
    store.there.append(past)
    assert vetting.replace(decision("example.org", "benign"), who="ann") is None


def test_what_nobody_decided_says_for_whom_somebody_did(world: dict[str, Any]) -> None:
    vetting = world["vetting"]
    assert vetting.nothing_decided("example.org", None) == (
        "nobody decided anything on this name for everyone"
    )
    for client in ("192.0.2.0/24", "2001:db8::1", "198.51.100.0/24", "203.0.113.7"):
        vetting.decide("example.org", "blocked", who="me", client=client)
    assert vetting.nothing_decided("Example.ORG.", None).endswith(
        "for everyone, but for 192.0.2.0/24, 198.51.100.0/24, 2001:db8::1 and 1 more"
    )
    assert "but" not in vetting.nothing_decided("www.example.org", None)
