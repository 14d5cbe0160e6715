"""The model directory on disk, as ``docs/model-format.md`` has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from mlplugin.training.calibrate import Calibration
from mlplugin.training.datasets import THREATS
from mlplugin.training.quantise import Look, Network
from mlplugin.training.suffixes import Rules
from mlplugin.training.tails import Curve

FORMAT = 2
REGIONS = ("subdomain", "label", "suffix")
THRESHOLDS = {"suspicious": 30.0, "malicious": 37.0}
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Finished:
    """A model that is ready to be written."""

    network: Network
    rules: Rules
    reputation: NDArray[np.uint64]
    calibration: Calibration
    look: Look
    look_calibration: Calibration
    look_share: float
    look_from: float


def write(
    folder: Path,
    model: Finished,
    version: str,
    created: str,
    cutoff: str,
    *,
    thresholds: Mapping[str, float] = MappingProxyType(THRESHOLDS),
) -> None:
    """Write ``config.json`` and the weights; the folder is made if need be.

    Raises:
        OSError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = save(tensors(model))
    (folder / WEIGHTS).write_bytes(weights)
    config = _config(model, version, created, cutoff) | {"thresholds": dict(thresholds)}
    digest = hashlib.sha256(weights).hexdigest()
    config["weights"] = {"file": WEIGHTS, "sha256": digest, "bytes": len(weights)}
    write_json(folder / "config.json", config)


def write_json(path: Path, value: Any) -> None:
    """JSON with two spaces and a newline at the end; no NaN."""
    path.write_bytes(as_json(value))


def as_json(value: Any) -> bytes:
    """The same as bytes."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def tensors(model: Finished) -> dict[str, NDArray[Any]]:
    """Every tensor of the weights file by its name."""
    network, look = model.network, model.look
    return {
        "table": network.table,
        "table_scale": network.table_scale,
        "w1": network.w1,
        "b1": network.b1,
        "w2": network.w2,
        "b2": network.b2,
        "suffix_hash": model.rules.hashes,
        "suffix_flag": model.rules.flags,
        "suffix_weight": network.suffix,
        "suffix_scale": network.suffix_scale,
        "look_table": look.table,
        "look_scale": look.scale,
        "look_bias": look.bias,
        "look_w1": look.w1,
        "look_b1": look.b1,
        "look_w2": look.w2,
        "look_w3": look.w3,
        "look_b2": look.b2,
        "reputation": model.reputation,
    }


def _config(model: Finished, version: str, created: str, cutoff: str) -> dict[str, Any]:
    network, calibration = model.network, model.calibration
    return {
        "format": FORMAT,
        "version": version,
        "created": created,
        "data_cutoff": cutoff,
        "threats": list(THREATS),
        "regions": list(REGIONS),
        "ngram": {"min": 2, "max": 5, "buckets": len(network.table)},
        "dimensions": network.w1.shape[1] // len(REGIONS),
        "hidden": len(network.b1),
        "pooling": {"bag": network.bag, "linear": network.linear},
        **_calibration(calibration),
        "look": {
            "from": model.look_from,
            "window": len(model.look.table),
            "filters": len(model.look.bias),
            "hidden": len(model.look.b1),
            "longest": model.look.longest,
            "share": model.look_share,
            **_calibration(model.look_calibration),
        },
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "prior": dict(zip(THREATS, _rounded(calibration.prior), strict=True)),
        "calibration": {
            "threats": {
                threat: {"logit": _rounded(curve.knots), "score": _rounded(curve.scores)}
                for threat, curve in zip(THREATS, calibration.threats, strict=True)
            },
            "overall": _overall(calibration.overall),
        },
    }


def _overall(curve: Curve) -> dict[str, list[float]]:
    return {"in": _rounded(curve.knots), "score": _rounded(curve.scores)}


def _rounded(values: NDArray[np.float64]) -> list[float]:
    """Seven decimals: exact on both sides, and the file can be read by people."""
    return [round(float(value), 7) for value in values]
