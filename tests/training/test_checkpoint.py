"""Checkpoints on disk: whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplugin.training import checkpoint, fit
from mlplugin.training.checkpoint import Keeper, RunDirectory, State
from mlplugin.training.descent import Samples, Weights
from tests.training.conftest import SMALL

NAME = "ab" * 32


def state(number: int = 0, done: int = 5) -> State:
    rng = np.random.default_rng(number * 1000 + done)
    weights = fit.start(replace(SMALL, seed=int(rng.integers(1000))), 20)
    return State(weights, np.array([1 << 63], np.uint64), rng.random((7, 2)), number, done)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory.open(tmp_path / "m.partial", {"code": "1"}, restart=False)
    yield run
    run.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def keeper(folder: RunDirectory, told: list[str]) -> Keeper:
    return folder.keeper(NAME, Weights, told.append)


def test_it_comes_back_as_it_was(keeper: Keeper, folder: RunDirectory) -> None:
    assert keeper.latest() is None
    assert not folder.saved
    before = state()
    keeper.save(before)
    assert folder.saved
    after = keeper.latest()
    assert after is not None
    assert (after.number, after.done) == (0, 5)
    arrays = zip((*before.weights, before.random, before.sums),
                 (*after.weights, after.random, after.sums), strict=True)  # fmt: skip
    for was, now in arrays:
        assert np.array_equal(was, now)
        assert was.dtype == now.dtype
        assert now.flags.writeable
        assert now.flags.c_contiguous


def test_the_two_newest_are_kept(keeper: Keeper) -> None:
    for number, done in ((0, 999_999), (0, 1_000_000), (1, 0), (1, 10)):
        keeper.save(state(number, done))
    kept = [path.name for path in sorted(keeper.folder.iterdir())]
    assert kept == ["0001-000000000000.safetensors", "0001-000000000010.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "renamed"])
def test_the_one_before_stands_in_for_a_damaged_one(
    damage: str, keeper: Keeper, told: list[str]
) -> None:
    keeper.save(state(0, 5))
    path = keeper.save(state(0, 9))
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "renamed": content.replace(NAME.encode(), b"cd" * 32),
        }[damage]
    )
    found = keeper.latest()
    assert found is not None
    assert found.done == 5
    assert len(told) == 1
    assert told[0].startswith(f"{path}: damaged (")
    assert "\n" not in told[0]


def test_none_is_left_when_all_are_damaged(keeper: Keeper, told: list[str]) -> None:
    keeper.save(state()).write_bytes(b"x")
    assert keeper.latest() is None
    assert len(told) == 1


def test_half_a_file_is_not_looked_at(keeper: Keeper, told: list[str]) -> None:
    path = keeper.save(state(0, 5))
    path.with_name("0000-000000000009.safetensors.part").write_bytes(b"half")
    found = keeper.latest()
    assert found is not None
    assert (found.done, told) == (5, [])


def test_a_failed_write_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "file"
    checkpoint.write_safely(path, b"old")
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_safely(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_differences_in_words() -> None:
    before = {"code": "1", "recipe": {"seed": 1, "rate": 0.2}, "data": {"a": "x", "b": "y"}}
    now = {"code": "2", "recipe": {"seed": 2, "rate": 0.2}, "data": {"b": "z", "c": "x"}}
    assert checkpoint.differences(before, before) == []
    assert checkpoint.differences(before, now) == [
        "other code", "a is gone", "b differs", "c is new", "seed was 1, is 2",
    ]  # fmt: skip
    assert checkpoint.differences([], now) == ["it cannot be read"]


def test_every_part_of_a_fit_is_in_its_identity() -> None:
    bytes8, numbers = np.zeros(4, np.uint8), np.zeros(2, np.int32)
    made = Samples(
        bytes8, np.array([0, 2, 4]), numbers, numbers, numbers, np.zeros(2, np.int8),
        np.ones(2, np.float32), np.zeros(2, np.bool_), np.zeros(3, np.bool_),
    )  # fmt: skip
    lenders = np.array([1])
    seen = {checkpoint.identity("look", made, lenders, SMALL)}
    seen.add(checkpoint.identity("look", made, lenders, replace(SMALL, rate=0.3)))
    seen.add(checkpoint.identity("look", made, lenders + 1, SMALL))
    for name, value in made._asdict().items():
        changed = value.copy()
        changed.flat[0] = not changed.flat[0] if changed.dtype == np.bool_ else 7
        seen.add(checkpoint.identity("look", made._replace(**{name: changed}), lenders, SMALL))
    assert len(seen) == 3 + len(made)


def test_what_never_learnt_binds_nobody(tmp_path: Path) -> None:
    place = tmp_path / "m.partial"
    for code in ("1", "2"):
        RunDirectory.open(place, {"code": code}, restart=False).close()


def test_another_processor_is_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its vectors have another width, and sums other bits."""
    here = checkpoint.code()
    assert checkpoint.code() == here
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert checkpoint.code() != here
