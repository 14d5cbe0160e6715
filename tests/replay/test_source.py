from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest

from mlplugin.errors import UsageError
from mlplugin.replay.source import Source

from .test_capture import ethernet, ipv4, message, pcap, pcapng, udp
from .test_logs import TSV

FRAMES = [ethernet(ipv4(udp(message(f"{n}.example.org")))) for n in "abc"]
KINDS = {
    "names": (b"example.org\nexample.net\n", 2),
    "zeek tsv": (TSV.encode(), 4),
    "zeek json": (b'{"query": "example.org", "qtype": 1}\n', 1),
    "capture": (pcap(FRAMES), 3),
    "capture ng": (pcapng(FRAMES), 3),
}


@pytest.mark.parametrize("packed", [0, 1], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str, packed: int, tmp_path: Path) -> None:
    content, count = KINDS[kind]
    for _ in range(packed):
        content = gzip.compress(content)
    path = tmp_path / "whatever"
    path.write_bytes(content)
    with Source(path) as source:
        assert source.kind == kind.removesuffix(" ng")
        assert source.has_clients == (kind != "names")
        assert len(list(source.queries())) == count
        assert source.fault is None
        assert source.position() == source.size == len(content)


def test_a_gzip_that_is_cut_gives_its_start_and_says_so(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"n%d.example.org\n" % number for number in range(50_000)))
    path = tmp_path / "names.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with Source(path) as source:
        assert 0 < len(list(source.queries())) < 50_000
    assert source.fault is not None
    assert "damaged" in source.fault


def test_a_capture_that_is_cut_gives_its_start_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(FRAMES)[:-5])
    with Source(path) as source:
        assert len(list(source.queries())) == 2
    assert source.fault == "the capture is cut short"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0\0", "no Zeek dns.log"),
        (gzip.compress(b"x" * 100)[:9], "ended before"),
        (b"\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff\xff", "compression"),
    ],
)
def test_what_is_no_source_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        Source(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.log: No such file"):
        Source(tmp_path / "none.log")
    with pytest.raises(UsageError, match="directory"):
        Source(tmp_path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(b"example.org\n")))
    monkeypatch.setattr(sys, "stdin", stdin)
    with Source(Path("-")) as source:
        assert source.size is None
        assert len(list(source.queries())) == 1
    assert not sys.stdin.closed


def test_an_empty_file_has_no_queries(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with Source(path) as source:
        assert list(source.queries()) == []
