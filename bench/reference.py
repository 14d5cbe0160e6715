"""What a plain reference finds of each hold-out, so that a figure has a floor on the same names.

    python -m bench.reference DATA domains sources

The reference is a linear model of hashed n-grams and the public suffix, one head a threat, fitted
once over the same rows as a model is; no invented families, no second look, no tuning. Shares in
per cent at one false positive in 1,000 clean names under new domains: by each threat's own head, by
all threats together (each may have as much of that budget as any other, as a verdict has it), and
by the public suffix alone; means over families for generated names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mlplugin.training import fit, holdouts, loop, measure, preparation, quantise
from mlplugin.training.datasets import split
from mlplugin.training.fit import Recipe
from mlplugin.training.holdouts import Part
from mlplugin.training.learners import FirstLook
from mlplugin.training.preparation import Prepared
from mlplugin.training.progress import course_of

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
RATE, BUDGET = "0.10%", 1e-3
REFERENCE = Recipe(passes=1, bag=0.0, linear=1.0, invented_families=0, ordinary=0)


def fitted(ready: Prepared) -> quantise.Network:
    """The reference, fitted to all that a model may learn from."""
    rows = np.flatnonzero(ready.trainable)
    made, lenders = fit.samples(ready.data, ready.splits, rows, ready.rules, REFERENCE)
    course = course_of(lambda text: Console(stderr=True).print(text, highlight=False))
    weights = loop.fit(FirstLook(made, lenders, len(ready.rules), REFERENCE), course=course)
    return quantise.floats(weights, REFERENCE.bag, REFERENCE.linear)


def measured(ready: Prepared, part: Part) -> dict[str, tuple[int, list[float]]]:
    """Of each set of a hold-out: names; what the reference finds by one head and by all, and what
    the suffix alone finds.
    """
    rest = holdouts.without(ready, part.dropped)
    network = fitted(rest)
    learned = np.zeros(len(ready.data), np.bool_)
    learned[np.flatnonzero(~part.dropped)[rest.trainable]] = True
    new = part.tested & ~np.isin(ready.splits.domain, np.unique(ready.splits.domain[learned]))
    about = holdouts.subject(ready, learned, part.unseen)
    good = measure.benign_sets(about)[measure.CLEAN]
    clean = _logits(network, ready, good)
    together = _together(clean)
    found: dict[str, list[tuple[int, list[float]]]] = {}
    for name, (threat, rows) in measure.malicious_sets(about, new).items():
        bad = _logits(network, ready, rows)
        share = measure.at_rates(clean[:, threat], bad[:, threat])[RATE]
        floor = measure.at_rates(about.floor[good, threat], about.floor[rows, threat])[RATE]
        shares = [share, float((bad > together).any(axis=1).mean()), floor]
        found.setdefault(name.split(":")[0], []).append((len(rows), shares))
    return {
        name: (
            sum(count for count, _ in rows),
            np.mean([shares for _, shares in rows], axis=0).tolist(),
        )
        for name, rows in found.items()
    }


def _together(clean: Floats) -> Floats:
    """A threshold for each threat, all of the same rate, that together keep the budget."""
    ordered = np.sort(clean, axis=0)[::-1]
    limits = ordered[0]
    for allowed in range(1, len(clean)):
        lower = ordered[allowed]
        if (clean > lower).any(axis=1).mean() > BUDGET:
            break
        limits = lower
    return np.asarray(limits)


def _logits(network: quantise.Network, ready: Prepared, rows: Rows) -> Floats:
    """What it says of these rows; names that are public suffixes are never found."""
    names = ready.data.names.take(rows)
    return np.nan_to_num(network.logits(names, split(names, ready.rules)), nan=-np.inf)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled names")
    parser.add_argument("kinds", nargs="+", choices=holdouts.KINDS, help="of hold-outs")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def main() -> None:
    """Fit the reference without each hold-out, and print a row for each set of names."""
    arguments = parsed()
    ready = preparation.prepare(arguments.data)
    shown = Table("hold-out", "names of", "names", "one head", "all together", "suffix only")
    for part in holdouts.parts(ready, arguments.kinds, arguments.seed):
        for name, (count, shares) in measured(ready, part).items():
            cells = (f"{100 * share:.1f}" for share in shares)
            shown.add_row(part.label, name, f"{count:,}", *cells)
    Console().print(shown)


if __name__ == "__main__":
    main()
