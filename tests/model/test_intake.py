"""Many texts at once become the names that each becomes alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import InvalidNameError
from mlplugin.model.intake import canonical_many
from mlplugin.qname import canonical

# Texts near the edge between the quick way and the careful one.
near = st.text(alphabet='aB1-_.\\ \n"#ü。', max_size=12)
long_labels = st.integers(58, 70).map(lambda size: "a" * size + ".org")
long_names = st.integers(240, 262).map(lambda size: ("a." * 200)[: size - 1] + "b")
texts = st.one_of(near, st.text(), long_labels, long_names, st.sampled_from([".", "..", "com."]))


@given(st.lists(texts, max_size=12))
def test_many_as_one_by_one(some: list[str]) -> None:
    wanted, faults = [], {}
    for row, text in enumerate(some):
        try:
            wanted.append(canonical(text))
        except InvalidNameError as error:
            faults[row] = str(error)
    found = canonical_many(some)
    assert found.names == wanted
    assert {row: str(error) for row, error in found.faults.items()} == faults
    rows = [row for row in range(len(some)) if row not in faults]
    assert found.rows == (rows if faults else None)


@pytest.mark.parametrize("length", [62, 63, 64])
def test_longest_label(length: int) -> None:
    assert bool(canonical_many(["x.org", "a" * length + ".org"]).faults) == (length > 63)


@pytest.mark.parametrize("length", [252, 253, 254])
def test_longest_name(length: int) -> None:
    name = ".".join(["a" * 49] * 5) + "." + "b" * (length - 250)
    assert len(name) == length
    assert bool(canonical_many(["x.org", name]).faults) == (length > 253)
