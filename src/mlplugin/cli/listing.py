"""Lists of names from a file or stdin, gzip too, in chunks."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from mlplugin.errors import UsageError

STDIN = "-"
CHUNK_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"

# A file that is shorter is read before a progress bar would be seen.
LONG_FILE_BYTES = 1 << 23

Stream = BufferedReader | gzip.GzipFile
Advance = Callable[[int], object]
Command = TypeVar("Command", bound=Callable[..., Any])


def list_option(command: Command) -> Command:
    """Add ``-f`` to a command, which gets the list's place as ``source: str | None``."""
    return click.option(
        "-f",
        "--file",
        "source",
        metavar="FILE|-",
        help="A list of names, one a line, gzip too; - is stdin. # starts a comment.",
    )(command)


def chunks(source: str) -> Iterator[list[str]]:
    """Give the names of a list, some thousand at a time, as they stand there.

    Empty lines, comments from ``#`` on, and white space around a name are left out. With
    progress on stderr where that is a terminal and the file is long.

    Args:
        source: a path, or ``-`` for stdin.

    Raises:
        UsageError: if it cannot be read or is cut short.
    """
    try:
        with _opened(source) as (stream, advance):
            yield from _lines(stream, advance)
    except (OSError, EOFError, zlib.error) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {source}: {what}") from error


def _lines(stream: Stream, advance: Callable[[], object]) -> Iterator[list[str]]:
    rest, first = b"", True
    while block := stream.read1(CHUNK_BYTES):
        if first:
            block, first = block.removeprefix(b"\xef\xbb\xbf"), False  # a byte order mark
        whole, newline, tail = block.rpartition(b"\n")
        if not newline:
            rest += block
            continue
        names = _names(rest + whole)
        rest = tail
        advance()
        if names:
            yield names
    if names := _names(rest):
        yield names


def _names(block: bytes) -> list[str]:
    text = block.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    if not any(char in text for char in " \t\r#"):
        return list(filter(None, lines))
    return [name for line in lines if (name := _name(line))]


def _name(line: str) -> str:
    """Give what a line holds; a ``#`` inside a name is part of it."""
    line = line.strip()
    if line.startswith("#"):
        return ""
    for mark in (" #", "\t#"):
        line = line.partition(mark)[0]
    return line.rstrip()


@contextmanager
def _opened(source: str) -> Iterator[tuple[Stream, Callable[[], object]]]:
    """Open a list; the function tells the progress bar how far the reading is."""
    with _raw(source) as raw:
        size = Path(source).stat().st_size if source != STDIN else 0
        stream: Stream = raw
        if raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            stream = gzip.GzipFile(fileobj=raw)
        if size < LONG_FILE_BYTES or not sys.stderr.isatty() or sys.stdout.isatty():
            yield stream, lambda: None
            return
        with _bar(size) as show:
            yield stream, lambda: show(raw.tell())


@contextmanager
def _raw(source: str) -> Iterator[BufferedReader]:
    if source == STDIN:
        yield cast(BufferedReader, sys.stdin.buffer)
    else:
        with Path(source).open("rb") as stream:
            yield stream


@contextmanager
def _bar(size: int) -> Iterator[Advance]:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("names", total=size)
        yield lambda place: progress.update(task, completed=place)
