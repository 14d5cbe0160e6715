"""Fetching many feeds into one folder: labels, dates, copies, faults, and what is left of them."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlplugin.errors import UsageError
from mlplugin.feeds import fetch as fetching
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.fetch import Order, Report, Watcher, fetch
from mlplugin.feeds.merge import Merge
from mlplugin.feeds.table import Feed, public
from mlplugin.training import datasets
from mlplugin.training.clean import usable_rows
from mlplugin.training.sources import known, split
from tests.feeds.conftest import QUICK, Answer, Site
from tests.feeds.samples import SAMPLES, zipped

TODAY = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
KEYS = {"MLPLUGIN_FEEDS_RADAR_TOKEN": "geheim-1", "MLPLUGIN_FEEDS_ABUSECH_KEY": "geheim&2"}


def at(site: Site, name: str, *answers: Answer | bytes) -> Feed:
    """A public feed, or one of one's own, at the local server."""
    said = [one if isinstance(one, Answer) else Answer(one) for one in answers]
    url = site.serve(f"/{name}", *(said or [Answer(SAMPLES[name].body)]))
    return replace(public()[name], url=url)


def ordered(out: Path, *feeds: Feed, **more: Any) -> list[Report]:
    values = {"limits": QUICK, "now": TODAY, "environment": KEYS, **more}
    return fetch(Order(out, feeds, **values))


def rows(out: Path) -> dict[str, tuple[str, ...]]:
    """Every row by its name: file, label, category, family, first_seen, source."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(out.glob("*.tsv.gz")):
        lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
        assert lines[0] == "name\tlabel\tcategory\tfamily\tfirst_seen\tsource"
        for line in lines[1:]:
            name, *rest = line.split("\t")
            assert name not in found
            found[name] = (path.name.removesuffix(".tsv.gz"), *rest)
    return found


def manifest(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "feeds.json").read_text())
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_training_reads_what_all_feeds_give(site: Site, tmp_path: Path) -> None:
    reports = ordered(tmp_path, *(at(site, name) for name in SAMPLES))
    assert {report.status for report in reports} == {"fetched"}
    data = datasets.read(tmp_path)
    written = rows(tmp_path)
    assert sorted(data.names.texts()) == sorted(written)
    assert sorted(data.files) == sorted(manifest(tmp_path)["files"])
    assert {"dga_random", "dga_dictionary", "mal_malware", "mal_phishing", "mal_scam"} < set(
        data.files
    )
    assert {"benign_popular", "benign_fqdn", "benign_longtail"} < set(data.files)
    malicious = {name for name, row in written.items() if row[1] == "malicious"}
    assert int((data.target != datasets.BENIGN).sum()) == len(malicious) > 20
    table = known()
    named = {source for text in data.sources for source in split(text, table)}
    assert all(source.kind != "unknown" for source in named)
    assert any(source.name == "tranco-2026" and source.year == 2026 for source in named)


def test_a_licence_that_forbids_is_heeded(site: Site, tmp_path: Path) -> None:
    both, only = b"https://both.example.org/\n", b"https://only.example.org/\n"
    ordered(
        tmp_path,
        at(site, "openphish", both + only),
        at(site, "phishing-database", b"both.example.org\n"),
        Feed("mine", "scam", at(site, "jarelllama", b"mine.example.org\n").url, own=True),
        Feed(
            "shut", "scam", at(site, "maltrail", b"shut.example.org\n").url, own=True, usable=False
        ),
    )
    data = datasets.read(tmp_path)
    usable = dict(zip(data.names.texts(), usable_rows(data).tolist(), strict=True))
    assert usable == {
        "both.example.org": True,
        "only.example.org": False,
        "mine.example.org": True,
        "shut.example.org": False,
    }


def test_one_row_for_a_name(site: Site, tmp_path: Path) -> None:
    ordered(
        tmp_path,
        at(site, "jarelllama", b"both.example.org\none.example.org\n"),
        at(site, "scamblocklist", b"0.0.0.0 both.example.org\n"),
        at(site, "phishing-database", b"both.example.org\nmany.example.net\n"),
        at(site, "tweetfeed", b"2026-01-02 00:00:00,u,domain,many.example.net,#Remcos,x\n"),
        at(site, "tranco", b"1,example.com\n"),
        at(site, "umbrella", b"1,example.com\n2,www.example.com\n"),
    )
    today = "2026-11-22"
    assert rows(tmp_path) == {
        # Two say scam and one phishing.
        "both.example.org": (
            *("mal_scam", "malicious", "scam", "", today),
            "jarelllama,phishing-database,scamblocklist",
        ),
        "one.example.org": ("mal_scam", "malicious", "scam", "", today, "jarelllama"),
        # One each: the more specific; the earliest day.
        "many.example.net": (
            *("mal_malware", "malicious", "malware", "Remcos", "2026-01-02"),
            "phishing-database,tweetfeed",
        ),
        "example.com": (
            *("benign_popular", "benign", "popular", "", today),
            "tranco-2026,umbrella-2026",
        ),
        "www.example.com": ("benign_fqdn", "benign", "popular", "", today, "umbrella-2026"),
    }


def test_a_name_that_both_sides_hold(site: Site, tmp_path: Path) -> None:
    ordered(
        tmp_path,
        at(site, "tranco", b"1,two.example\n2,one.example\n3,same.example\n4,own.example\n"),
        at(site, "majestic", b"Domain\ntwo.example\nown.example\n"),
        at(site, "misp-tranco10k", b'{"list": ["same.example"], "version": 20250131}'),
        at(site, "hsts-preload", b'{"entries": [{"name": "one.example", "mode": "force-https"}]}'),
        at(site, "phishing-database", b"two.example\none.example\nsame.example\nours.example\n"),
        at(site, "openphish", b"https://two.example/\n"),
        Feed("mine", "malware", at(site, "jarelllama", b"own.example\n").url, own=True),
        Feed("good", "fqdn", at(site, "scamblocklist", b"ours.example\n").url, own=True),
    )
    found = {name: (row[1], row[5]) for name, row in rows(tmp_path).items()}
    assert found == {
        "two.example": (
            "benign",
            "majestic-2026,tranco-2026 (also openphish phishing-database)",
        ),
        "one.example": ("malicious", "phishing-database (also hsts-preload tranco-2026)"),
        # Two lists of one publisher are one voice.
        "same.example": ("malicious", "phishing-database (also misp-tranco10k-2025 tranco-2026)"),
        # One's own lists decide.
        "own.example": ("malicious", "own:mine (also majestic-2026 tranco-2026)"),
        "ours.example": ("benign", "own:good (also phishing-database)"),
    }
    assert manifest(tmp_path)["both_sides"] == 5
    with (tmp_path / "both_sides.csv").open(newline="") as stream:
        told = {row["name"]: row for row in csv.DictReader(stream)}
    assert told["two.example"] == {
        "name": "two.example",
        "label": "benign",
        "benign": "majestic-2026 tranco-2026",
        "malicious": "openphish phishing-database",
    }
    # What training takes for sources is the side whose label the row has.
    table = known()
    assert [one.name for one in split(found["one.example"][1], table)] == ["phishing-database"]


def test_days_of_first_sight_are_remembered(site: Site, tmp_path: Path) -> None:
    feeds = at(site, "jarelllama", b"a.example.org\n"), at(site, "tranco", b"1,example.com\n")
    ordered(tmp_path, *feeds, now=datetime(2025, 3, 1, tzinfo=UTC))
    at(site, "jarelllama", b"a.example.org\nb.example.org\n")
    ordered(tmp_path, *feeds)
    found = {name: row[4:] for name, row in rows(tmp_path).items()}
    assert found == {
        "a.example.org": ("2025-03-01", "jarelllama"),
        "b.example.org": ("2026-11-22", "jarelllama"),
        "example.com": ("2025-03-01", "tranco-2026"),
    }


def test_the_day_of_a_list(site: Site, tmp_path: Path) -> None:
    dated = Answer(b"1,a.example\n", headers={"Last-Modified": "Tue, 06 Oct 2026 10:00:00 GMT"})
    ordered(
        tmp_path,
        at(site, "tranco", dated),
        at(site, "umbrella-archive", b"1,b.example\n"),
        at(site, "misp-alexa", b'{"list": ["c.example"], "version": 20230130}'),
    )
    assert {name: row[4:] for name, row in rows(tmp_path).items()} == {
        "a.example": ("2026-10-06", "tranco-2026"),
        "b.example": ("2018-01-10", "umbrella-2018"),
        "c.example": ("2023-01-30", "misp-alexa-2023"),
    }


def test_since(site: Site, tmp_path: Path) -> None:
    feeds = at(site, "tweetfeed"), at(site, "misp-alexa")
    ordered(tmp_path, *feeds, since="2026-08-10")
    found = rows(tmp_path)
    assert "login.example.com" not in found
    assert {"prize.example.net", "beacon.example.org", "example.com"} < set(found)


def test_the_same_bytes_again(site: Site, tmp_path: Path) -> None:
    feeds = [at(site, name) for name in SAMPLES]
    ordered(tmp_path / "one", *feeds)
    ordered(tmp_path / "two", *reversed(feeds))
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert {name for name in one if one[name] != two[name]} == {"feeds.json"}
    assert manifest(tmp_path / "one")["files"] == manifest(tmp_path / "two")["files"]


def test_one_dead_feed_does_not_stop_the_others(site: Site, tmp_path: Path) -> None:
    reports = ordered(
        tmp_path,
        at(site, "tranco", Answer(status=404)),
        at(site, "jarelllama", b"<!doctype html>"),
        at(site, "scamblocklist"),
        at(site, "maltrail", Answer(SAMPLES["maltrail"].body, cut=9)),
        at(site, "urlhaus", Answer(status=503), Answer(SAMPLES["urlhaus"].body)),
        Feed("mine", "malware", str(tmp_path / "missing.txt"), own=True),
    )
    assert [(report.feed.name, report.status) for report in reports] == [
        ("tranco", "failed"),
        ("jarelllama", "failed"),
        ("scamblocklist", "fetched"),
        ("maltrail", "failed"),
        ("urlhaus", "fetched"),
        ("mine", "failed"),
    ]
    assert "404" in reports[0].error
    assert "web page" in reports[1].error
    assert "No such file" in reports[5].error
    assert set(rows(tmp_path)) == {
        *("a.example.org", "b.example.org", "files.example.org", "shop.example.net")
    }
    left = {path.name for path in (tmp_path / "raw").iterdir()}
    assert left == {"scamblocklist", "scamblocklist.json", "urlhaus", "urlhaus.json"}


def test_a_feed_that_breaks_keeps_its_older_copy(site: Site, tmp_path: Path) -> None:
    feeds = at(site, "tranco", b"1,example.com\n"), at(site, "jarelllama", b"a.example.org\n")
    ordered(tmp_path, *feeds, now=datetime(2026, 1, 1, tzinfo=UTC))
    at(site, "jarelllama", b"<html>")
    at(site, "tranco", b"1,example.net\n")
    _, report = ordered(tmp_path, *feeds)
    assert (report.status, report.time[:10]) == ("kept", "2026-01-01")
    assert set(rows(tmp_path)) == {"a.example.org", "example.net"}
    assert manifest(tmp_path)["feeds"][1]["error"].startswith("a web page came")


def test_nothing_comes_and_nothing_changes(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"no feed could be fetched \(tranco: HTTP 500"):
        ordered(tmp_path, at(site, "tranco", Answer(status=500)))
    assert content(tmp_path) == {}
    feed = at(site, "tranco", b"1,example.com\n")
    ordered(tmp_path, feed)
    before = content(tmp_path)
    with pytest.raises(FeedError):
        ordered(tmp_path, at(site, "jarelllama", Answer(status=404)))
    assert content(tmp_path) == before


def test_what_did_not_change_is_not_fetched(site: Site, tmp_path: Path) -> None:
    feed = at(site, "tranco", Answer(b"1,example.com\n", headers={"ETag": '"a"'}))
    ordered(tmp_path, feed, now=datetime(2026, 1, 1, tzinfo=UTC))
    before = rows(tmp_path)
    (report,) = ordered(tmp_path, feed)
    assert (report.status, report.stamp.etag) == ("unchanged", '"a"')
    assert rows(tmp_path) == before
    assert site.asked[1][1]["If-None-Match"] == '"a"'
    (tmp_path / "raw" / "tranco").write_bytes(b"1,else.example\n")  # no longer what came
    (report,) = ordered(tmp_path, feed)
    assert report.status == "fetched"
    assert rows(tmp_path) == before


def test_not_modified_without_a_copy(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no copy here"):
        ordered(tmp_path, at(site, "tranco", Answer(status=304)))


def test_files_that_are_no_longer_fed_go(site: Site, tmp_path: Path) -> None:
    (tmp_path / "benign_own.tsv").write_text("kept")
    ordered(tmp_path, at(site, "tranco"), at(site, "jarelllama"))
    ordered(tmp_path, at(site, "tranco"))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("benign_own.tsv", "benign_popular.tsv.gz", "both_sides.csv", "feeds.json", "raw")
    }


def test_the_manifest_tells_all(site: Site, tmp_path: Path) -> None:
    ordered(tmp_path, at(site, "urlhaus"), at(site, "openphish"))
    told = manifest(tmp_path)
    assert told["time"] == "2026-11-22T12:30:00Z"
    assert told["files"]["mal_malware"]["rows"] == 2
    urlhaus, openphish = told["feeds"]
    assert urlhaus["names"] == 2
    assert (urlhaus["malformed"], urlhaus["addresses"]) == (1, 1)
    assert urlhaus["examples"] == ["2998,2026-10-04"]
    assert urlhaus["bytes"] == len(SAMPLES["urlhaus"].body)
    assert len(urlhaus["sha256"]) == 64
    assert openphish["usable"] is False
    assert openphish["licence"] == "non-commercial"
    assert openphish["licence_url"].startswith("https://")
    assert openphish["caveat"]


@pytest.mark.parametrize("by_file", [False, True])
def test_keys_go_to_the_server_and_nowhere_else(by_file: bool, site: Site, tmp_path: Path) -> None:
    keys = dict(KEYS)
    if by_file:
        for name in KEYS:
            (tmp_path / name).write_text(keys.pop(name) + "\n")
            keys[f"{name}_FILE"] = str(tmp_path / name)
    out = tmp_path / "out"
    ordered(out, at(site, "cloudflare-radar"), at(site, "urlhaus"), environment=keys)
    asked = dict(site.asked)
    assert asked["/cloudflare-radar"]["Authorization"] == "Bearer geheim-1"
    assert "/urlhaus?auth-key=geheim%262" in asked
    shut = at(site, "urlhaus", Answer(status=403))
    reports = ordered(out, at(site, "cloudflare-radar"), shut, environment=keys)
    assert reports[1].status == "kept"
    assert not any(b"geheim" in body for body in content(out).values())


def test_without_its_key_a_feed_is_left_out(site: Site, tmp_path: Path) -> None:
    left, _ = ordered(tmp_path, at(site, "urlhaus"), at(site, "tranco"), environment={})
    assert left.status == "skipped"
    assert left.error == (
        "it needs a key: set MLPLUGIN_FEEDS_ABUSECH_KEY, or MLPLUGIN_FEEDS_ABUSECH_KEY_FILE "
        "to a file with it"
    )
    broken = {"MLPLUGIN_FEEDS_ABUSECH_KEY": "a\nb"}
    left, _ = ordered(tmp_path, at(site, "urlhaus"), at(site, "tranco"), environment=broken)
    assert (left.status, "characters" in left.error) == ("failed", True)
    assert [path for path, _ in site.asked] == ["/tranco", "/tranco"]


def test_two_feeds_of_one_name(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same name"):
        ordered(tmp_path, at(site, "tranco"), at(site, "tranco"))


def test_an_interruption_leaves_nothing_half(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(tmp_path, at(site, "tranco", b"1,example.com\n"))
    before = content(tmp_path)

    class Stop(Watcher):
        def done(self, _: Report) -> None:
            raise KeyboardInterrupt

    at(site, "jarelllama")
    slow = at(site, "scamblocklist", Answer(status=503))
    order = Order(
        tmp_path, [at(site, "jarelllama"), slow], replace(QUICK, tries=9, pause=60), now=TODAY
    )
    with pytest.raises(KeyboardInterrupt):
        fetch(order, Stop())
    after = content(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"raw/jarelllama", "raw/jarelllama.json"}


def test_a_full_disk_leaves_the_folder_as_it_was(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(tmp_path, at(site, "tranco", b"1,example.com\n"))
    before = rows(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Merge, "write", full)
    at(site, "tranco", b"1,example.net\n")
    with pytest.raises(OSError, match="No space left"):
        ordered(tmp_path, at(site, "tranco", b"1,example.net\n"))
    assert rows(tmp_path) == before
    assert not list((tmp_path / fetching.RAW).glob("scratch-*"))


def test_a_bomb_stops_only_itself(site: Site, tmp_path: Path) -> None:
    bomb = zipped(**{"top-1m.csv": "1,example.org\n" * 200_000})
    limits = replace(QUICK, most_unpacked=1 << 20)
    reports = ordered(tmp_path, at(site, "umbrella", bomb), at(site, "tranco"), limits=limits)
    assert [report.status for report in reports] == ["failed", "fetched"]
    assert "unpacks to more than" in reports[0].error
    assert "umbrella" not in " ".join(row[5] for row in rows(tmp_path).values())
