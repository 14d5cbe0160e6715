"""Invented families: valid, varied, and the same for a seed."""

from __future__ import annotations

from mlplugin.qname import canonical
from mlplugin.training import invented

STOCK = invented.Words(["garden", "river", "coffee", "market"], ["com", "co.uk"], [3, 1])


def test_families_are_reproducible_and_valid() -> None:
    names, heads = invented.families(1, 40, 25, STOCK)
    assert (names, heads) == invented.families(1, 40, 25, STOCK)
    assert names != invented.families(2, 40, 25, STOCK)[0]
    assert all(canonical(name) == name for name in names)
    assert set(heads) == {invented.DGA, invented.DICTIONARY}
    words = [name for name, head in zip(names, heads, strict=True) if head == invented.DICTIONARY]
    assert all(any(word[:3] in name for word in STOCK.words) for name in words)


def test_without_words_there_are_no_dictionaries() -> None:
    names, heads = invented.families(1, 20, 10, invented.Words([], ["com"], [1]))
    assert names
    assert set(heads) == {invented.DGA}
