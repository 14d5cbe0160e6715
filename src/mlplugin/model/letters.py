"""The parts of a logit laid over the characters of the name that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlplugin.model.settings import REGIONS
from mlplugin.model.split import Parts
from mlplugin.verdict import Reason

WINDOW = "window"


def spread(parts: Parts, reasons: Iterable[Reason]) -> list[float]:
    """Give each character of a name its share of the reasons' weights.

    An n-gram weighs the same on each character under it, at all places where it stands; the
    marks of an edge carry nothing. The shares add up to the weights of the reasons.
    """
    whole = ".".join(part for part in parts if part)
    at = len(whole) - len(parts.suffix) if parts.suffix else len(whole)
    label = at - len(parts.label) - 1 if parts.label and parts.suffix else at - len(parts.label)
    begins = dict(zip(REGIONS, (0, label, at), strict=True))
    texts = dict(zip(REGIONS, parts, strict=True))
    weights = [0.0] * len(whole)
    for reason in reasons:
        if reason.kind == "suffix":
            places = list(range(at, len(whole)))
        else:
            kind, _, gram = reason.text.partition(":")
            text, begin = (whole, 0) if kind == WINDOW else (texts[kind], begins[kind])
            places = [begin + place for place in _under(gram, text)]
        for place in places:
            weights[place] += reason.weight / len(places)
    return weights


def _under(gram: str, text: str) -> list[int]:
    """The places in a text under an n-gram, each as often as it is under one."""
    found = list(_places(gram, f"^{text}$"))
    if not found and gram.startswith("^"):  # of a long name only the end is looked at
        found = list(_places(gram[1:], f"^{text}$"))
        gram = gram[1:]
    under = (at + step - 1 for at in found for step in range(len(gram)))
    return [place for place in under if 0 <= place < len(text)]


def _places(gram: str, text: str) -> Iterator[int]:
    at = text.find(gram)
    while at >= 0:
        yield at
        at = text.find(gram, at + 1)
