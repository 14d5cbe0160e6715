"""Models fitted anew without what they are measured on, part by part, and what they are worth."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.training import false_alarms, finds, holdouts, measure, summary, write
from mlplugin.training.datasets import THREATS
from mlplugin.training.fit import Recipe
from mlplugin.training.holdouts import Part
from mlplugin.training.judging import judge_of
from mlplugin.training.pipeline import train
from mlplugin.training.preparation import Mask, Prepared, Tell

_EXAMPLES = 10
Keep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """Which hold-outs, how often.

    Attributes:
        kinds: of :data:`holdouts.KINDS`.
        seeds: how many seeds; the first is that of the recipe.
        recipe: of the model that is judged by these fits.
    """

    kinds: Sequence[str]
    seeds: int
    recipe: Recipe


def run(ready: Prepared, plan: Plan, before: dict[str, Any], keep: Keep, tell: Tell) -> None:
    """Fit and measure every part that is not done yet.

    Args:
        ready: all the data.
        plan: what is wanted.
        before: the section as far as it was done.
        keep: takes the section after every part, to write it down.
        tell: takes lines of progress.
    """
    done: dict[str, Any] = dict(before.get("fits", {}))
    total = _count(ready, plan)
    started, fitted, met = time.monotonic(), 0, 0
    for seed in range(plan.recipe.seed, plan.recipe.seed + plan.seeds):
        for part in holdouts.parts(ready, plan.kinds, seed):
            met += 1
            key = f"{part.label}, seed {seed}"
            if key in done:
                tell(f"hold-out {met} of {total}: {key}: done before")
                continue
            tell(f"hold-out {met} of {total}: {key}: without {', '.join(part.told)}")
            done[key] = fitted_without(ready, part, replace(plan.recipe, seed=seed), tell)
            fitted += 1
            each = (time.monotonic() - started) / fitted
            tell(
                f"hold-out {met} of {total}: {key}: {each:.0f} s a fit, at most "
                f"{each * (total - met) / 60:.0f} min to go"
            )
            keep({"recipe": plain(plan.recipe), "fits": done, "summary": summary.of(done)})


def plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return result


def _count(ready: Prepared, plan: Plan) -> int:
    first = plan.recipe.seed
    return plan.seeds * sum(1 for _ in holdouts.parts(ready, plan.kinds, first))


def fitted_without(ready: Prepared, part: Part, recipe: Recipe, tell: Tell) -> dict[str, Any]:
    """Fit without what a part holds out, measure on it."""
    rest = holdouts.without(ready, part.dropped)
    learned = np.zeros(len(ready.data), np.bool_)
    learned[np.flatnonzero(~part.dropped)[rest.trainable]] = True
    model = train(rest, rest.trainable, recipe, tell).model
    del rest
    with tempfile.TemporaryDirectory() as folder:
        write.write(Path(folder), model, "0", "1970-01-01T00:00:00Z", "1970-01-01")
        judge = judge_of(Path(folder))
    counts = np.bincount(ready.data.target[learned] + 1, minlength=len(THREATS) + 1)
    about = holdouts.subject(ready, learned, part.unseen)
    return {
        "part": part.name,
        "seed": recipe.seed,
        "held_out": part.told,
        "rows_dropped": int(part.dropped.sum()),
        "trained": dict(zip(("benign", *THREATS), counts.tolist(), strict=True)),
        **_measured(judge, about, part.tested),
    }


def _measured(judge: measure.Judge, about: measure.Subject, tested: Mask) -> dict[str, Any]:
    new = tested & ~np.isin(about.domain, np.unique(about.domain[about.trained]))
    benign = measure.judged_benign(judge, about)
    reference = finds.Reference(benign, about)
    sets = finds.judged_malicious(judge, about, new)
    found = finds.finds(sets, about, reference)
    return {
        "names_tested": int((new & about.fair).sum()),
        "false_positives": false_alarms.false_positives(benign, about),
        "flagged": false_alarms.flagged(benign, about, _EXAMPLES),
        "population": false_alarms.population(benign, about),
        "score_scale": false_alarms.score_scale(benign, about),
        "finds": found,
        "macro": finds.macro(found),
        "passed_by_reputation": false_alarms.passed(judge, about, new),
    }
