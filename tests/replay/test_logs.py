from __future__ import annotations

import collections
import ipaddress
from collections.abc import Iterator

import dns.message
import dns.rdataclass
import dns.rdatatype
import pytest

from mlplugin.errors import UsageError
from mlplugin.replay.logs import from_names, from_zeek_json, from_zeek_tsv
from mlplugin.replay.query import Query

TSV = """\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tdns
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tquery\tqclass\tqtype\tanswers
#types\ttime\tstring\taddr\tport\taddr\tstring\tcount\tcount\tvector[string]
1.0\tC1\t192.0.2.7\t4321\t192.0.2.53\tWWW.example.org\t1\t28\t-
2.0\tC2\t2001:db8::7\t53\t192.0.2.53\t\\x00\\xff\\x5c.example.org\t1\t16\t-
3.0\tC3\t192.0.2.8\t1\t192.0.2.53\t(empty)\t1\t2\t-
4.0\tC4\t192.0.2.8\t1\t192.0.2.53\t-\t1\t2\t-
5.0\tC5\t192.0.2.8\t1\t192.0.2.53\texample.org\t-\t-\t192.0.2.1
6.0\tC6\t192.0.2.8\t1\t192.0.2.53\tversion.bind\t3\t16\t-
7.0\tC7\t192.0.2.8\t1\t192.0.2.53\ta..b\t1\t1\t-
#close\t2026-11-23-00-00-00
"""


def questions(queries: list[Query]) -> list[tuple[tuple[bytes, ...], str, str]]:
    found = []
    for query in queries:
        question = dns.message.from_wire(b"\0\1" + query.tail).question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        found.append((question.name.labels[:-1], kind, dns.rdataclass.to_text(question.rdclass)))
    return found


class Skipped(collections.Counter[str]):
    def __call__(self, reason: str) -> None:
        self[reason] += 1


@pytest.fixture
def skipped() -> Skipped:
    return Skipped()


def test_zeek_tsv(skipped: Skipped) -> None:
    queries = list(from_zeek_tsv(TSV.splitlines(keepends=True), skipped))
    assert questions(queries) == [
        ((b"WWW", b"example", b"org"), "AAAA", "IN"),
        ((b"\x00\xff\\", b"example", b"org"), "TXT", "IN"),
        ((), "NS", "IN"),
        ((b"version", b"bind"), "TXT", "CH"),
    ]
    clients = [query.client for query in queries]
    assert clients[0] is not None
    assert clients[1] is not None
    assert clients[0] == (ipaddress.ip_address("192.0.2.7").packed, 4321)
    assert clients[1] == (ipaddress.ip_address("2001:db8::7").packed, 53)
    assert skipped == {
        "a record without a name": 1,
        "a record without a query type": 1,
        "a name with an empty label": 1,
    }


def test_a_second_header_in_a_joined_log_counts(skipped: Skipped) -> None:
    other = "#separator |\n#fields|qtype|query\n1|other.example.org\n"
    rows = list(from_zeek_tsv((TSV + other).splitlines(), skipped))
    assert questions(rows)[-1] == ((b"other", b"example", b"org"), "A", "IN")
    assert rows[-1].client is None


def test_another_zeek_log_is_refused(skipped: Skipped) -> None:
    with pytest.raises(UsageError, match="no column query and qtype"):
        list(from_zeek_tsv(["#fields\tts\tuid\tproto\n"], skipped))


def test_zeek_json(skipped: Skipped) -> None:
    lines = [
        '{"id.orig_h": "192.0.2.9", "id.orig_p": 9, "query": "x\\\\x20y.example", "qtype": 1}',
        '{"query": "bücher.example", "qtype": 1}',
        "{broken",
        "[1]",
        '{"qtype": 1}',
        '{"query": "example.org", "qtype": "AAAA"}',
        '{"query": "example.org", "qtype": 70000}',
        '{"query": "example.org", "qtype": 1, "id.orig_h": "nowhere"}',
        "",
    ]
    rows = list(from_zeek_json(lines, skipped))
    assert questions(rows) == [
        ((b"x y", b"example"), "A", "IN"),
        (("bücher".encode(), b"example"), "A", "IN"),
    ]
    assert skipped.total() == 6


def test_names(skipped: Skipped) -> None:
    lines = [
        "# a comment",
        "",
        "example.org",
        "Upper.example.org.  AAAA",
        "a\\.b\\032c.example.org TYPE65400",
        "bad name x",
        "foo.com BOGUS",
        ".",
        "bücher.example.org MX",
        "a..b",
        "a" * 64 + ".example.org",
        "bad\\999.example.org",
        "end\\",
    ]
    lines += ["example.net"] * 2
    rows = list(from_names(lines, skipped))[:-2]
    assert questions(rows) == [
        ((b"example", b"org"), "A", "IN"),
        ((b"Upper", b"example", b"org"), "AAAA", "IN"),
        ((b"a.b c", b"example", b"org"), "TYPE65400", "IN"),
        ((), "A", "IN"),
        ((b"xn--bcher-kva", b"example", b"org"), "MX", "IN"),
    ]
    assert skipped.total() == 6
    assert skipped["a line with more than a name and a type"] == 1
    assert skipped["a query type that is not known"] == 1


@pytest.mark.parametrize("good", [49, 50])
def test_a_text_that_is_no_list_is_refused_before_anything_is_sent(
    good: int, skipped: Skipped
) -> None:
    lines = [
        "# a comment",
        "",
        *["example.org"] * good,
        *["Some words of a letter."] * (100 - good),
    ]
    rows = from_names([*lines, *["example.net"] * 500], skipped)
    if good < 50:
        with pytest.raises(UsageError, match="51 of its first 100 lines are no NAME"):
            next(rows)
    else:
        assert len(list(rows)) == 550
        assert skipped.total() == 50


def test_the_lines_before_a_damaged_place_are_given(skipped: Skipped) -> None:
    def damaged() -> Iterator[str]:
        yield "example.org"
        raise EOFError("cut")

    rows = from_names(damaged(), skipped)
    assert questions([next(rows)]) == [((b"example", b"org"), "A", "IN")]
    with pytest.raises(EOFError, match="cut"):
        next(rows)
