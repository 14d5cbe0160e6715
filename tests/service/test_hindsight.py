"""The past judged again: against judging every query by itself."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import UsageError
from mlplugin.model import load
from mlplugin.qname import canonical
from mlplugin.service import hindsight
from mlplugin.service.hindsight import KINDS, NOW_MALICIOUS, Found, Replay, now_malicious, portions
from mlplugin.service.lists import Lists
from mlplugin.service.past import Stretch
from mlplugin.service.rules import Limits, Rules, parse_actions
from mlplugin.store import open_store
from mlplugin.store.port import Filter, Override, Row, Store
from tests.support.events import event, table
from tests.support.models import TINY

MODEL = load(TINY)
# Malicious, suspicious and benign by the tiny model.
BAD, ODD = "pwzrokdguffzdnpwcaxaqfjv.cn", "proxy11.configgategetqaaaiw9h.duckdns.org"
FINE, LISTED, BELOW, PERSON = "garden-house.com", "tea-shop.com", "www.tea-shop.com", "a.tea.com"
NAMES = (BAD, ODD, FINE, "tea-house.com", LISTED, BELOW, PERSON)
ROWS = 500


def made() -> list[dict[str, Any]]:
    """Events of which the live system thought this and that."""
    dice = random.Random(3)
    kinds: list[dict[str, Any]] = [
        {},
        {"verdict": "malicious", "score": 41.0, "reason": "model 1 score 41.0"},
        {"verdict": "malicious", "score": 41.0, "reason": "model 1", "action": "nxdomain"},
        {"verdict": "suspicious", "score": 31.0, "reason": "model 1 score 31.0"},
        {"verdict": "malicious", "score": 41.0, "reason": "alias target x.net: model 1",
         "action": "nxdomain"},
    ]  # fmt: skip
    return [
        event(
            n, qname=(name := dice.choice(NAMES)), registered_domain=None,
            client=f"192.0.2.{dice.randrange(5)}",
            **({"source": "allowlist"} if name == "tea-house.com" else dice.choice(kinds)),
        )
        for n in range(ROWS)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(None, tmp_path_factory.mktemp("past"))
    store.append("one", table(made()))
    yield store
    store.close()


def decision(name: str, status: str, client: str | None = None, expires: Any = None) -> Override:
    network = None if client is None else ip_network(client)
    return Override(
        name, "subdomains", status, network, expires, "", datetime(2026, 1, 1, tzinfo=UTC)
    )


def look(store: Store, rules: Rules, **options: Any) -> Found:
    return Replay(Stretch(store, options.pop("wanted", Filter())), rules, **options).run()


def expected(store: Store, outcome: Any) -> dict[str, Any]:
    """Totals by looking at each query; `outcome` gives (flagged, blocked) by name and client."""
    queries: dict[str, list[Row]] = defaultdict(list)
    for row in store.search(Filter(), 10_000).rows:
        flagged, blocked = outcome(row["qname"], row["client"])
        was_flagged, was_blocked = row["verdict"] != "benign", row["action"] != "observe"
        by_answer = (row["reason"] or "").startswith("alias")
        if blocked and not was_blocked:
            queries["newly_blocked"].append(row)
        if not blocked and was_blocked and not by_answer:
            queries["no_longer_blocked"].append(row)
        if flagged and not was_flagged:
            queries["newly_flagged"].append(row)
        if not flagged and was_flagged and not by_answer:
            queries["no_longer_flagged"].append(row)
    return {
        kind: {
            "queries": len(queries[kind]),
            "names": len({row["qname"] for row in queries[kind]}),
            "clients": len({row["client"] for row in queries[kind]}),
        }
        for kind in KINDS
    }


def levels(name: str) -> tuple[bool, bool]:
    """What the tiny model says of a name; what the list said of one stays."""
    level = MODEL.judge(name).level
    return (level != "benign", level == "malicious") if name != "tea-house.com" else (False, False)


def test_a_model_alone(store: Store) -> None:
    told: list[int] = []
    found = look(store, Rules(MODEL), advance=told.append)
    assert (found.names, found.queries, sum(told)) == (len(NAMES), ROWS, len(NAMES))
    assert found.to_json()["totals"] == expected(store, lambda name, _: levels(name))
    first = found.listed[0]
    rows = [row for row in store.search(Filter(qname=BAD), 1000).rows if row["action"] == "observe"]
    bad = next(row for row in found.listed if row["qname"] == BAD)
    assert bad["change"] == "newly_blocked"
    assert (bad["queries"], bad["verdict"], bad["source"]) == (len(rows), "malicious", "model")
    assert sum(one["queries"] for one in bad["asked_by"]) == len(rows)
    assert [row["queries"] for row in found.listed] == sorted(
        (row["queries"] for row in found.listed), reverse=True
    )
    assert first["clients"] == len(first["asked_by"])


def test_thresholds_actions_lists_and_decisions(store: Store) -> None:
    lists = Lists()
    lists.take([LISTED], allowed=False, what="deny")
    lists.take([BELOW], allowed=True, what="allow")
    decisions = [
        decision(PERSON, "blocked", "192.0.2.1"),
        decision(PERSON, "benign", "192.0.2.0/30"),
        decision(BAD, "benign"),
        decision(FINE, "blocked", expires=datetime(2026, 2, 1, tzinfo=UTC)),
    ]
    rules = Rules(MODEL, Limits(0.0, 35.0), parse_actions(["suspicious refuse"]), lists, decisions)

    def outcome(name: str, client: str) -> tuple[bool, bool]:
        if name == BAD or name in (BELOW, "tea-house.com"):
            return False, False
        if name == LISTED:
            return True, False  # malicious is observed
        if name == PERSON and client == "192.0.2.1":
            return True, True
        if name == PERSON and client in ("192.0.2.0", "192.0.2.2", "192.0.2.3"):
            return False, False
        if MODEL.judge(name).source != "model":
            return False, False
        return True, MODEL.judge(name).score < 35.0

    assert look(store, rules).to_json()["totals"] == expected(store, outcome)


def test_a_hunt(store: Store) -> None:
    lists = Lists()
    lists.take([LISTED], allowed=False, what="deny")
    found = look(store, Rules(MODEL, lists=lists), effects=now_malicious)
    rows = store.search(Filter(), 10_000).rows
    missed = [
        row
        for row in rows
        if row["qname"] in (BAD, LISTED, BELOW) and row["verdict"] != "malicious"
    ]
    assert found.totals[NOW_MALICIOUS].queries == len(missed)
    assert {row["qname"] for row in found.listed} == {BAD, LISTED, BELOW}
    assert all(row["verdict"] == "malicious" for row in found.listed)
    narrow = look(
        store, Rules(MODEL), effects=now_malicious, wanted=Filter(client=ip_network("192.0.2.3"))
    )
    assert [one["client"] for row in narrow.listed for one in row["asked_by"]] == ["192.0.2.3"]


def test_bounds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hindsight, "MOST_ASKED", 2)
    monkeypatch.setattr(hindsight, "MOST_CLIENTS", 2)
    rules = Rules(MODEL, Limits(0.0, 0.0))
    found = look(store, rules, limit=2)
    everything = look(store, rules)
    assert found.listed == everything.listed[:2]
    assert found.totals["newly_blocked"].names == everything.totals["newly_blocked"].names > 2
    assert len(found.clients) == found.totals["newly_blocked"].clients == 2


def test_popular_names_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a thousand names that all clients ask for would be millions of rows."""
    assert list(portions([], [])) == []
    assert [len(part) for part in portions(range(2500), [3] * 2500)] == [1000, 1000, 500]
    assert [len(part) for part in portions(range(12), [10**9] * 12)] == [5, 5, 2]
    monkeypatch.setattr(hindsight, "MOST_ROWS", 10)
    assert list(portions([7, 8, 9], [4, 6, 99])) == [[7, 8], [9]]


def test_nothing_there(tmp_path: Path) -> None:
    store = open_store(None, tmp_path)
    found = look(store, Rules(MODEL))
    assert (found.names, found.queries, found.listed, found.clients) == (0, 0, [], [])
    store.close()


def test_odd_names_and_clients(tmp_path: Path) -> None:
    """Escapes, the root, and an address with a zone, with a decision that asks for the client."""
    store = open_store(None, tmp_path)
    odd = [".", r"a\.b\032c.net", canonical("bücher.de"), "*.net"]
    rows = [
        event(n, qname=name, registered_domain=None, client="fe80::1%eth0")
        for n, name in enumerate(odd)
    ]
    store.append("one", table(rows))
    decisions = [decision("net", "blocked", "fe80::/64"), decision("de", "blocked", "192.0.2.0/24")]
    found = look(store, Rules(MODEL, decisions=decisions))
    assert {row["qname"] for row in found.listed if row["source"] == "override"} == {
        odd[1],
        "*.net",
    }
    store.close()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["malicious"], "write VERDICT"),
        (["benign drop"], "write VERDICT"),
        (["malicious explode"], "write VERDICT"),
        (["malicious nxdomain 192.0.2.1"], "only sinkhole"),
        (["malicious sinkhole here"], "only sinkhole"),
        (["dga drop", "dga refuse"], "given twice"),
    ],
)
def test_wrong_actions(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_actions(texts)


def test_wrong_thresholds() -> None:
    with pytest.raises(UsageError, match="suspicious 61 is no score"):
        Limits(61.0)
    with pytest.raises(UsageError, match="above malicious"):
        Rules(MODEL, Limits(malicious=10.0))


def test_the_models_own_thresholds_change_nothing(store: Store) -> None:
    own = MODEL.thresholds
    given = Limits(own.suspicious, own.malicious)
    assert look(store, Rules(MODEL, given)) == look(store, Rules(MODEL))
    # and said as other ones, the threat is the one that leads
    lower = Rules(MODEL, Limits(own.suspicious, own.malicious - 0.001))
    assert [row["threat"] for row in look(store, lower).listed] == [
        row["threat"] for row in look(store, Rules(MODEL)).listed
    ]
