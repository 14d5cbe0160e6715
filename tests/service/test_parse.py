"""Bodies of events one after the other in the same readers, and many at once."""

from __future__ import annotations

import os
import resource
from functools import partial

import duckdb
import pytest

from mlplugin.service import parse
from mlplugin.service.batch import read
from mlplugin.service.parse import UnreadableError, parsed
from mlplugin.store.port import StoreUnavailableError
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


def test_no_descriptor_is_left_to_read_with() -> None:
    """A sensor drops a batch that is refused, and sends one again that cannot be read just now."""
    assert names(body("a.example")) == ["a.example"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(StoreUnavailableError, match="just now"):
            read(body("a.example"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert names(body("b.example")) == ["b.example"]


@pytest.mark.parametrize("kind", [duckdb.OutOfMemoryException, duckdb.FatalException])
def test_a_fault_of_the_reader_is_not_kept(
    kind: type[duckdb.Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "_WAITING", [])
    engine = parse._ENGINE.connection

    def fails(*_: object) -> None:
        raise kind("out of order")

    with monkeypatch.context() as broken:
        broken.setattr(parse._Reader, "read", fails)
        with pytest.raises(StoreUnavailableError, match="out of order"):
            parsed(body("a.example"))
    assert parse._WAITING == []
    assert (parse._ENGINE.connection is engine) == (kind is duckdb.OutOfMemoryException)
    assert names(body("b.example")) == ["b.example"]
    parse._WAITING.pop().close()


def test_a_forked_process_has_readers_of_its_own() -> None:
    assert names(body("a.example")) == ["a.example"]
    assert parse._WAITING
    child = os.fork()
    if child == 0:
        os._exit(len(parse._WAITING))
    assert os.waitpid(child, 0)[1] == 0
    assert names(body("b.example")) == ["b.example"]
