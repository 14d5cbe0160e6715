"""Canonical names: the goldens, what dnspython reads and writes, and what is refused."""

from __future__ import annotations

import json
import string
from pathlib import Path

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import InvalidNameError
from mlplugin.qname import canonical, escaped, from_wire, split_labels

GOLDEN = Path(__file__).resolve().parents[1] / "testdata" / "golden"


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


labels = st.lists(st.binary(min_size=1, max_size=63), max_size=12).filter(
    lambda parts: sum(len(part) + 1 for part in parts) < 255
)


@pytest.mark.parametrize("row", rows("canonical.jsonl"), ids=lambda row: ascii(row["input"])[:40])
def test_written_names(row: dict[str, str]) -> None:
    if row["canonical"] is None:
        with pytest.raises(InvalidNameError) as caught:
            canonical(row["input"])
        assert "\n" not in str(caught.value)
    else:
        assert canonical(row["input"]) == row["canonical"]


def wire_labels(octets: bytes) -> list[bytes]:
    found = []
    while octets[0]:
        found.append(octets[1 : 1 + octets[0]])
        octets = octets[1 + octets[0] :]
    return found


@pytest.mark.parametrize("row", rows("wire.jsonl"), ids=lambda row: row["canonical"][:40])
def test_names_on_the_wire(row: dict[str, str]) -> None:
    parts = wire_labels(bytes.fromhex(row["wire"]))
    assert from_wire(parts) == row["canonical"]
    assert from_wire([*parts, b""]) == row["canonical"]


@given(labels)
def test_agrees_with_what_dnspython_writes(parts: list[bytes]) -> None:
    """dnspython escapes otherwise, but means the same name."""
    written = dns.name.Name([*parts, b""]).to_text()
    assert canonical(written) == from_wire(parts)
    assert canonical(written.removesuffix(".") or ".") == from_wire(parts)


@given(labels)
def test_dnspython_reads_the_canonical_form(parts: list[bytes]) -> None:
    name = dns.name.from_text(from_wire(parts))
    assert name == dns.name.Name([*parts, b""])  # which compares without case
    assert list(name.labels[:-1]) == [part.lower() for part in parts]


@given(labels)
def test_canonical_is_idempotent(parts: list[bytes]) -> None:
    name = from_wire(parts)
    assert canonical(name) == name


@given(labels)
def test_split_labels(parts: list[bytes]) -> None:
    name = from_wire(parts)
    assert split_labels(name) == [from_wire([part]) for part in parts]


@given(st.text())
def test_any_text_is_a_canonical_name_or_refused(text: str) -> None:
    try:
        name = canonical(text)
    except InvalidNameError as error:
        fault = str(error)
    else:
        fault = "none"
        assert canonical(name) == name
        assert all("\x21" <= char <= "\x7e" for char in name)
        assert name == name.lower()
    assert fault.isprintable()


@given(st.text(alphabet=string.ascii_letters + string.digits + '-_\\."$ (', max_size=40))
def test_ascii_is_read_as_dnspython_reads_it(text: str) -> None:
    try:
        wanted: str | None = from_wire(dns.name.from_text(text).labels)
    except (dns.exception.DNSException, ValueError):
        wanted = None
    try:
        found: str | None = canonical(text)
    except InvalidNameError:
        found = None
    # What dnspython takes and we do not: the origin and spaces that nobody escaped.
    if text in {"", "@"} or " " in text:
        return
    assert found == wanted


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([b"a", b"", b"b"], "empty label"),
        ([b"a" * 64], "64 octets: 63 is the most"),
        ([b"a" * 63] * 4, "257 octets: 255 is the most"),
    ],
)
def test_what_the_wire_cannot_carry(parts: list[bytes], message: str) -> None:
    with pytest.raises(InvalidNameError, match=message):
        from_wire(parts)


def test_escaped_is_printable_ascii() -> None:
    assert escaped("a\nb\x1b[31m ü\udc80") == r"a\010b\027[31m \195\188\128"
    assert escaped("\ud800") == "?"


@given(st.text())
def test_escaped_takes_any_text(text: str) -> None:
    shown = escaped(text)
    assert shown.isascii()
    assert shown.isprintable()
