"""The data of a training run: read, split, counted and cleaned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.training import clean, suffixes
from mlplugin.training.datasets import BENIGN, Labelled, Splits, read, split

Mask = NDArray[np.bool_]
Tell = Callable[[str], None]
UNSEEN_SHARE = 0.1


@dataclass(frozen=True)
class Prepared:
    """The data, read, split, counted and cleaned."""

    data: Labelled
    splits: Splits
    rules: suffixes.Rules
    known: clean.Standing
    fair: Mask
    usable: Mask
    unseen: Mask
    two_votes: Mask

    @property
    def trainable(self) -> Mask:
        """Rows that the shipped model may learn from."""
        return self.fair & self.usable & ~self.unseen


def prepare(folder: Path, tell: Tell = lambda _: None) -> Prepared:
    """Read and clean a folder of labelled names; rows that cannot be used are told of.

    Raises:
        UsageError: if the folder does not hold what is needed.
    """
    data, rules = read(folder, tell), suffixes.bundled()
    if not (data.target == BENIGN).any() or not (data.target != BENIGN).any():
        raise UsageError(f"{folder}: both benign and malicious names are needed")
    return counted(data, split(data.names, rules), rules)


def counted(data: Labelled, splits: Splits, rules: suffixes.Rules) -> Prepared:
    """Count and clean names that are read and split."""
    known = clean.standing(data, splits, rules)
    row = known.rows(splits.domain)
    benign = data.target == BENIGN
    return Prepared(
        data,
        splits,
        rules,
        known,
        clean.clean_rows(data, splits, known),
        clean.usable_rows(data),
        clean.held_out(splits.domain, UNSEEN_SHARE),
        benign & (known.votes[row] >= 2),
    )
