"""Judging by the reader that ships, so that what is measured is what users get."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from mlplugin.model import load
from mlplugin.training import write
from mlplugin.training.measure import Judge, Judged
from mlplugin.training.names import Names
from mlplugin.verdict import SOURCES, Source


def judge_of(folder: Path) -> Judge:
    """A judge by the model directory.

    Raises:
        ModelError: if it is missing or damaged.
    """
    model = load(folder)

    def judge(names: Names) -> Judged:
        texts = names.texts()
        verdicts = model.judge_many(texts)
        score, threats = model.rate_many(texts)
        bare_score, bare_threats = model.rate_many(texts, suffix=False)
        listed = verdicts.source == SOURCES.index(Source.ALLOWLIST)
        return Judged(
            score,
            threats,
            bare_score,
            bare_threats,
            verdicts.level.astype(np.int8),
            np.where(listed, 0, model.levels(score)).astype(np.int8),
            verdicts.source == SOURCES.index(Source.REPUTATION),
        )

    return judge


def judge_by(model: write.Finished) -> Judge:
    """A judge by a model that is not on disk, written and read as one that ships."""
    with tempfile.TemporaryDirectory() as folder:
        write.write(Path(folder), model, "0", "1970-01-01T00:00:00Z", "1970-01-01")
        return judge_of(Path(folder))
