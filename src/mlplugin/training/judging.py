"""Judging by the reader that ships, so that what is measured is what users get."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mlplugin.model import load
from mlplugin.training.calibrate import TOP
from mlplugin.training.measure import Floats, Judge, Judged, Levels
from mlplugin.training.names import Names
from mlplugin.verdict import SOURCES, Source


def judge_of(folder: Path) -> Judge:
    """A judge by the model directory.

    Raises:
        ModelError: if it is missing or damaged.
    """
    model = load(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    prior = np.array([config["prior"][threat] for threat in config["threats"]])
    curve = config["calibration"]["overall"]
    thresholds = config["thresholds"]

    def overall(threats: Floats) -> Floats:
        highest = (threats + prior).max(axis=1)
        return np.asarray(np.clip(np.interp(highest, curve["in"], curve["score"]), 0.0, TOP))

    def levels(score: Floats) -> Levels:
        flagged = (score >= thresholds["suspicious"]).astype(np.int8)
        return np.asarray(flagged + (score >= thresholds["malicious"]), np.int8)

    def judge(names: Names) -> Judged:
        texts = names.texts()
        verdicts = model.judge_many(texts, scores=True)
        if verdicts.scores is None:
            raise AssertionError("scores were asked for")
        bare = model.scores_many(texts, suffix=False)
        score = overall(verdicts.scores)
        listed = verdicts.source == SOURCES.index(Source.ALLOWLIST)
        return Judged(
            score,
            verdicts.scores,
            overall(bare),
            bare,
            verdicts.level.astype(np.int8),
            np.where(listed, np.int8(0), levels(score)),
            verdicts.source == SOURCES.index(Source.REPUTATION),
        )

    return judge
