"""The models of a data directory: which were promoted, which is in use, which one was before.

``<data>/models/<version>/`` are copies of model directories, ``current`` is a link to the one in
use, ``shadow`` one to a model that judges beside it and decides nothing. ``promotions.jsonl`` is
the record of every change of ``current``, ``lineage.jsonl`` that of where models come from; neither
is ever changed but by a line behind. While there is no ``current`` the shipped model is in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlplugin.errors import ModelError, RefusedError, UsageError
from mlplugin.model import Model, load
from mlplugin.model.directory import CONFIG_FILE
from mlplugin.service import model_copies
from mlplugin.service.lineage import PROMOTE, ROLLBACK, Entry, Origin, State, before, state
from mlplugin.service.record import Record, sync
from mlplugin.service.times import rfc3339

FOLDER, LINK, RECORD, LOCK = "models", "current", "promotions.jsonl", ".lock"
SHADOW, LINEAGE = "shadow", "lineage.jsonl"
# What a version must be to name a directory that no link and no hidden file is taken for.
NAME = re.compile(r"(?!(?:current|shadow)$)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
INCOMING = ".incoming-"
DATA_MODE = 0o700  # of a data directory: the history will be in it


@dataclass(frozen=True, slots=True)
class Instead:
    """The version that a promotion takes the place of; None is the shipped model."""

    version: str | None


class Registry:
    """The models of one data directory; nothing is made before the first model is taken in."""

    def __init__(self, data: Path) -> None:
        self.folder = data.absolute() / FOLDER
        self.link = self.folder / LINK
        self.shadow_link = self.folder / SHADOW
        self.record = self.folder / RECORD
        self._promotions = Record(self.record)
        self._lineage = Record(self.folder / LINEAGE)
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

    def add(
        self, directory: Path, *, who: str | None = None, job: str | None = None, **told: str | None
    ) -> Origin:
        """Copy a model directory here as a candidate, and write down where it comes from.

        Args:
            directory: of the model.
            who: had it made; this process's user if None.
            job: made it.
            **told: ``parent``, ``parent_sha256`` and ``data_sha256``, as :class:`Origin` has them.

        Raises:
            ModelError: if it is damaged, or nothing can be written; nothing is changed then.
            UsageError: if another model has its version, or the version names no directory.
        """
        model = load(directory)
        check_version(model.version)
        with self._held():
            self._take_in(directory, model, self.folder / model.version)
            origin = Origin(
                _now(), model.version, model.sha256, told.get("parent"),
                told.get("parent_sha256"), told.get("data_sha256"), who or _user(), job,
            )  # fmt: skip
            self._lineage.append(asdict(origin))
            return origin

    def origins(self) -> dict[str, Origin]:
        """Give where the models here come from, by the SHA-256 of their configuration.

        Raises:
            ModelError: if the record cannot be read.
        """
        found: dict[str, Origin] = {}
        for number, row in enumerate(self._lineage.read(), 1):
            try:
                origin = Origin(**row)
            except TypeError as fault:
                raise self._lineage.fault(number) from fault
            found.setdefault(origin.sha256, origin)
        return found

    def state_of(self, version: str | None) -> State:
        """Say which part a model plays here; the version None is the shipped model's."""
        entries = self.history()
        known = {entry.version for entry in entries} | {entry.previous for entry in entries}
        return state(version, self._name(self.link), self._name(self.shadow_link), known)

    def shadow(self, version: str | None) -> None:
        """Have a model of this folder judge beside the one in use, or none if None.

        Raises:
            UsageError: if it is not here, or is in use.
            ModelError: if it is damaged, or nothing can be written.
        """
        if version is not None:
            place = self.folder / check_version(version)
            if not place.is_dir():
                raise UsageError(f"{version} is no model here: `mlplugin models` lists them")
            load(place)
        with self._held():
            if version is None:
                self.shadow_link.unlink(missing_ok=True)
            elif version == self._name(self.link):
                raise UsageError(f"{version} is in use: a shadow is another model")
            else:
                self._lead(self.shadow_link, version)
            sync(self.folder)

    def promote(
        self,
        directory: Path,
        *,
        forced: bool = False,
        instead: Instead | None = None,
        who: str | None = None,
    ) -> Entry | None:
        """Copy a model directory here and put it in use; None if it is in use already.

        Args:
            directory: of the model.
            forced: whether something speaks against it.
            instead: what it was compared with; None where that does not matter.
            who: promotes it; this process's user if None.

        Raises:
            ModelError: if it is damaged, or the data directory cannot be written; nothing is
                changed then.
            UsageError: if another model has its version, or the version names no directory.
            RefusedError: if something else was put in use since it was compared.
        """
        model = load(directory)
        check_version(model.version)
        with self._held():
            used = self._name(self.link)
            if instead is not None and used not in (instead.version, model.version):
                raise RefusedError(self._overtaken(model.version, used))
            self._take_in(directory, model, self.folder / model.version)
            if used == model.version:
                return None
            entry = Entry(
                _now(), PROMOTE, model.version, model.sha256, used, who or _user(), forced=forced
            )
            self._switch(entry)
            return entry

    def _overtaken(self, version: str, now: str | None) -> str:
        last = next(reversed(self.history()), None)
        by = f" by {last.who} at {last.time}" if last is not None and last.version == now else ""
        return (
            f"{version} is not promoted: {now or 'the shipped model'} was put in use{by} "
            "since it was compared: compare it with that one"
        )

    def rollback(self, *, who: str | None = None, instead: Instead | None = None) -> Entry:
        """Put the model in use that was so before this one, the shipped one if there was none.

        Args:
            who: does it; this process's user if None.
            instead: what is to be gone back from; None: what is in use, whichever it is.

        Raises:
            UsageError: if the shipped model is in use.
            RefusedError: if something else is in use than what is to be gone back from.
            ModelError: if the one before is damaged or gone, or nothing can be written.
        """
        self._not_shipped()
        with self._held():
            now = self._not_shipped()  # somebody may have been first
            if instead is not None and now != instead.version:
                raise RefusedError(
                    f"nothing is rolled back: {now} is in use, not {instead.version}"
                )
            target = self._before(now)
            if target is not None:
                model_copies.check(self.folder / str(target.version), target.version, target.sha256)
            version, digest = (target.version, target.sha256) if target else (None, None)
            entry = Entry(_now(), ROLLBACK, version, digest, now, who or _user())
            self._switch(entry)
            return entry

    def _not_shipped(self) -> str:
        """Give the version in use. Raises UsageError where there is none to go back from."""
        now = self._name(self.link)
        if now is None:
            raise UsageError("nothing to roll back to: the shipped model is in use")
        return now

    def history(self) -> list[Entry]:
        """Give the record, oldest first; a last line that was cut short never happened.

        Raises:
            ModelError: if it cannot be read.
        """
        entries = []
        for number, row in enumerate(self._promotions.read(), 1):
            try:
                entries.append(Entry(**row))
            except TypeError as fault:
                raise self._promotions.fault(number) from fault
        return entries

    def serving(self) -> str | None:
        """Give the version that is in use, whether it is there or not; None: the shipped one."""
        return self._name(self.link)

    def shadowing(self) -> str | None:
        """Give the version that judges beside it, None for none."""
        return self._name(self.shadow_link)

    def _name(self, link: Path) -> str | None:
        """The version that a link names, whether it is there or not; None without a link."""
        try:
            return link.readlink().name
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise ModelError(f"{link} is no link to a model directory: move it away") from fault

    def _before(self, now: str | None) -> Entry | None:
        """The promotion to go back to; the link is the truth, and only what moved it counts."""
        return before(self.history(), now)

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
            model_copies.check_same(place, model)
            return
        fresh = self._aside()
        try:
            model_copies.copy(directory, fresh, model)
            fresh.rename(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        sync(self.folder)

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
            self._promotions.append(asdict(entry))
            self.link.unlink()
        else:
            self._lead(self.link, entry.version, entry)
            if self._name(self.shadow_link) == entry.version:
                self.shadow_link.unlink()  # nothing is its own shadow
        sync(self.folder)

    def _lead(self, link: Path, version: str, entry: Entry | None = None) -> None:
        fresh = self._aside()
        try:
            (fresh / link.name).symlink_to(version)
            if entry is not None:
                self._promotions.append(asdict(entry))
            os.replace(fresh / link.name, link)  # noqa: PTH105 - Path hides that it is atomic
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def check_version(text: str) -> str:
    """Give a version back.

    Raises:
        UsageError: if it cannot name a directory here.
    """
    if not NAME.fullmatch(text):
        raise UsageError(
            f"the version {text!r} cannot name a directory: train with a --version "
            "of 1 to 64 letters, digits and .-+_ such as 2026.12.0, a letter or digit first"
        )
    return text


def chosen(named: Path | None, data: Path) -> Path | None:
    """Give the model directory that a command uses: the named one, or the promoted one, or None.

    Raises:
        ModelError: if the link to the promoted one leads nowhere.
    """
    return named if named is not None else Registry(data).in_use()


def _now() -> str:
    return rfc3339(datetime.now(UTC))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for it
        return str(os.getuid())
