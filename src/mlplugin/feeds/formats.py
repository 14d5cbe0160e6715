"""The reader of each format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlplugin.feeds import lists, tables, trees
from mlplugin.feeds.archive import Budget, members
from mlplugin.feeds.rows import Item, Reader, Row, Tally, names
from mlplugin.feeds.table import Feed

READERS: dict[str, Reader] = {
    **dict.fromkeys(lists.LINES, lists.each_line),
    "ranked": lists.ranked,
    "families": lists.families,
    "maltrail": lists.maltrail,
    "csv": tables.headed,
    "urlhaus": tables.urlhaus,
    "threatfox": tables.threatfox,
    "tweetfeed": tables.tweetfeed,
    "bambenek": tables.bambenek,
    "netlab": tables.netlab,
    "hsts": trees.hsts,
    "misp": trees.misp,
    "allowdeny": trees.allowdeny,
}


def read(path: Path, feed: Feed, tally: Tally, most: int) -> Iterator[Row]:
    """The names of a feed's file, counted, in the order in which they stand there.

    Args:
        path: plain, gzip or zip.
        feed: says the format.
        tally: counts.
        most: bytes that may come out of an archive.

    Raises:
        FeedError: if it is not of its format, or holds no names.
    """
    yield from names(_items(path, feed, most), feed, tally)
    tally.check()


def _items(path: Path, feed: Feed, most: int) -> Iterator[Item]:
    reader = READERS[feed.format]
    for member, stream in members(path, feed.members, Budget(most)):
        yield from reader(stream, member, feed)
