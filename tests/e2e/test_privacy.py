"""The history is its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from .system import Service

pytestmark = pytest.mark.e2e


def test_nobody_else_may_read_the_history(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        service = Service(tmp_path / "data", tmp_path / "service.log")
        service.start()
    finally:
        os.umask(before)
    made = [tmp_path / "data", *(tmp_path / "data").iterdir()]
    open_to_others = [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]
    service.stop()
    assert len(made) > 1
    assert open_to_others == []
