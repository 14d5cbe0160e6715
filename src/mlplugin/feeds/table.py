"""The table of feeds: where each is, in which format, under which licence, what it teaches."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from mlplugin.errors import UsageError

# The file of labelled names that a feed goes into, by what it teaches. The first of a name's
# files in this order is the one that it stands in.
FILES = {
    "dga_dictionary": "dga_dictionary",
    "dga": "dga_random",
    "malware": "mal_malware",
    "phishing": "mal_phishing",
    "scam": "mal_scam",
    "popular": "benign_popular",
    "fqdn": "benign_fqdn",
    "longtail": "benign_longtail",
}
BENIGN = frozenset({"popular", "fqdn", "longtail"})
CATEGORIES = {"dga_dictionary": "dga", "fqdn": "popular"}
VOTERS = frozenset({"popularity", "reference"})
SECRETS = "MLPLUGIN_FEEDS_"
FORMATS = (
    *("auto", "plain", "hosts", "adblock", "urls", "ranked", "csv", "hsts", "misp", "allowdeny"),
    *("urlhaus", "threatfox", "tweetfeed", "maltrail", "families", "bambenek", "netlab"),
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Feed:
    """One public list, or a list of one's own.

    Attributes:
        name: by which it is chosen.
        teaches: a key of ``FILES``.
        url: where it is; without ``://`` a file of this machine.
        format: one of ``FORMATS``.
        kind: as :class:`mlplugin.training.sources.Source` has it; the kinds of ``VOTERS`` have
            a vote on what is popular.
        category: for that column; what it teaches if empty.
        family: of all its names, where the rows do not tell.
        source: for that column; the name if empty.
        publisher: who makes the list, where others copy it: one publisher, one voice.
        licence: as its owner states it.
        licence_url: where that is to be read.
        usable: whether a model that ships may learn from it.
        interval: how often it changes.
        caveat: what to know before it is trusted.
        secret: last part of the environment variable that holds the key it needs, if any.
        secret_as: ``bearer``, or ``query:NAME`` for a parameter of the URL.
        column: of a CSV with a header, the one with names or URLs.
        date_column: the one with the time of first sight.
        family_column: the one with the family.
        date: of the whole list, YYYY-MM-DD, if it is known beforehand.
        members: of an archive, the files to read, as a shell pattern.
        dictionary: families that are made of words, by spaces.
        per_family: rows of one family that are read, 0 for all.
        top: rows that are read, 0 for all.
        own: whether it is the user's.
    """

    name: str
    teaches: str
    url: str
    format: str = "auto"
    kind: str = "unknown"
    category: str = ""
    family: str = ""
    source: str = ""
    publisher: str = ""
    licence: str = "not stated"
    licence_url: str = ""
    usable: bool = True
    interval: str = ""
    caveat: str = ""
    secret: str = ""
    secret_as: str = ""
    column: str = ""
    date_column: str = ""
    family_column: str = ""
    date: str = ""
    members: str = "*"
    dictionary: str = ""
    per_family: int = 0
    top: int = 0
    own: bool = False

    @property
    def benign(self) -> bool:
        """Whether its names are benign."""
        return self.teaches in BENIGN

    @property
    def votes(self) -> bool:
        """Whether being in it speaks for a domain."""
        return self.kind in VOTERS

    @property
    def side(self) -> str:
        """``popularity``, ``benign`` or ``malicious``."""
        if not self.benign:
            return "malicious"
        return "popularity" if self.votes else "benign"

    @property
    def threat(self) -> str | None:
        """What its names teach to detect, None if they are benign."""
        return None if self.benign else self.teaches

    @property
    def local(self) -> bool:
        """Whether it is a file of this machine."""
        return "://" not in self.url

    @property
    def published_by(self) -> str:
        """Whose list it is in the end."""
        return self.publisher or self.source or self.name

    def category_of(self, teaches: str) -> str:
        """The category of its names that teach this."""
        if self.category and teaches == self.teaches:
            return self.category
        return CATEGORIES.get(teaches, teaches)

    def written_as(self, year: int) -> str:
        """Its name in the ``source`` column, for a list of this year.

        A list with a vote carries the year, as votes years apart are what is trusted. One's own
        lists have a prefix, which says whether a model that ships may learn from them.
        """
        if self.own:
            return f"{'own' if self.usable else 'private'}:{self.source or self.name}"
        name = self.source or self.name
        return f"{name}-{year}" if self.votes else name


@cache
def public() -> Mapping[str, Feed]:
    """The public feeds by name."""
    text = resources.files(__package__).joinpath("feeds.toml").read_text(encoding="utf-8")
    return {name: Feed(name=name, **row) for name, row in tomllib.loads(text).items()}


def chosen(names: Iterable[str], table: Mapping[str, Feed]) -> list[Feed]:
    """The feeds of these names.

    Raises:
        UsageError: if there is none of a name.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in table:
            raise UsageError(f"no feed {name!r}; {_nearest(name, table)}")
        found.append(table[name])
    return found


def read(path: Path, known: Mapping[str, Feed]) -> dict[str, Feed]:
    """Feeds from a TOML file like our own: a section each, by name; a known one is changed.

    Files that it names are taken from its own folder.

    Raises:
        UsageError: if it cannot be read or used.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not readable as TOML: {error}") from error
    feeds = {}
    for name, row in found.items():
        if not isinstance(row, dict):
            raise UsageError(f"{path}: {name} is no section: write [{name}] and its keys below")
        feed = _made({"name": name, **row}, known, str(path))
        feeds[name] = replace(feed, url=str(path.parent / feed.url)) if feed.local else feed
    return feeds


def added(text: str, known: Mapping[str, Feed]) -> Feed:
    """A feed from ``key=value,key=value``; one with a known name is that one changed.

    Raises:
        UsageError: if it cannot be used.
    """
    row: dict[str, Any] = {}
    for part in re.split(r",(?=[a-z_]+=)", text):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"{part!r} is no key=value; example: teaches=malware,url=list.txt")
        row[key.strip()] = value.strip()
    row.setdefault("name", _name_of(str(row.get("url", ""))))
    return _made(row, known, "--add")


def _made(row: Mapping[str, Any], known: Mapping[str, Feed], where: str) -> Feed:
    types = {field.name: field.type for field in fields(Feed) if field.name != "own"}
    values: dict[str, Any] = {}
    for key, value in row.items():
        if key not in types:
            raise UsageError(f"{where}: {key!r} is not known; {_nearest(key, types)}")
        values[key] = _typed(key, value, str(types[key]), where)
    name = values["name"]
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} is no name: letters, digits, dot, dash, underscore")
    if name in known:
        feed = replace(known[name], **values)
    elif missing := {"teaches", "url"} - set(values):
        raise UsageError(f"{where}: {name} lacks {' and '.join(sorted(missing))}")
    else:
        feed = Feed(**values, own=True)
    return _checked(feed, where)


def _typed(key: str, value: object, kind: str, where: str) -> object:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if kind == "bool":
        if text not in {"true", "false", "yes", "no"}:
            raise UsageError(f"{where}: {key} is yes or no, not {text!r}")
        return text in {"true", "yes"}
    if kind == "int":
        if not text.isdecimal():
            raise UsageError(f"{where}: {key} is a number, not {text!r}")
        return int(text)
    return text


def _checked(feed: Feed, where: str) -> Feed:
    for key, value, values in (
        ("teaches", feed.teaches, tuple(FILES)),
        ("format", feed.format, FORMATS),
    ):
        if value not in values:
            raise UsageError(f"{where}: {key}={value} is not known; {_nearest(value, values)}")
    if feed.date and not _DATE.fullmatch(feed.date):
        raise UsageError(f"{where}: date={feed.date} is no YYYY-MM-DD")
    if feed.format == "csv" and not feed.column:
        raise UsageError(f"{where}: {feed.name} lacks column, that of the names in the CSV")
    return feed


def _name_of(url: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", url.rstrip("/").rpartition("/")[2].partition(".")[0])
    return stem.strip("-._")[:64] or "list"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
