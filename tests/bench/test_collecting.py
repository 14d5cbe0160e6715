"""What Go traces of its collections, read."""

from __future__ import annotations

from pathlib import Path

from bench.performance.collecting import collected, since

TRACE = """.:53
gc 7 @2.100s 1%: 0.020+0.50+0.010 ms clock, 0.04+0.1/0.4/0+0.02 ms cpu, 4->4->2 MB, 4 MB goal, 2 P
gc 8 @2.200s 1%: 0.030+1.50+0.010 ms clock, 0.1+0.1/1/0+0.02 ms cpu, 32->33->16 MB, 33 MB goal, 2 P
gc 9 @2.300s 1%: 0.040+2.00+0.020 ms clock, 0.1+0/2/0+0.04 ms cpu, 32->33->16 MB, 33 MB goal, 2 P
[INFO] something else
"""


def test_collections_are_counted() -> None:
    assert collected(TRACE, 2.0) == {
        "collections": 1.5, "collecting": 0.002, "mark_ms": 1.5, "pause_ms": 0.04, "goal_mb": 33,
    }  # fmt: skip


def test_a_program_that_collected_nothing() -> None:
    assert set(collected("[INFO] nothing", 2.0).values()) == {0.0}


def test_what_came_before_is_not_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("warming up\n" + TRACE)
    assert since(log, len("warming up\n")) == TRACE
