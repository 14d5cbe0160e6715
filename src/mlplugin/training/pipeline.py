"""From a folder of labelled names to a model directory: one call, reproducible to the byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.training import calibrate, clean, fit, measure, ordinary, quantise, suffixes, write
from mlplugin.training.datasets import BENIGN, THREATS, Labelled, Splits, read, split
from mlplugin.training.judging import judge_of
from mlplugin.training.names import Names, from_texts
from mlplugin.training.quantise import Network

Mask = NDArray[np.bool_]
Tell = Callable[[str], None]
UNSEEN_SHARE = 0.1
REPUTATION_VOTES = 2
REPUTATION_ROWS = 230_000
HELD_FAMILIES = 3  # one family in three


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


@dataclass(frozen=True)
class Trained:
    """A finished model with what the fit was like.

    Attributes:
        model: all that is written.
        quantisation: finds by threat, with float32 and with eight bits.
        cross_checked: nominal scores and what they are worth on names outside the calibration.
    """

    model: write.Finished
    quantisation: dict[str, Any]
    cross_checked: dict[str, float]


def prepare(folder: Path) -> Prepared:
    """Read and clean a folder of labelled names.

    Raises:
        UsageError: if the folder does not hold what is needed.
    """
    data, rules = read(folder), suffixes.bundled()
    splits = split(data.names, rules)
    known = clean.standing(data, splits, rules)
    if not (data.target == BENIGN).any() or not (data.target != BENIGN).any():
        raise UsageError(f"{folder}: both benign and malicious names are needed")
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


def train(ready: Prepared, rows: Mask, recipe: fit.Recipe, tell: Tell) -> Trained:
    """Fit on these rows, quantise, calibrate on names under unseen domains."""
    chosen = np.flatnonzero(rows)
    made, lenders = fit.samples(ready.data, ready.splits, chosen, ready.rules, recipe)
    tell(f"fitting {len(made.target):,} names")
    weights = fit.fit(made, lenders, len(ready.rules), recipe, tell)
    whole = quantise.floats(weights, recipe.bag, recipe.linear)
    small = quantise.quantised(whole)
    calibration, checked = calibrated(ready, small, recipe.seed)
    reputation = clean.best_known(ready.known, REPUTATION_VOTES, REPUTATION_ROWS)
    model = write.Finished(small, ready.rules, reputation, calibration)
    tell("calibrated; measuring what eight bits cost")
    measured = {
        f"{nominal:g}": round(float(score), 2)
        for nominal, score in zip(checked.knots, checked.scores, strict=True)
    }
    return Trained(model, _cost(ready, whole, small), measured)


def calibrated(
    ready: Prepared, network: Network, seed: int
) -> tuple[calibrate.Calibration, calibrate.Curve]:
    """The calibration of a network, and what cross-checking says that it is worth.

    See :mod:`mlplugin.training.calibrate`.
    """
    data = ready.data
    fresh = ready.fair & ready.unseen
    sets = [
        fresh & ready.two_votes & data.of_file("benign_popular"),
        fresh & ready.two_votes & data.of_file("benign_fqdn"),
    ]
    clean_rows = [np.flatnonzero(mask) for mask in sets if mask.sum() >= 1000]
    clean_rows = clean_rows or [np.flatnonzero(fresh & (data.target == BENIGN))]
    odd = np.flatnonzero(
        data.of_file("benign_hard", "benign_traffic") & (ready.splits.label_at >= 0)
    )
    odd_names = [data.names.take(odd)] if len(odd) >= 1000 else []
    fresh_domains = data.names.take(clean_rows[0][:20_000]).texts()
    invented = from_texts(ordinary.names(seed + 1, 20_000, fresh_domains))
    bad = [
        _spread(ready, np.flatnonzero(fresh & ready.usable & (data.target == threat)))
        for threat in range(len(THREATS))
    ]

    def logits(names: Names) -> NDArray[np.float64]:
        at = split(names, ready.rules)
        found = network.logits(names, at)
        return found[at.label_at >= 0]

    clean_logits = [logits(data.names.take(rows)) for rows in clean_rows]
    odd_logits = [logits(names) for names in [*odd_names, invented]]
    found = calibrate.calibrate(
        clean_logits,
        odd_logits,
        [logits(data.names.take(rows)) if len(rows) else np.zeros((0, 6)) for rows in bad],
    )
    return found, calibrate.cross_checked(clean_logits, odd_logits, found.prior)


def _spread(ready: Prepared, rows: NDArray[np.int64], each: int = 300) -> NDArray[np.int64]:
    """At most ``each`` rows of a family of generated names; at most 10,000 in all."""
    family = ready.data.family[rows]
    generated = ready.data.of_file("dga")[rows] & (family != _nameless(ready.data))
    order = np.lexsort((rows, family))
    ranked = np.zeros(len(rows), np.int64)
    ordered = family[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(rows) else rows
    ranked[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    kept = rows[~generated | (ranked < each)]
    return np.asarray(kept[:: max(1, -(-len(kept) // 10_000))])


def _nameless(data: Labelled) -> int:
    return data.families.index("") if "" in data.families else -1


def _cost(ready: Prepared, whole: Network, small: Network) -> dict[str, Any]:
    """Finds at 1 in 1,000 by each threat's own logit, with float32 and with eight bits."""
    data, fresh = ready.data, ready.fair & ready.unseen
    reference = fresh & ready.two_votes & data.of_file("benign_popular")
    if reference.sum() < measure.FEWEST:
        reference = fresh & (data.target == BENIGN)
    good = data.names.take(measure.thin(np.flatnonzero(reference)))
    result: dict[str, Any] = {}
    for threat, name in enumerate(THREATS):
        rows = np.flatnonzero(fresh & ready.usable & (data.target == threat))
        if len(rows) < measure.FEWEST:
            continue
        bad = data.names.take(rows[:: max(1, len(rows) // 10_000)])
        pair = []
        for network in (whole, small):
            clean_logits = network.logits(good, split(good, ready.rules))[:, threat]
            bad_logits = network.logits(bad, split(bad, ready.rules))[:, threat]
            pair.append(measure.at_rates(clean_logits, bad_logits)["0.10%"])
        result[name] = {"float32": pair[0], "int8": pair[1]}
    return result


def subject(ready: Prepared, train_rows: Mask) -> measure.Subject:
    """What an evaluation needs to know of the rows."""
    floor = measure.suffix_odds(ready.splits.rule, ready.data.target, train_rows)
    return measure.Subject(
        ready.data, ready.unseen, ready.two_votes, ready.fair, ready.usable, floor
    )


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


def described(ready: Prepared) -> dict[str, Any]:
    """What went in: rows by file, what was left out and why."""
    files = {}
    for code, name in enumerate(ready.data.files):
        rows = ready.data.file == code
        kept = rows & ready.fair
        files[name] = {
            "rows": int(rows.sum()),
            "dropped by cleaning": int((rows & ~ready.fair).sum()),
            "dropped by licence": int((kept & ~ready.usable).sum()),
            "held out by domain": int((kept & ready.usable & ready.unseen).sum()),
            "trained on": int((rows & ready.trainable).sum()),
        }
    return files
