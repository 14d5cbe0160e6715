"""The public suffix list as the hashed rules that a model carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

import idna
import numpy as np
from numpy.typing import NDArray

PLAIN, WILDCARD, EXCEPTION, PRIVATE = 1, 2, 4, 8
_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


@dataclass(frozen=True)
class Rules:
    """Rules in ascending order of hash, the order of ``suffix_hash`` in the weights."""

    texts: tuple[str, ...]
    hashes: NDArray[np.uint64]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.texts)


def fnv64(text: str) -> int:
    """The 64-bit FNV-1a hash of a canonical name."""
    value = _OFFSET
    for byte in text.encode("ascii"):
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def parse(lines: Iterable[str]) -> Rules:
    """Read the list's own format; one text with several kinds of rule becomes one row.

    Raises:
        ValueError: if two rules share a hash, which would make them one.
    """
    flags: dict[str, int] = {}
    private = 0
    for line in lines:
        if "===BEGIN PRIVATE DOMAINS===" in line:
            private = PRIVATE
        rule = line.split()[0] if line.strip() else ""
        if not rule or rule.startswith("//"):
            continue
        kind = EXCEPTION if rule[0] == "!" else WILDCARD if rule.startswith("*.") else PLAIN
        text = _ascii(rule.removeprefix("!").removeprefix("*."))
        flags[text] = flags.get(text, 0) | kind | private
    by_hash = {fnv64(text): text for text in flags}
    if len(by_hash) != len(flags):
        raise ValueError("two public suffix rules have the same hash")
    hashes = sorted(by_hash)
    texts = tuple(by_hash[value] for value in hashes)
    return Rules(
        texts,
        np.array(hashes, np.uint64),
        np.array([flags[text] for text in texts], np.uint8),
    )


def bundled() -> Rules:
    """The rules of the installed ``publicsuffixlist`` package; nothing is fetched."""
    source = resources.files("publicsuffixlist").joinpath("public_suffix_list.dat")
    return parse(source.read_text(encoding="utf-8").splitlines())


def _ascii(text: str) -> str:
    return idna.encode(text, uts46=True).decode("ascii") if not text.isascii() else text.lower()
