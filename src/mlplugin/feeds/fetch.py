"""Fetching feeds into a folder of labelled names: what came, what did not, and a manifest."""

from __future__ import annotations

import csv
import json
import os
import threading
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from mlplugin.errors import MlpluginError, UsageError
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.formats import read
from mlplugin.feeds.http import Limits, Request, Stamp, download
from mlplugin.feeds.merge import Merge, digest, path_of
from mlplugin.feeds.rows import Tally
from mlplugin.feeds.table import SECRETS, Feed

MANIFEST = "feeds.json"
BOTH_SIDES = "both_sides.csv"
RAW = "raw"
FORMAT = 1
DOWNLOADS_AT_ONCE = 4

FETCHED, UNCHANGED, KEPT, FAILED, SKIPPED = "fetched", "unchanged", "kept", "failed", "skipped"


@dataclass(frozen=True)
class Order:
    """What to fetch.

    Attributes:
        out: the folder; made if it is not there.
        feeds: all with names of their own.
        limits: of each download.
        since: leaves out malicious names that were first seen before, YYYY-MM-DD.
        now: the time of the fetch, in UTC.
        environment: that the keys are in.
    """

    out: Path
    feeds: Sequence[Feed]
    limits: Limits = field(default_factory=Limits)
    since: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass
class Report:
    """What became of one feed.

    ``status`` is ``fetched``, ``unchanged`` (the copy that was here is the newest), ``kept`` (a
    fault, and the older copy was used), ``failed`` or ``skipped`` (its key is not there).
    """

    feed: Feed
    status: str = FAILED
    error: str = ""
    time: str = ""
    stamp: Stamp = field(default_factory=Stamp)
    sha256: str = ""
    size: int = 0
    source: str = ""
    tally: Tally = field(default_factory=Tally)

    @property
    def used(self) -> bool:
        """Whether its names are in the files."""
        return self.status in {FETCHED, UNCHANGED, KEPT}

    def row(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        feed, tally = self.feed, asdict(self.tally)
        return {
            "name": feed.name,
            "status": self.status,
            "error": self.error or None,
            "side": feed.side,
            "teaches": feed.teaches,
            "source": self.source,
            "url": feed.url,
            "time": self.time,
            "etag": self.stamp.etag,
            "last_modified": self.stamp.last_modified,
            "sha256": self.sha256,
            "bytes": self.size,
            **tally,
            "licence": feed.licence,
            "licence_url": feed.licence_url,
            "usable": feed.usable,
            "caveat": feed.caveat,
        }


class Watcher:
    """Told how far a fetch is; this one does not care."""

    def came(self, count: int) -> None:
        """So many more bytes."""

    def done(self, report: Report) -> None:
        """A feed is read, or given up."""


def fetch(order: Order, watcher: Watcher | None = None) -> list[Report]:
    """Fetch feeds, and write files of labelled names, what both sides hold, and a manifest.

    The folder then holds what these feeds say, no more; days of first sight are remembered from
    what was written there before. A fault in one feed stops none of the others.

    Raises:
        UsageError: if two feeds have the same name.
        FeedError: if none could be fetched; the folder then stays as it was.
    """
    watcher = watcher or Watcher()
    if len({feed.name for feed in order.feeds}) < len(order.feeds):
        raise UsageError("two feeds have the same name: give one of them another with name=")
    raw = order.out / RAW
    raw.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(dir=raw, prefix="scratch-"))
    try:
        with Merge(scratch) as merge:
            reports = _gather(order, raw, merge, watcher)
            _refuse_nothing(reports)
            merge.remember(_before(order.out))
            both = merge.settle(order.since)
            _write(order, reports, merge, scratch, both)
    finally:
        rmtree(scratch)
    return reports


def _refuse_nothing(reports: Iterable[Report]) -> None:
    if any(report.used for report in reports):
        return
    reasons = [f"{report.feed.name}: {report.error}" for report in reports]
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    raise FeedError(f"no feed could be fetched ({'; '.join(reasons[:3])}{more})")


def _gather(order: Order, raw: Path, merge: Merge, watcher: Watcher) -> list[Report]:
    reports = []
    stop = threading.Event()
    pool = ThreadPoolExecutor(DOWNLOADS_AT_ONCE)
    try:
        coming = [
            (feed, pool.submit(_bring, feed, raw, order, watcher, stop)) for feed in order.feeds
        ]
        for feed, future in coming:
            report = _taken(feed, future, raw, order, merge)
            reports.append(report)
            watcher.done(report)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        for left in raw.glob("*.new"):
            left.unlink(missing_ok=True)
    return reports


def _bring(feed: Feed, raw: Path, order: Order, watcher: Watcher, stop: threading.Event) -> Report:
    """Have the file of a feed as ``NAME.new``, or find that the copy is still good."""
    report = Report(feed, FETCHED, time=order.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if feed.local:
        path = Path(feed.url)
        try:
            report.sha256, report.size = digest(path), path.stat().st_size
        except OSError as error:
            raise FeedError(f"cannot read {path}: {error.strerror}") from error
        return report
    known = _copy(feed, raw)
    request = _request(feed, order.environment)
    if known:
        request = replace(request, known=known.stamp)

    def came(count: int) -> None:
        if stop.is_set():
            raise FeedError("interrupted")
        watcher.came(count)

    got = download(request, raw / f"{feed.name}.new", order.limits, came, stop.wait)
    if got is None:
        if known is None:
            raise FeedError("it says that nothing changed, but there is no copy here")
        return replace(known, status=UNCHANGED)
    report.stamp, report.sha256, report.size = got.stamp, got.sha256, got.size
    return report


def _taken(feed: Feed, future: Future[Report], raw: Path, order: Order, merge: Merge) -> Report:
    """Read what came; where that fails, the older copy."""
    new, old = raw / f"{feed.name}.new", raw / feed.name
    report = Report(feed)
    try:
        report = future.result()
        path = Path(feed.url) if feed.local else (new if report.status == FETCHED else old)
        _merge(report, path, order, merge)
        if report.status == FETCHED and not feed.local:
            new.replace(old)
            _note(report, raw)
    except MlpluginError as error:
        new.unlink(missing_ok=True)
        report = _older(feed, raw, order, merge)
        report.error = str(error)
        if isinstance(error, _NoKeyError) and not report.used:
            report.status = SKIPPED
    return report


def _older(feed: Feed, raw: Path, order: Order, merge: Merge) -> Report:
    copy = None if feed.local else _copy(feed, raw)
    if copy is None:
        return Report(feed, FAILED)
    try:
        _merge(copy, raw / feed.name, order, merge)
    except FeedError:
        return Report(feed, FAILED)
    return replace(copy, status=KEPT)


def _merge(report: Report, path: Path, order: Order, merge: Merge) -> None:
    feed = report.feed
    tally = Tally()
    merge.add(read(path, feed, tally, order.limits.most_unpacked))
    day = feed.date or tally.date or _day(report)
    report.tally, report.source = tally, feed.written_as(int(day[:4]))
    merge.date(feed, day, report.source)


def _day(report: Report) -> str:
    """The day that a list without one stands for: for a vote when it was made, else the fetch."""
    if report.feed.votes and report.stamp.last_modified:
        with suppress(ValueError):
            return parsedate_to_datetime(report.stamp.last_modified).date().isoformat()
    return report.time[:10]


class _NoKeyError(FeedError):
    """A feed whose key is not there."""


def _request(feed: Feed, environment: Mapping[str, str]) -> Request:
    if not feed.secret:
        return Request(feed.url)
    secret = _secret(feed, environment)
    kind, _, name = feed.secret_as.partition(":")
    if kind == "bearer":
        return Request(feed.url, {"Authorization": f"Bearer {secret}"})
    joint = "&" if "?" in feed.url else "?"
    return Request(f"{feed.url}{joint}{name}={urllib.parse.quote(secret, safe='')}")


def _secret(feed: Feed, environment: Mapping[str, str]) -> str:
    variable = f"{SECRETS}{feed.secret}"
    secret = environment.get(variable, "")
    if place := environment.get(f"{variable}_FILE"):
        try:
            secret = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = getattr(error, "strerror", None) or "not text"
            raise FeedError(f"cannot read {place}, which {variable}_FILE names: {what}") from error
    secret = secret.strip()
    if not secret:
        raise _NoKeyError(f"it needs a key: set {variable}, or {variable}_FILE to a file with it")
    if not secret.isascii() or not secret.isprintable():
        raise FeedError(f"the key in {variable} holds characters that no key has")
    return secret


def _copy(feed: Feed, raw: Path) -> Report | None:
    """The copy of a feed that is here from the same place, if it is whole."""
    try:
        note = json.loads((raw / f"{feed.name}.json").read_text(encoding="utf-8"))
        if note["url"] != feed.url or digest(raw / feed.name) != note["sha256"]:
            return None
        stamp = Stamp(note["etag"], note["last_modified"])
        return Report(
            feed, KEPT, "", note["time"], stamp, note["sha256"], (raw / feed.name).stat().st_size
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(report: Report, raw: Path) -> None:
    note = {
        "url": report.feed.url,
        "time": report.time,
        "etag": report.stamp.etag,
        "last_modified": report.stamp.last_modified,
        "sha256": report.sha256,
    }
    _replace(raw / f"{report.feed.name}.json", json.dumps(note, indent=1) + "\n")


def _before(out: Path) -> list[Path]:
    """Files that an earlier fetch wrote, as they were written."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        found = {path_of(out, file): row["sha256"] for file, row in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [path for path, sha256 in found.items() if path.is_file() and digest(path) == sha256]


def _write(order: Order, reports: Iterable[Report], merge: Merge, scratch: Path, both: int) -> None:
    """Write everything aside, then put it in place."""
    stale = set(_before(order.out))
    files = {file: merge.write(file, scratch / file) for file in merge.files()}
    manifest = {
        "format": FORMAT,
        "time": order.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "since": order.since or None,
        "files": {file: asdict(written) for file, written in files.items()},
        "both_sides": both,
        "feeds": [report.row() for report in reports],
    }
    sides = scratch / BOTH_SIDES
    with sides.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(("name", "label", "benign", "malicious"))
        table.writerows(merge.both_sides())
    for file in files:
        path = path_of(order.out, file)
        (scratch / file).replace(path)
        stale.discard(path)
    for path in stale:
        path.unlink(missing_ok=True)
    sides.replace(order.out / BOTH_SIDES)
    _replace(order.out / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
