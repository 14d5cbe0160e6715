"""What a retrained model must not lose: the same names, judged before and after."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.model import Model
from mlplugin.service.intervals import wilson
from mlplugin.training import measure, populations
from mlplugin.training.calibrate import Calibration
from mlplugin.training.datasets import BENIGN, THREATS, split
from mlplugin.training.names import from_texts
from mlplugin.training.retraining.learn import Networks
from mlplugin.training.retraining.start import Parent
from mlplugin.training.tails import Curve

SUSPICIOUS, MALICIOUS = "suspicious or worse", "malicious"
RATES = tuple(float(rate) for rate in np.logspace(-4, -1, 25))
CLASSES = ("benign", *THREATS)
# So many names of the ruler are needed above a score to say what it is worth.
FEWEST = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Set:
    """Names to judge, and what they are: -1 benign, else the threat."""

    texts: list[str]
    target: int


Sets = Mapping[str, Set]


def digest(sets: Sets) -> str:
    """What was measured on, in short."""
    found = hashlib.sha256()
    for name, of in sets.items():
        found.update(f"{name} {of.target} {len(of.texts)}\n".encode())
        found.update("\n".join(of.texts).encode())
    return found.hexdigest()


def figures(model: Model, sets: Sets) -> dict[str, Any]:
    """What a model flags of each set, by itself: reputation passes no name here."""
    alarms, finds = {}, {}
    for name, of in sets.items():
        score, _ = model.rate_many(of.texts)
        level = model.levels(score)
        row: dict[str, Any] = {"names": len(of.texts)}
        for number, key in ((1, SUSPICIOUS), (2, MALICIOUS)):
            row[key] = measure.share(level >= number)
        row["interval"] = {key: wilson(row[key], len(of.texts)) for key in (SUSPICIOUS, MALICIOUS)}
        if of.target == BENIGN:
            alarms[name] = row
        else:
            finds[name] = {"threat": THREATS[of.target], **row}
    return {
        "measured_on": {"retraining guard": digest(sets)},
        "false_positives": alarms, "macro": {}, "finds": finds,
    }  # fmt: skip


def confusion(model: Model, texts: Sequence[str], target: NDArray[np.int8]) -> dict[str, Any]:
    """How names of each class are judged: a row a class, a column a verdict."""
    verdicts = model.judge_many(list(texts))
    said = np.where(verdicts.level > 0, verdicts.threat, BENIGN)
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(table, (target.astype(np.int64) + 1, said.astype(np.int64) + 1), 1)
    return {"classes": list(CLASSES), "counts": table.tolist()}


def roc(model: Model, sets: Sets) -> dict[str, list[float]]:
    """What is found of each threat at each false-positive rate of :data:`RATES`."""
    scores = {name: model.rate_many(of.texts)[0] for name, of in sets.items() if of.texts}
    good = [score for name, score in scores.items() if sets[name].target == BENIGN]
    clean = np.concatenate([*good, np.zeros(0)])
    found: dict[str, list[float]] = {}
    for threat, title in enumerate(THREATS):
        bad = [score for name, score in scores.items() if sets[name].target == threat]
        if bad and len(clean):
            shares = measure.above(clean, np.concatenate(bad), RATES)
            found[title] = [round(float(share), 4) for share in shares]
    return found


def scored(parent: Parent, networks: Networks, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """What both looks' overall scores go by; NaN behind where the first lets a name be."""
    names, settings = from_texts(texts), parent.settings
    first, mixed = populations.both(networks, names, parent.rules, settings.look.share)
    one, two = parent.calibrations
    raised = one.raised(first)
    again = np.clip(one.overall(raised), 0, None) >= settings.look.start
    return raised, np.where(again, two.raised(mixed), np.nan)


def overall(parent: Parent, networks: Networks, texts: Sequence[str]) -> Floats:
    """The overall scores of a model that is not written yet."""
    one, two = parent.calibrations
    raised, again = scored(parent, networks, texts)
    return np.where(np.isnan(again), one.overall(raised), two.overall(again))


def watched(parent: Parent, sets: Sets, most: int = 400) -> tuple[list[str], NDArray[np.int8]]:
    """A few names of every set, to watch a fit on."""
    texts: list[str] = []
    target: list[int] = []
    for of in sets.values():
        some = of.texts[:: max(1, len(of.texts) // most)]
        texts += some
        target += [of.target] * len(some)
    at = split(from_texts(texts), parent.rules)
    sound = at.label_at >= 0
    chosen = [text for text, fine in zip(texts, sound.tolist(), strict=True) if fine]
    return chosen, np.array(target, np.int8)[sound]


def shares(
    score: Floats, target: NDArray[np.int8], suspicious: float
) -> tuple[float, dict[str, float]]:
    """The share that is judged right, and what is found of each threat."""
    flagged = score >= suspicious
    recall = {
        name: measure.share(flagged[target == threat])
        for threat, name in enumerate(THREATS)
        if (target == threat).any()
    }
    return measure.share(flagged == (target != BENIGN)), recall


def kept_true(
    parent: Parent, networks: Networks, ruler: Sequence[str]
) -> tuple[Calibration, Calibration]:
    """The parent's scales, moved up where the new logits would flag more of the ruler's names.

    A score promises a share of clean names. Whoever goes on from a model has not the names that
    measured it; but as many of the same harmless names as before may reach a score, not more.
    """
    texts = watched_only(parent, ruler)
    before = scored(parent, (parent.network, parent.look), texts)
    after = scored(parent, networks, texts)
    first, second = (
        Calibration(
            of.threats, of.prior, _moved(of.overall, *pair), of.together
        )
        for of, pair in zip(parent.calibrations, zip(before, after, strict=True), strict=True)
    )  # fmt: skip
    return first, second


def watched_only(parent: Parent, texts: Sequence[str]) -> list[str]:
    """Those that the model judges: no suffixes."""
    at = split(from_texts(texts), parent.rules)
    return [text for text, label in zip(texts, at.label_at.tolist(), strict=True) if label >= 0]


def _moved(curve: Curve, before: Floats, after: Floats) -> Curve:
    old, new = (np.sort(values[~np.isnan(values)])[::-1] for values in (before, after))
    knots = curve.knots.copy()
    rise = 0.0
    for place, knot in enumerate(curve.knots):
        count = int((old >= knot).sum())
        if FEWEST <= count < len(new):
            # The first that is one too many may not reach the knot.
            rise = max(0.0, float(np.nextafter(new[count], np.inf)) - float(knot))
        knots[place] = knot + rise
    knots = np.maximum.accumulate(knots)
    return Curve(knots + np.arange(len(knots)) * 1e-6, curve.scores)
