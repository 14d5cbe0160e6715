"""What is known of the sources that labelled names come from: kind, year, licence, use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources

from mlplugin.feeds.table import VOTERS, public

# A list that `mlplugin feeds fetch` wrote: its name and its year.
_OF_YEAR = re.compile(r"(.+)-(20\d\d)")


@dataclass(frozen=True)
class Source:
    """One public source.

    Attributes:
        name: as the ``source`` column of a data set has it.
        kind: ``popularity`` | ``reference`` | ``list`` | ``feed`` | ``generated`` | ``grey`` |
            ``traffic`` | ``made`` | ``unknown``. The first two have votes.
        year: the last one that a list with a vote stands for.
        usable: False where the licence forbids to train a model that ships.
        licence: as its owner states it.
        origin: repository or package.
        as_of: date of the copy, YYYY-MM-DD or empty.
    """

    name: str
    kind: str
    year: int | None
    usable: bool
    licence: str
    origin: str
    as_of: str


def known() -> dict[str, Source]:
    """Every source in the table beside this module, by name, and the public feeds."""
    text = resources.files(__package__).joinpath("sources.tsv").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines()[1:]:
        name, kind, year, use, licence, origin, as_of = line.split("\t")
        number = int(year) if year else None
        found[name] = Source(name, kind, number, use == "yes", licence, origin, as_of)
    for feed in public().values():
        name = feed.source or feed.name
        fetched = Source(name, feed.kind, None, feed.usable, feed.licence, feed.url, "")
        found.setdefault(name, fetched)
    return found


def split(column: str, table: dict[str, Source]) -> tuple[Source, ...]:
    """The sources of one row: comma-separated, remarks in brackets left out.

    A list with a vote may end in its year, as it is fetched. ``own:`` begins a list of the
    user's own, ``private:`` one that no model that ships may learn from. Any other that the table
    does not hold is taken as usable; none of these has a vote or a stated licence.
    """
    names = (part.split("(")[0].strip() for part in column.split(","))
    return tuple(table.get(name) or _unlisted(name, table) for name in names if name)


def _unlisted(name: str, table: dict[str, Source]) -> Source:
    found = _OF_YEAR.fullmatch(name)
    fetched = table.get(found[1]) if found else None
    if found and fetched and fetched.kind in VOTERS:
        return replace(fetched, name=name, year=int(found[2]), as_of=found[2])
    licence = "not in the table of sources"
    if name.startswith(("own:", "private:")):
        licence = "a list of one's own"
    return Source(name, "unknown", None, not name.startswith("private:"), licence, "", "")


def usable(sources: Iterable[Source]) -> bool:
    """Whether a row may train a model that ships: one usable source is enough."""
    return any(source.usable for source in sources)
