"""Every public feed is read in its real form, and its faults are counted, not met with a crash."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.formats import READERS, read
from mlplugin.feeds.rows import Row, Tally
from mlplugin.feeds.table import FORMATS, Feed, public
from tests.feeds.samples import SAMPLES, zipped

MOST = 4 << 20


def given(body: bytes, feed: Feed, folder: Path, most: int = MOST) -> tuple[list[Row], Tally]:
    path, tally = folder / "feed", Tally()
    path.write_bytes(body)
    return list(read(path, feed, tally, most)), tally


def own(form: str, **more: object) -> Feed:
    return replace(Feed("own", "malware", "-", form), **more)  # type: ignore[arg-type]


def test_every_feed_and_every_format_is_here() -> None:
    assert set(SAMPLES) == set(public())
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize("name", SAMPLES)
def test_public_feed(name: str, tmp_path: Path) -> None:
    feed, sample = public()[name], SAMPLES[name]
    rows, tally = given(sample.body, feed, tmp_path)
    assert {row.name: (row.first_seen, row.family) for row in rows} == sample.rows
    assert len(rows) == len(sample.rows) == tally.names
    assert (tally.malformed, tally.addresses, tally.passed_over) == (
        sample.malformed,
        sample.addresses,
        sample.passed_over,
    ), tally
    assert len(tally.examples) == min(3, sample.malformed)
    teaches = {row.name: row.teaches for row in rows}
    assert teaches | sample.teaches == teaches
    categories = {row.name: row.category for row in rows}
    assert categories | sample.categories == categories


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty|no names"),
        (b"\n\n# nothing today\n", "no names|no JSON|no column|1 of 1 rows"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b"\xef\xbb\xbf \n<html><body>503</body>", "web page"),
        ("https://a.example.org/\nb.example\n".encode("utf-16") * 9, "format|JSON|column|names"),
        (b"a;b;c\n{}[]|\n<<<>>>\n" * 20, "format|JSON|column|names"),
        (gzip.compress(b"example.org\n" * 999)[:-20], "cut short"),
        (zipped(a="x")[:-30], "damaged|cut short"),
    ],
    ids=["empty", "comments", "page", "page after a mark", "utf-16", "junk", "gzip cut", "zip cut"],
)  # fmt: skip
def test_what_is_no_feed_is_refused(name: str, body: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=says):
        given(body, public()[name], tmp_path)


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("majestic", b"Rank,Name\n1,example.com\n", "no column 'Domain'"),
        ("phishtank", b"phish_id,url\n1,http://a.example/\n", "no column 'submission_time'"),
        ("misp-alexa", b'{"version": 20230130, "names": []}', "no list 'list'"),
        ("misp-alexa", b"[" * 100_000, "no JSON"),
        ("hsts-preload", b"[]", "no list 'entries'"),
        ("polkadot-phishing", b'{"deny": {"a": 1}}', "no list 'deny'"),
        ("urlhaus", b'"1","2026-01-01 00:00:00"\n', "1 of 1 rows are not of its format"),
        ("tranco", zipped(**{"top-1m.csv": "example.com\nexample.org\n"}), "2 of 2 rows"),
        ("maltrail", zipped(**{"README.md": "x"}), "no file .*/trails/static/malware"),
    ],
)
def test_another_format_than_it_was(name: str, body: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=says):
        given(body, public()[name], tmp_path)


def test_adblock(tmp_path: Path) -> None:
    body = (
        b"[Adblock Plus]\n! Title: ours\n||a.example.org^\n||b.example.org^$third-party,document\n"
        b"@@||good.example.org^\n||c.example.org/path^\nexample.org##.ad\n||192.0.2.1^\nno rule\n"
    )
    rows, tally = given(body, own("adblock"), tmp_path)
    assert [row.name for row in rows] == ["a.example.org", "b.example.org"]
    assert (tally.passed_over, tally.addresses, tally.malformed) == (3, 1, 1)


def test_a_list_of_any_form(tmp_path: Path) -> None:
    body = (
        b"! adblock\n||a.example.org^\n0.0.0.0 b.example.org\nhxxps://c[.]example.org/x\n"
        b"*.d.example.org\nE.example.org. ; comment\n2001:db8::1\n// comment\n"
    )
    rows, tally = given(body, own("auto"), tmp_path)
    assert [row.name for row in rows] == [f"{letter}.example.org" for letter in "abcde"]
    assert (tally.addresses, tally.malformed) == (1, 0)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (
            "bambenek",
            b"## list\nqwzx.example.org,"
            b"Domain used by Cryptolocker - Flashback DGA for 13 Feb 2026,"
            b"2026-02-13,http://list.example/cl.txt\n"
            b"pears.example.net,Domain used by suppobox,2026-02-13,http://list.example/s.txt\nx\n",
        ),
        (
            "netlab",
            b"# list\ncryptolocker\tqwzx.example.org\t2026-02-13 00:00:00\t2026-02-14 00:00:00\n"
            b"suppobox\tpears.example.net\t2026-02-13 00:00:00\t2026-02-14 00:00:00\nx\n",
        ),
    ],
)
def test_lists_of_generated_names(form: str, body: bytes, tmp_path: Path) -> None:
    feed = own(form, teaches="dga", dictionary="suppobox gozi")
    rows, tally = given(body, feed, tmp_path)
    assert rows == [
        Row("qwzx.example.org", "2026-02-13", "cryptolocker", "dga", "dga"),
        Row("pears.example.net", "2026-02-13", "suppobox", "dga_dictionary", "dga"),
    ]
    assert tally.malformed == 1


def test_a_stray_quote_costs_one_row(tmp_path: Path) -> None:
    body = b'domain\nexample.com\n"example.net\nexample.org\n'
    rows, tally = given(body, public()["cloudflare-radar"], tmp_path)
    assert [row.name for row in rows] == ["example.com", "example.org"]
    assert tally.examples == ['"example.net']


def test_rows_beyond_what_is_wanted(tmp_path: Path) -> None:
    body = "".join(f"{rank},n{rank}.example.org\n" for rank in range(1, 31)).encode()
    rows, tally = given(body, own("ranked", top=10), tmp_path)
    assert [row.name for row in rows][-1] == "n10.example.org"
    assert (tally.names, tally.capped) == (10, 20)
    rows, tally = given(
        SAMPLES["maltrail"].body, replace(public()["maltrail"], per_family=1), tmp_path
    )
    assert (tally.names, tally.capped) == (3, 1)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = b"example.org\n" * 500_000
    for body in (gzip.compress(bomb), zipped(**{"a.txt": bomb})):
        assert len(body) < 1 << 16
        with pytest.raises(FeedError, match="unpacks to more than 1,048,576 bytes"):
            given(body, own("plain"), tmp_path, 1 << 20)


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    rows, tally = given(b"a.example.org\n" + b"x" * 200_000 + b"\nb.example.org\nc.example.org\n"
                        b"d.example.org\ne.example.org\n", own("plain"), tmp_path)  # fmt: skip
    assert len(rows) == 5
    assert tally.malformed == 4
    assert all(len(shown) < 70 for shown in tally.examples)


def test_examples_cannot_steer_a_terminal(tmp_path: Path) -> None:
    body = b"\x1b[31mred.example.org\na.example.org\n"
    _, tally = given(body, own("plain"), tmp_path)
    assert tally.examples == ["\\027[31mred.example.org"]


def test_a_family_cannot_break_a_row(tmp_path: Path) -> None:
    feed = own("csv", column="name", family_column="family")
    (row,), _ = given('name,family\na.example.org,"x\ty\u00e9"\n'.encode(), feed, tmp_path)
    assert row.family == "xy"
