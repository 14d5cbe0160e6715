"""Copies of model directories: whole, on the disk, and still the model that they were."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlplugin.errors import ModelError, UsageError
from mlplugin.model import Model, load
from mlplugin.model.directory import CONFIG_FILE
from mlplugin.model.settings import parse
from mlplugin.service.record import sync

# What is copied of a model directory beside configuration and weights, where it is there.
PAPERS = ("metrics.json", "README.md", "*.svg")


def check(place: Path, version: str | None, sha256: str | None) -> None:
    """Refuse to go back to what is not there any more as it was."""
    how = "choose another with `mlplugin models promote VERSION`"
    try:
        digest = load(place).sha256
    except ModelError as fault:
        raise ModelError(f"cannot go back to {version}: {fault}; or {how}") from fault
    if digest != sha256:
        raise ModelError(f"cannot go back to {version}: {place} was changed; {how}")


def check_same(place: Path, model: Model) -> None:
    """Refuse a version that another model has here."""
    try:
        digest = load(place).sha256
    except ModelError as fault:
        raise ModelError(f"{fault}, or remove {place} and promote again") from fault
    if digest != model.sha256:
        raise UsageError(
            f"{place} is another model of the same version: give the new one a --version of "
            "its own when you train it"
        )


def copy(directory: Path, fresh: Path, model: Model) -> None:
    """Copy what belongs to a model, have it on the disk, and see that it is still that model."""
    raw = (directory / CONFIG_FILE).read_bytes()
    names = [CONFIG_FILE, parse(raw, CONFIG_FILE).weights.file]
    found = (path for pattern in PAPERS for path in directory.glob(pattern))
    names += sorted({path.name for path in found if path.is_file()})
    for name in names:
        shutil.copyfile(directory / name, fresh / name)
        sync(fresh / name)
    if load(fresh).sha256 != model.sha256:
        raise UsageError(f"{directory} changed while it was copied: try again")
    sync(fresh)
