"""What is told of the models that are here: versions, thresholds, cards, measurements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlplugin.errors import ModelError
from mlplugin.model import shipped
from mlplugin.model.directory import CONFIG_FILE
from mlplugin.model.settings import parse
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.lineage import NOTHING_TOLD, State
from mlplugin.service.registry import Registry

CURRENT = "current"
CARD, METRICS = "README.md", "metrics.json"


def every(models: ModelInUse) -> list[dict[str, Any]]:
    """Give every model that is here and can be read, the one in use first, then by version."""
    used = models.model.sha256
    found: dict[str, dict[str, Any]] = {}
    for place in _places(models):
        row = _row(place, used)
        if row is not None:
            row |= _part(models.registry, row)
            found.setdefault(row["sha256"], row)
    rows = sorted(found.values(), key=lambda row: str(row["version"]), reverse=True)
    return sorted(rows, key=lambda row: not row["in_use"])


def one(models: ModelInUse, version: str) -> dict[str, Any] | None:
    """Give one model with its card and its measurements, None if it is not here."""
    used = models.model.sha256
    place = place_of(models, version)
    row = None if place is None else _row(place, used)
    if place is not None and row is not None:
        limits = parse(_bytes(place / CONFIG_FILE), CONFIG_FILE).thresholds
        return {
            **row,
            **_part(models.registry, row),
            "thresholds": {"suspicious": limits.suspicious, "malicious": limits.malicious},
            "card": _bytes(place / CARD).decode("utf-8", "replace"),
            "metrics": _object(_bytes(place / METRICS)),
        }
    return None


def place_of(models: ModelInUse, version: str) -> Path | None:
    """Give the directory of one model, of the one in use for `current`, None if it is not here."""
    used = models.model.sha256
    for place in _places(models):
        row = _row(place, used)
        if row and (row["in_use"] if version == CURRENT else row["version"] == version):
            return place
    return None


def _part(registry: Registry | None, row: dict[str, Any]) -> dict[str, Any]:
    """What a model is here, and where it comes from."""
    if registry is None:
        return {"state": State.LIVE if row["in_use"] else State.CANDIDATE, **NOTHING_TOLD}
    try:
        origin = registry.origins().get(row["sha256"])
        known = (registry.folder / row["version"]).is_dir()
        part = registry.state_of(row["version"] if known else None)
    except ModelError:
        return {"state": State.LIVE if row["in_use"] else State.CANDIDATE, **NOTHING_TOLD}
    return {"state": part, **(NOTHING_TOLD if origin is None else origin.listed())}


def _places(models: ModelInUse) -> Iterator[Path]:
    """The directories of all models, that of the one in use first."""
    if models.model.place is not None:
        yield models.model.place
    if models.registry is not None:
        yield from models.registry.directories()
    try:
        yield from (path.parent for path in sorted(shipped().parent.glob(f"*/{CONFIG_FILE}")))
    except ModelError:
        return


def _row(place: Path, used: str) -> dict[str, Any] | None:
    raw = _bytes(place / CONFIG_FILE)
    try:
        version = parse(raw, CONFIG_FILE).version
    except ModelError:
        return None
    told = _object(raw)
    digest = hashlib.sha256(raw).hexdigest()
    return {
        "version": version,
        "sha256": digest,
        "in_use": digest == used,
        "created": _text(told.get("created")),
        "data_cutoff": _text(told.get("data_cutoff")),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _bytes(path: Path) -> bytes:
    """What a file holds; nothing where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
