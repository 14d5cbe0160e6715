"""Batches from bytes to columns: what is taken, and which line is told of."""

from __future__ import annotations

import gzip
import io
import json
import random
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.service import batch
from mlplugin.service.batch import BatchError, decoded, read
from mlplugin.store.columns import EVENTS
from tests.support.events import event, ndjson, table

FULL = event(
    7,
    transport="https3",
    qname=r"a\.b\032c.\255\\x.example.co.uk",
    registered_domain="example.co.uk",
    qtype="TYPE65280",
    rcode="NXDOMAIN",
    answers=["192.0.2.1", "2001:db8::1", "alias.example.net"],
    verdict="malicious",
    threat="dga_dictionary",
    score=59.9,
    source="behaviour",
    action="sinkhole",
    reason='label:xkq "quoted" \\ 100%',
)


def test_every_key_is_read() -> None:
    found = read(ndjson([FULL]))
    assert found.schema.names == EVENTS.names
    assert found.to_pylist() == table([FULL]).to_pylist()


def test_keys_may_be_absent_or_null_or_new() -> None:
    least = {
        key: FULL[key]
        for key in ("sequence", "time", "client", "qname", "qtype", "verdict", "source", "model")
    }
    (row,) = read(ndjson([{**least, "threat": None, "a_later_key": [1]}])).to_pylist()
    assert {key: value for key, value in row.items() if value not in (None, "")} == least


def test_batches_leave_nothing_behind_for_the_next() -> None:
    """Of a longer one, of one that cannot be read, and of one whose memory is given back."""
    long = [event(n, reason="x" * 200) for n in range(20_000)]
    for count in (3, 20_000, 2, 1):
        assert read(ndjson(long[:count])).cast(EVENTS).equals(table(long[:count]))
        with pytest.raises(BatchError, match="line 2: no valid JSON"):
            read(ndjson(long[:1]) + b"{\n")


def test_empty_batches_and_lines() -> None:
    assert read(b"").num_rows == 0
    assert read(b"\n \r\n").num_rows == 0
    assert read(b"\n" + ndjson([event(1)]) + b"\n\n" + ndjson([event(2)])).num_rows == 2
    assert read(ndjson([event(1)]).rstrip()).num_rows == 1


def test_many_lines_keep_their_order() -> None:
    numbers = list(range(30_000))
    random.Random(1).shuffle(numbers)
    found = read(ndjson(event(n) for n in numbers))
    assert found["sequence"].to_pylist() == numbers


WRONG: list[tuple[dict[str, Any], str]] = [
    *(({key: None}, f"{key} is missing") for key in EVENTS.names if not EVENTS.field(key).nullable),
    ({"sequence": -1}, "sequence -1"),
    ({"sequence": 2**63 - 1}, "sequence"),
    ({"sequence": 2**70}, "cast"),
    ({"sequence": "many"}, "cast"),
    ({"time": -1}, "time"),
    ({"time": 10**18}, "time"),
    ({"client": ""}, "client"),
    ({"client": "192.0.2"}, "client"),
    ({"client": "192.0.2.01"}, "client"),
    ({"client": "2001:DB8::1"}, "client"),
    ({"client": "host.example.org"}, "client"),
    *(
        ({"client": f"fe80::1%{zone}"}, "client 'fe80::1%")
        for zone in ("", "a b", "line\nbreak", "end\n", "\x00", "\x7f", "é", "a%b", "x" * 65)
    ),
    ({"transport": "carrier pigeon"}, "transport"),
    ({"qname": ""}, "canonical"),
    ({"qname": "WWW.example.org"}, "canonical"),
    ({"qname": "www.example.org."}, "canonical"),
    ({"qname": ".example.org"}, "canonical"),
    ({"qname": "www..example.org"}, "canonical"),
    ({"qname": "with space.example.org"}, "canonical"),
    ({"qname": "zero\x00.example.org"}, "canonical"),
    ({"qname": "münchen.example.org"}, "canonical"),
    ({"qname": f"{'a' * 64}.{'b' * 63}.{'c' * 63}.{'d' * 62}.org"}, "canonical"),
    ({"qname": r"\065.example.org"}, "canonical"),
    ({"registered_domain": "ample.org"}, "registered_domain"),
    ({"registered_domain": "example.net"}, "registered_domain"),
    ({"qtype": ""}, "qtype"),
    ({"qtype": "A B"}, "qtype"),
    ({"rcode": "x" * 33}, "rcode"),
    ({"answers": "192.0.2.1"}, "ARRAY"),
    ({"answers": [f"192.0.2.{n}" for n in range(9)]}, "answer_count 9"),
    ({"answers": ["line\nbreak"]}, "answers"),
    ({"duration": -1}, "duration"),
    ({"duration": 2**32}, "duration"),
    ({"shadow_score": 3.0}, "one of shadow_verdict and shadow_model is missing"),
    ({"shadow_model": "2.0"}, "one of shadow_verdict and shadow_model is missing"),
    ({"shadow_model": "2.0", "shadow_score": 3.0}, "one of shadow_verdict and shadow_model"),
    ({"shadow_verdict": "benign", "shadow_score": 3.0}, "one of shadow_verdict and shadow_model"),
    ({"verdict": "evil"}, "verdict"),
    ({"verdict": "Benign"}, "verdict"),
    ({"threat": "ghosts"}, "threat"),
    ({"score": -0.1}, "score"),
    ({"score": 60.1}, "score"),
    ({"score": "high"}, "cast"),
    ({"source": "hearsay"}, "source"),
    ({"model": ""}, "model"),
    ({"model": "x" * 65}, "model"),
    ({"action": "explode"}, "action"),
    ({"reason": "tab\there"}, "reason"),
    ({"reason": "x" * 257}, "reason is longer"),
    ({"reason": "é"}, "reason"),
]


@pytest.mark.parametrize(("changed", "says"), WRONG, ids=[str(one)[:40] for one, _ in WRONG])
def test_a_wrong_value_is_told_by_line(changed: dict[str, Any], says: str) -> None:
    good = [event(n) for n in range(3)]
    body = b"\n" + ndjson(good) + b"\r\n" + ndjson([event(3, **changed)]) + ndjson(good)
    with pytest.raises(BatchError) as caught:
        read(body)
    assert says in str(caught.value)
    assert (caught.value.status, caught.value.line) == (422, 6)
    assert "\n" not in str(caught.value)
    assert "/proc" not in str(caught.value)


@pytest.mark.parametrize("zone", ["2", "eth0", "!~", "x" * 64])
def test_a_link_local_client_has_its_zone(zone: str) -> None:
    (row,) = read(ndjson([event(1, client=f"fe80::1%{zone}")])).to_pylist()
    assert row["client"] == f"fe80::1%{zone}"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"null", 422),
        (b"5", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b"nonsense", 400),
        (b'{"sequence":1', 400),
        (b'{"sequence":1}{"sequence":2}', 400),
        (b'{"sequence":1} null', 400),
        (b'{"qname":"\xff\xfe"}', 400),
        (b'{"qname":"\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b"\x00", 400),
        (b'{"sequence":1,"sequence":2}', 422),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_broken_line_is_told(line: bytes, status: int) -> None:
    body = ndjson(event(n) for n in range(4000)) + line + b"\n" + ndjson([event(9000)])
    with pytest.raises(BatchError) as caught:
        read(body)
    assert (caught.value.status, caught.value.line) == (status, 4001)


def taken(body: bytes) -> int:
    """The status of a batch; any other error than ours goes through."""
    try:
        read(body)
    except BatchError as fault:
        return fault.status
    return 200


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer(body: bytes) -> None:
    assert taken(body) in (200, 400, 422)


@given(st.data())
def test_any_mutation_is_an_answer(data: st.DataObject) -> None:
    body = bytearray(ndjson([FULL, event(1)]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert taken(bytes(body)) in (200, 400, 422)


# Compressed bodies

BODY = ndjson(event(n) for n in range(100))


def test_gzip_in_one_and_in_several_members() -> None:
    assert decoded(gzip.compress(BODY), "gzip") == BODY
    assert decoded(gzip.compress(BODY[:500]) + gzip.compress(BODY[500:]), "gzip") == BODY


def test_many_members_cost_nothing() -> None:
    empty = gzip.compress(b"")
    began = time.process_time()
    with pytest.raises(BatchError, match="more than 16 gzip members") as caught:
        decoded(empty * ((1 << 20) // len(empty)), "gzip")
    assert time.process_time() - began < 1
    assert caught.value.status == 400
    assert decoded(empty * 15 + gzip.compress(BODY), "gzip") == BODY
    assert decoded(BODY, "") == BODY
    assert decoded(BODY, "identity") == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (BODY, "gzip", 400),
        (gzip.compress(BODY)[:-9], "gzip", 400),
        (gzip.compress(BODY) + b"tail", "gzip", 400),
        (zlib.compress(BODY), "gzip", 400),
        (BODY, "br", 415),
        (b"x" * (batch.MOST_BYTES + 1), "", 413),
    ],
    ids=["plain", "cut", "tail", "zlib", "brotli", "long"],
)
def test_bad_encodings(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(BatchError) as caught:
        decoded(body, encoding)
    assert caught.value.status == status


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.BytesIO()
    with gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=9) as packed:
        for _ in range(200):
            packed.write(bytes(1 << 20))
    bomb = plain.getvalue()
    assert len(bomb) < 1 << 20
    most: list[int] = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits: int) -> None:
            self._real = real(wbits=wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            found = self._real.decompress(data, limit)
            most.append(len(found))
            return found

    monkeypatch.setattr(batch.zlib, "decompressobj", Watched)
    with pytest.raises(BatchError) as caught:
        decoded(bomb, "gzip")
    assert caught.value.status == 413
    assert sum(most) <= batch.MOST_BYTES + 1
    bombs = gzip.compress(bytes(20 << 20)) * 2
    monkeypatch.undo()
    with pytest.raises(BatchError) as caught:
        decoded(bombs, "gzip")
    assert caught.value.status == 413


def test_numbers_written_as_sensors_write_them() -> None:
    line = json.dumps(event(1)).replace('"duration": 250', '"duration":250,"score":31.5')
    (row,) = read(line.encode()).to_pylist()
    assert row["score"] == 31.5
