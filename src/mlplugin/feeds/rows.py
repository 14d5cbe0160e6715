"""What the readers of formats give: candidates for names, faults, and things to pass over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import NamedTuple

from mlplugin.errors import InvalidNameError
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.host import AddressError, NotPublicError, host_of
from mlplugin.feeds.table import Feed
from mlplugin.qname import escaped

# So many faulty rows are named; all are counted.
EXAMPLES = 3
EXAMPLE_LENGTH = 60
# A list with a larger share of faulty rows is another format than it should be.
MOST_FAULTY = 0.5


class Entry(NamedTuple):
    """A row that should hold a name; what is empty is as its feed has it."""

    text: str
    first_seen: str = ""
    family: str = ""
    teaches: str = ""
    category: str = ""


class Fault(NamedTuple):
    """A row that is not of the format."""

    text: str


class Dated(NamedTuple):
    """What a file says of the day of its whole list, YYYY-MM-DD."""

    date: str


# None stands for a row that is fine and holds nothing for us: a hash, an exception, a comment.
Item = Entry | Fault | Dated | None
Reader = Callable[[BufferedReader, str, Feed], Iterator[Item]]


class Row(NamedTuple):
    """A name that was read."""

    name: str
    first_seen: str
    family: str
    teaches: str
    category: str


@dataclass
class Tally:
    """What became of the rows of one feed.

    Attributes:
        names: rows that gave a name.
        malformed: rows that are not of the format, or whose name is none.
        addresses: rows with an address in place of a name.
        passed_over: rows that hold nothing for us, and names that are not public.
        capped: rows of a family, or of the list, beyond what is wanted.
        examples: the first malformed rows, escaped and cut.
        date: of the whole list, if it says so.
    """

    names: int = 0
    malformed: int = 0
    addresses: int = 0
    passed_over: int = 0
    capped: int = 0
    examples: list[str] = field(default_factory=list)
    date: str = ""

    def fault(self, text: str) -> None:
        """Count a malformed row."""
        self.malformed += 1
        if len(self.examples) < EXAMPLES:
            shown = escaped(text)
            self.examples.append(
                shown if len(shown) <= EXAMPLE_LENGTH else f"{shown[:EXAMPLE_LENGTH]}..."
            )

    def check(self) -> None:
        """Refuse a list without names, or with more faults than names.

        Raises:
            FeedError: in these cases.
        """
        seen = self.names + self.addresses + self.malformed
        sample = f", such as {self.examples[0]!r}" if self.examples else ""
        if seen and self.malformed > MOST_FAULTY * seen:
            faulty = f"{self.malformed:,} of {seen:,} rows are not of its format"
            raise FeedError(f"{faulty}{sample}: has it changed?")
        if not self.names:
            raise FeedError("it holds no names: an empty list, or another format")


def names(items: Iterator[Item], feed: Feed, tally: Tally) -> Iterator[Row]:
    """The names of a feed, counted."""
    families: Counter[str] = Counter()
    for item in items:
        if item is None:
            tally.passed_over += 1
        elif isinstance(item, Dated):
            tally.date = tally.date or item.date
        elif isinstance(item, Fault):
            tally.fault(item.text)
        else:
            row = _row(item, feed, tally)
            if row is None:
                continue
            families[row.family] += 1
            many = feed.per_family and families[row.family] > feed.per_family
            if many or (feed.top and tally.names >= feed.top):
                tally.capped += 1
            else:
                tally.names += 1
                yield row


def _row(entry: Entry, feed: Feed, tally: Tally) -> Row | None:
    try:
        name = host_of(entry.text)
    except AddressError:
        tally.addresses += 1
    except NotPublicError:
        tally.passed_over += 1
    except InvalidNameError:
        tally.fault(entry.text)
    else:
        teaches = entry.teaches or feed.teaches
        return Row(
            name,
            entry.first_seen,
            (entry.family and plain(entry.family)) or feed.family,
            teaches,
            entry.category or feed.category_of(teaches),
        )
    return None


def plain(text: str) -> str:
    """A value for a column of a TSV: printable ASCII without what would end it."""
    return "".join(char for char in text.strip() if " " <= char <= "~")[:64]
