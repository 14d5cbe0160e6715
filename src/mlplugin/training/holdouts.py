"""What a model is kept from, so that what it is measured on is new to it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mlplugin.errors import UsageError
from mlplugin.training import clean, measure, preparation, suffixes
from mlplugin.training.datasets import BENIGN, Labelled, Splits
from mlplugin.training.preparation import Mask, Prepared
from mlplugin.training.sources import known, split

HELD_FAMILIES = 3  # one lineage in three, for a probe
FOLDS = 4  # of families: each misses a quarter of the lineages
BIG_SOURCES = 5
FEWEST_OF_SOURCE = 100  # names that it alone has
KINDS = ("domains", "families", "dates", "sources", "odd")

# Generators that are one another's offspring, and names for the same one.
_LINEAGES = {
    "gameoverzeus": "zeus", "newgoz": "zeus", "murofet": "zeus", "gameover": "zeus",
    "ursnif": "gozi", "isfb": "gozi", "qbot": "qakbot", "bebloh": "shiotob",
    "urlzone": "shiotob", "downadup": "conficker", "gspy": "emotet", "heodo": "emotet",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One hold-out: a model is fitted without some rows and measured on names that are new to it.

    Attributes:
        name: of the whole to which it belongs, such as ``families``.
        label: of this part alone.
        dropped: rows that the model must know nothing of.
        tested: malicious rows to measure on, if their registered domain was not trained on.
        told: what is held out, in words.
        unseen: rows whose registered domain is held out, where it is not the usual tenth.
        keeps_reputation: whether domains that are held out stay in the popularity lists, which are
            known of any domain when a model ships and are no part of its fit.
    """

    name: str
    label: str
    dropped: Mask
    tested: Mask
    told: list[str]
    unseen: Mask | None = None
    keeps_reputation: bool = False


def parts(ready: Prepared, kinds: Sequence[str], seed: int) -> Iterator[Part]:
    """The hold-outs of these kinds, one after the other; ``seed`` chooses what is left to chance.

    Raises:
        UsageError: if a kind is not known.
    """
    makers = {
        "domains": lambda: iter([domains(ready, seed)]),
        "families": lambda: families(ready, seed),
        "dates": lambda: dates(ready),
        "sources": lambda: sources(ready),
        "odd": lambda: odd(ready),
    }
    for kind in kinds:
        if kind not in makers:
            raise UsageError(f"no hold-out is called {kind}; there are {', '.join(makers)}")
        yield from makers[kind]()


def pairs(parts: Sequence[Part]) -> list[tuple[int, ...]]:
    """The numbers of parts that one fit may miss at once: generators beside feeds or dates.

    Neither tells of the other: a fit that misses both learns a little less than it would.
    """
    numbers = range(len(parts))
    generated = [n for n in numbers if parts[n].name in {"families", "word list", "odd"}]
    listed = [n for n in numbers if parts[n].name.startswith(("dates", "source"))]
    alone = [n for n in numbers if n not in {*generated, *listed}]
    both = itertools.zip_longest(generated, listed)
    return [(n,) for n in alone] + [tuple(n for n in pair if n is not None) for pair in both]


def domains(ready: Prepared, seed: int) -> Part:
    """Another tenth of all registered domains, which neither the fit nor the calibration sees."""
    turned = (ready.splits.domain + np.uint64(seed)) * np.uint64(0xD1B54A32D192ED03)
    held = clean.held_out(turned, preparation.UNSEEN_SHARE)
    told = [f"{preparation.UNSEEN_SHARE:.0%} of all registered domains, tenth {seed}"]
    tested = held & (ready.data.target != BENIGN)
    return Part("domains", "domains", held, tested, told, held, keeps_reputation=True)


def lineage(family: str) -> str:
    """The generator that a family or a variant of it goes back to; empty for no family."""
    word = re.split("[-_]", family.lower(), maxsplit=1)[0]
    return _LINEAGES.get(word, word)


def families(ready: Prepared, seed: int) -> Iterator[Part]:
    """Every lineage missing once, in ``FOLDS`` parts; then a word list whose generator is known.

    Names of generators that no family is known of go too: they may be of the missing ones.
    """
    data = ready.data
    of = np.array([lineage(name) for name in data.families])
    generated = data.of_file("dga")
    nameless = generated & (of == "")[data.family]
    for number, missing in enumerate(_folds(data, of, generated & ~nameless)):
        label = f"families, part {number + 1} of {FOLDS}"
        yield Part("families", label, *_gone(data, of, missing), missing)
    variants = _variants(data, seed)
    if variants:
        chosen = np.isin(np.array(data.families), variants)[data.family] & generated
        # a family without a variant may hold words of any list
        doubtful = np.isin(np.array(data.families), [lineage(name) for name in variants])
        rows = chosen | nameless | (doubtful[data.family] & (data.target != BENIGN))
        yield Part("word list", "word list", rows, chosen, variants)


def _gone(data: Labelled, of: np.ndarray[Any, Any], missing: Sequence[str]) -> tuple[Mask, Mask]:
    """What must go for some lineages to be unknown, and the generated names of them in it.

    Generated names of no family go too.
    """
    generated = data.of_file("dga")
    rows = np.isin(of, missing)[data.family] & (data.target != BENIGN)
    return rows | (generated & (of == "")[data.family]), rows & generated


def _folds(data: Labelled, of: np.ndarray[Any, Any], rows: Mask) -> list[list[str]]:
    """Lineages dealt out by hash; those of each file in turn, so that no fold has all of one."""
    folds: list[list[str]] = [[] for _ in range(FOLDS)]
    dealt = 0
    done: set[str] = set()
    for code in np.unique(data.file[rows]):
        found = set(of[np.unique(data.family[rows & (data.file == code)])].tolist()) - done
        for name in sorted(found, key=suffixes.fnv64):
            folds[dealt % FOLDS].append(name)
            dealt += 1
        done |= found
    return [sorted(fold) for fold in folds if fold]


def _variants(data: Labelled, seed: int) -> list[str]:
    """One variant of each dictionary lineage that has several, another one for each seed."""
    codes = np.unique(data.family[data.of_file("dga_dictionary")])
    named: dict[str, list[str]] = {}
    for name in sorted(data.families[code] for code in codes):
        if "-" in name:
            named.setdefault(lineage(name), []).append(name)
    several = [names for names in named.values() if len(names) > 1]
    return [names[(seed - 1) % len(names)] for names in several]


def dates(ready: Prepared) -> Iterator[Part]:
    """Names first seen after the turning day, twice.

    Once nothing of that day or later is known. Then lists of one date are known, as they are
    when a model ships; they may hold earlier names of the same campaigns.
    """
    data = ready.data
    day = turning_day(data)
    if day is None:
        return
    late = later(data, day)
    real = late & ~list_days(data)
    told = [f"first seen from {day}"]
    yield Part("dates", "dates", late, real, told)
    if (late & ~real).any():
        name = "dates, lists kept"
        yield Part(name, name, real, real, [*told, "but for lists of one date"])


def list_days(data: Labelled) -> Mask:
    """Rows of feeds whose date is that of a list: a day that holds a twentieth of all."""
    dated = data.of_file("mal") & ~np.isnat(data.first_seen)
    days, counts = np.unique(data.first_seen[dated], return_counts=True)
    return dated & np.isin(data.first_seen, days[counts >= max(dated.sum() // 20, 1)])


def sources(ready: Prepared) -> Iterator[Part]:
    """Each big feed missing with every malicious name under a domain that it alone tells of."""
    data, table = ready.data, known()
    bad = data.of_file("mal") & (data.target != BENIGN)
    holders = [{source.name for source in split(text, table)} for text in data.sources]
    counts = np.bincount(data.source[bad & ready.fair], minlength=len(holders))
    alone = {
        next(iter(names)): int(count)
        for names, count in zip(holders, counts, strict=True)
        if len(names) == 1 and count >= FEWEST_OF_SOURCE
    }
    for name in sorted(alone, key=lambda name: (-alone[name], name))[:BIG_SOURCES]:
        holds = np.array([name in names for names in holders])[data.source]
        only = np.array([names == {name} for names in holders])[data.source] & bad
        under = np.isin(ready.splits.domain, np.unique(ready.splits.domain[only]))
        rows = (holds | under) & bad
        yield Part(f"source {name}", f"source {name}", rows, only, [name])


def odd(ready: Prepared) -> Iterator[Part]:
    """Real traffic and the hard names of hosts and devices."""
    rows = ready.data.of_file("benign_hard", "benign_traffic")
    if rows.any():
        yield Part("odd", "odd", rows, np.zeros_like(rows), ["benign_hard", "benign_traffic"])


def without(ready: Prepared, dropped: Mask) -> Prepared:
    """What remains when these rows had never been there: counted and cleaned anew."""
    rows = np.flatnonzero(~dropped)
    columns = {
        field.name: getattr(ready.data, field.name)[rows]
        for field in fields(Labelled)
        if isinstance(getattr(ready.data, field.name), np.ndarray)
    }
    data = replace(ready.data, names=ready.data.names.take(rows), **columns)
    cut = {field.name: getattr(ready.splits, field.name)[rows] for field in fields(Splits)}
    return preparation.counted(data, Splits(**cut), ready.rules)


def subject(ready: Prepared, train_rows: Mask, unseen: Mask | None = None) -> measure.Subject:
    """What an evaluation needs to know of the rows."""
    floor = measure.suffix_odds(ready.splits.rule, ready.data.target, train_rows)
    return measure.Subject(
        ready.data,
        ready.unseen if unseen is None else unseen,
        ready.two_votes,
        ready.fair,
        ready.usable,
        floor,
        ready.splits.domain,
        train_rows,
    )


def held_families(data: Labelled) -> tuple[Mask, Mask]:
    """What a probe must know nothing of, and what of it are names of generators to measure on.

    One lineage in three is held out, by its hash, and what is of no family, which may be of it.
    """
    of = np.array([lineage(name) for name in data.families])
    missing = [name for name in of if name and suffixes.fnv64(name) % HELD_FAMILIES == 0]
    return _gone(data, of, missing)


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
