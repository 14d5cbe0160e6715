"""What is fitted and how: which samples, how heavy, in what order, at what rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import invented, ordinary
from mlplugin.training.datasets import BENIGN, THREATS, Labelled, Splits, split
from mlplugin.training.descent import Chances, Rates, Samples, Weights
from mlplugin.training.names import Names, from_texts, join
from mlplugin.training.suffixes import PRIVATE, Rules
from mlplugin.training.windows import SYMBOLS, LookRates, LookWeights

DGA, DICTIONARY, TUNNEL = 0, 1, 5


@dataclass(frozen=True)
class Recipe:
    """Every choice of a fit, with the defaults that measured best.

    What begins with ``look`` is of the second look; ``docs/model-format.md`` has its terms.
    """

    seed: int = 1
    buckets: int = 1 << 18
    dimensions: int = 16
    hidden: int = 32
    passes: int = 2
    rate: float = 0.2
    dense_rate: float = 0.02
    bag: float = 0.25
    linear: float = 0.5
    suffix_cap: float = 2.0
    drop_suffix: float = 0.15
    drop_private_suffix: float = 0.5
    drop_subdomain: float = 0.3
    lend_subdomain: float = 0.25
    invented_families: int = 650
    invented_each: int = 340
    invented_weight: float = 0.4
    ordinary: int = 200_000
    look_passes: int = 2
    look_window: int = 7
    look_filters: int = 384
    look_hidden: int = 64
    look_longest: int = 64
    look_rate: float = 0.06
    look_dense_rate: float = 0.02
    look_share: float = 0.4
    look_from: float = 14.0
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "benign_hard": 2.0,
            "benign_traffic": 6.0,
            "benign_fqdn": 1.5,
            "ordinary": 2.0,
            "dga_nofamily": 0.7,
        }
    )

    def with_passes(self, passes: int) -> Recipe:
        """The same with so many passes of either look."""
        return replace(self, passes=passes, look_passes=passes)


def samples(
    data: Labelled, splits: Splits, rows: NDArray[np.int64], rules: Rules, recipe: Recipe
) -> tuple[Samples, NDArray[np.int64]]:
    """What the loop reads, and which of it may lend its subdomain.

    Real rows come first, then invented families, then odd names that are benign.
    """
    benign = rows[data.target[rows] == BENIGN]
    families, heads = invented.families(
        recipe.seed, recipe.invented_families, recipe.invented_each, stock(data, splits, benign)
    )
    plain = data.of_file("benign_popular")[benign] & (splits.label_at[benign] == 0)
    domains = _some(data.names, benign[plain], 20_000, recipe.seed)
    odd = ordinary.names(recipe.seed, recipe.ordinary, domains) if domains else []
    names = join([data.names.take(rows), from_texts(families), from_texts(odd)])
    at = split(names, rules)
    target = np.concatenate(
        [data.target[rows], np.array(heads, np.int8), np.full(len(odd), BENIGN, np.int8)]
    )
    file_weights = np.array([recipe.weights.get(name, 1.0) for name in data.files], np.float32)
    weight = np.concatenate(
        [
            file_weights[data.file[rows]],
            np.full(len(families), recipe.invented_weight, np.float32),
            np.full(len(odd), recipe.weights.get("ordinary", 1.0), np.float32),
        ]
    )
    weight[at.label_at < 0] = 0
    hard = np.concatenate(
        [data.of_file("benign_hard", "benign_traffic")[rows], np.zeros(len(families), np.bool_)]
    )
    keep = np.concatenate([hard, np.ones(len(odd), np.bool_)]) | (target == TUNNEL)
    lenders = np.flatnonzero(
        np.concatenate(
            [data.of_file("benign_fqdn", "mal")[rows], np.zeros(len(keep) - len(rows), bool)]
        )
        & (at.label_at > 0)
    )
    private = (rules.flags & PRIVATE) > 0
    made = Samples(
        names.blob, names.offsets, at.label_at, at.suffix_at, at.rule,
        target, weight, keep, private,
    )  # fmt: skip
    return made, lenders


def _some(names: Names, rows: NDArray[np.int64], count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(rows))[:count])
    return names.take(rows[chosen]).texts()


def stock(data: Labelled, splits: Splits, benign: NDArray[np.int64]) -> invented.Words:
    """Words that stand between hyphens in benign labels, and the suffixes of all names."""
    words: Counter[str] = Counter()
    starts = data.names.offsets[:-1]
    hyphened: list[str] = []
    for row in benign.tolist():
        begin = starts[row]
        label = data.names.blob[begin + splits.label_at[row] : begin + splits.suffix_at[row] - 1]
        if 45 in label:
            hyphened.append(label.tobytes().decode("ascii"))
    for text in hyphened:
        words.update(part for part in text.split("-") if part.isalpha() and 3 <= len(part) <= 10)
    suffixes: Counter[str] = Counter()
    every = max(1, len(data) // 200_000)
    for row in range(0, len(data), every):
        end = data.names.offsets[row + 1]
        suffixes[data.names.blob[starts[row] + splits.suffix_at[row] : end].tobytes().decode()] += 1
    usual = suffixes.most_common(120)
    return invented.Words(
        sorted(word for word, count in words.items() if count >= 3),
        [text for text, _ in usual],
        [count for _, count in usual],
    )


def start(recipe: Recipe, rules: int) -> Weights:
    """Weights before the first sample: small random embeddings and layers, the rest zero."""
    rng = np.random.default_rng(recipe.seed)
    heads, dims, hidden = len(THREATS), recipe.dimensions, recipe.hidden
    width = -(-(dims + 2 * heads + 1) // 16) * 16
    table = np.zeros((recipe.buckets, width), np.float32)
    table[:, :dims] = rng.normal(0, 0.1, (recipe.buckets, dims))
    table[:, dims + heads : dims + 2 * heads + 1] = 1e-4
    scale = 1 / np.sqrt(3 * dims)

    def dense(*shape: int, spread: float = 0.0) -> NDArray[np.float32]:
        return rng.normal(0, spread, shape).astype(np.float32)

    def sums(*shape: int, value: float = 1e-3) -> NDArray[np.float32]:
        return np.full(shape, value, np.float32)

    return Weights(
        table,
        dense(hidden, 3 * dims, spread=2 * scale),
        dense(hidden),
        dense(heads, hidden, spread=0.3),
        dense(heads) - np.float32(2),
        dense(rules, heads),
        sums(hidden, 3 * dims),
        sums(hidden),
        sums(heads, hidden),
        sums(heads),
        sums(rules, heads, value=1.0),
    )


def chances(recipe: Recipe) -> Chances:
    """How often a sample is changed in passing."""
    return Chances(
        recipe.drop_suffix, recipe.drop_private_suffix, recipe.drop_subdomain, recipe.lend_subdomain
    )


def rates(recipe: Recipe, number: int) -> Rates:
    """The rates of a pass, counted from 0."""
    return Rates(
        np.float32(recipe.rate / (1 + number)),
        np.float32(recipe.dense_rate / (1 + number)),
        recipe.bag,
        recipe.linear,
        np.float32(recipe.suffix_cap),
    )


def order(made: Samples, recipe: Recipe, number: int) -> NDArray[np.int64]:
    """The order of a pass, counted from 0: every sample that weighs anything, once."""
    present = np.flatnonzero(made.weight > 0)
    return np.random.default_rng([recipe.seed, number]).permutation(present)


def start_look(recipe: Recipe) -> LookWeights:
    """Weights of the second look before the first sample."""
    rng = np.random.default_rng([recipe.seed, 2])
    heads, filters, hidden = len(THREATS), recipe.look_filters, recipe.look_hidden

    def dense(*shape: int, spread: float = 0.0) -> NDArray[np.float32]:
        return rng.normal(0, spread, shape).astype(np.float32)

    def sums(*shape: int) -> NDArray[np.float32]:
        return np.full(shape, 1e-2, np.float32)

    return LookWeights(
        dense(recipe.look_window, SYMBOLS, filters, spread=0.25),
        dense(filters),
        dense(hidden, filters, spread=filters**-0.5),
        dense(hidden),
        dense(heads, hidden, spread=0.2),
        dense(heads, filters),
        dense(heads) - np.float32(2),
        sums(recipe.look_window, SYMBOLS, filters),
        sums(filters),
        sums(hidden, filters),
        sums(hidden),
        sums(heads, hidden),
        sums(heads, filters),
        sums(heads),
    )


def look_rates(samples: int, recipe: Recipe) -> LookRates:
    """The rates of the second look at its start; they fall in a line over all passes."""
    total = samples * recipe.look_passes
    return LookRates(np.float32(recipe.look_rate), np.float32(recipe.look_dense_rate), total)


def generator(recipe: Recipe, number: int) -> NDArray[np.uint64]:
    """The state of the compiled loop's generator at the start of a pass, counted from 0."""
    return np.array([recipe.seed * 1000 + number], np.uint64)
