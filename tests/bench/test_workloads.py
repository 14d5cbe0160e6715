"""What the benchmarks ask for."""

from __future__ import annotations

import gzip
from pathlib import Path

from bench.performance.workloads import HOT, UNSEEN, ZIPF, Workloads
from mlplugin.qname import canonical

ZEEK = "#fields\tts\n" + "".join(
    "\t".join([*(["-"] * 9), name, "1", "C_INTERNET", "1", qtype, *(["-"] * 10)]) + "\n"
    for name, qtype in (("www.example.org", "A"), ("odd name", "A"), ("a.example.net", "AAAA"))
)


def test_invented(tmp_path: Path) -> None:
    made = Workloads(tmp_path, None, unseen=2_000)
    for name in (HOT, ZIPF, UNSEEN):
        work = made.make(name)
        lines = work.queries.read_text().splitlines()
        assert len(lines) == work.count
        for line in lines[:100]:
            qname, qtype = line.split()
            assert canonical(qname) == qname
            assert qtype in {"A", "AAAA", "HTTPS", "TXT", "PTR"}
        assert work.warm.read_text()


def test_no_name_is_asked_for_twice_where_all_are_unseen(tmp_path: Path) -> None:
    work = Workloads(tmp_path, None, unseen=2_000).make(UNSEEN)
    lines = [*work.queries.read_text().splitlines(), *work.warm.read_text().splitlines()]
    assert work.once
    assert len(set(lines)) == len(lines) == 2_000


def test_real_traffic(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "traffic").mkdir(parents=True)
    log = data / "traffic" / "zeek-wrccdc2018-dns.log.gz"
    log.write_bytes(gzip.compress(ZEEK.encode()))
    work = Workloads(tmp_path, data, unseen=10).make(HOT)
    assert work.queries.read_text() == "www.example.org A\na.example.net AAAA\n"
    assert "zeek-wrccdc2018" in work.origin
