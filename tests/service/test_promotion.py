"""Whether a model may take the place of another: what speaks against it, and who was first."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlplugin.errors import ModelError, RefusedError, UsageError
from mlplugin.model import load
from mlplugin.service.lineage import State
from mlplugin.service.promotion import network, objection, of_history, promoted, too_many
from mlplugin.service.registry import Instead, Registry
from mlplugin.store import open_store
from mlplugin.store.port import Override
from tests.support.events import NOON, event, table
from tests.support.models import measured, variant


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "data")
    found.promote(variant(tmp_path, "1.0", measured(0.001, 0.5)))
    return found


def retrained(
    folder: Path,
    version: str,
    of: Path,
    alarms: float = 0.001,
    found: float = 0.5,
    **about: Any,
) -> Path:
    """A model that tells that it was retrained from another and what was measured of both."""
    told = {
        "parent": {"version": load(of).version, "sha256": load(of).sha256},
        "before": measured(0.001, 0.5),
        "network": {"names": 1000, "flagged": 0, "share": 0.0, "first": []},
    }
    return variant(folder, version, measured(alarms, found) | {"retraining": told | about})


def used(registry: Registry) -> Path:
    place = registry.in_use()
    assert place is not None
    return place


def test_a_good_one_goes_in_use(registry: Registry, tmp_path: Path) -> None:
    made = retrained(tmp_path, "1.0+1", used(registry))
    entry, why = promoted(registry, made, who="ann")
    assert why is None
    assert entry is not None
    assert (entry.version, entry.previous, entry.who, entry.forced) == (
        "1.0+1",
        "1.0",
        "ann",
        False,
    )
    assert registry.state_of("1.0+1") is State.LIVE
    assert registry.state_of("1.0") is State.RETIRED
    assert registry.rollback(who="bob").who == "bob"
    assert registry.state_of("1.0+1") is State.RETIRED
    assert promoted(registry, registry.folder / "1.0") == (None, None)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"alarms": 0.004}, r"it flags more than 1\.0 beyond chance: false positives.*0\.400%"),
        ({"found": 0.4}, r"it finds less than 1\.0 beyond chance.*40\.000%"),
        ({"found": 0.0}, "none or hardly any"),
        (
            {"network": {"names": 1000, "flagged": 9, "share": 0.009, "first": ["a.net"]}},
            r"it flags 9 of 1,000 frequent names of this network.*0\.90%.*'a\.net'",
        ),
        ({"before": None}, "nothing was measured of 1.0"),
        ({"parent": {"version": "0.9", "sha256": "ab"}}, r"retrained from 0\.9.*retrain from 1\.0"),
    ],
)
def test_a_worse_one_does_not(
    given: dict[str, Any], reason: str, registry: Registry, tmp_path: Path
) -> None:
    made = retrained(tmp_path, "1.0+1", used(registry), **given)
    with pytest.raises(RefusedError, match=rf"1\.0\+1 is not promoted, .*{reason}"):
        promoted(registry, made)
    assert registry.serving() == "1.0"
    entry, why = promoted(registry, made, force=True)
    assert entry is not None
    assert entry.forced
    assert why is not None


def test_within_its_interval_is_no_objection(registry: Registry, tmp_path: Path) -> None:
    made = retrained(tmp_path, "1.0+1", used(registry), alarms=0.0012, found=0.495)
    assert objection(used(registry), made) is None


def test_one_that_was_trained_anew_is_compared_as_ever(registry: Registry, tmp_path: Path) -> None:
    good = variant(tmp_path, "2.0", measured(0.001, 0.4))
    assert objection(used(registry), good) is None
    seen = {"names": 100, "flagged": 50, "share": 0.5, "first": ["a.net"]}
    assert "50 of 100 frequent names" in str(objection(used(registry), good, seen))
    assert "no metrics.json" in str(objection(used(registry), variant(tmp_path, "3.0")))
    (good / "metrics.json").write_text("{")
    assert "cannot be compared" in str(objection(used(registry), good))


def test_the_network_is_asked_again() -> None:
    model = load()
    names = ["google.com", "xkqzvbjwpt3vhq8f.net", "qzkxvjw7p2mtr4hd.com"]
    assert network(model, model, names)["flagged"] == 0
    assert too_many(None, "1.0") == []
    assert too_many({"names": 0, "flagged": 0, "share": 0.0, "first": []}, "1.0") == []


class Flat:
    """A model that says the same of every name."""

    def __init__(self, level: int) -> None:
        self._level = level

    def judge_many(self, names: list[str]) -> Any:
        return SimpleNamespace(level=np.full(len(names), self._level))


def test_what_people_condemned_is_no_false_alarm(tmp_path: Path) -> None:
    """Having learnt to flag it is what the model was retrained for."""
    store = open_store(None, tmp_path / "data")
    names = ["example.org", "a.bad.net", "b.bad.net", "only.net", "www.only.net"]
    store.append("edge", table(event(n, qname=name, registered_domain=None)
                               for n, name in enumerate(names)))  # fmt: skip
    now = datetime.now(UTC)
    decisions = [
        Override("bad.net", "subdomains", "blocked", None, None, "", now),
        Override("b.bad.net", "name", "benign", None, None, "", now),
        Override("only.net", "name", "honeypot", None, None, "", now),
        Override("example.org", "name", "blocked", None, now + timedelta(days=1), "", now),
    ]
    mild: Any = Flat(0)
    stern: Any = Flat(2)
    seen = of_history(store, mild, stern, decisions)
    store.close()
    assert sorted(seen["first"]) == ["b.bad.net", "example.org", "www.only.net"]


def told_by(store: Any, decisions: Sequence[Override] = ()) -> list[str]:
    mild: Any = Flat(0)
    stern: Any = Flat(2)
    return sorted(of_history(store, mild, stern, decisions)["first"])


def test_what_one_client_alone_asks_for_is_no_false_alarm(tmp_path: Path) -> None:
    """A live family that people have begun to vet: an infected client asks for all of it."""
    store = open_store(None, tmp_path / "data")
    one = [event(n, qname=f"x{n % 2}.net", registered_domain=None) for n in range(40)]
    store.append("edge", table(one))
    assert told_by(store) == ["x0.net", "x1.net"]  # in a network of one client all is its own
    two = [event(n, qname="shop.net", registered_domain=None, client=f"192.0.2.{n % 2 + 1}")
           for n in range(40, 44)]  # fmt: skip
    store.append("edge", table(two))
    assert told_by(store) == ["shop.net"]
    vouched = [Override("x1.net", "name", "benign", None, None, "", datetime.now(UTC))]
    assert told_by(store, vouched) == ["shop.net", "x1.net"]
    store.close()


def test_the_network_of_last_year_is_another_one(tmp_path: Path) -> None:
    """Nobody waits for sums over a whole history."""
    store = open_store(None, tmp_path / "data")
    year = 365 * 86_400_000_000
    old = [event(n, qname="old.net", registered_domain=None, time=NOON - year) for n in range(9)]
    new = [event(n, qname="new.net", registered_domain=None) for n in range(9, 12)]
    store.append("edge", table([*old, *new]))
    assert told_by(store) == ["new.net"]
    store.close()


def eroded(folder: Path, used: Path, **about: Any) -> Path:
    """A tenth retraining: within chance of its parent, and of what the line began with not."""
    root = {
        "version": "0.9", "sha256": "ab", "measured": measured(0.001, 0.52),
        "network": {"names": 1000, "flagged": 0, "share": 0.0, "first": []},
    }  # fmt: skip
    return retrained(folder, "1.0+1", used, 0.001, 0.495, root=root | about)


def test_what_ten_retrainings_lose_adds_up(registry: Registry, tmp_path: Path) -> None:
    made = eroded(tmp_path, used(registry))
    reason = r"finds less than 0\.9, with which its line began, beyond chance.*52\.000%"
    with pytest.raises(RefusedError, match=reason):
        promoted(registry, made)
    (tmp_path / "b").mkdir()
    flags = {"names": 1000, "flagged": 30, "share": 0.03, "first": []}
    more = eroded(tmp_path / "b", used(registry), measured=measured(0.001, 0.5), network=flags)
    with pytest.raises(RefusedError, match=r"flags 30 of 1,000 .* that 0\.9, with which"):
        promoted(registry, more)
    (tmp_path / "c").mkdir()
    same = eroded(tmp_path / "c", used(registry), measured=None)  # the parent is the root
    assert objection(used(registry), same) is None


@pytest.mark.parametrize("odd", [{}, {"flagged": "x", "names": 1, "share": 0, "first": []},
                                 {"flagged": 1, "names": None, "share": 0, "first": []},
                                 {"flagged": 1, "names": 1, "share": 1, "first": 3}])  # fmt: skip
def test_counts_that_cannot_be_read_are_an_objection(
    odd: dict[str, Any], registry: Registry, tmp_path: Path
) -> None:
    made = eroded(tmp_path, used(registry), measured=measured(0.001, 0.5), network=odd)
    assert objection(used(registry), made) == (
        "what it flags of the names that 0.9, with which its line began, lets be cannot be read"
    )


def test_a_link_that_leads_nowhere_is_mended_by_a_promotion(
    registry: Registry, tmp_path: Path
) -> None:
    made = variant(tmp_path, "2.0")
    registry.link.unlink()
    registry.link.symlink_to("gone")
    entry, why = promoted(registry, made, who="ann")
    assert entry is not None
    assert (entry.previous, entry.forced, why) == ("gone", False, None)
    assert load(registry.link).version == "2.0"


def test_two_promotions_at_once(registry: Registry, tmp_path: Path) -> None:
    """Both were compared with the same one: one wins, the other is told."""
    instead, won, told = Instead("1.0"), [], []
    made = [retrained(tmp_path, f"1.0+{number}", used(registry)) for number in (1, 2, 3)]

    def put(place: Path) -> None:
        try:
            won.append(registry.promote(place, instead=instead, who=f"who-{place.name}"))
        except RefusedError as fault:
            told.append(str(fault))

    threads = [threading.Thread(target=put, args=(place,)) for place in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(told) == 2
    assert won[0] is not None
    for fault in told:
        assert f"{won[0].version} was put in use by {won[0].who} at {won[0].time}" in fault
    registry.rollback()
    registry.rollback()
    with pytest.raises(RefusedError, match="the shipped model was put in use by"):
        registry.promote(made[0], instead=instead)


def test_two_who_go_back_at_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who comes second is told, and the record has one line of it."""
    held = registry._held

    @contextlib.contextmanager
    def late() -> Iterator[None]:
        monkeypatch.setattr(registry, "_held", held)
        registry.rollback(who="bob")
        with held():
            yield

    monkeypatch.setattr(registry, "_held", late)
    with pytest.raises(UsageError, match="the shipped model is in use"):
        registry.rollback(who="ann")
    assert [entry.who for entry in registry.history()][1:] == ["bob"]


def test_the_shadow_is_a_link_beside_current(registry: Registry, tmp_path: Path) -> None:
    origin = registry.add(retrained(tmp_path, "1.0+1", used(registry)), who="ann", parent="1.0")
    assert registry.origins()[origin.sha256] == origin
    assert registry.state_of("1.0+1") is State.CANDIDATE
    link = registry.folder / "shadow"
    assert not link.exists()
    registry.shadow("1.0+1")
    assert link.readlink() == Path("1.0+1")
    assert load(link).version == "1.0+1"
    assert registry.state_of("1.0+1") is State.SHADOW
    assert registry.directories() == [registry.folder / "1.0", registry.folder / "1.0+1"]
    registry.shadow(None)
    registry.shadow(None)
    assert not link.is_symlink()
    registry.shadow("1.0+1")
    registry.promote(registry.folder / "1.0+1")
    assert registry.shadowing() is None  # it is live
    registry.shadow("1.0")
    registry.rollback()
    assert (registry.serving(), registry.shadowing()) == ("1.0", None)
    registry.promote(registry.folder / "1.0+1")
    for version, reason in (("1.0+1", "is in use"), ("9.9", "no model here"), ("../x", "cannot")):
        with pytest.raises(UsageError, match=reason):
            registry.shadow(version)


def test_the_lineage_only_grows(registry: Registry, tmp_path: Path) -> None:
    made = retrained(tmp_path, "1.0+1", used(registry))
    first = registry.add(made, who="ann", data_sha256="ab", job="1")
    registry.add(made, who="bob")
    lines = (registry.folder / "lineage.jsonl").read_text().splitlines()
    assert [json.loads(line)["who"] for line in lines] == ["ann", "bob"]
    assert registry.origins()[first.sha256].who == "ann"  # who was first made it
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"created": "2026-12-01T00:00:00Z"}))
    with pytest.raises(UsageError, match="another model of the same version"):
        registry.add(made)
    (registry.folder / "lineage.jsonl").write_text('{"time": "x"}\n')
    with pytest.raises(ModelError, match="line 1"):
        registry.origins()


def test_a_model_of_a_later_format(registry: Registry, tmp_path: Path) -> None:
    """An older mlplugin says what to do, and so does an older plugin."""
    made = variant(tmp_path, "2.0")
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"format": 3}))
    with pytest.raises(ModelError, match="use a matching version of mlplugin or another model"):
        promoted(registry, made)
    with pytest.raises(ModelError, match="format 3 is not known"):
        registry.add(made)
    assert registry.serving() == "1.0"
