"""Recipes side by side: what each finds of names that it never saw, by each threat's own head.

    python -m bench.recipes DATA usual={} wide='{"dimensions": 32, "hidden": 64}'

Every recipe is fitted without a quarter of the generators (--fold), one word list of each, the
latest names, and real traffic and hard names, all at once; a tenth of all registered domains is
left out as always. Shares in per cent at one false positive in 1,000 clean names under new domains,
of the first look and of both together, names under new domains only.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mlplugin.training import fit, holdouts, loop, measure, populations, preparation, quantise
from mlplugin.training.fit import Recipe
from mlplugin.training.learners import FirstLook, SecondLook
from mlplugin.training.preparation import Mask, Prepared
from mlplugin.training.progress import course_of

RATE = "0.10%"


def held(ready: Prepared, fold: int) -> tuple[Mask, dict[str, Mask]]:
    """Rows to leave out, and by title those to measure on."""
    families = list(holdouts.families(ready, 1))
    parts = {
        "new families": [part for part in families if part.label.startswith("families")][fold:],
        "new word list": [part for part in families if part.label == "word list"],
        "later": list(holdouts.dates(ready))[-1:],
        "odd": list(holdouts.odd(ready)),
    }
    chosen = {title: found[0] for title, found in parts.items() if found}
    dropped = np.any([part.dropped for part in chosen.values()], axis=0)
    return dropped, {title: part.tested for title, part in chosen.items() if title != "odd"}


def fitted(ready: Prepared, recipe: Recipe) -> populations.Networks:
    """Both networks, as they would ship."""
    rows = np.flatnonzero(ready.trainable)
    made, lenders = fit.samples(ready.data, ready.splits, rows, ready.rules, recipe)
    course = course_of(lambda text: Console(stderr=True).print(text, highlight=False))
    bag = loop.fit(FirstLook(made, lenders, len(ready.rules), recipe), course=course)
    look = loop.fit(SecondLook(made, lenders, recipe), course=course)
    return (
        quantise.quantised(quantise.floats(bag, recipe.bag, recipe.linear)),
        quantise.look_quantised(quantise.look_floats(look, recipe.look_longest)),
    )


def measured(ready: Prepared, recipe: Recipe, fold: int) -> dict[str, tuple[float, float]]:
    """Of each set, what the first look and both together find, whichever names the second would
    see; means over families.
    """
    dropped, tested = held(ready, fold)
    rest = holdouts.without(ready, dropped)
    networks = fitted(rest, recipe)
    learnt = np.unique(rest.splits.domain[rest.trainable])
    new = ~np.isin(ready.splits.domain, learnt)
    about = holdouts.subject(ready, np.zeros(len(ready.data), np.bool_))
    any_tested = np.any(list(tested.values()), axis=0)
    sets = {"known": ready.unseen & ~any_tested, **{key: new & m for key, m in tested.items()}}
    clean = about.data.names.take(measure.benign_sets(about)[measure.CLEAN])
    limits = populations.both(networks, clean, ready.rules, recipe.look_share)
    found: dict[str, list[tuple[float, float]]] = {}
    for title, rows in sets.items():
        for name, (threat, chosen) in measure.malicious_sets(about, rows).items():
            names = ready.data.names.take(chosen[:: max(1, len(chosen) // 5000)])
            bad = populations.both(networks, names, ready.rules, recipe.look_share)
            one, two = (
                measure.at_rates(good[:, threat], values[:, threat])[RATE]
                for good, values in zip(limits, bad, strict=True)
            )
            found.setdefault(f"{title}: {name.split(':')[0]}", []).append((one, two))
    return {
        key: (float(np.mean([a for a, _ in pairs])), float(np.mean([b for _, b in pairs])))
        for key, pairs in found.items()
    }


def named(text: str) -> tuple[str, Recipe]:
    """A recipe and what it is called, of ``NAME=JSON``."""
    name, _, changes = text.partition("=")
    try:
        return name, replace(Recipe(), **json.loads(changes or "{}"))
    except (ValueError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled names")
    parser.add_argument(
        "recipes", nargs="+", type=named, metavar="NAME=JSON", help="changes to the recipe"
    )
    parser.add_argument("--fold", type=int, default=0, choices=range(holdouts.FOLDS))
    return parser.parse_args(arguments)


def main() -> None:
    """Fit every recipe that is named, and print a column for each."""
    arguments = parsed()
    recipes = dict(arguments.recipes)
    ready = preparation.prepare(arguments.data)
    columns = {name: measured(ready, of, arguments.fold) for name, of in recipes.items()}
    shown = Table("own head at 0.1 %, first look / both", *columns)
    for row in next(iter(columns.values())):
        cells = [found.get(row, (float("nan"),) * 2) for found in columns.values()]
        shown.add_row(row, *(f"{100 * a:.1f} / {100 * b:.1f}" for a, b in cells))
    Console().print(shown)


if __name__ == "__main__":
    main()
