"""Every store that there is, under one suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlplugin.store import open_store
from mlplugin.store.port import Store

Open = Callable[[], Store]
STORES = {"duckdb": None}


@pytest.fixture(params=STORES)
def open_one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the store of this test, the same one each time; the last one is closed at the end."""
    opened: list[Store] = []

    def opening() -> Store:
        opened.append(open_store(STORES[request.param], tmp_path / "data"))
        return opened[-1]

    yield opening
    if opened:
        opened[-1].close()


@pytest.fixture
def store(open_one: Open) -> Store:
    return open_one()
