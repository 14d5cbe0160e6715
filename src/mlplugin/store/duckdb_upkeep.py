"""Keeps the sums of the embedded store's pieces true, and makes them in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np

from mlplugin.errors import StoreError
from mlplugin.store import duckdb_summing as summing
from mlplugin.store.duckdb_file import DuckDBFile
from mlplugin.store.duckdb_pieces import Range, leaves, read
from mlplugin.store.duckdb_query import moment, naive
from mlplugin.store.sequences import Numbers

LOG = logging.getLogger(__name__)
EPOCH = naive(datetime.fromtimestamp(0, UTC))
MINUTE_MICROSECONDS = 60_000_000
# A piece ends so long before the newest event: until then some are still on their way.
ON_THE_WAY = timedelta(minutes=2)
# Where late events came in the last so many seconds, more are waited for: in such stretches.
CALM_SECONDS = 60.0
LATE_MINUTES = 10
# After a fault it is tried again so long after, and each time twice as long, up to an hour.
MOST_PAUSE = 3600.0
# Between two steps whoever waits to write gets a turn.
STEP_SECONDS = 0.05
# Of so many pieces to be made is told how far it is.
MANY = 20
MINUTES_OF = "SELECT DISTINCT time_bucket(INTERVAL 1 MINUTE, time) FROM events WHERE {}"


class Upkeep:
    """Sums up what has been appended, piece by piece.

    `added` and `removing` belong into the transaction that changes the events.
    """

    def __init__(self, file: DuckDBFile, lock: threading.RLock) -> None:
        """Keep the sums true that are there; new ones are made on `settle`, or after `begin`.

        Args:
            file: what is kept.
            lock: held by whoever writes into it.
        """
        self._file = file
        self._lock = lock
        # Events before it (microseconds) may belong to a piece: none does behind it.
        self._front = 0
        # Where late events fell (numbers of stretches of time), and when they last came.
        self._late: dict[int, float] = {}
        self._new = 0
        self._merging: int | None = None
        self._apart: set[int] = set()  # pieces that stay as they are: merging saves too little
        self._swept = False
        self._settling = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._begun = False
        self._thread: threading.Thread | None = None
        with self._file.reading() as connection:
            self._see(connection)

    def begin(self) -> None:
        """From now on sum up by and by, in a thread that is there when there is enough to do."""
        self._begun = True
        with self._file.reading() as connection:
            found = connection.execute("SELECT count(*) FROM events").fetchone()
        self.appended(found[0] if found else 0)

    def _see(self, connection: duckdb.DuckDBPyConnection) -> None:
        for piece in leaves(read(connection))[-1:]:
            self._expect(piece.until)

    def _expect(self, until: datetime) -> None:
        """Look for what is late up to there."""
        self._front = max(self._front, _minute(until) * MINUTE_MICROSECONDS)

    def close(self) -> None:
        """End, after the step that is under way."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    # What changes the events

    def added(self, connection: duckdb.DuckDBPyConnection, times: Numbers) -> None:
        """Take back what is not true any more with events of these times (microseconds)."""
        if not len(times) or int(times.min()) >= self._front:
            return
        minutes = np.unique(times[times < self._front] // MINUTE_MICROSECONDS)
        moments = [naive(moment(int(minute) * MINUTE_MICROSECONDS)) for minute in minutes]
        there = read(connection)
        if not there:
            return
        # Nothing is late that is as young as usual, though a piece may lie in the future, made
        # while a clock ran ahead; what is older than all pieces holds none of them up.
        bounds = _minute(there[0].since), _minute(naive(now()) - ON_THE_WAY)
        late = minutes[(minutes >= bounds[0]) & (minutes < bounds[1])] // LATE_MINUTES
        self._late |= dict.fromkeys(np.unique(late).tolist(), time.monotonic())
        if summing.take_back(connection, there, moments):
            self._swept = False
            self._begin()

    def removing(
        self, connection: duckdb.DuckDBPyConnection, condition: str, parameters: Sequence[Any]
    ) -> None:
        """Take back what is not true any more without the events of a condition."""
        there = read(connection)
        if not there:
            return
        found = connection.execute(MINUTES_OF.format(condition), list(parameters)).fetchall()
        if summing.take_back(connection, there, [minute for (minute,) in found]):
            summing.sweep(connection, self._merging)

    def appended(self, count: int) -> None:
        """Note that so many events are there that were not; they are looked at by and by."""
        self._new += count
        if self._new >= summing.PIECE_EVENTS // 2 and not self._stop.is_set():
            self._new = 0
            self._begin()

    def _begin(self) -> None:
        """Have the thread look, and start it if it is not there yet."""
        if not self._begun:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sums", daemon=True)
            self._thread.start()
        self._wake.set()

    # What makes the sums

    def settle(self, horizon: datetime | None = None) -> None:
        """Sum up now what the thread would by and by.

        Args:
            horizon: the end of the last piece at most; none for what is usual.
        """
        with self._settling:
            self._settle(horizon)

    def _settle(self, horizon: datetime | None) -> None:
        if not self._swept:
            with self._lock:
                with self._file.writing() as connection:
                    summing.sweep(connection)
                self._swept = True
        avoided = self._avoided()
        with self._file.reading() as connection:
            end = _horizon(connection) if horizon is None else naive(horizon)
            stretches = [] if end is None else summing.plan(connection, end, avoided)
        for place, stretch in enumerate(stretches):
            if self._stop.is_set():
                return
            if len(stretches) >= MANY and place % (len(stretches) // 10) == 0:
                LOG.info(
                    "history: %d of %d pieces summed up, from %s on",
                    place, len(stretches), stretch.since,
                )  # fmt: skip
            with self._lock:
                # Before it is there: whatever fails, nothing late is overlooked.
                self._expect(stretch.until)
                with self._file.writing() as connection:
                    summing.sum_up(connection, stretch)
            self._make_room()
        while not self._stop.is_set() and self._merge():
            pass

    def _avoided(self) -> list[Range]:
        """Where late events still come; where none did for long is forgotten."""
        calm = time.monotonic() - CALM_SECONDS
        with self._lock:
            self._late = {number: at for number, at in self._late.items() if at > calm}
            numbers = sorted(self._late)
        wide = LATE_MINUTES * summing.MINUTE
        return [(begin, begin + wide) for begin in (EPOCH + number * wide for number in numbers)]

    def _merge(self) -> bool:
        """Merge some pieces, if there are any to be merged."""
        with self._lock:
            with self._file.writing() as connection:
                merge = summing.next_merge(connection, self._apart)
            if merge is None:
                return False
            self._merging = merge.number
        done = False
        try:
            for part in range(merge.parts):
                self._make_room()
                with self._lock, self._file.writing() as connection:
                    if self._stop.is_set() or not summing.merge_part(connection, merge, part):
                        break
            else:
                done = True
        finally:
            self._merging = None
            if not done:  # the parts that are there are to be swept, also after a fault
                self._swept = False
        return True

    def _make_room(self) -> None:
        """Let others write; called without the lock, which is given to nobody in turn."""
        if threading.current_thread() is self._thread:
            self._stop.wait(STEP_SECONDS)

    def _run(self) -> None:
        faults = 0
        while not self._stop.is_set():
            self._wake.wait(self._pause(faults))
            self._wake.clear()
            try:
                if not self._stop.is_set():
                    self.settle()
                    faults = 0
            except StoreError as fault:
                faults += 1
                LOG.warning("the history is not summed up, and will be later: %s", fault)
            except Exception:  # without it every question only takes longer
                faults += 1
                LOG.exception("the history is not summed up, and will be later")

    def _pause(self, faults: int) -> float | None:
        """How long nothing is to be done if nobody asks, after so many faults; None for ever."""
        if faults:
            return float(min(CALM_SECONDS * 2 ** min(faults - 1, 10), MOST_PAUSE))
        return CALM_SECONDS if self._late or not self._swept else None


def now() -> datetime:
    """What the clock says."""
    return datetime.now(UTC)


def _minute(moment: datetime) -> int:
    """The number of a column's minute since 1970."""
    return (moment - EPOCH) // summing.MINUTE


def _horizon(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Until when nothing is on its way any more; None without an event."""
    found = connection.execute("SELECT max(time) FROM events").fetchone()
    if found is None or found[0] is None:
        return None
    newest: datetime = min(found[0], naive(now()))
    return newest - ON_THE_WAY
