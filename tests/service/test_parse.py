"""Bodies of events one after the other in the same readers, and many at once."""

from __future__ import annotations

import os
from functools import partial

import pytest

from mlplugin.service import parse
from mlplugin.service.parse import UnreadableError, parsed
from tests.support.events import event, ndjson
from tests.support.threads import together


def body(*names: str) -> bytes:
    return ndjson(event(number, qname=name) for number, name in enumerate(names))


def names(text: bytes) -> list[str]:
    found: list[str] = parsed(text)["qname"].to_pylist()
    return found


def test_each_body_is_read_for_itself() -> None:
    """The readers' files have one path each, whatever is in them."""
    longer = [f"long{number}.example.org" for number in range(5000)]
    for wanted in (["a.example"], ["b.example"], longer, ["c.example"], longer[:2], ["d.example"]):
        assert names(body(*wanted)) == wanted


def test_what_cannot_be_read_leaves_nothing_behind() -> None:
    for _ in range(3):
        with pytest.raises(UnreadableError, match="JSON"):
            parsed(body("a.example") + b'{"qname": "b.exam\n' + body("c.example"))
        assert names(body("d.example")) == ["d.example"]


def test_many_at_once() -> None:
    wanted = [[f"n{number}.t{thread}.example" for number in range(300)] for thread in range(12)]
    found: dict[int, list[str]] = {}

    def read(thread: int) -> None:
        found[thread] = names(body(*wanted[thread]))

    together(*(partial(read, thread) for thread in range(12)))
    assert [found[thread] for thread in range(12)] == wanted
    assert len(parse._WAITING) <= parse._MOST_WAITING


def test_a_large_body_takes_no_memory_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "_WAITING", [])
    monkeypatch.setattr(parse, "_MOST_KEPT", 1000)
    assert names(body("a.example")) == ["a.example"]
    (reader,) = parse._WAITING
    assert os.fstat(reader._file.fileno()).st_size > 0
    many = [f"n{number}.example" for number in range(100)]
    assert names(body(*many)) == many
    assert len(parse._WAITING) == 1
    assert os.fstat(reader._file.fileno()).st_size == 0
    assert names(body("b.example")) == ["b.example"]
    reader.close()
