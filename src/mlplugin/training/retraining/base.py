"""The labelled names that a model was trained on, where a retraining has them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlplugin.training import checkpoint, fit, memory, preparation
from mlplugin.training.datasets import BENIGN, THREATS, labelled_files
from mlplugin.training.preparation import Prepared, Tell
from mlplugin.training.retraining.guard import Set
from mlplugin.training.retraining.learn import Lessons

MOST = 20_000  # names of a set to measure on
FEWEST = 30


@dataclass(frozen=True)
class Base:
    """Labelled names, read, counted and cleaned."""

    ready: Prepared

    def lessons(self, hold: float) -> Lessons:
        """All that may be learnt from."""
        data, recipe = self.ready.data, fit.Recipe()
        rows = np.flatnonzero(self.ready.trainable)
        weights = np.array([recipe.weights.get(name, 1.0) for name in data.files], np.float32)
        return Lessons(
            data.names.take(rows), data.target[rows], weights[data.file[rows]],
            np.full(len(rows), hold, np.float32),
        )  # fmt: skip

    def sets(self) -> dict[str, Set]:
        """Of each file what is under registered domains that are held out."""
        ready, found = self.ready, {}
        fresh = ready.fair & ready.unseen
        for name in ready.data.files:
            of_file = fresh & ready.data.of_file(name)
            for head in range(BENIGN, len(THREATS)):
                usable = ready.usable | (ready.data.target == BENIGN)
                rows = np.flatnonzero(of_file & usable & (ready.data.target == head))
                if len(rows) >= FEWEST:
                    rows = rows[:: max(1, -(-len(rows) // MOST))]
                    found[f"{name}, unseen domains"] = Set(
                        ready.data.names.take(rows).texts(), head
                    )
        return found


def read(folder: Path, tell: Tell) -> Base:
    """Read a folder of labelled names.

    Raises:
        UsageError: if it does not hold what is needed.
        MlpluginError: if memory does not suffice.
    """
    memory.check(labelled_files(folder))
    tell(f"reading {folder}")
    return Base(preparation.prepare(folder, tell))


def digest(folder: Path) -> str:
    """What identifies a folder of labelled names."""
    found = checkpoint.digests(labelled_files(folder))
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()
