"""A file of lines of JSON that only grows: a line that was cut short never happened."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from io import RawIOBase
from pathlib import Path
from typing import Any

from mlplugin.errors import ModelError


class Record:
    """One such file; only one process at a time may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Any]:
        """Give the entries, oldest first.

        Raises:
            ModelError: if it cannot be read.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise ModelError(f"{self.path} cannot be read: {fault.strerror}") from fault
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError) as fault:
                raise self.fault(number) from fault
        return found

    def fault(self, number: int) -> ModelError:
        """Give the error of a line, counted from 1."""
        return ModelError(f"{self.path}: line {number} is no entry of the record: take it out")

    def append(self, entry: Any) -> None:
        """Write an entry down and have it on the disk. Raises OSError."""
        line = json.dumps(entry).encode() + b"\n"
        with self.path.open("a+b", buffering=0) as out:
            size = out.seek(0, os.SEEK_END)
            try:
                whole = self.path.read_bytes().rfind(b"\n") + 1 if size else 0
                if whole < size:
                    size = out.truncate(whole)
                _write_all(out, line)
            except OSError:
                with contextlib.suppress(OSError):  # a cut line counts for nothing, at worst
                    out.truncate(size)
                raise


def _write_all(out: RawIOBase, line: bytes) -> None:
    """Write a line and have it on the disk; a part of it is as bad as nothing."""
    if out.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(out.fileno())


def sync(path: Path) -> None:
    """Have a file or a directory on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
