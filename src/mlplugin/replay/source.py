"""A file of queries: what kind it is, how far it is read, what was skipped and why."""

from __future__ import annotations

import collections
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

from mlplugin.errors import UsageError
from mlplugin.replay.capture import PCAP_MAGIC, PCAPNG_MAGIC, CutShortError, from_capture
from mlplugin.replay.logs import from_names, from_zeek_json, from_zeek_tsv
from mlplugin.replay.query import Query

GZIP_MAGIC = b"\x1f\x8b"
PEEKED = 512
BUFFER = 1 << 16


class Source:
    """Queries of a Zeek dns.log (TSV or JSON), a pcap or pcapng, or a list; gzip too.

    `skipped` counts what could not be sent, by reason; `fault` says where a damaged file ended.
    Use it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, `-` for standard input. Raises UsageError if that cannot be done."""
        self.skipped: collections.Counter[str] = collections.Counter()
        self.fault: str | None = None
        self.path = path
        try:
            self._raw: BinaryIO = sys.stdin.buffer if str(path) == "-" else path.open("rb")
            self.size = None if str(path) == "-" else path.stat().st_size
        except OSError as fault:
            raise UsageError(f"{path}: {fault.strerror}") from None
        self._content: BinaryIO = self._raw
        self._lines: io.TextIOWrapper | None = None
        self.kind = ""
        try:
            self._look()
        except UsageError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Give the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._raw is not sys.stdin.buffer:
            self._raw.close()

    def _look(self) -> None:
        """Look at the first octets, through gzip, and settle what the file is."""
        try:
            start = self._peeked()
            if start.startswith(GZIP_MAGIC):
                self._content = cast("BinaryIO", gzip.GzipFile(fileobj=self._content))
                start = self._peeked()
        except (OSError, EOFError, zlib.error) as fault:
            raise UsageError(f"{self.path}: {fault}") from None
        self.kind = _kind(start)
        if self.kind == "unknown":
            raise UsageError(
                f"{self.path} is no Zeek dns.log, pcap, pcapng or list of names (or a gzip of one)"
            )

    def _peeked(self) -> bytes:
        buffered = io.BufferedReader(cast("io.RawIOBase", self._content), BUFFER)
        self._content = cast("BinaryIO", buffered)
        return buffered.peek(PEEKED)[:PEEKED]

    @property
    def has_clients(self) -> bool:
        """Whether the file says whose query each was."""
        return self.kind != "names"

    def position(self) -> int:
        """How many octets of the file have been read, as it lies on the disk."""
        try:
            return self._raw.tell()
        except (OSError, ValueError):
            return 0

    def queries(self) -> Iterator[Query]:
        """The queries in the file's order; a damaged end is kept in `fault` and ends them."""
        try:
            yield from self._read()
        except CutShortError as fault:
            self.fault = str(fault)
        except (OSError, EOFError, zlib.error) as fault:
            self.fault = f"the file is damaged: {fault}"

    def _read(self) -> Iterator[Query]:
        def skip(reason: str) -> None:
            self.skipped[reason] += 1

        if self.kind == "capture":
            return from_capture(self._content, skip)
        lines = io.TextIOWrapper(self._content, encoding="utf-8", errors="surrogateescape")
        self._lines = lines  # it would close the file with its own end
        reader = {"names": from_names, "zeek json": from_zeek_json, "zeek tsv": from_zeek_tsv}
        return reader[self.kind](lines, skip)


def _kind(start: bytes) -> str:
    if start[:4] in PCAP_MAGIC or start[:4] == PCAPNG_MAGIC:
        return "capture"
    if start.lstrip()[:1] == b"{":
        return "zeek json"
    if start.startswith((b"#separator", b"#fields")):
        return "zeek tsv"
    return "unknown" if b"\0" in start else "names"
