"""Invented DGA families: what generators nobody has seen yet may produce.

Each family is drawn at random (its method, its alphabet or word list, lengths, suffixes)
and then makes a few hundred names, as a real generator would.
"""

# ruff: noqa: S311 - nothing here is secret, and the same seed must give the same names

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

DGA, DICTIONARY = 0, 1
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
Maker = Callable[[random.Random], str]


@dataclass(frozen=True)
class Words:
    """What families draw from: ordinary words, and suffixes with how common each is."""

    words: Sequence[str]
    suffixes: Sequence[str]
    weights: Sequence[int]


def families(seed: int, count: int, each: int, stock: Words) -> tuple[list[str], list[int]]:
    """Names of ``count`` invented families, at most ``each`` of one; and the head of every name."""
    names: list[str] = []
    heads: list[int] = []
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        head = DICTIONARY if rng.random() < 0.45 and stock.words else DGA
        make = _dictionary(rng, stock.words) if head == DICTIONARY else rng.choice(_RANDOM)(rng)
        chosen = rng.choices(stock.suffixes, stock.weights, k=rng.choice((1, 1, 2, 4, 8)))
        made = {f"{make(rng)}.{rng.choice(chosen)}" for _ in range(each)}
        fine = sorted(name for name in made if _valid(name))
        names += fine
        heads += [head] * len(fine)
    return names, heads


def _valid(name: str) -> bool:
    label = name.split(".", 1)[0]
    return 6 <= len(label) <= 63 and label[0] != "-" and label[-1] != "-"


def _lengths(rng: random.Random) -> tuple[int, int]:
    low = rng.randint(7, 20)
    return low, low + rng.choice((0, 0, 3, 6, 10))


def _alphabet(rng: random.Random) -> Maker:
    pool = rng.choice(
        (
            string.ascii_lowercase,
            string.ascii_lowercase + string.digits,
            _BASE32,
            "0123456789abcdef",
        )
    )
    size = rng.choice((len(pool), len(pool), max(8, len(pool) * 2 // 3), max(8, len(pool) // 2)))
    letters = "".join(rng.sample(pool, min(size, len(pool))))
    low, high = _lengths(rng)
    return lambda r: "".join(r.choices(letters, k=r.randint(low, high)))


def _digest(rng: random.Random) -> Maker:
    method = rng.choice(("md5", "sha1", "sha256"))
    length, start = rng.choice((8, 10, 12, 16, 20, 24, 32)), rng.choice(("", "", "", "a", "x", "z"))

    def make(r: random.Random) -> str:
        text = hashlib.new(method, r.randbytes(8), usedforsecurity=False).hexdigest()
        return start + text[:length]

    return make


def _alternating(rng: random.Random) -> Maker:
    vowels = "".join(rng.sample(_VOWELS + "y", rng.randint(3, 6)))
    consonants = "".join(rng.sample(_CONSONANTS, rng.randint(10, 21)))
    low, high = _lengths(rng)
    pattern = rng.choice(("cv", "cv", "cvc", "vc", "cvv", "ccv"))

    def make(r: random.Random) -> str:
        length = r.randint(low, high)
        places = (pattern * length)[:length]
        return "".join(r.choice(consonants if place == "c" else vowels) for place in places)

    return make


def _syllables(rng: random.Random) -> Maker:
    stock = [
        rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + rng.choice(("", "", *_CONSONANTS))
        for _ in range(rng.randint(12, 90))
    ]
    low = rng.randint(3, 5)
    return lambda r: "".join(r.choices(stock, k=r.randint(low, low + 2)))


def _markov(rng: random.Random) -> Maker:
    letters = string.ascii_lowercase
    power = rng.uniform(1.5, 4.0)
    rows = {a: [rng.random() ** power for _ in letters] for a in letters}
    low, high = _lengths(rng)

    def make(r: random.Random) -> str:
        text = r.choice(letters)
        for _ in range(r.randint(low, high)):
            text += r.choices(letters, rows[text[-1]])[0]
        return text

    return make


def _permuted(rng: random.Random) -> Maker:
    letters = rng.choices(string.ascii_lowercase, k=rng.randint(9, 18))
    tail = rng.randint(0, 3)

    def make(r: random.Random) -> str:
        mixed = r.sample(letters, len(letters))
        return "".join(mixed) + "".join(r.choices(string.digits, k=tail))

    return make


_RANDOM = (_alphabet, _alphabet, _digest, _alternating, _syllables, _markov, _permuted)


def _dictionary(rng: random.Random, words: Sequence[str]) -> Maker:
    lists = [
        rng.sample(words, min(len(words), rng.choice((20, 60, 200, 600, 2000))))
        for _ in range(rng.choice((1, 2, 2, 3)))
    ]
    count = rng.choice((2, 2, 2, 3, 3, 4))
    separator = rng.choice(("", "", "", "", "-"))
    digits = rng.choice((0, 0, 0, 0, 2, 4))
    longest = rng.choice((63, 63, 63, 24, 16))

    def make(r: random.Random) -> str:
        parts = [r.choice(lists[i % len(lists)]) for i in range(count)]
        return separator.join(parts)[:longest] + "".join(r.choices(string.digits, k=digits))

    return make
