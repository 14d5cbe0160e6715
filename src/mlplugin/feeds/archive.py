"""What a file holds, whether it is plain, gzip or zip; never more bytes than allowed."""

from __future__ import annotations

import fnmatch
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mlplugin.feeds.fault import FeedError

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
MOST_MEMBERS = 200_000
# No row of any feed is longer; what is gets cut, and its pieces are no names.
LONGEST_LINE = 1 << 16
HEAD = 512


class Budget:
    """How many bytes may still be unpacked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def spend(self, count: int) -> None:
        """Count bytes.

        Raises:
            FeedError: if they are too many.
        """
        self._left -= count
        if self._left < 0:
            raise FeedError(f"it unpacks to more than {self._most:,} bytes")


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a faulty archive in our words."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise FeedError("its archive is damaged or cut short") from error
    except (NotImplementedError, RuntimeError) as error:
        raise FeedError("its archive is encrypted or packed in a way that is not known") from error


class _Counted(io.RawIOBase):
    """A stream whose bytes are counted."""

    def __init__(self, inner: IO[bytes], budget: Budget) -> None:
        self._inner = inner
        self._budget = budget

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read some bytes, and count them."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        with _told():
            block = self._inner.read(len(view))
        self._budget.spend(len(block))
        view[: len(block)] = block
        return len(block)


def members(path: Path, pattern: str, budget: Budget) -> Iterator[tuple[str, io.BufferedReader]]:
    """Each file in an archive with its name, in order of names; a plain or gzip file is one.

    Args:
        path: the file; what it is shows in its first bytes.
        pattern: of the names in a zip, as a shell has it.
        budget: of bytes, unpacked.

    Raises:
        FeedError: if it is damaged, is a web page, holds no such file or too much.
    """
    with path.open("rb") as raw:
        head = raw.read(HEAD)
        raw.seek(0)
        if head.startswith((ZIP, EMPTY_ZIP)):
            yield from _zipped(raw, pattern, budget)
        elif head.startswith(GZIP):
            with gzip.GzipFile(fileobj=raw) as stream:
                yield path.name, _counted(stream, budget)
        else:
            _refuse_pages(head)
            yield path.name, _counted(raw, budget)


def _zipped(
    raw: IO[bytes], pattern: str, budget: Budget
) -> Iterator[tuple[str, io.BufferedReader]]:
    with _told():
        archive = zipfile.ZipFile(raw)
    with archive:
        found = [one for one in archive.infolist() if not one.is_dir()]
        if len(found) > MOST_MEMBERS:
            raise FeedError(f"its archive has {len(found):,} files, which is too many")
        wanted = [one for one in found if fnmatch.fnmatchcase(one.filename, pattern)]
        if not wanted:
            raise FeedError(f"its archive holds no file {pattern}")
        for one in sorted(wanted, key=lambda info: info.filename):
            with _told():
                stream = archive.open(one)
            with stream:
                yield one.filename, _counted(stream, budget)


def _counted(stream: IO[bytes] | gzip.GzipFile, budget: Budget) -> io.BufferedReader:
    return io.BufferedReader(_Counted(stream, budget))  # type: ignore[arg-type]


def _refuse_pages(head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise FeedError("a web page came in place of the list; look at its URL in a browser")


@contextmanager
def text(stream: io.BufferedReader) -> Iterator[Iterator[str]]:
    """The lines of a stream, without their ends; bytes that are no UTF-8 stay as surrogates."""
    reader = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape")
    try:
        yield (line.rstrip("\r\n") for line in iter(lambda: reader.readline(LONGEST_LINE), ""))
    finally:
        reader.detach()
