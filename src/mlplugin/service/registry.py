"""The models of a data directory: which were promoted, which is in use, which one was before.

``<data>/models/<version>/`` are copies of model directories, ``current`` is a link to the one in
use, and ``promotions.jsonl`` is the record of every change. While there is no ``current`` the
shipped model is in use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path

from mlplugin.errors import ModelError, UsageError
from mlplugin.model import Model, load
from mlplugin.model.directory import CONFIG_FILE
from mlplugin.model.settings import parse
from mlplugin.service.times import rfc3339

FOLDER, LINK, RECORD, LOCK = "models", "current", "promotions.jsonl", ".lock"
PROMOTE, ROLLBACK = "promote", "rollback"
# What a version must be to name a directory that no link and no hidden file is taken for.
NAME = re.compile(r"(?!current$)[A-Za-z0-9][A-Za-z0-9._+-]*")
INCOMING = ".incoming-"
# What is copied of a model directory beside configuration and weights, where it is there.
PAPERS = ("metrics.json", "README.md", "*.svg")
DATA_MODE = 0o700  # of a data directory: the history will be in it


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record; a version of None is the shipped model.

    Attributes:
        time: RFC 3339, UTC.
        action: ``promote`` or ``rollback``.
        version: in use from then on.
        sha256: of its ``config.json``.
        previous: the version that was in use before.
        who: the user that did it.
        forced: whether it was promoted although it measures worse.
    """

    time: str
    action: str
    version: str | None
    sha256: str | None
    previous: str | None
    who: str
    forced: bool = False


class Registry:
    """The models of one data directory; nothing is made before the first promotion."""

    def __init__(self, data: Path) -> None:
        self.folder = data.absolute() / FOLDER
        self.link = self.folder / LINK
        self.record = self.folder / RECORD
        self._data = data

    def in_use(self) -> Path | None:
        """Give the directory of the promoted model, None where it is the shipped one.

        Raises:
            ModelError: if the link to it leads nowhere, or cannot be read or followed.
        """
        try:
            self.link.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise ModelError(f"{self.link} cannot be read: {fault.strerror}") from fault
        how = (
            "put a model in use with `mlplugin models promote`, or go back with "
            "`mlplugin models rollback`"
        )
        try:
            end = self.link.resolve()
            there = end.is_dir()
        except (OSError, RuntimeError) as fault:  # RuntimeError: links that lead in a circle
            why = fault.strerror if isinstance(fault, OSError) else "it leads in a circle"
            raise ModelError(f"{self.link} cannot be followed ({why}): {how}") from fault
        if not there:
            raise ModelError(f"{self.link} leads to {end}, which is not there: {how}")
        return end

    def look(self) -> str:
        """Say what the model in use looks like from outside; another text means another model."""
        leads = None
        try:
            leads = self.link.readlink() if self.link.is_symlink() else self.link
            state = (self.link / CONFIG_FILE).stat()
        except OSError as fault:
            return f"{type(fault).__name__} {leads}"
        return f"{leads} {state.st_size} {state.st_mtime_ns} {state.st_ino}"

    def directories(self) -> list[Path]:
        """Give the directories of all models here, by version."""
        found = (path.parent for path in self.folder.glob(f"*/{CONFIG_FILE}"))
        return sorted(path for path in found if NAME.fullmatch(path.name))

    def promote(self, directory: Path, *, forced: bool = False) -> Entry | None:
        """Copy a model directory here and put it in use; None if it is in use already.

        Raises:
            ModelError: if it is damaged, or the data directory cannot be written; nothing is
                changed then.
            UsageError: if another model has its version, or the version names no directory.
        """
        model = load(directory)
        if not NAME.fullmatch(model.version):
            raise UsageError(
                f"the version {model.version!r} cannot name a directory: train with a --version "
                "of letters, digits and .-+_ such as 2026.12.0"
            )
        with self._held():
            place = self.folder / model.version
            self._take_in(directory, model, place)
            before = self._name()
            if before == model.version:
                return None
            entry = Entry(
                _now(), PROMOTE, model.version, model.sha256, before, _user(), forced=forced
            )
            self._switch(entry)
            return entry

    def rollback(self) -> Entry:
        """Put the model in use that was so before this one, the shipped one if there was none.

        Raises:
            UsageError: if the shipped model is in use.
            ModelError: if the one before is damaged or gone, or nothing can be written.
        """
        if self._name() is None:
            raise UsageError("nothing to roll back to: the shipped model is in use")
        with self._held():
            now = self._name()
            target = self._before(now)
            if target is not None:
                _check(self.folder / str(target.version), target)
            version, digest = (target.version, target.sha256) if target else (None, None)
            entry = Entry(_now(), ROLLBACK, version, digest, now, _user())
            self._switch(entry)
            return entry

    def history(self) -> list[Entry]:
        """Give the record, oldest first; a last line that was cut short never happened.

        Raises:
            ModelError: if it cannot be read.
        """
        try:
            lines = self.record.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise ModelError(f"{self.record} cannot be read: {fault.strerror}") from fault
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as fault:
                raise ModelError(
                    f"{self.record}: line {number} is no entry of the record: take it out"
                ) from fault
        return entries

    def _name(self) -> str | None:
        """The version that the link names, whether it is there or not; None without a link."""
        try:
            return self.link.readlink().name
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        except OSError as fault:
            raise ModelError(
                f"{self.link} is no link to a model directory: move it away"
            ) from fault

    def _before(self, now: str | None) -> Entry | None:
        """The promotion to go back to; the link is the truth, and only what moved it counts."""
        stack: list[Entry] = []
        for entry in _in_effect(self.history(), now):
            if entry.action == PROMOTE:
                stack.append(entry)
            elif stack:
                stack.pop()
        while stack and stack[-1].version != now:
            stack.pop()
        return stack[-2] if len(stack) > 1 else None

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep others from changing anything meanwhile, and tell of what cannot be written."""
        try:
            self._data.mkdir(parents=True, exist_ok=True, mode=DATA_MODE)
            self.folder.mkdir(exist_ok=True)
            with (self.folder / LOCK).open("a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                for left in self.folder.glob(f"{INCOMING}*"):
                    shutil.rmtree(left, ignore_errors=True)
                yield
        except OSError as fault:
            raise ModelError(
                f"{self.folder} cannot be written ({fault.strerror}): the model in use stays; "
                "make room or give the right to write, or name another directory with --data"
            ) from fault

    def _take_in(self, directory: Path, model: Model, place: Path) -> None:
        """Copy the directory in one step, unless it is here already."""
        if place.exists():
            _check_same(place, model)
            return
        fresh = self._aside()
        try:
            _copy(directory, fresh, model)
            fresh.rename(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        _sync(self.folder)

    def _aside(self) -> Path:
        """Make a directory for what is not in force yet; only the holder of the lock does."""
        fresh = self.folder / f"{INCOMING}{os.getpid()}"
        fresh.mkdir()
        return fresh

    def _switch(self, entry: Entry) -> None:
        """Write the change down and make it, in one instant for whoever looks at the link.

        The new link is made before, because the disk may have no room for it.
        """
        if entry.version is None:
            self._write_down(entry)
            self.link.unlink()
        else:
            fresh = self._aside()
            try:
                (fresh / LINK).symlink_to(entry.version)
                self._write_down(entry)
                os.replace(fresh / LINK, self.link)  # noqa: PTH105 - Path hides that it is atomic
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        _sync(self.folder)

    def _write_down(self, entry: Entry) -> None:
        line = json.dumps(asdict(entry)).encode() + b"\n"
        with self.record.open("a+b", buffering=0) as out:
            size = out.seek(0, os.SEEK_END)
            try:
                whole = self.record.read_bytes().rfind(b"\n") + 1 if size else 0
                if whole < size:
                    size = out.truncate(whole)
                _write_all(out, line)
            except OSError:
                with contextlib.suppress(OSError):  # a cut line counts for nothing, at worst
                    out.truncate(size)
                raise


def chosen(named: Path | None, data: Path) -> Path | None:
    """Give the model directory that a command uses: the named one, or the promoted one, or None.

    Raises:
        ModelError: if the link to the promoted one leads nowhere.
    """
    return named if named is not None else Registry(data).in_use()


def _in_effect(entries: list[Entry], now: str | None) -> Iterator[Entry]:
    """Leave out the changes that were written down and cut short before the link moved.

    After such a one the same version was in use as before it. Where a line is missing between two
    entries neither version follows the other, and that says nothing against the first.
    """
    after = [*(entry.previous for entry in entries[1:]), now]
    for entry, used in zip(entries, after, strict=False):
        if used == entry.version or used != entry.previous:
            yield entry


def _check(place: Path, entry: Entry) -> None:
    """Refuse to go back to what is not there any more as it was."""
    how = "choose another with `mlplugin models promote VERSION`"
    try:
        digest = load(place).sha256
    except ModelError as fault:
        raise ModelError(f"cannot go back to {entry.version}: {fault}; or {how}") from fault
    if digest != entry.sha256:
        raise ModelError(f"cannot go back to {entry.version}: {place} was changed; {how}")


def _check_same(place: Path, model: Model) -> None:
    """Refuse a version that another model has here."""
    try:
        digest = load(place).sha256
    except ModelError as fault:
        raise ModelError(f"{fault}, or remove {place} and promote again") from fault
    if digest != model.sha256:
        raise UsageError(
            f"{place} is another model of the same version: give the new one a --version of "
            "its own when you train it"
        )


def _copy(directory: Path, fresh: Path, model: Model) -> None:
    """Copy what belongs to a model, have it on the disk, and see that it is still that model."""
    raw = (directory / CONFIG_FILE).read_bytes()
    names = [CONFIG_FILE, parse(raw, CONFIG_FILE).weights.file]
    found = (path for pattern in PAPERS for path in directory.glob(pattern))
    names += sorted({path.name for path in found if path.is_file()})
    for name in names:
        shutil.copyfile(directory / name, fresh / name)
        _sync(fresh / name)
    if load(fresh).sha256 != model.sha256:
        raise UsageError(f"{directory} changed while it was copied: try again")
    _sync(fresh)


def _write_all(out: RawIOBase, line: bytes) -> None:
    """Write a line and have it on the disk; a part of it is as bad as nothing."""
    if out.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(out.fileno())


def _sync(path: Path) -> None:
    """Have a file or a directory on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _now() -> str:
    return rfc3339(datetime.now(UTC))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for it
        return str(os.getuid())
