"""Reading a model directory from disk, as ``docs/model-format.md`` has it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

import mlplugin
from mlplugin.errors import ModelError
from mlplugin.model.settings import REGIONS, SYMBOLS, Settings, parse
from mlplugin.verdict import THREATS

CONFIG_FILE = "config.json"
LARGEST_FILE = 64 << 20  # bytes

Floats = NDArray[np.float64]


class Tensors(NamedTuple):
    """The numbers of the weights file; those that are float32 there are float64 here."""

    table: NDArray[np.int8]
    table_scale: Floats
    w1: Floats
    b1: Floats
    w2: Floats
    b2: Floats
    suffix_hash: NDArray[np.uint64]
    suffix_flag: NDArray[np.uint8]
    suffix_weight: NDArray[np.int8]
    suffix_scale: Floats
    look_table: NDArray[np.int8]
    look_scale: Floats
    look_bias: Floats
    look_w1: Floats
    look_b1: Floats
    look_w2: Floats
    look_w3: Floats
    look_b2: Floats
    reputation: NDArray[np.uint64]


class Contents(NamedTuple):
    """A model directory that has passed every check."""

    settings: Settings
    tensors: Tensors
    sha256: str  # of config.json, hex


def shipped() -> Path:
    """Give the directory of the highest version that comes with the package.

    Raises:
        ModelError: if there is none.
    """
    package = Path(mlplugin.__file__).parent
    # In a wheel beside the modules, in a clone at the root, where Go embeds it too.
    for folder in (package / "models", package.parents[1] / "models"):
        found = [path.parent for path in folder.glob(f"*/{CONFIG_FILE}")]
        if found:
            return max(found, key=lambda path: version_key(path.name))
    raise ModelError("no model comes with this installation; name one with --model DIR")


def created(path: Path) -> str | None:
    """Give the time that a model directory carries, RFC 3339 in UTC; None if it tells none."""
    try:
        told = json.loads(_bytes(path / CONFIG_FILE))
    except (ModelError, ValueError, RecursionError):
        return None
    time = told.get("created") if isinstance(told, dict) else None
    return time if isinstance(time, str) else None


def read(path: Path) -> Contents:
    """Read and check a model directory.

    Raises:
        ModelError: with the file, what is wrong with it and what to do, in one line.
    """
    if not path.is_dir():
        what = "is no directory" if path.exists() else "is not there"
        raise ModelError(f"model directory {path} {what}; name one that holds {CONFIG_FILE}")
    raw = _bytes(path / CONFIG_FILE)
    settings = parse(raw, str(path / CONFIG_FILE))
    place = path / settings.weights.file
    weights = _bytes(place)
    if len(weights) != settings.weights.bytes:
        raise _damaged(place, f"{len(weights)} bytes, not the {settings.weights.bytes} expected")
    if hashlib.sha256(weights).hexdigest() != settings.weights.sha256:
        raise _damaged(place, f"its SHA-256 is not the one in {CONFIG_FILE}")
    return Contents(settings, _tensors(weights, settings, place), hashlib.sha256(raw).hexdigest())


def version_key(name: str) -> list[tuple[int, int, str]]:
    """Order versions part by part, numbers as numbers and before words."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in name.split(".")]


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise _damaged(path, f"{size} bytes, more than {LARGEST_FILE}")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror or error}; copy the model directory again"
        ) from error


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(f"{path}: {what}; copy the model directory again")


def _shapes(settings: Settings, found: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Give the dtype and shape that each tensor must have."""
    heads, wide, hidden = len(THREATS), settings.dimensions, settings.hidden
    inputs = len(REGIONS) * wide
    look = settings.look
    rules = found["suffix_hash"].shape[:1] if "suffix_hash" in found else (0,)
    known = found["reputation"].shape[:1] if "reputation" in found else (0,)
    return {
        "table": ("int8", (settings.ngram.buckets, wide + heads)),
        "table_scale": ("float32", (wide + heads,)),
        "w1": ("float32", (hidden, inputs)),
        "b1": ("float32", (hidden,)),
        "w2": ("float32", (heads, hidden)),
        "b2": ("float32", (heads,)),
        "suffix_hash": ("uint64", rules),
        "suffix_flag": ("uint8", rules),
        "suffix_weight": ("int8", (*rules, heads)),
        "suffix_scale": ("float32", (1,)),
        "look_table": ("int8", (look.window, SYMBOLS, look.filters)),
        "look_scale": ("float32", (look.filters,)),
        "look_bias": ("float32", (look.filters,)),
        "look_w1": ("float32", (look.hidden, look.filters)),
        "look_b1": ("float32", (look.hidden,)),
        "look_w2": ("float32", (heads, look.hidden)),
        "look_w3": ("float32", (heads, look.filters)),
        "look_b2": ("float32", (heads,)),
        "reputation": ("uint64", known),
    }


def _tensors(raw: bytes, settings: Settings, place: Path) -> Tensors:
    try:
        found = load(raw)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(place, f"not readable as safetensors: {error}") from error
    taken = {}
    for name, (dtype, shape) in _shapes(settings, found).items():
        if name not in found:
            raise _damaged(place, f"the tensor {name} is missing")
        values = found[name]
        if values.dtype != dtype or values.shape != shape:
            has, wants = f"{values.dtype} {list(values.shape)}", f"{dtype} {list(shape)}"
            raise _damaged(place, f"the tensor {name} is {has}, not {wants}")
        if dtype == "float32":
            if not np.isfinite(values).all():
                raise _damaged(place, f"the tensor {name} has a number that is not finite")
            values = values.astype(np.float64)
        elif dtype == "uint64" and not (values[:-1] < values[1:]).all():
            raise _damaged(place, f"the tensor {name} is not strictly ascending")
        if name == "look_scale" and not (values > 0).all():
            # What a copy does not do: the digest is right, so it was written like this.
            said = f"the tensor {name} has a number that is not above 0"
            raise ModelError(f"{place}: {said}; train the model again")
        taken[name] = np.ascontiguousarray(values)
    return Tensors(**taken)
