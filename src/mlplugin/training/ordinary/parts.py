"""The pieces that made-up names are put together from."""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable, Sequence

Maker = Callable[[random.Random, Sequence[str]], str]

HEX = "0123456789abcdef"
BASE32 = string.ascii_lowercase + "234567"
BASE36 = string.ascii_lowercase + string.digits
_LETTERS = {"h": HEX, "x": BASE36, "l": string.ascii_lowercase, "b": BASE32}
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3",
    "eu-central-1", "eu-north-1", "ap-south-1", "ap-northeast-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "sa-east-1", "me-south-1", "af-south-1",
)  # fmt: skip
COUNTRIES = (
    "de", "fr", "it", "es", "nl", "be", "at", "ch", "pl", "cz", "se", "no", "dk", "fi", "pt",
    "ro", "hu", "gr", "ie", "ru", "ua", "in", "cn", "ca", "us", "eu", "br", "mx", "ar", "cl",
)  # fmt: skip
THINGS = (
    "river", "stone", "amber", "oak", "maple", "north", "south", "blue", "red", "silver", "copper",
    "fox", "wolf", "otter", "heron", "swift", "pixel", "paper", "ink", "brick", "lantern",
    "harbor", "meadow", "valley", "summit", "orbit", "comet", "nova", "echo", "pulse",
    "spark", "flow", "drift", "craft", "forge", "loom", "kiln", "bean", "leaf", "root", "seed",
    "bloom", "petal", "honey", "sugar", "salt", "pepper", "lemon", "olive", "mint", "cocoa",
    "velvet", "linen", "denim", "canvas", "mosaic", "prism", "vector", "matrix", "tensor",
)  # fmt: skip


def text(rng: random.Random, letters: str, low: int, high: int | None = None) -> str:
    """Random letters; ``low`` of them, or between ``low`` and ``high``."""
    return "".join(rng.choices(letters, k=low if high is None else rng.randint(low, high)))


def digits(rng: random.Random, low: int, high: int | None = None) -> str:
    """A decimal number of so many digits, without leading zeros."""
    return rng.choice("123456789") + text(rng, string.digits, low - 1, (high or low) - 1)


def address(rng: random.Random, separator: str = ".") -> str:
    """An IPv4 address."""
    return separator.join(str(rng.randint(0, 255)) for _ in range(4))


def guid(rng: random.Random) -> str:
    """A UUID as text."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def label_of(rng: random.Random, domains: Sequence[str]) -> str:
    """The first label of a good domain, cut to fit: a word such as people name things by."""
    return rng.choice(domains).split(".")[0][:24].rstrip("-")


def filled(rng: random.Random, pattern: str, domains: Sequence[str]) -> str:
    """A pattern with each field filled in.

    ``{d}`` is a good domain, ``{w}`` the first label of one, ``{r}`` a cloud region, ``{c}`` a
    country, ``{a}`` an address with dots, ``{-}`` one with hyphens, ``{u}`` a UUID; ``{h8}`` is
    8 hexadecimal digits, ``{n3}`` a number of 3 digits, ``{x5}`` 5 letters or digits, ``{l2}``
    2 letters, ``{b9}`` 9 of base32; ``{h8-12}`` is 8 to 12 of them.

    Raises:
        ValueError: the pattern holds a field that is none of these.
    """
    plain = {
        "d": lambda: rng.choice(domains),
        "w": lambda: label_of(rng, domains),
        "r": lambda: rng.choice(REGIONS),
        "c": lambda: rng.choice(COUNTRIES),
        "a": lambda: address(rng),
        "-": lambda: address(rng, "-"),
        "u": lambda: guid(rng),
    }
    made: list[str] = []
    for literal, field, _, _ in string.Formatter().parse(pattern):
        made.append(literal)
        if field in plain:
            made.append(plain[field]())
        elif field:
            made.append(_drawn(rng, field))
    return "".join(made)


def _drawn(rng: random.Random, field: str) -> str:
    match = re.fullmatch(r"([hnxlb])(\d+)(?:-(\d+))?", field)
    if not match:
        raise ValueError(f"no field {field!r} in a pattern")
    low, high = int(match[2]), int(match[3] or match[2])
    if match[1] == "n":
        return digits(rng, low, high)
    return text(rng, _LETTERS[match[1]], low, high)


def from_patterns(*patterns: str) -> Maker:
    """A kind of names that is a choice of patterns; see :func:`filled`."""

    def make(rng: random.Random, domains: Sequence[str]) -> str:
        return filled(rng, rng.choice(patterns), domains)

    return make
