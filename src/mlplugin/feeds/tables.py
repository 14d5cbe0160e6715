"""Readers of CSV and TSV feeds."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from io import BufferedReader

from mlplugin.feeds.archive import text
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.rows import Entry, Fault, Item
from mlplugin.feeds.table import Feed

_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?!\d)")
# Tags that say what was served or how, not by whom.
GENERIC = frozenset({"phishing", "scam", "malware", "opendir", "maldoc", "ransomware", "banker"})
_BAMBENEK = re.compile(r"Domain used by (.+?)(?: DGA| - |\s*\(| for |$)", re.I)


def day(value: str) -> str:
    """The day of a time as feeds write it, YYYY-MM-DD; empty if it is none."""
    found = _DAY.match(value.strip())
    if found is None:
        return ""
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return ""


def headed(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """A CSV whose header names the columns that the feed tells of.

    Raises:
        FeedError: if it has not got them.
    """
    with text(stream) as lines:
        rows = _rows(line for line in lines if line.strip() and not line.startswith("#"))
        header = next(rows, None)
        if header is None:
            return
        places = {}
        for key in (feed.column, feed.date_column, feed.family_column):
            if key and (not isinstance(header, list) or key not in header):
                raise FeedError(f"it has no column {key!r}: has its format changed?")
            if key and isinstance(header, list):
                places[key] = header.index(key)
        for row in rows:
            if isinstance(row, Fault) or len(row) <= max(places.values()):
                yield row if isinstance(row, Fault) else Fault(",".join(row))
                continue
            yield Entry(
                row[places[feed.column]],
                day(row[places[feed.date_column]]) if feed.date_column else "",
                row[places[feed.family_column]] if feed.family_column else "",
            )


def urlhaus(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """URLhaus: id, dateadded, url, url_status, last_online, threat, tags, urlhaus_link, reporter.

    The header is a comment.
    """
    for row in _commented(stream):
        if isinstance(row, Fault):
            yield row
        elif len(row) < 8 or not row[0].isdecimal() or "://" not in row[2]:
            yield Fault(",".join(row))
        else:
            yield Entry(row[2], day(row[1]))


def threatfox(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """ThreatFox: first_seen_utc, ioc_id, ioc_value, ioc_type, threat_type, fk_malware,
    malware_alias, malware_printable, ...

    The header is a comment; a space follows each comma.
    """
    for row in _commented(stream):
        if isinstance(row, Fault):
            yield row
        elif len(row) < 8 or not day(row[0]):
            yield Fault(",".join(row))
        elif row[3] in {"domain", "url", "ip:port"}:
            family = row[7] if row[7].lower() not in {"unknown malware", "none", ""} else ""
            yield Entry(row[2], day(row[0]), family)
        else:
            yield None


def tweetfeed(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """TweetFeed: time, user, type, value, tags, link; no header. Tags tell the threat."""
    for row in _commented(stream):
        if isinstance(row, Fault):
            yield row
        elif len(row) < 5 or not day(row[0]):
            yield Fault(",".join(row))
        elif row[2] in {"url", "domain", "ip"}:
            tags = [word.strip("#,") for word in row[4].split() if word.strip("#,")]
            lower = {tag.lower() for tag in tags}
            threat = next((one for one in ("phishing", "scam") if one in lower), "malware")
            named = [tag for tag in tags if tag.lower() not in GENERIC]
            family = named[0] if named and threat == "malware" else ""
            yield Entry(row[3], day(row[0]), family, threat)
        else:
            yield None


def bambenek(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """Bambenek's list of generated names: name, "Domain used by FAMILY ...", day, link."""
    for row in _commented(stream):
        if isinstance(row, Fault):
            yield row
        elif len(row) < 3 or not day(row[2]):
            yield Fault(",".join(row))
        else:
            found = _BAMBENEK.match(row[1].strip())
            yield _generated(row[0], day(row[2]), found[1].lower() if found else "", feed)


def netlab(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """Netlab's list of generated names: family, name, begin, end of its validity; by tabs."""
    with text(stream) as lines:
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.split("\t")
            if len(parts) < 3 or not day(parts[2]):
                yield Fault(line)
            else:
                yield _generated(parts[1], day(parts[2]), parts[0], feed)


def _generated(name: str, first_seen: str, family: str, feed: Feed) -> Entry:
    words = family in feed.dictionary.split()
    return Entry(name, first_seen, family, "dga_dictionary" if words else "")


def _commented(stream: BufferedReader) -> Iterator[list[str] | Fault]:
    with text(stream) as lines:
        yield from _rows(line for line in lines if line.strip() and not line.startswith("#"))


def _rows(lines: Iterator[str]) -> Iterator[list[str] | Fault]:
    """Each line by itself, so that one stray quote does not swallow the rest of the file."""
    for line in lines:
        try:
            row = next(csv.reader([line], skipinitialspace=True, strict=True), [])
        except csv.Error:
            yield Fault(line)
        else:
            yield row
