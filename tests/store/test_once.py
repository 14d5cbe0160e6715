"""What is found out once holds nobody else up."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mlplugin.store import duckdb_pieces
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.once import Once
from mlplugin.store.port import Filter
from tests.support.events import event, table

PATIENCE = 20


class Counting:
    def __init__(self) -> None:
        self.asked = 0

    @Once
    def value(self) -> int:
        """How often it was asked for."""
        self.asked += 1
        return self.asked


def test_it_is_found_out_once_for_each() -> None:
    one, other = Counting(), Counting()
    assert (one.value, one.value, other.value) == (1, 1, 1)
    assert Counting.value.__doc__ == "How often it was asked for."


def test_one_question_does_not_wait_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DuckDBStore(tmp_path)
    store.append("one", table([event(1)]))
    begun, answered = threading.Event(), threading.Event()
    in_time = []
    chosen = duckdb_pieces.cover

    def slowly(*given: Any) -> duckdb_pieces.Cover:
        if threading.current_thread() is thread:
            begun.set()
            in_time.append(answered.wait(PATIENCE))
        return chosen(*given)

    monkeypatch.setattr(duckdb_pieces, "cover", slowly)
    thread = threading.Thread(target=lambda: store.stats(Filter()))
    thread.start()
    assert begun.wait(PATIENCE)
    assert store.stats(Filter()).queries == 1
    answered.set()
    thread.join()
    assert in_time == [True]
    store.close()
