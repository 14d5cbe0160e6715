"""Looks back by itself when a model was promoted or a name condemned: who asked for it before?

What was found is kept in the data directory, the latest first. Nothing waits for it: it gives way
after each batch of names, and reads so many of them at most.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlplugin.errors import MlpluginError
from mlplugin.service.hindsight import Replay, now_malicious
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.overrides import BENIGN, NAME, lineage
from mlplugin.service.past import Past, Stretch
from mlplugin.service.registry import DATA_MODE
from mlplugin.service.rules import Rules
from mlplugin.service.times import rfc3339
from mlplugin.service.vetting import Vetting, override_json
from mlplugin.store.port import Filter, Override, Store

LOG = logging.getLogger(__name__)
FILE = "hunts.json"
LOOK_SECONDS = 5.0
RETRY_SECONDS = 60.0
GRACE_SECONDS = 10.0
BACK = timedelta(days=30)
KEPT = 20
LISTED = 100
MOST_NAMES = 5_000_000
# From so many new decisions on everything is read once, not the names below each.
MANY = 50
# After each batch it sleeps as long as that took, up to so long.
MOST_REST = 2.0


class _EnoughError(Exception):
    """The hunt is to end before its end."""


@dataclass(frozen=True, slots=True)
class Below:
    """The names that decisions are about, in a stretch of history."""

    stretch: Stretch
    decisions: Sequence[Override]

    def names(self) -> Iterator[pa.RecordBatch]:
        """Give every name once."""
        whole = {one.name for one in self.decisions if one.scope != NAME}
        for name in sorted({one.name for one in self.decisions}):
            if whole.isdisjoint(list(lineage(name))[1:]):  # else it is below another
                patterns = (name, f"*.{name}") if name in whole else (name,)
                for pattern in patterns:
                    yield from self.stretch.store.names(replace(self.stretch.wanted, qname=pattern))

    def askers(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names."""
        return self.stretch.askers(names)


class Hunting:
    """Hunts after each change, in a thread of its own, and keeps what was found."""

    def __init__(
        self,
        store: Store,
        models: ModelInUse,
        vetting: Vetting,
        data: Path | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """Read what was found before; without a data directory it is kept in memory alone."""
        self._store = store
        self._models = models
        self._vetting = vetting
        self._place = None if data is None else data / FILE
        self._look_seconds = look_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hunts", daemon=True)
        self._seen: dict[str, Any] | None = None
        self._changing: list[str] = []
        self._running: dict[str, Any] | None = None
        self._hunts: list[dict[str, Any]] = []
        self._read()

    def start(self) -> None:
        """Begin to look for changes."""
        self._thread.start()

    def release(self) -> None:
        """Have a hunt that is under way end as soon as the store answers it."""
        self._stop.set()

    def close(self) -> None:
        """End; a hunt that is under way is done again at the next start."""
        self.release()
        if self._thread.is_alive():
            self._thread.join(GRACE_SECONDS)

    def results(self) -> dict[str, Any]:
        """Give what was found, the latest first; with what is under way, if anything is."""
        running = self._running
        return {"running": None if running is None else dict(running), "hunts": list(self._hunts)}

    def look(self) -> bool:
        """Hunt if the model or a decision is another one; tell whether it was so.

        Decisions are waited for until they come to rest. Raises StoreError.
        """
        model = self._models.model
        decisions = [one for one in self._vetting.all() if one.status != BENIGN]
        keys = sorted(map(_key, decisions))
        state = {"model": model.sha256, "version": model.version, "decisions": keys}
        if self._seen is None:
            self._remember(state)
            return False
        seen = self._seen
        if seen == state:
            return False
        if keys != self._changing and keys != seen["decisions"]:
            self._changing = keys
            return False
        new = [one for one in decisions if _key(one) not in seen["decisions"]]
        promoted = model.sha256 != seen["model"]
        why = [f"model {model.version} in place of {seen['version']}"] if promoted else []
        why += [f"{one.name} is {one.status}" for one in new[:3]]
        if len(new) > 3:
            why.append(f"{len(new) - 3} more decisions")
        about = [] if promoted or len(new) >= MANY else new
        if why and not self._hunt(", ".join(why), about):
            return False
        self._remember(state)
        return bool(why)

    def _hunt(self, why: str, about: Sequence[Override]) -> bool:
        """Hunt through everything, or below some decisions; False if it was broken off."""
        began = datetime.now(UTC)
        wanted = Filter(since=began - BACK, until=began)
        stretch = Stretch(self._store, wanted)
        past: Past = Below(stretch, about) if about else stretch
        rules = Rules(self._models.model, decisions=self._vetting.all())
        pace = _Pace(self._stop)
        replay = Replay(past, rules, now_malicious, LISTED, pace.advance)
        told = {
            "at": rfc3339(began), "why": why, "model": rules.model.version,
            "since": rfc3339(began - BACK), "until": rfc3339(began),
        }  # fmt: skip
        self._running = told
        try:
            with contextlib.suppress(_EnoughError):
                replay.run()
        finally:
            self._running = None
        if self._stop.is_set():
            return False
        found = replay.found().to_json()
        complete = pace.judged < MOST_NAMES
        self._hunts = [{**told, "complete": complete, **found}, *self._hunts][:KEPT]
        total = found["totals"]["now_malicious"]
        if total["names"]:
            LOG.warning(
                "%s: %d names of the last %d days are malicious now, %d clients asked for them",
                why, total["names"], BACK.days, total["clients"],
            )  # fmt: skip
        return True

    def _remember(self, state: dict[str, Any]) -> None:
        self._seen = state
        if self._place is None:
            return
        fresh = self._place.with_name(f".{FILE}.{os.getpid()}")
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True, mode=DATA_MODE)
            fresh.write_text(json.dumps({"seen": state, "hunts": self._hunts}), encoding="utf-8")
            fresh.replace(self._place)
        except OSError as fault:
            LOG.warning("%s cannot be written: %s", self._place, fault.strerror)

    def _read(self) -> None:
        if self._place is None:
            return
        try:
            found = json.loads(self._place.read_text(encoding="utf-8"))
            seen = {name: found["seen"][name] for name in ("model", "version", "decisions")}
            hunts = [*found["hunts"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            LOG.warning("%s cannot be read, and is begun anew", self._place)
            return
        self._seen, self._hunts = seen, hunts[:KEPT]

    def _run(self) -> None:
        pause = self._look_seconds
        while not self._stop.wait(pause):
            pause = self._look_seconds
            try:
                self.look()
            except MlpluginError as fault:
                if not self._stop.is_set():
                    LOG.warning("looking back failed, and is tried again: %s", fault)
                pause = RETRY_SECONDS
            except Exception:  # without this thread nobody is told of anything
                LOG.exception("looking back failed, and is tried again")
                pause = RETRY_SECONDS


class _Pace:
    """Lets others have their turn, and ends a hunt that is to end."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._at = time.monotonic()
        self.judged = 0

    def advance(self, names: int) -> None:
        """Rest after a batch."""
        self.judged += names
        rest = min(time.monotonic() - self._at, MOST_REST)
        if self._stop.wait(rest) or self.judged >= MOST_NAMES:
            raise _EnoughError
        self._at = time.monotonic()


def _key(decision: Override) -> str:
    """What tells one decision from another."""
    told = override_json(decision)
    return " ".join(str(told[part]) for part in ("name", "scope", "client", "status", "created"))
