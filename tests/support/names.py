"""Canonical names for property tests: those that people use, and all that the wire can carry."""

from __future__ import annotations

from hypothesis import strategies as st

from mlplugin.qname import from_wire

SUFFIXES = ["com", "co.uk", "ck", "www.ck", "kobe.jp", "city.kobe.jp", "pages.dev", "local", "x"]

plain_labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
plain_names = st.builds(
    lambda parts, suffix: ".".join([*parts, suffix]),
    st.lists(plain_labels, max_size=5),
    st.sampled_from(SUFFIXES),
)
odd_names = (
    st.lists(st.binary(min_size=1, max_size=63), max_size=8)
    .filter(lambda parts: sum(len(part) + 1 for part in parts) < 255)
    .map(from_wire)
)
names = st.one_of(plain_names, odd_names)
