"""What bounds what a name alone can tell: Markdown, a table of traits, agreement, and examples.

    uv run python -m bench.limits DATA --model models/2026.11.2

Everything is counted on names under registered domains that the model was not trained on, and by
traits of a name that no model has a say in. Examples are written so that nobody follows them.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlplugin.model import shipped
from mlplugin.training import fit, holdouts, measure, preparation
from mlplugin.training.datasets import BENIGN
from mlplugin.training.judging import judge_of
from mlplugin.training.preparation import Prepared
from mlplugin.training.sources import known, split

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
MOST = 1000  # names of a row that are looked at
EXAMPLES = 12
SHORT = 7  # characters of a label that may mean anything
NEAR = 0.5  # of the n-grams of two labels together that both have, to be neighbours


@dataclass(frozen=True)
class Row:
    """Names of a goal that were new to the model, with what it made of them."""

    title: str
    rows: Rows
    found: Mask


class Neighbours:
    """The labels that were trained on, by the runs of three characters that they share."""

    def __init__(self, labels: Sequence[str], bad: Mask) -> None:
        owner, gram = grams_of(labels)
        self._sizes = np.bincount(owner, minlength=len(labels))
        order = np.argsort(gram, kind="stable")
        self._owner = owner[order]
        self._edges = np.searchsorted(gram[order], np.arange(_GRAMS + 1))
        self._bad = bad
        self._found: dict[str, tuple[float, bool]] = {}

    def nearest(self, label: str) -> tuple[float, bool]:
        """How alike the most alike label is, and whether all that are as alike are malicious."""
        if label not in self._found:
            self._found[label] = self._nearest(label)
        return self._found[label]

    def _nearest(self, label: str) -> tuple[float, bool]:
        wanted = grams_of([label])[1].tolist()
        lists = [self._owner[self._edges[gram] : self._edges[gram + 1]] for gram in wanted]
        owners, shared = np.unique(np.concatenate(lists), return_counts=True)
        if not len(owners):
            return 0.0, False
        alike = shared / (self._sizes[owners] + len(wanted) - shared)
        best = float(alike.max())
        return best, bool(self._bad[owners[alike >= best - 1e-9]].all())


def grams_of(labels: Sequence[str]) -> tuple[Rows, Rows]:
    """Every run of three characters of each label, its ends marked: whose it is, and a number."""
    blob = np.frombuffer("".join(f"-{label}-" for label in labels).encode(), np.uint8)
    codes = _CODES[blob].astype(np.int64)
    runs = codes[:-2] * _LETTERS**2 + codes[1:-1] * _LETTERS + codes[2:]
    lengths = np.array([len(label) + 2 for label in labels])
    owner = np.repeat(np.arange(len(labels)), lengths)
    inside = owner[:-2] == owner[2:]
    distinct = np.unique(owner[:-2][inside] * _GRAMS + runs[inside])
    return distinct // _GRAMS, distinct % _GRAMS


_LETTERS = 37  # and digits; all else is as good as a hyphen
_GRAMS = _LETTERS**3
_CODES = np.full(256, _LETTERS - 1, np.uint8)
_CODES[np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)] = np.arange(36)


def words_in(label: str, words: frozenset[str], most: int = 3) -> int:
    """How few ordinary words a label is made of, digits and hyphens aside; 0 if it is not."""
    parts = [part for part in re.split(r"[-0-9]+", label) if part]
    total = 0
    for part in parts:
        fewest = _fewest(part, words, most)
        if not fewest:
            return 0
        total += fewest
    return total if total <= most else 0


def _fewest(text: str, words: frozenset[str], most: int) -> int:
    best = [0] + [most + 1] * len(text)
    for end in range(3, len(text) + 1):
        for start in range(max(0, end - 14), end - 2):
            if best[start] < best[end] - 1 and text[start:end] in words:
                best[end] = best[start] + 1
    return best[-1] if best[-1] <= most else 0


def labels_of(ready: Prepared, rows: Rows) -> list[str]:
    """The registered label of each name."""
    at = ready.splits
    return [
        ready.data.names.text(row)[at.label_at[row] : at.suffix_at[row] - 1]
        for row in rows.tolist()
    ]


def rows_of(ready: Prepared, fresh: Mask) -> Iterator[tuple[str, Rows]]:
    """The names of each goal."""
    data, table = ready.data, known()
    bad = fresh & (data.target != BENIGN)
    for name in ("dga_random", "dga_dictionary"):
        yield name, np.flatnonzero(bad & data.of_file(name))
    late = list(holdouts.dates(ready))[-1:]
    for part in late:
        for name in ("mal_malware", "mal_phishing", "mal_scam"):
            rows = np.flatnonzero(bad & part.tested & data.of_file(name) & ready.usable)
            yield f"{name}, later", rows
    holders = [{source.name for source in split(text, table)} for text in data.sources]
    for part in holdouts.sources(ready):
        source = part.told[0]
        only = np.array([names == {source} for names in holders])[data.source]
        for name in ("mal_malware", "mal_phishing", "mal_scam"):
            rows = np.flatnonzero(bad & only & data.of_file(name))
            if len(rows) >= 200:
                yield f"{name}, {source} alone", rows


def traits(
    ready: Prepared, words: frozenset[str], near: Neighbours
) -> Mapping[str, Callable[[Rows], Mask]]:
    """Each trait of a name, by what it says of rows."""
    known_of, domain = ready.known, ready.splits.domain
    hoster = known_of.hoster()

    def listed(rows: Rows) -> Mask:
        return np.asarray(known_of.votes[known_of.rows(domain[rows])] > 0)

    def hosted(rows: Rows) -> Mask:
        return np.asarray(hoster[known_of.rows(domain[rows])])

    def short(rows: Rows) -> Mask:
        return np.array([len(label) < SHORT for label in labels_of(ready, rows)])

    def worded(rows: Rows) -> Mask:
        return np.array([words_in(label, words) > 0 for label in labels_of(ready, rows)])

    def near_bad(rows: Rows) -> Mask:
        found = [near.nearest(label) for label in labels_of(ready, rows)]
        return np.array([alike >= NEAR and bad for alike, bad in found])

    def near_good(rows: Rows) -> Mask:
        found = [near.nearest(label) for label in labels_of(ready, rows)]
        return np.array([alike >= NEAR and not bad for alike, bad in found])

    return {
        "in a popularity list": listed,
        "under shared hosting": hosted,
        f"label under {SHORT} characters": short,
        "up to three ordinary words": worded,
        "nearest label is malicious": near_bad,
        "nearest label is benign": near_good,
    }


def suffix_oracle(ready: Prepared, rows: Rows, clean: Rows) -> float:
    """What a table of suffixes finds that is made from these very names, at 0.1 %."""
    size = int(ready.splits.rule.max()) + 2
    bad = np.bincount(ready.splits.rule[rows] + 1, minlength=size) / max(len(rows), 1)
    good = np.bincount(ready.splits.rule[clean] + 1, minlength=size) / max(len(clean), 1)
    order = np.argsort(-bad / (good + 1e-9), kind="stable")
    return float(bad[order][np.cumsum(good[order]) <= 1e-3].sum())


def agreement(ready: Prepared) -> Iterator[tuple[str, int, float]]:
    """Of each feed, how many registered domains, and the share that another one holds."""
    data, table = ready.data, known()
    bad = np.flatnonzero(data.of_file("mal") & (data.target != BENIGN))
    feeds: dict[str, list[NDArray[np.uint64]]] = {}
    codes = data.source[bad]
    for code, text in enumerate(data.sources):
        at = ready.splits.domain[bad[codes == code]]
        for source in split(text, table) if len(at) else ():
            feeds.setdefault(source.name, []).append(at)
    held = {name: np.unique(np.concatenate(parts)) for name, parts in feeds.items()}
    counts: Counter[int] = Counter()
    for domains in held.values():
        counts.update(domains.tolist())
    for name, domains in sorted(held.items(), key=lambda pair: -len(pair[1])):
        if len(domains) >= 1000:
            yield name, len(domains), float(np.mean([counts[d] > 1 for d in domains.tolist()]))


def defanged(name: str) -> str:
    """A name that nobody follows by mistake."""
    return "[.]".join(name.rsplit(".", 1))


def told(ready: Prepared, model: Path) -> Iterator[str]:
    """All of it, line by line."""
    learnt = np.flatnonzero(ready.trainable)
    benign = learnt[ready.data.target[learnt] == BENIGN]
    words = frozenset(fit.stock(ready.data, ready.splits, benign).words)
    looked = traits(ready, words, _neighbours(ready, learnt))
    judge = judge_of(model)
    about = holdouts.subject(ready, ready.trainable)
    clean = measure.benign_sets(about)[measure.CLEAN]
    found = [
        Row(title, rows, judge(ready.data.names.take(rows)).level >= 1)
        for title, every in rows_of(ready, ready.fair & ready.unseen)
        if len(rows := thinned(every)) >= measure.FEWEST
    ]
    heads = "| names | number | found | by suffixes, with hindsight | "
    yield heads + " | ".join(looked) + " |"
    yield "|---|---:|---:|---:|" + "---:|" * len(looked)
    few = thinned(clean)
    cells = [f"{100 * of(few).mean():.0f}" for of in looked.values()]
    yield f"| clean names | {len(few):,} | | | " + " | ".join(cells) + " |"
    for row in found:
        hindsight = suffix_oracle(ready, row.rows, clean)
        cells = [f"{len(row.rows):,}", f"{100 * row.found.mean():.0f}", f"{100 * hindsight:.0f}"]
        cells += [_cell(of(row.rows), row.found) for of in looked.values()]
        yield f"| {row.title} | " + " | ".join(cells) + " |"
    yield from ("", "| feed | registered domains | that another feed holds |", "|---|---:|---:|")
    for name, count, share in agreement(ready):
        yield f"| {name} | {count:,} | {100 * share:.1f} |"
    yield ""
    rng = np.random.default_rng(1)
    for row in found:
        if not ready.usable[row.rows].all():  # the licence does not let names be passed on
            continue
        chosen = np.sort(rng.permutation(row.rows[~row.found])[:EXAMPLES])
        names = ", ".join(f"`{defanged(ready.data.names.text(at))}`" for at in chosen.tolist())
        yield f"- {row.title}: {names}"


def _cell(has: Mask, found: Mask) -> str:
    """How many have a trait, and between brackets how many of those are found."""
    inside = f"{100 * found[has].mean():.0f}" if has.any() else "-"
    return f"{100 * has.mean():.0f} ({inside})"


def thinned(rows: Rows) -> Rows:
    """At most ``MOST`` of these, evenly spread."""
    return rows[:: max(1, -(-len(rows) // MOST))]


def _neighbours(ready: Prepared, learnt: Rows) -> Neighbours:
    _, first = np.unique(ready.splits.domain[learnt], return_index=True)
    rows = learnt[np.sort(first)]
    return Neighbours(labels_of(ready, rows), ready.data.target[rows] != BENIGN)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled names")
    parser.add_argument("--model", type=Path, default=shipped(), help="model directory")
    return parser.parse_args(arguments)


def main() -> None:
    """Count and print."""
    arguments = parsed()
    for line in told(preparation.prepare(arguments.data), arguments.model):
        print(line)


if __name__ == "__main__":
    main()
