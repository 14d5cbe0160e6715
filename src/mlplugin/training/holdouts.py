"""What a model is kept from, so that what it is measured on is new to it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.training import fit, measure, suffixes, write
from mlplugin.training.datasets import Labelled
from mlplugin.training.judging import judge_of
from mlplugin.training.pipeline import Mask, Prepared, Tell, train

HELD_FAMILIES = 3  # one family in three


def subject(ready: Prepared, train_rows: Mask) -> measure.Subject:
    """What an evaluation needs to know of the rows."""
    floor = measure.suffix_odds(ready.splits.rule, ready.data.target, train_rows)
    return measure.Subject(
        ready.data, ready.unseen, ready.two_votes, ready.fair, ready.usable, floor
    )


def held_families(data: Labelled) -> Mask:
    """Rows of the families that a probe misses: one in three, by the hash of the first word."""
    missed = [
        bool(name) and suffixes.fnv64(name.split("-")[0]) % HELD_FAMILIES == 0
        for name in data.families
    ]
    return np.array(missed, np.bool_)[data.family] & data.of_file("dga")


def turning_day(data: Labelled) -> np.datetime64 | None:
    """The day after which a tenth of the malicious names with real dates were first seen.

    A day that holds a twentieth of all is that of a list, not that of its names.
    """
    dates = data.first_seen[data.of_file("mal") & ~np.isnat(data.first_seen)]
    days, counts = np.unique(dates, return_counts=True)
    real = counts < max(len(dates) // 20, 1)
    if real.sum() < 10:
        return None
    reached = np.cumsum(counts[real]) / counts[real].sum()
    return np.datetime64(days[real][np.searchsorted(reached, 0.9)], "D")


def later(data: Labelled, day: np.datetime64 | None) -> Mask:
    """Malicious rows first seen on this day or after it."""
    if day is None:
        return np.zeros(len(data), np.bool_)
    return data.of_file("mal") & ~np.isnat(data.first_seen) & (data.first_seen >= day)


def probe(ready: Prepared, recipe: fit.Recipe, tell: Tell) -> dict[str, Any]:
    """A second model, without some families and the latest names: what is truly new to it."""
    day = turning_day(ready.data)
    families, late = held_families(ready.data), later(ready.data, day)
    rows = ready.trainable & ~families & ~late
    trained = train(ready, rows, recipe, tell)
    about = subject(ready, rows)
    with tempfile.TemporaryDirectory() as folder:
        write.write(Path(folder), trained.model, "0", "1970-01-01T00:00:00Z", "1970-01-01")
        judge = judge_of(Path(folder))
    new = measure.finds(judge, about, families)
    names = sorted({ready.data.families[code] for code in np.unique(ready.data.family[families])})
    return {
        "families_held_out": names,
        "first_seen_from": str(day) if day is not None else None,
        "new_families": new,
        "new_families_macro": measure.macro(new),
        "later_names": measure.finds(judge, about, late & ready.usable & ready.unseen)
        if late.any()
        else {},
    }
