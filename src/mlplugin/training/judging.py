"""Judging by the reader that ships, so that what is measured is what users get."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mlplugin.model import load
from mlplugin.training.calibrate import TOP
from mlplugin.training.measure import Judge, Judged
from mlplugin.training.names import Names


def judge_of(folder: Path) -> Judge:
    """A judge by the model directory.

    Raises:
        ModelError: if it is missing or damaged.
    """
    model = load(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    prior = np.array([config["prior"][threat] for threat in config["threats"]])
    overall = config["calibration"]["overall"]

    def judge(names: Names) -> Judged:
        verdicts = model.judge_many(names.texts(), scores=True)
        if verdicts.scores is None:
            raise AssertionError("scores were asked for")
        highest = (verdicts.scores + prior).max(axis=1)
        score = np.clip(np.interp(highest, overall["in"], overall["score"]), 0.0, TOP)
        return Judged(np.asarray(score), verdicts.scores, verdicts.level.astype(np.int8))

    return judge
