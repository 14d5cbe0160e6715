"""No process outlives the tests: each carries a mark, and the end of the run looks for it.

A pytest plugin; the mark is in the environment, so that it is found in grandchildren too,
whoever their parent is by then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import uuid
from pathlib import Path

import pytest

MARK = "PYTEST_RUN_OF_THIS"
GRACE_SECONDS = 5.0
# Helpers of Python itself, which end with the interpreter that started them.
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
# Becomes the command that follows, and asks Linux to end that with its parent.
TIED = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15)\n"  # PR_SET_PDEATHSIG, SIGTERM; it outlasts the exec
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)
LEFT: list[str] = []


def tied(command: list[str]) -> list[str]:
    """The command, so that it ends when this process does, were it killed."""
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", "-c", TIED, str(os.getpid()), *command]


def left(mark: str) -> dict[int, str]:
    """The processes with a mark that are still alive, with their command lines."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted not in (place / "environ").read_bytes().split(b"\0"):
                continue
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if int(place.name) != os.getpid() and not any(part in command for part in HELPERS):
                found[int(place.name)] = command.strip()
    return found


def end(mark: str, grace: float = GRACE_SECONDS) -> list[str]:
    """Kill what is left after some seconds of grace, and tell what that was."""
    until = time.monotonic() + grace
    while (found := left(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return [f"process {pid}: {command}" for pid, command in found.items()]


def pytest_sessionstart() -> None:
    os.environ[MARK] = uuid.uuid4().hex


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    LEFT.extend(end(os.environ[MARK]))
    if LEFT and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LEFT:
        terminalreporter.section("left behind by the tests, killed", red=True)
        for line in LEFT:
            terminalreporter.write_line(line)
