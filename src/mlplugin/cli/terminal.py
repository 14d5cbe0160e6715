"""Tables on a terminal: as wide as it is, however long what they show."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

# To have a table's rows in one line each, cells are cut to such a width, but to no less: a time is
# as wide, of which every character tells something.
LEAST = 27
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
                _padded(cell if self.most is None else cut(cell, width), width)
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


def room_of(text: str) -> int:
    """How wide a text is: East Asian letters take two places, accents by themselves none."""
    if text.isascii():
        return len(text)
    return sum(map(_places, text))


def _places(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Shorten a text to a width: words by their end, a name, whose ends tell, within."""
    if room_of(text) <= width:
        return text
    if " " in text:
        return f"{_begin(text, width - len(CUT))}{CUT}"
    tail = width // 2
    head = width - tail - len(CUT)
    return f"{_begin(text, head)}{CUT}{_begin(text[::-1], tail)[::-1]}"


def _begin(text: str, room: int) -> str:
    """As much of the beginning of a text as there is room for."""
    for place, char in enumerate(text):
        room -= _places(char)
        if room < 0:
            return text[:place]
    return text


def _padded(text: str, width: int) -> str:
    return text + " " * (width - room_of(text))


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
