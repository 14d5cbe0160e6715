"""What a candidate thought otherwise, and other policies on the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import ModelError, UsageError
from mlplugin.model import load
from mlplugin.service.history import Asked
from mlplugin.service.registry import Registry
from mlplugin.service.review import Policy
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store
from mlplugin.store.port import StoreBusyError
from tests.support.events import event, ndjson
from tests.support.models import TINY, variant

BAD = {"verdict": "malicious", "score": 41.0}


def about(number: int, name: str, shadow: str, **changed: Any) -> dict[str, Any]:
    """An event about which a candidate thinks otherwise."""
    other = {"shadow_verdict": shadow, "shadow_model": "2.0", "shadow_score": 33.0}
    return event(number, qname=name, registered_domain=None, **(other | changed))


@pytest.fixture
def filled(service: Service) -> Service:
    rows = [
        *(about(n, "tea-house.com", "malicious") for n in range(3)),
        *(about(n, "tea-shop.com", "benign", **BAD, client=f"192.0.2.{n}") for n in range(3, 8)),
        about(8, "garden-house.com", "suspicious", **BAD),
        about(9, "garden-house.com", "suspicious"),
        about(10, "www.example.org", "malicious", shadow_model="1.0", shadow_score=None),
        event(11),
    ]
    service.ingest.take("edge", ndjson(rows))
    return service


def test_disagreements_both_ways(filled: Service) -> None:
    found = filled.review.shadow(Asked())
    assert found["model"] == "1.0"  # the latest
    assert [(one["model"], one["queries"]) for one in found["models"]] == [("1.0", 1), ("2.0", 10)]
    found = filled.review.shadow(Asked(shadow_model="2.0"))
    assert found["queries"] == 10
    assert found["disagreements"] == [
        {"live": live, "shadow": shadow, "queries": queries, "names": 1, "clients": clients}
        for live, shadow, queries, clients in (
            ("benign", "suspicious", 1, 1),
            ("benign", "malicious", 3, 1),
            ("malicious", "benign", 5, 5),
            ("malicious", "suspicious", 1, 1),
        )
    ]
    assert [(row["value"], row["queries"]) for row in found["worse"]] == [
        ("tea-house.com", 3),
        ("garden-house.com", 1),
    ]
    assert [(row["value"], row["shadow"]) for row in found["better"]] == [
        ("tea-shop.com", "benign"), ("garden-house.com", "suspicious"),
    ]  # fmt: skip
    few = filled.review.shadow(Asked(shadow_model="2.0", shadow="malicious"), limit=1)
    assert (len(few["worse"]), few["better"], few["queries"]) == (1, [], 3)


def test_no_candidate_ever(service: Service) -> None:
    assert service.review.shadow(Asked()) == {
        "model": None, "models": [], "queries": 0, "disagreements": [], "worse": [], "better": [],
    }  # fmt: skip
    assert service.review.shadow(Asked(shadow_model="9"))["model"] == "9"


def test_a_policy(filled: Service) -> None:
    filled.vetting.decide("garden-house.com", "blocked", who="me")
    found = filled.review.hindsight(Asked(), Policy(deny=["tea-house.com"]))
    assert {row["qname"]: row["change"] for row in found["listed"]} == {
        "tea-house.com": "newly_blocked",
        "garden-house.com": "newly_blocked",
        "tea-shop.com": "no_longer_flagged",
    }
    assert (found["model"], found["on"]) == (filled.model.version, {"malicious": "nxdomain"})
    assert found["thresholds"] == {"suspicious": 30.0, "malicious": 37.0}
    without = filled.review.hindsight(Asked(), Policy(overrides=False), limit=1)
    assert [row["qname"] for row in without["listed"]] == ["tea-shop.com"]


def test_wrong_policies(filled: Service) -> None:
    for policy, said in (
        (Policy(model="9.9"), "there is no model '9.9' here"),
        (Policy(on=["x"]), "write VERDICT"),
        (Policy(suspicious=50.0), "above malicious"),
        (Policy(deny=["a b"]), "deny: line 1: this is no list"),
    ):
        with pytest.raises(UsageError, match=said):
            filled.review.hindsight(Asked(), policy)


def test_one_at_a_time(filled: Service) -> None:
    with filled.review._busy, pytest.raises(StoreBusyError, match="under way"):
        filled.review.hindsight(Asked(), Policy())
    filled.review.hindsight(Asked(), Policy())


def test_a_model_that_is_here_or_in_shadow(tmp_path: Path) -> None:
    data = tmp_path / "data"
    registry = Registry(data)
    service = assemble(open_store(None, data), load(TINY), registry=registry)
    registry.promote(variant(tmp_path, "0.9"), forced=True)
    assert service.review.hindsight(Asked(), Policy(model="0.9"))["model"] == "0.9"
    registry.shadow_link.symlink_to(variant(tmp_path, "0.8"))
    assert service.review.hindsight(Asked(), Policy(model="shadow"))["model"] == "0.8"
    registry.shadow_link.unlink()
    with pytest.raises(ModelError):
        service.review.hindsight(Asked(), Policy(model="shadow"))
    service.close()
