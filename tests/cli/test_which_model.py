"""A model that is named: by its directory, its version, or as the shadow."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.cli.which_model import directory_of, with_shadow
from mlplugin.errors import UsageError
from mlplugin.model import shipped
from mlplugin.service.registry import Registry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    found = Registry(tmp_path / "data")
    (found.folder / "1.0").mkdir(parents=True)
    return found


def test_a_directory_goes_before_a_version(registry: Registry) -> None:
    assert directory_of("1.0", registry) == registry.folder / "1.0"
    assert directory_of(shipped().name, registry) == shipped()
    Path("1.0").mkdir()
    assert directory_of("1.0", registry) == Path("1.0")


def test_the_shadow(registry: Registry) -> None:
    registry.shadow_link.symlink_to("1.0")
    assert with_shadow("shadow", registry, "--model").samefile(registry.folder / "1.0")
    assert with_shadow("1.0", registry, "--model") == registry.folder / "1.0"
    with pytest.raises(UsageError, match="no such version"):
        directory_of("shadow", registry)
    Path("shadow").mkdir()
    assert with_shadow("shadow", registry, "--model") == Path("shadow")


def test_a_shadow_that_leads_in_a_circle_is_none(registry: Registry) -> None:
    registry.shadow_link.symlink_to("shadow")
    with pytest.raises(UsageError, match="no model is the shadow in"):
        with_shadow("shadow", registry, "--model")


@pytest.mark.parametrize("name", ["9.9", "current", "no such name"])
def test_what_is_not_there(name: str, registry: Registry) -> None:
    with pytest.raises(UsageError, match=f"^--model {name}: .*{registry.folder}: .*--data DIR"):
        directory_of(name, registry, "--model")


def test_a_path_is_no_version(registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"^\./1\.0: there is no such directory$"):
        directory_of("./1.0", registry)
