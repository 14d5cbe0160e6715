"""Sums, rankings and comparisons over a small history."""

from __future__ import annotations

from typing import Any

import pytest

from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.service.history import Asked
from mlplugin.service.service import Service
from mlplugin.store.port import Counters
from tests.support.events import NOON, event, ndjson

START = "2026-09-21T14:13:20Z"  # NOON
MINUTE = 60_000_000


def take(service: Service, *events: dict[str, Any]) -> None:
    service.ingest.take("edge", ndjson({**one, "sequence": n} for n, one in enumerate(events)))


def flagged(**changed: Any) -> dict[str, Any]:
    return event(0, verdict="malicious", threat="dga", score=41.5, **changed)


# Over time


def test_a_range_and_the_one_before(service: Service) -> None:
    take(service, *(event(0, time=NOON + n * MINUTE) for n in range(10)))
    asked = Asked(since="2026-09-21T14:19:20Z", until="2026-09-21T14:22:20Z")
    found = service.insight.compared(asked)
    assert (found["now"]["queries"], found["before"]["queries"]) == (3, 3)
    assert found["before"]["first"] == "2026-09-21T14:16:20Z"
    assert service.insight.compared(Asked())["before"] is None
    assert service.insight.compared(Asked(since="0001-01-01"))["before"]["queries"] == 0
    nothing = Asked(since="2026-09-21T14:19:20Z", until="2026-09-21T14:19:20Z")
    assert service.insight.compared(nothing)["before"]["queries"] == 0


def test_a_timeline_has_steps_without_a_query_too(service: Service) -> None:
    take(
        service,
        event(0, time=NOON),
        flagged(time=NOON + 3 * MINUTE, action="nxdomain"),
        event(0, time=NOON + 3 * MINUTE),
    )
    found = service.insight.timeline(Asked(), "minute")
    assert (found["step"], found["by"]) == (60, "verdict")
    assert (found["since"], found["until"]) == (START, "2026-09-21T14:16:20.000001Z")
    assert [bucket["queries"] for bucket in found["buckets"]] == [1, 0, 0, 2]
    assert found["buckets"][0]["time"] == "2026-09-21T14:13:00Z"
    assert found["buckets"][3] == {
        "time": "2026-09-21T14:16:00Z", "queries": 2, "flagged": 1, "blocked": 1,
        "counts": {"benign": 1, "malicious": 1},
    }  # fmt: skip
    by_threat = service.insight.timeline(Asked(), 60, "threat")
    assert by_threat["buckets"][3]["counts"] == {"dga": 1}
    assert by_threat["buckets"][3]["queries"] == 2
    assert service.insight.timeline(Asked(), 60, "none")["buckets"][3]["counts"] == {}
    day = service.insight.timeline(
        Asked(since="2026-09-21", until="2026-09-22", verdict="malicious"), "hour"
    )
    assert len(day["buckets"]) == 24
    assert day["buckets"][14]["queries"] == 1


@pytest.mark.parametrize(
    ("since", "until", "step"),
    [
        ("2026-09-21T14:00:00Z", "2026-09-21T14:00:00Z", 1),
        ("2026-09-21T14:00:00Z", "2026-09-21T14:15:00Z", 10),
        ("2026-09-21T14:00:00Z", "2026-09-21T15:00:00Z", 30),
        ("2026-09-21", "2026-09-22", 600),
        ("2026-09-21", "2026-09-28", 7200),
        ("2026-08-21", "2026-09-21", 21_600),
        ("2025-09-21", "2026-09-21", 7 * 86_400),
        ("0001-01-01", "2026-09-21", 365 * 86_400),
        ("2026-09-22", "2026-09-22", 1),
        ("2026-09-21", "9999-01-01", 54 * 365 * 86_400),
    ],
)
def test_round_steps(service: Service, since: str, until: str, step: int) -> None:
    found = service.insight.timeline(Asked(since=since, until=until))
    assert found["step"] == step
    assert len(found["buckets"]) <= 151


def test_a_timeline_without_a_history(service: Service) -> None:
    assert service.insight.timeline(Asked()) == {
        "step": None, "since": None, "until": None, "by": "verdict", "buckets": [],
    }  # fmt: skip
    assert len(service.insight.timeline(Asked(since="24h"), "hour")["buckets"]) in {24, 25}


def test_what_goes_on_until_now(service: Service) -> None:
    take(service, event(0))
    found = service.insight.timeline(Asked(since="2026-09-21T14:00:00Z"), "day")
    assert found["until"] > "2026-11-01"
    assert found["buckets"][0]["queries"] == 1


@pytest.mark.parametrize("step", ["0", "-5", "1.5", "week", "1e3", "99999999999", ""])
def test_steps_that_make_no_sense(service: Service, step: str) -> None:
    with pytest.raises(UsageError, match="step"):
        service.insight.timeline(Asked(since="2h"), step)


def test_too_many_steps(service: Service) -> None:
    with pytest.raises(UsageError, match="2,000"):
        service.insight.timeline(Asked(since="2026-09-21", until="2026-09-22"), 10)
    with pytest.raises(UsageError, match="none of verdict"):
        service.insight.timeline(Asked(), None, "client")


# By value


def test_top_values(service: Service) -> None:
    take(
        service,
        event(0),
        flagged(client="192.0.2.2", action="drop"),
        event(0, qtype="AAAA", answers=None),
    )
    found = service.insight.top(Asked(), "qtype")
    assert found == {
        "column": "qtype",
        "values": [
            {"value": "A", "queries": 2, "flagged": 1, "blocked": 1, "clients": 2},
            {"value": "AAAA", "queries": 1, "flagged": 0, "blocked": 0, "clients": 1},
        ],
    }
    assert service.insight.top(Asked(verdict="suspicious,malicious"), "threat")["values"] == [
        {"value": "dga", "queries": 1, "flagged": 1, "blocked": 1, "clients": 1}
    ]
    for column, limit in (("password", 5), ("qname", 0), ("qname", 1001)):
        with pytest.raises(UsageError):
            service.insight.top(Asked(), column, limit)


def test_a_domain(service: Service) -> None:
    take(
        service,
        *(event(0, qname=f"h{n % 2}.site.co.uk", registered_domain="site.co.uk") for n in range(5)),
        event(0, qname="gone.site.co.uk", registered_domain="site.co.uk", rcode="NXDOMAIN"),
    )
    service.vetting.decide("site.co.uk", "blocked", who="ann", reason="why")
    found = service.insight.domain("H0.site.co.uk", Asked())
    assert (found["name"], found["queries"], found["nxdomain"]) == ("h0.site.co.uk", 3, 0)
    assert found["registered_domain"] == "site.co.uk"
    assert [one["value"] for one in found["siblings"]] == ["h1.site.co.uk", "gone.site.co.uk"]
    assert found["top_answers"][0]["value"] == "192.0.2.80"
    assert found["override"]["name"] == "site.co.uk"
    assert found["verdict"]["source"] == "override"
    assert found["verdict"]["reasons"]
    assert set(found["verdict"]["scores"]) >= {"dga", "phishing"}
    whole = service.insight.domain("site.co.uk", Asked())
    assert (whole["queries"], whole["nxdomain"]) == (6, 1)
    unknown = service.insight.domain("never.example", Asked())
    assert (unknown["queries"], unknown["siblings"], unknown["override"]) == (0, [], None)
    with pytest.raises(InvalidNameError):
        service.insight.domain("a..b", Asked())


def test_a_client(service: Service) -> None:
    def of(client: str, domain: str, minute: int, **changed: Any) -> dict[str, Any]:
        return event(
            0, client=client, qname=f"www.{domain}", registered_domain=domain,
            time=NOON + minute * MINUTE, **changed,
        )  # fmt: skip

    mine, other = "192.0.2.1", "192.0.2.2"
    take(
        service,
        of(mine, "old.net", 0),
        of(mine, "old.net", 10),
        of(mine, "shared.net", 11),
        of(mine, "own.net", 12),
        of(mine, "own.net", 13, verdict="suspicious", threat="scam", score=31.0),
        of(mine, "left.net", 12, rcode="NXDOMAIN"),
        of(other, "shared.net", 12),
        of(other, "left.net", 0),  # before the range: in it, only the other one asks
    )
    asked = Asked(since="2026-09-21T14:18:20Z")
    found = service.insight.client(mine, asked)
    assert (found["client"], found["queries"], found["nxdomain"]) == (mine, 5, 1)
    assert found["only_here"] == [
        {"value": "own.net", "queries": 2, "flagged": 1},
        {"value": "left.net", "queries": 1, "flagged": 0},
        {"value": "old.net", "queries": 1, "flagged": 0},
    ]
    assert found["new_domains"] == [
        {"value": "own.net", "queries": 2, "first": "2026-09-21T14:25:20Z"},
        {"value": "left.net", "queries": 1, "first": "2026-09-21T14:25:20Z"},
        {"value": "shared.net", "queries": 1, "first": "2026-09-21T14:24:20Z"},
    ]
    assert [one["value"] for one in found["flagged_names"]] == ["www.own.net"]
    assert service.insight.client(mine, Asked())["new_domains"] == []
    nobody = service.insight.client("192.0.2.9", asked)
    assert (nobody["queries"], nobody["only_here"], nobody["new_domains"]) == (0, [], [])
    with pytest.raises(UsageError):
        service.insight.client("nobody", asked)


def test_lookalikes(service: Service) -> None:
    names = (
        "paypa1.com", "paypal.net", "paypall.com", "xn--pypal-4ve.com", "pay-pal.org",
        "paypal.com", "other.com", "xn--mgbh0fb.com",
    )  # fmt: skip
    take(service, *(event(0, qname=name, registered_domain=name) for name in names))
    found = service.insight.lookalikes("www.PayPal.com", Asked())
    assert found["name"] == "www.paypal.com"
    assert {one["domain"]: (one["kind"], one["queries"]) for one in found["lookalikes"]} == {
        "paypa1.com": ("confusable", 1),
        "paypall.com": ("edit", 1),
        "xn--pypal-4ve.com": ("confusable", 1),
        "paypal.net": ("same label, other suffix", 1),
    }
    assert all(one["verdict"] in {"benign", "suspicious", "malicious"}
               for one in found["lookalikes"])  # fmt: skip
    assert all(one["clients"] == 1 for one in found["lookalikes"])
    few = service.insight.lookalikes("www.paypal.com", Asked(), clients=False)
    assert few["lookalikes"] == [
        {key: value for key, value in one.items() if key != "clients"}
        for one in found["lookalikes"]
    ]
    assert len(service.insight.lookalikes("paypal.com", Asked(), 1)["lookalikes"]) == 1
    assert service.insight.lookalikes("com", Asked())["lookalikes"] == []


# By score


def test_scores_of_the_model_alone(service: Service) -> None:
    take(
        service,
        event(0, score=29.9),
        event(0, score=29.1, qname="h.example.org"),
        event(0, score=60.0),
        event(0, source="reputation"),
    )
    found = service.insight.scores(Asked())
    assert (found["step"], len(found["bins"])) == (1.0, 60)
    filled = [one for one in found["bins"] if one["queries"]]
    assert filled == [
        {"score": 29, "queries": 2, "names": 2},
        {"score": 59, "queries": 1, "names": 1},
    ]
    lists = service.insight.scores(Asked(source="denylist"))
    assert sum(one["queries"] for one in lists["bins"]) == 0


def test_what_another_threshold_would_flag(service: Service) -> None:
    take(
        service,
        event(0, score=25.0, client="192.0.2.2"),
        event(0, score=29.9),
        event(0, score=31.0, qname="h.example.org"),
        event(0, score=31.0, source="denylist"),
    )
    found = service.insight.would_flag(Asked(), "25.0")
    assert found == {
        "score": 25.0, "queries": 3, "names": 2, "clients": 2,
        "values": [
            {"value": "www.example.org", "score": 29.9, "queries": 2, "clients": 2},
            {"value": "h.example.org", "score": 31.0, "queries": 1, "clients": 1},
        ],
    }  # fmt: skip
    assert service.insight.would_flag(Asked(), 25.01)["queries"] == 2
    assert service.insight.would_flag(Asked(min_score=30), 25)["queries"] == 1
    assert service.insight.would_flag(Asked(source="denylist"), 25)["queries"] == 0
    assert service.insight.would_flag(Asked(max_score=20), 25)["queries"] == 0
    with pytest.raises(UsageError, match="no score"):
        service.insight.would_flag(Asked(), 61)


def test_the_queue_of_names_that_want_a_decision(service: Service) -> None:
    def of(domain: str, count: int, score: float, **changed: Any) -> list[dict[str, Any]]:
        return [
            event(0, qname=f"www.{domain}", registered_domain=domain, score=score, **changed)
            for _ in range(count)
        ]

    bad = {"verdict": "suspicious", "threat": "phishing"}
    take(
        service,
        *of("many.net", 50, 31.0, **bad),
        *of("few.net", 2, 31.0, **bad),
        *of("near.net", 20, 29.5),
        *of("less.net", 20, 22.0),
        *of("far.net", 99, 3.0),
        *of("listed.net", 99, 60.0, **{**bad, "source": "denylist"}),
        *of("decided.net", 99, 45.0, **bad),
        *of("rebound.net", 3, 0.0, **{**bad, "threat": "malware", "source": "answer"}),
    )
    service.vetting.decide("decided.net", "benign", who="ann")
    # What holds for one client, or for the name alone, leaves the others to be decided on.
    service.vetting.decide("many.net", "benign", who="ann", client="192.0.2.200")
    service.vetting.decide("few.net", "benign", who="ann", scope="name")
    found = service.insight.queue(Asked())["names"]
    assert [one["name"] for one in found] == [
        "many.net", "few.net", "rebound.net", "near.net", "less.net",
    ]  # fmt: skip
    first = found[0]
    assert first["qname"] == "www.many.net"
    assert (first["queries"], first["flagged"], first["clients"]) == (50, 50, 1)
    assert (first["score"], first["verdict"], first["threat"]) == (31.0, "suspicious", "phishing")
    assert first["why"] == "50 times flagged for 1 client: score 31, 1 above suspicious (30)"
    assert found[3]["why"] == "asked 20 times for 1 client: score 29.5, 0.5 below suspicious (30)"
    assert found[2]["why"] == "3 times flagged for 1 client"
    assert service.insight.queue(Asked(), 2)["names"] == found[:2]
    assert service.insight.queue(Asked(source="denylist"))["names"] == []


# Models, decisions


def test_models(service: Service) -> None:
    listed = service.insight.models()["models"]
    assert (listed[0]["version"], listed[0]["in_use"]) == ("0.0.1", True)
    assert listed[0]["sha256"] == service.model.sha256
    assert [one["in_use"] for one in listed[1:]] == [False] * (len(listed) - 1)
    current = service.insight.model("current")
    assert current is not None
    assert current["version"] == "0.0.1"
    assert current["thresholds"] == {"suspicious": 30.0, "malicious": 37.0}
    assert (current["card"], current["metrics"]) == ("", {}), "the small model has no papers"
    shipped = service.insight.model(listed[1]["version"])
    assert shipped is not None
    assert shipped["card"].startswith("#")
    assert shipped["metrics"]["version"] == listed[1]["version"] == shipped["version"]
    assert service.insight.model("9999.1.1") is None


def test_changes(service: Service) -> None:
    service.vetting.decide("example.org", "blocked", who="ann", client="192.0.2.0/24", reason="x")
    service.vetting.take_back("example.org", "192.0.2.0/24", who="bob", reason="wrong")
    newest, first = service.vetting.changes(10)["changes"]
    assert {**newest, "at": ""} == {
        "at": "", "who": "bob", "name": "example.org", "client": "192.0.2.0/24",
        "status": "unvetted", "reason": "wrong",
    }  # fmt: skip
    assert (first["who"], first["status"]) == ("ann", "blocked")
    assert service.vetting.changes(1)["changes"] == [newest]


def test_sorted_pages(service: Service) -> None:
    take(service, *(event(0, time=NOON + n * MINUTE, score=float(n % 4)) for n in range(9)))
    seen, cursor = [], None
    while True:
        page = service.history.search(Asked(), 2, cursor, "-score")
        seen += [row["score"] for row in page["queries"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [3, 3, 2, 2, 1, 1, 0, 0, 0]
    with pytest.raises(UsageError, match="none of -time"):
        service.history.search(Asked(), 2, None, "name")


def test_counters_alone_are_no_history(service: Service) -> None:
    service.ingest.take("edge", b"", counters='{"started": 1, "served": 2, "dropped": {}}')
    assert service.store.runs() == [("edge", Counters(1, 2, {}))]
    assert service.insight.timeline(Asked())["buckets"] == []
