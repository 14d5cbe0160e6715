"""How much one registered domain looks like another."""

from __future__ import annotations

import unicodedata

# Letters of other scripts and digits, by the Latin letter that they are read as; i, l and 1 are
# one letter in many fonts.
_READ_AS = {
    "a": "\u0430\u03b1\u0251",
    "b": "\u0432",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435\u03b53",
    "g": "\u0261",
    "h": "\u04bb\u043d",
    "j": "\u0458",
    "k": "\u043a\u03ba",
    "l": "i1\u0456\u03b9\u0131\u0269\u04cf",
    "m": "\u043c",
    "n": "\u014b",
    "o": "0\u043e\u03bf",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "s": "5\u0455",
    "t": "\u0442\u03c4",
    "u": "\u03c5",
    "v": "\u03bd",
    "w": "\u051d",
    "x": "\u0445",
    "y": "\u0443",
}
_ALIKE = {ord(char): latin for latin, chars in _READ_AS.items() for char in chars}
# What two letters together are read as.
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))

CONFUSABLE, OTHER_SUFFIX, EDIT = "confusable", "same label, other suffix", "edit"
# Shorter labels have too many neighbours at two steps.
SHORT_LABEL = 5


def skeleton(label: str) -> str:
    """What a label is read as at a glance: labels that look the same have the same."""
    text = unicodedata.normalize("NFKD", _unicode(label)).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char)).translate(_ALIKE)
    for pair, single in _PAIRS:
        text = text.replace(pair, single)
    return text


def _unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def distance(one: str, other: str) -> int:
    """How many letters are changed, left out, put in, or swapped with their neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, char in enumerate(one, 1):
        now = [row]
        for column, letter in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (char != letter))
            if row > 1 and column > 1 and (char, letter) == (other[column - 2], one[row - 2]):
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]


def kind_of(domain: str, label: str, other: str, other_label: str) -> tuple[int, str] | None:
    """Say how far apart two registered domains are and in what way alike; None for not alike."""
    apart = distance(domain, other)
    if label == other_label:
        return apart, OTHER_SUFFIX
    if skeleton(label) == skeleton(other_label):
        return apart, CONFUSABLE
    if apart <= (1 if len(label) <= SHORT_LABEL else 2):
        return apart, EDIT
    return None
