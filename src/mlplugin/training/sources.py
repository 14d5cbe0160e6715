"""What is known of the sources that labelled names come from: kind, year, licence, use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources


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
    """Every source in the table beside this module, by name."""
    text = resources.files(__package__).joinpath("sources.tsv").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines()[1:]:
        name, kind, year, use, licence, origin, as_of = line.split("\t")
        number = int(year) if year else None
        found[name] = Source(name, kind, number, use == "yes", licence, origin, as_of)
    return found


def split(column: str, table: dict[str, Source]) -> tuple[Source, ...]:
    """The sources of one row: comma-separated, remarks in brackets left out.

    One that the table does not hold is taken as usable, with no vote and no stated licence.
    """
    names = (part.split("(")[0].strip() for part in column.split(","))
    unknown = "not in the table of sources"
    return tuple(
        table.get(name) or Source(name, "unknown", None, True, unknown, "", "")
        for name in names
        if name
    )


def usable(sources: Iterable[Source]) -> bool:
    """Whether a row may train a model that ships: one usable source is enough."""
    return any(source.usable for source in sources)
