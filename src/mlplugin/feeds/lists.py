"""Readers of lists with a name or a URL in each line."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import PurePosixPath

from mlplugin.feeds.archive import text
from mlplugin.feeds.rows import Entry, Fault, Item
from mlplugin.feeds.table import Feed

_COMMENT = re.compile(r"(?:^|\s)(?:#|//|;).*$")
_ADBLOCK = re.compile(r"\|\|([^/^$|*\s]+)\^?(?:\$[\w,~=.|-]+)?")
_TRAIL_PORT = re.compile(r":\d+$")
# Kits that infect by way of other people's sites, and redirectors: infrastructure.
_INFRASTRUCTURE = re.compile(r"(?:ek_|wp_|magentocore|js_|fakeupdat|tds_)")

Line = Callable[[str], Iterator[Item]]


def plain(line: str) -> Iterator[Item]:
    """A name, and perhaps a comment."""
    bare = _COMMENT.sub("", line).strip()
    if bare:
        yield Fault(line) if len(bare.split()) > 1 else Entry(bare)


def urls(line: str) -> Iterator[Item]:
    """A URL; a ``#`` in it is its fragment."""
    bare = line.strip()
    if bare and not bare.startswith(("#", ";")):
        yield Entry(bare) if "://" in bare else Fault(line)


def hosts(line: str) -> Iterator[Item]:
    """An address and its names, as in ``/etc/hosts``."""
    words = line.partition("#")[0].split()
    if not words:
        return
    if len(words) < 2 or not _is_address(words[0]):
        yield Fault(line)
        return
    for word in words[1:]:
        # Such files begin with the names of the machine itself.
        yield None if _is_address(word) else Entry(word)


def adblock(line: str) -> Iterator[Item]:
    """``||name^``; exceptions, paths and rules on parts of pages are passed over."""
    bare = line.strip()
    if not bare or bare.startswith(("!", "[")):
        return
    found = _ADBLOCK.fullmatch(bare)
    if found:
        yield Entry(found[1])
    elif bare.startswith(("||", "|", "@@", "/")) or "#" in bare or "$" in bare or "*" in bare:
        yield None
    else:
        yield Fault(line)


def auto(line: str) -> Iterator[Item]:
    """Any of these, line by line."""
    bare = line.strip()
    if bare.startswith(("||", "@@", "!", "[Adblock")):
        yield from adblock(bare)
    elif "://" in bare:
        yield from urls(bare)
    elif len(words := bare.split()) > 1 and _is_address(words[0]):
        yield from hosts(bare)
    else:
        yield from plain(bare)


LINES: dict[str, Line] = {
    "auto": auto,
    "plain": plain,
    "urls": urls,
    "hosts": hosts,
    "adblock": adblock,
}


def each_line(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """A list by the reader of lines of its format."""
    read = LINES[feed.format]
    with text(stream) as lines:
        for line in lines:
            yield from read(line)


def ranked(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """``rank,name`` without a header."""
    with text(stream) as lines:
        for line in lines:
            rank, comma, name = line.partition(",")
            if not line.strip():
                continue
            yield Entry(name) if comma and rank.isdecimal() else Fault(line)


def families(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:
    """Names of one generator in each file of an archive; its first folder names the family."""
    parts = PurePosixPath(member).parts
    family = parts[1] if len(parts) > 2 else PurePosixPath(member).stem
    teaches = "dga_dictionary" if family in feed.dictionary.split() else ""
    with text(stream) as lines:
        for line in lines:
            for item in plain(line):
                if isinstance(item, Entry):
                    yield Entry(item.text, family=family, teaches=teaches)
                else:
                    yield item


def maltrail(stream: BufferedReader, member: str, feed: Feed) -> Iterator[Item]:  # noqa: ARG001
    """Maltrail's trails: names, addresses, paths, patterns; the file is the family.

    A name with a path is passed over: the site under it is mostly a compromised one.
    """
    family = PurePosixPath(member).stem
    category = "malware"
    if family.startswith("apt_"):
        category = "apt"
    elif _INFRASTRUCTURE.match(family):
        category = "malware-infra"
    with text(stream) as lines:
        for line in lines:
            bare = line.partition("#")[0].strip().removeprefix("http://").removeprefix("https://")
            if not bare:
                continue
            bare = _TRAIL_PORT.sub("", bare)
            if any(char in bare for char in "/()[]\\*?|"):
                yield None
            else:
                yield Entry(bare, family=family, category=category)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return False
    return True
