"""The measurements, where something is missing that they need."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.performance.parts import Parts
from bench.performance.results import Results


@pytest.mark.parametrize("part", ["latency", "collecting"])
def test_half_load_wants_to_know_the_whole(part: str, tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json", fresh=True, about={})
    unused = cast("Any", SimpleNamespace(folder=tmp_path))
    parts = Parts(unused, unused, {"hot": unused}, results, unused)
    with pytest.raises(SystemExit, match="not known of hot: measure throughput as well"):
        getattr(parts, part)()
