"""Which model a line of retrainings began with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mlplugin.model import load, shipped
from mlplugin.service.ancestry import root
from mlplugin.service.registry import Registry
from tests.support.models import measured, variant


def named(place: Path) -> dict[str, Any]:
    return {"version": load(place).version, "sha256": load(place).sha256}


def line(registry: Registry, folder: Path, length: int) -> list[Path]:
    """A model and what was retrained from it, each from the one before."""
    made = [variant(folder, "1.0", measured(0.001, 0.5))]
    for number in range(1, length):
        about = {"parent": named(made[-1]), "root": named(made[0])}
        told = measured(0.001, 0.5) | {"retraining": about}
        made.append(variant(folder, f"1.0+{number}", told))
    for place in made:
        registry.add(place)
    return [registry.folder / load(place).version for place in made]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "data")


def test_a_line_is_held_to_its_first(registry: Registry, tmp_path: Path) -> None:
    made = line(registry, tmp_path, 4)
    assert [root(place, registry) for place in made] == [made[0]] * 4
    assert root(shipped(), registry) == shipped()


def test_where_the_first_was_removed_the_oldest_is_taken(
    registry: Registry, tmp_path: Path
) -> None:
    made = line(registry, tmp_path, 4)
    shutil.rmtree(made[0])
    assert root(made[3], registry) == made[1]
    shutil.rmtree(made[2])
    assert root(made[3], registry) == made[3]


def test_the_shipped_one_is_found_where_it_lies(registry: Registry, tmp_path: Path) -> None:
    about = {"parent": named(shipped())}
    made = variant(tmp_path, "9.9+1", measured(0.001, 0.5) | {"retraining": about})
    assert root(made, registry) == shipped()


def test_another_model_of_that_version_is_not_it(registry: Registry, tmp_path: Path) -> None:
    about = {"parent": named(shipped()) | {"sha256": "ab"}}
    made = variant(tmp_path, "9.9+1", measured(0.001, 0.5) | {"retraining": about})
    assert root(made, registry) == made


@pytest.mark.parametrize(
    "about",
    [None, [], {}, {"parent": 3}, {"parent": {"version": "../x", "sha256": "ab"}},
     {"parent": {"version": "1.0", "sha256": 3}}],
)  # fmt: skip
def test_what_tells_nothing_is_its_own_first(
    about: Any, registry: Registry, tmp_path: Path
) -> None:
    made = variant(tmp_path, "1.0", measured(0.001, 0.5) | {"retraining": about})
    assert root(made, registry) == made
    (made / "metrics.json").write_text("{")
    assert root(made, registry) == made


def test_a_line_that_goes_in_a_circle_ends(registry: Registry, tmp_path: Path) -> None:
    place = variant(tmp_path, "1.0", measured(0.001, 0.5))
    about = {"parent": named(place)}
    (tmp_path / "x").mkdir()
    made = variant(tmp_path / "x", "1.0", measured(0.001, 0.5) | {"retraining": about})
    registry.add(made)
    here = registry.folder / "1.0"
    assert root(here, registry) == here
