"""Tables on a terminal: as wide as it is, however long what they show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

# To have a table's rows in one line each, cells are cut to so many characters, but to no fewer.
LEAST = 24
GAP, INDENT, CUT = "  ", "  ", "…"


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide columns are, and which stand in one line.

    Attributes:
        widths: of the columns; longer cells are cut where `most` is said.
        lines: how many columns each line of a row has; all in one where they fit.
        most: the width of the terminal, None where what is written goes elsewhere and stays whole.
    """

    widths: Sequence[int]
    lines: Sequence[int]
    most: int | None = None

    @classmethod
    def of(cls, widths: Sequence[int], most: int | None) -> Layout:
        """Make one of columns that would like to be so wide."""
        if most is None or _together(widths) <= most:
            return cls(widths, [len(widths)], most)
        narrow = _narrowed(widths, most)
        if _together(narrow) <= most:
            return cls(narrow, [len(widths)], most)
        room = max(most - len(INDENT), 1)
        capped = [min(width, room) for width in widths]
        return cls(capped, list(_folded(capped, room)), most)

    def rows(self, cells: Sequence[str]) -> Iterator[str]:
        """Give the lines of a row."""
        at = 0
        for count in self.lines:
            shown = [
                (cell if self.most is None else cut(cell, width)).ljust(width)
                for cell, width in zip(
                    cells[at : at + count], self.widths[at : at + count], strict=True
                )
            ]
            line = GAP.join(shown).rstrip()
            if not at or line:
                yield f"{INDENT}{line}" if at else line
            at += count


def width_of(out: TextIO) -> int | None:
    """How many characters fit into a line of a terminal; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def cut(text: str, width: int) -> str:
    """Shorten a text to a width, by its middle: of a name both ends tell something."""
    if len(text) <= width:
        return text
    tail = width // 2
    head = width - tail - len(CUT)
    return f"{text[: max(head, 0)]}{CUT}{text[len(text) - tail :]}"


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _narrowed(widths: Sequence[int], most: int) -> list[int]:
    """Take from the widest columns what is too much, as far as that is sensible."""
    found = list(widths)
    while _together(found) > most and max(found) > LEAST:
        found[found.index(max(found))] -= 1
    return found


def _folded(widths: Sequence[int], room: int) -> Iterator[int]:
    """How many columns fit into each line, in their order."""
    count = 0
    for place in range(len(widths)):
        if count and _together(widths[place - count : place + 1]) > room:
            yield count
            count = 0
        count += 1
    yield count
