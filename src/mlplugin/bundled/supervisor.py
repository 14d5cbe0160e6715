"""The service and CoreDNS side by side: started, watched, restarted, stopped in order."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from mlplugin.bundled.child import Child
from mlplugin.errors import MlpluginError

POLL_SECONDS = 0.05
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STABLE_SECONDS = 60.0
COREDNS_PATIENCE = 15.0
SERVICE_PATIENCE = 20.0
SERVICE_HEAD_START = 10.0
# One Ctrl-C may come twice: from the terminal, and from a program that this one runs under.
SAME_SIGNAL_SECONDS = 1.0


class StartError(MlpluginError):
    """A part of the system did not come up."""

    exit_code = 3


def answers_ok(url: str, token: str | None = None, timeout: float = 2.0) -> bool:
    """Whether a GET of the URL, with a bearer token if given, is a 200; every failure is a no."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", parts.path or "/", headers=headers)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@dataclass
class Part:
    """A child, how to tell that it is ready, and how long it may take to stop (seconds).

    The parts that are started after it wait for it, up to `head_start` seconds; a part with a
    head start that is late is no failure of the start.
    """

    child: Child
    ready: Callable[[], bool]
    patience: float
    head_start: float = 0.0
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float | None = None


class Supervisor:
    """Runs its parts until a signal comes.

    Parts stop in the order in which they are given and start in the opposite one.
    """

    def __init__(self, parts: list[Part], say: Callable[[str], None]) -> None:
        self._parts = parts
        self._say = say
        self._signals: list[int] = []
        self._signalled = 0.0
        self._woken = threading.Event()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as requests to stop; a second one kills what still runs."""
        before = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._signals:
            self._signalled = now
        elif now - self._signalled > SAME_SIGNAL_SECONDS:
            for part in self._parts:
                part.child.kill()
        self._signals.append(number)
        self._woken.set()

    @property
    def stopped_by(self) -> int | None:
        """The signal that asked to stop, if one did."""
        return self._signals[0] if self._signals else None

    def start(self, patience: float) -> bool:
        """Start every part and wait until all are ready; False if a signal came first.

        Raises StartError, with the last words of a part that ended, or after `patience` seconds.
        """
        end = time.monotonic() + patience
        waiting: list[Part] = []
        for part in reversed(self._parts):
            if self._signals:
                return False
            self._launch(part, hold=True)
            waiting.append(part)
            soon = min(end, time.monotonic() + part.head_start)
            if part.head_start and part in self._wait(waiting, soon):
                self._say(
                    f"{part.child.name} is not ready after {part.head_start:.0f} s, "
                    "the rest is started nevertheless"
                )
        late = self._wait(waiting, end)
        failed = [part.child.name for part in late if not part.head_start]
        if failed:
            raise StartError(f"{' and '.join(failed)} not ready after {patience:.0f} s")
        for part in late:
            part.child.release()
            self._say(f"{part.child.name} is not ready after {patience:.0f} s, going on without it")
        return not self._signals

    def _wait(self, waiting: list[Part], end: float) -> list[Part]:
        """Wait until none of the parts is left, time is up or a signal comes; give what is left.

        Raises StartError for a part that ended.
        """
        while not self._signals:
            for part in list(waiting):
                if not part.child.running():
                    words = part.child.last_words()
                    part.child.forget()
                    raise StartError(f"{part.child.name} did not start: {words}")
                if part.ready():
                    part.child.release()
                    waiting.remove(part)
            if not waiting or time.monotonic() >= end:
                return waiting
            self._woken.wait(POLL_SECONDS)
        return []

    def _launch(self, part: Part, *, hold: bool = False) -> None:
        part.started = time.monotonic()
        part.due = None
        part.child.start(hold=hold)

    def watch(self) -> None:
        """Restart what dies, with growing pauses, until a signal comes."""
        while not self._signals:
            for part in self._parts:
                self._look_after(part)
            self._woken.wait(POLL_SECONDS * 4)

    def _look_after(self, part: Part) -> None:
        if part.child.running():
            return
        now = time.monotonic()
        if part.due is None:
            if now - part.started > STABLE_SECONDS:
                part.pause = FIRST_PAUSE
            part.due = now + part.pause
            self._say(
                f"{part.child.name} ended ({_fate(part.child.exit_status())}): "
                f"{part.child.last_words()}; starting it again in {part.pause:.1f} s"
            )
            part.pause = min(part.pause * 2, LONGEST_PAUSE)
        elif now >= part.due:
            self._launch(part)

    def stop(self) -> bool:
        """Stop the parts, each given its time; False if one had to be killed."""
        clean = True
        for part in self._parts:
            part.child.release()
            if not part.child.stop(part.patience):
                clean = False
                self._say(f"{part.child.name} did not stop in {part.patience:.0f} s and was killed")
        return clean


def _fate(status: int | None) -> str:
    if status is None:
        return "no status"
    if status < 0:
        return signal.Signals(-status).name
    return f"exit status {status}"
