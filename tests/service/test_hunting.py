"""The service looks back by itself after promotions and decisions."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from mlplugin.errors import StoreError
from mlplugin.model import load
from mlplugin.service import hunting as module
from mlplugin.service.hunting import FILE, Hunting
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.service.vetting import Vetting
from mlplugin.store import open_store
from mlplugin.store.port import Store
from tests.e2e.system import until
from tests.support.events import event, table
from tests.support.models import TINY, variant

# By the built-in model, and by the tiny one, malicious.
BUILTIN_BAD, TINY_BAD = "lmgjtcxifuyzoojgpqxuisazv.net", "pwzrokdguffzdnpwcaxaqfjv.cn"
THEN = 1_700_000_000_000_000


class System:
    """A store, the tiny model, and what hunts there."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.registry = Registry(self.data)
        self.store: Store = open_store(None, self.data)
        self.models = ModelInUse(load(TINY), self.registry)
        self.vetting = Vetting(self.store, self.models)
        self.hunting = self.begin()

    def begin(self) -> Hunting:
        return Hunting(self.store, self.models, self.vetting, self.data, 0.01)

    def look(self) -> int:
        """Look until nothing changes; how many hunts there were."""
        return sum(self.hunting.look() for _ in range(3))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    import datetime

    monkeypatch.setattr(module, "BACK", datetime.timedelta(days=36500))
    system = System(tmp_path)
    names = (BUILTIN_BAD, TINY_BAD, "a.garden-house.com", "b.a.garden-house.com", "other.net",
             "example.org")  # fmt: skip
    rows = [
        event(
            n,
            qname=name,
            registered_domain=None,
            client=f"192.0.2.{n % 3}",
            time=1_700_000_000_000_000 + n,
        )
        for n, name in enumerate(names * 3)
    ]
    system.store.append("one", table(rows))
    yield system
    system.hunting.close()
    system.store.close()


def found(hunting: Hunting) -> list[str]:
    return sorted(row["qname"] for row in hunting.results()["hunts"][0]["listed"])


def test_nothing_is_hunted_for_at_first(system: System) -> None:
    assert system.look() == 0
    assert system.hunting.results() == {"running": None, "hunts": []}


def test_after_a_promotion(
    system: System, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    system.look()
    system.registry.promote(variant(tmp_path, "0.9"), forced=True)
    assert system.models.look()
    with caplog.at_level(logging.WARNING):
        assert system.look() == 1
    (hunt,) = system.hunting.results()["hunts"]
    assert hunt["why"] == f"model 0.9 in place of {load(TINY).version}"
    assert (hunt["model"], hunt["names"], hunt["complete"]) == ("0.9", 6, True)
    assert found(system.hunting) == [TINY_BAD]
    assert hunt["listed"][0]["asked_by"][0]["client"].startswith("192.0.2.")
    assert "1 names of the last" in caplog.text
    assert system.look() == 0


def test_after_decisions(system: System) -> None:
    system.look()
    system.vetting.decide("garden-house.com", "blocked", who="me")
    system.vetting.decide("a.garden-house.com", "honeypot", who="me")
    system.vetting.decide("example.org", "benign", who="me")
    system.vetting.decide("other.net", "blocked", who="me", client="192.0.2.4")
    assert system.look() == 1
    assert found(system.hunting) == ["a.garden-house.com", "b.a.garden-house.com"]
    hunt = system.hunting.results()["hunts"][0]
    assert hunt["names"] == 3  # only what the decisions are about was read
    assert "garden-house.com is blocked" in hunt["why"]
    system.vetting.take_back("garden-house.com", None, who="me")
    assert system.look() == 0
    system.vetting.decide("other.net", "blocked", who="me", scope="name")
    assert system.look() == 1
    assert found(system.hunting) == ["other.net"]
    assert len(system.hunting.results()["hunts"]) == 2


def test_it_is_kept_over_a_restart(system: System) -> None:
    system.look()
    system.vetting.decide("garden-house.com", "blocked", who="me")
    system.look()
    again = system.begin()
    assert again.results() == system.hunting.results()
    assert not again.look()
    # a change while nothing ran is seen
    system.vetting.decide("other.net", "blocked", who="me")
    assert sum(again.look() for _ in range(3)) == 1
    assert found(again) == ["other.net"]


def test_a_data_directory_that_is_not_there_yet(system: System) -> None:
    """A service on a cluster may be the first to write into it."""
    system.data = system.data / "new" / "place"
    system.begin().look()
    assert (system.data / FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seen": null, "hunts": []}', '{"hunts": 3}'])
def test_a_damaged_file_is_begun_anew(system: System, text: str) -> None:
    (system.data / FILE).write_text(text)
    again = system.begin()
    assert again.results()["hunts"] == []
    assert not again.look()
    assert json.loads((system.data / FILE).read_text())["seen"]["model"] == load(TINY).sha256


def test_the_end_breaks_it_off_and_it_is_done_again(system: System) -> None:
    system.look()
    system.vetting.decide("garden-house.com", "blocked", who="me")
    system.hunting._stop.set()
    assert system.look() == 0
    assert system.hunting.results()["hunts"] == []
    again = system.begin()
    assert sum(again.look() for _ in range(3)) == 1


def test_the_end_does_not_wait_for_a_long_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the end of the store breaks it off."""
    store = open_store(None, tmp_path / "data")
    store.append("one", table([event(1)]))
    asked, closed = threading.Event(), threading.Event()
    ends = store.close

    def endless(_wanted: object) -> Iterator[pa.RecordBatch]:
        asked.set()
        assert closed.wait(60), "nobody breaks it off"
        raise StoreError("interrupted")
        yield  # a generator

    def close() -> None:
        closed.set()
        ends()

    monkeypatch.setattr(store, "names", endless)
    monkeypatch.setattr(store, "close", close)
    service = assemble(store, load(TINY), data=tmp_path / "data")
    service.hunting.close()
    hunting = Hunting(store, service.models, service.vetting, tmp_path / "data", 0.01)
    service = replace(service, hunting=hunting)
    hunting.look()
    hunting.start()
    service.vetting.decide("example.org", "blocked", who="me")
    until("it hunts", asked.is_set)
    service.close()
    assert closed.is_set()
    assert not hunting._thread.is_alive()


def test_it_reads_so_many_names_and_no_more(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_NAMES", 1)
    system.look()
    system.vetting.decide("garden-house.com", "blocked", who="me")
    assert system.look() == 1
    assert system.hunting.results()["hunts"][0]["complete"] is False


def test_it_runs_by_itself(system: System) -> None:
    system.hunting.start()
    until("the state is known", (system.data / FILE).exists)
    system.vetting.decide("garden-house.com", "blocked", who="me")
    until("it has hunted", lambda: system.hunting.results()["hunts"])
    assert found(system.hunting) == ["a.garden-house.com", "b.a.garden-house.com"]
    system.hunting.close()


def test_a_data_directory_that_cannot_be_written(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    (system.data / FILE).mkdir()
    again = system.begin()
    assert not again.look()
    assert "cannot be written" in caplog.text
