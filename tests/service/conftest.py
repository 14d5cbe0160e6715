"""A service on a small model and a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlplugin.model import load
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = assemble(open_store(None, tmp_path / "data"), load(TINY))
    yield service
    service.close()
