"""One child process: tied to this one's life, its output passed on without ever blocking it."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
KEPT_LINES = 200
QUEUED_LINES = 10_000
# They hold secrets of the store, which is the service's alone.
STORE_VARIABLES = "MLPLUGIN_STORE_"


def _die_with_parent() -> Callable[[], None] | None:
    """What the child runs before it becomes the program: ask Linux to end it with its parent."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the question was put
            os._exit(1)

    return ask


class Printer:
    """Writes the children's lines to a stream from a thread of its own, or nowhere if None.

    A terminal that is held back makes lines fall out of the queue, counted, and stops nobody.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUED_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Pass on one line, or count it as dropped; never waits."""
        if self._stream is None:
            return
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is queued and end, waiting a second at most."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(1)

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"... {dropped} lines dropped\n" if dropped else ""
            if self._stream is None:
                continue
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(f"{note}{line}\n")
                self._stream.flush()


def inherited(withheld: str | None = STORE_VARIABLES) -> dict[str, str]:
    """Give the environment of this process, without what is none of another program's business."""
    return {
        name: value
        for name, value in os.environ.items()
        if withheld is None or not name.startswith(withheld)
    }


class Child:
    """A program under supervision; `name` is put before each line that it prints.

    Variables whose names begin with `withheld` are not in its environment.

    It must be started from the main thread: Linux ties it to the thread that starts it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        printer: Printer,
        environment: Mapping[str, str] | None = None,
        withheld: str | None = None,
    ) -> None:
        self.name = name
        self._withheld = withheld
        self.command = list(command)
        self._environment = dict(environment or {})
        self._printer = printer
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        self._holds = False
        self._held: str | None = None

    def start(self, *, hold: bool = False) -> None:
        """Start it, in a process group of its own: a Ctrl-C at the terminal is not for it.

        With `hold` its last line is not printed until `release`: if it ends, that line is its
        last words, which the message about its end repeats.
        """
        self._lines.clear()
        self._holds, self._held = hold, None
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - no thread forks beside this one
            env={**inherited(self._withheld), **self._environment},
        )
        self._reader = threading.Thread(
            target=self._read, args=(self._process,), name=f"{self.name} output", daemon=True
        )
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                text = line.rstrip("\n")
                self._lines.append(text)
                self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        with self._lock:
            line: str | None = text
            if self._holds:
                line, self._held = (self._held, text) if text.strip() else (None, self._held)
            if line is not None:
                self._printer.write(f"{self.name}: {line}")

    def release(self) -> None:
        """Print what `start` held back, and from now on everything at once."""
        with self._lock:
            self._holds = False
            if self._held is not None:
                self._printer.write(f"{self.name}: {self._held}")
                self._held = None

    def forget(self) -> None:
        """Drop what `start` held back."""
        with self._lock:
            self._held = None

    @property
    def pid(self) -> int:
        """Its process id. It must have been started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def exit_status(self) -> int | None:
        """Its exit status, None while it runs; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def running(self) -> bool:
        """Whether it is alive."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> list[str]:
        """The lines that it printed last, the newest at the end."""
        return list(self._lines)

    def last_words(self) -> str:
        """What it said last, for the message about its end."""
        if self._reader is not None and not self.running():
            self._reader.join(2)
        said = [line for line in self.said() if line.strip()]
        return said[-1].removeprefix("mlplugin: ") if said else "it said nothing"

    def stop(self, patience: float) -> bool:
        """Ask it to end and wait up to `patience` seconds, then kill it; False if it was killed."""
        process = self._process
        if process is None:
            return True
        clean = True
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                clean = False
                process.kill()
                process.wait()
        if self._reader is not None:
            self._reader.join(2)
        return clean

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
