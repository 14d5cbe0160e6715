"""Finds at one false alarm in 1,000 clean names, beside finds as shipped.

    python -m bench.matched DATA --seeds 4

Thresholds that ship leave a margin, and flag more or less than that on names that did not
calibrate them; other detectors are compared at the very rate. The recipe is fitted without a
tenth of all registered domains, another one for each seed. The rate is that of the clean names of
a model card: half under new domains, without reputation, half really queried hosts, as shipped.
Shares in per cent: the mean of the seeds, and the least and the most.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mlplugin.training import finds, holdouts, measure, preparation, refits
from mlplugin.training.finds import Bad
from mlplugin.training.fit import Recipe
from mlplugin.training.holdouts import Part
from mlplugin.training.judging import judge_by
from mlplugin.training.measure import CLEAN, QUERIED, Set
from mlplugin.training.preparation import Prepared, Tell

BUDGET = 1e-3
Found = dict[str, tuple[float, float]]
ALARMS = "clean names flagged"


def limit(clean: Mapping[str, Set]) -> tuple[float, float, float]:
    """The score that at most ``BUDGET`` of the clean names exceed; the share that is flagged as
    shipped, and that which exceeds it.
    """
    halves = []
    for name in (CLEAN, QUERIED):
        if name in clean:
            judged = clean[name].judged
            if name == CLEAN:  # nothing can be known of a new domain
                halves.append((judged.score, judged.alone))
            else:
                halves.append((np.where(judged.reputed, -np.inf, judged.score), judged.level))
    score, level = (np.concatenate(column) for column in zip(*halves, strict=True))
    weight = np.concatenate([np.full(len(of), 1 / len(of) / len(halves)) for of, _ in halves])
    order = np.argsort(-score, kind="stable")
    reached = np.searchsorted(np.cumsum(weight[order]), BUDGET * (1 + 1e-9), side="right")
    highest = float(score[order][reached])
    shares = (float(weight[hits].sum()) for hits in (level >= 1, score > highest))
    return highest, next(shares), next(shares)


def found_at(sets: Mapping[str, Bad], score: float) -> Found:
    """As shipped and above a score: each file; of generated names by family and by name."""
    rows: dict[str, list[tuple[int, float, float]]] = {}
    for name, bad in sets.items():
        reached = np.where(bad.judged.reputed, -np.inf, bad.judged.score)
        shares = (bad.judged.level >= 1).mean(), (reached > score).mean()
        rows.setdefault(name.split(":")[0], []).append((len(bad.rows), *map(float, shares)))
    result: Found = {}
    for name, of in rows.items():
        count, shipped, exact = (np.array(column) for column in zip(*of, strict=True))
        if len(of) == 1:
            result[name] = float(shipped[0]), float(exact[0])
            continue
        result[f"{name}, mean of families"] = float(shipped.mean()), float(exact.mean())
        by_name = (np.average(column, weights=count) for column in (shipped, exact))
        result[f"{name}, by name"] = next(by_name), next(by_name)
    return result


def measured(ready: Prepared, part: Part, recipe: Recipe, tell: Tell) -> Found:
    """Fit the recipe without a part, and look for it."""
    model, learned = refits.model_without(ready, part.dropped, recipe, tell)
    model = replace(model, reputation=refits.as_shipped(ready, part))
    judge = judge_by(model)
    about = holdouts.subject(ready, learned, part.unseen)
    new = part.tested & ~np.isin(about.domain, np.unique(about.domain[about.trained]))
    score, shipped, exact = limit(measure.judged_benign(judge, about))
    found = found_at(finds.judged_malicious(judge, about, new), score)
    return {**found, ALARMS: (shipped, exact)}


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled names")
    parser.add_argument("--seeds", type=int, default=4)
    return parser.parse_args(arguments)


def main() -> None:
    """Fit without a tenth for each seed, and print a row for each set of names."""
    arguments = parsed()
    console = Console(stderr=True)
    ready = preparation.prepare(arguments.data)
    fits = [
        measured(
            ready, holdouts.domains(ready, seed), Recipe(seed=seed),
            lambda text: console.print(text, highlight=False),
        )
        for seed in range(1, arguments.seeds + 1)
    ]  # fmt: skip
    shown = Table("names", "fits", "as shipped", "at 0.1 %")
    for name in dict.fromkeys(name for fit in fits for name in fit):
        digits = 3 if name == ALARMS else 1
        columns = zip(*(fit[name] for fit in fits if name in fit), strict=True)
        cells = [[100 * share for share in column] for column in columns]
        shown.add_row(
            name,
            str(len(cells[0])),
            *(
                f"{np.mean(c):.{digits}f} ({min(c):.{digits}f} to {max(c):.{digits}f})"
                for c in cells
            ),
        )
    Console().print(shown)


if __name__ == "__main__":
    main()
