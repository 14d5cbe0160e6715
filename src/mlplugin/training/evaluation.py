"""Measuring a model directory on labelled names, its own hold-out kept in mind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlplugin.training import holdouts, measure, pipeline, traffic
from mlplugin.training.judging import judge_of

COLUMNS = (
    "set", "threat", "names", "suspicious", "malicious",
    "found_1", "found_0.1", "found_0.01", "own_0.1", "floor_0.1", "auc",
)  # fmt: skip


def evaluate(model: Path, data: Path, logs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Everything that is measured of a model.

    Sets of malicious names and those called unseen hold only registered domains of the tenth
    that training by this package always leaves out.

    Raises:
        ModelError: if the model is missing or damaged.
        UsageError: if the data cannot be read.
    """
    judge = judge_of(model)
    ready = pipeline.prepare(data)
    about = holdouts.subject(ready, ready.trainable)
    found = measure.finds(judge, about, ready.unseen)
    return {
        "false_positives": measure.false_positives(judge, about),
        "finds": found,
        "macro": measure.macro(found),
        "traffic": {path.name: traffic.alarms(judge, path) for path in logs},
    }


def rows(measured: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What was measured as one flat row a set, shares between 0 and 1."""
    for name, values in measured["false_positives"].items():
        yield {
            "set": name,
            "threat": None,
            "names": values["names"],
            "suspicious": values["suspicious or worse"],
            "malicious": values["malicious"],
        }
    for name, values in measured["finds"].items():
        yield {
            "set": name,
            "threat": values["threat"],
            "names": values["names"],
            "suspicious": values["suspicious or worse"],
            "malicious": values["malicious"],
            **_rates("found", values["overall"]),
            "own_0.1": values["own"]["0.10%"],
            "floor_0.1": values["floor"]["0.10%"],
            "auc": values["auc"],
        }
    for name, values in measured["traffic"].items():
        yield {
            "set": f"queries of {name}",
            "threat": None,
            "names": values["names"],
            "suspicious": values["suspicious_or_worse_per_million"] / 1e6,
            "malicious": values["malicious_per_million"] / 1e6,
        }


def _rates(name: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{name}_{float(rate[:-1]):g}": value for rate, value in values.items()}
