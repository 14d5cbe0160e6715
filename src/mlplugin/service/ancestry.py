"""A line of retrainings: what it began with, and how the next one is called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlplugin.errors import ModelError
from mlplugin.model import shipped
from mlplugin.model.directory import CONFIG_FILE
from mlplugin.service import comparison
from mlplugin.service.registry import NAME, Registry

RETRAINING = "retraining"


def root(place: Path, registry: Registry) -> Path:
    """Give the oldest model of a line that is here; the model itself where it was not retrained.

    Each retraining is held to what its parent does, within chance. Only beside the one that all
    began with does it show where ten of them lost a little each.

    Args:
        place: the directory of the last model of the line.
        registry: where the others are, beside the shipped one.
    """
    line, folders = [place], (registry.folder, shipped().parent)
    while (about := _retraining(line[-1])) is not None:
        told = (about.get("root"), about.get("parent"))  # the root may have been removed
        older = next((found for one in told if (found := _find(one, folders))), None)
        if older is None or older in line:
            break
        line.append(older)
    return line[-1]


def next_version(registry: Registry, parent: str) -> str:
    """Give the version of a model that is retrained from another: its own, +1, +2 ..."""
    root = parent.partition("+")[0]
    taken = {path.name for path in registry.directories()}
    number = 1
    while f"{root}+{number}" in taken:
        number += 1
    return f"{root}+{number}"


def _retraining(place: Path) -> dict[str, Any] | None:
    """What a model tells of its retraining; None where it tells nothing that can be read."""
    try:
        sha256 = _digest(place)
        found = comparison.metrics_of(place, sha256) if sha256 else None
    except ModelError:
        return None
    about = None if found is None else found.get(RETRAINING)
    return about if isinstance(about, dict) else None


def _find(told: Any, folders: Sequence[Path]) -> Path | None:
    """Where the model that is told of is, None where it is not, or not that one any more."""
    if not isinstance(told, dict):
        return None
    version, sha256 = told.get("version"), told.get("sha256")
    if not isinstance(version, str) or not NAME.fullmatch(version) or not isinstance(sha256, str):
        return None
    return next((one / version for one in folders if _digest(one / version) == sha256), None)


def _digest(place: Path) -> str | None:
    try:
        return hashlib.sha256((place / CONFIG_FILE).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None
