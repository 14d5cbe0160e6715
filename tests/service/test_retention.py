"""The thread that keeps the history within its bounds."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import cast

import pytest

from mlplugin.service.retention import Bounds, Retention
from mlplugin.store.port import Store, StoreBusyError


class Odd:
    """A store that fails as none should, the first two times."""

    def __init__(self) -> None:
        self.asked = 0
        self.well = threading.Event()

    def trim(self, _before: datetime | None, _most_bytes: int | None) -> int:
        self.asked += 1
        if self.asked < 3:
            raise KeyError("hits")
        self.well.set()
        return 0

    def drop_expired(self, _before: datetime, _at: datetime, _who: str) -> int:
        return 0


class Busy(Odd):
    """A store that is always read."""

    def trim(self, _before: datetime | None, _most_bytes: int | None) -> int:
        raise StoreBusyError("not now")

    def drop_expired(self, _before: datetime, _at: datetime, _who: str) -> int:
        self.well.set()
        return 0


def test_decisions_expire_in_a_store_that_is_always_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    busy = Busy()
    retention = Retention(cast(Store, busy), Bounds(), look_seconds=0.01)
    with caplog.at_level(logging.INFO):
        retention.start()
        assert busy.well.wait(30)
        retention.close()
    assert not caplog.records


def test_it_outlives_every_fault(caplog: pytest.LogCaptureFixture) -> None:
    odd = Odd()
    retention = Retention(cast(Store, odd), Bounds(), look_seconds=0.01)
    with caplog.at_level(logging.ERROR):
        retention.start()
        assert odd.well.wait(30)
        retention.close()
    assert "retention failed, and is tried again" in caplog.text
