"""The table of feeds, and lists of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlplugin.errors import UsageError
from mlplugin.feeds.table import FILES, Feed, added, chosen, public, read
from mlplugin.training.sources import known


@pytest.mark.parametrize("name", public())
def test_a_public_feed_is_fully_told(name: str) -> None:
    feed = public()[name]
    assert feed.url.startswith("https://")
    assert feed.licence_url.startswith("https://")
    assert feed.licence != "not stated"
    assert feed.caveat
    assert feed.interval
    assert feed.teaches in FILES
    assert feed.kind in {"popularity", "reference", "list", "feed", "generated"}
    assert feed.benign is (feed.kind in {"popularity", "reference", "list"})
    assert bool(feed.secret) is bool(feed.secret_as)
    assert re.fullmatch(r"bearer|query:[\w-]+|", feed.secret_as)
    assert not feed.own


@pytest.mark.parametrize("name", public())
def test_training_knows_its_licence(name: str) -> None:
    feed = public()[name]
    source = known()[feed.source or feed.name]
    assert source.usable is feed.usable
    assert source.kind == feed.kind
    assert source.licence


def test_non_commercial_feeds_are_not_for_models_that_ship() -> None:
    assert {name for name, feed in public().items() if not feed.usable} == {
        *("cloudflare-radar", "openphish", "phishtank")
    }


def test_a_list_of_ones_own() -> None:
    feed = added("teaches=malware,format=hosts,url=https://a.example/b?x=1,2&y,usable=no", public())
    assert feed == Feed(
        "b-x-1-2-y", "malware", "https://a.example/b?x=1,2&y", "hosts", usable=False, own=True
    )
    assert feed.written_as(2026) == "private:b-x-1-2-y"
    assert added("teaches=scam,url=lists/My list.txt", {}).name == "My-list"
    assert added("teaches=popular,url=l.txt,name=n,kind=popularity", {}).written_as(2026) == "own:n"


def test_a_known_feed_changed() -> None:
    feed = added("name=tranco,url=https://tranco-list.eu/download/XXXXX/1000000", public())
    assert feed.licence == public()["tranco"].licence
    assert feed.written_as(2025) == "tranco-2025"
    assert feed.url.endswith("/download/XXXXX/1000000")


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(
        '[mine]\nteaches = "phishing"\nformat = "csv"\ncolumn = "url"\nurl = "a.csv"\ntop = 5\n'
        '[majestic]\nurl = "https://mirror.example/m.csv"\nusable = false\n'
    )
    feeds = read(path, public())
    assert feeds["mine"] == Feed(
        "mine", "phishing", str(tmp_path / "a.csv"), "csv", column="url", top=5, own=True
    )
    assert feeds["majestic"].column == "Domain"
    assert not feeds["majestic"].usable


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("url=a.txt", "a lacks teaches"),
        ("teaches=malware", "list lacks url"),
        ("teaches=malwares,url=a", "teaches=malwares is not known; did you mean malware?"),
        ("teaches=scam,url=a,format=host", "did you mean hosts?"),
        ("teaches=scam,url=a,licens=MIT", "'licens' is not known; did you mean licence?"),
        ("teaches=scam,url=a,own=yes", "'own' is not known"),
        ("teaches=scam,url=a,usable=perhaps", "usable is yes or no"),
        ("teaches=scam,url=a,top=-1", "top is a number"),
        ("teaches=scam,url=a,date=2026", "no YYYY-MM-DD"),
        ("teaches=scam,url=a,format=csv", "a lacks column"),
        ("teaches=scam,url=a,name=../x", "is no name"),
        ("nonsense", "is no key=value; example: teaches=malware"),
    ],
)
def test_what_cannot_be_used(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        added(text, public())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[mine", "not readable as TOML"),
        ("mine = 1", "no section"),
        ("[m]\nurl = 1", "lacks teaches"),
    ],
)
def test_a_table_that_cannot_be_used(body: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(body)
    with pytest.raises(UsageError, match=says):
        read(path, public())


def test_a_name_that_is_none() -> None:
    with pytest.raises(UsageError, match="no feed 'trancos'; did you mean tranco\\?"):
        chosen(["trancos"], public())
