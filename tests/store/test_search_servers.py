"""The servers that tests start end with them, even where those are killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from tests.store import conftest
from tests.support import search_servers
from tests.support.search_servers import WATCHER

SLEEPER = "import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
INNER = (
    "import os, pathlib, time; pathlib.Path({file!r}).write_text(str(os.getpid())); time.sleep(99)"
)
STARTER = """
import os, subprocess, sys, time
watched = [sys.executable, "-c", {code!r}]
subprocess.Popen([sys.executable, "-c", {watcher!r}, str(os.getpid()), *watched])
time.sleep(99)
"""


def test_a_grandchild_ends_with_who_started_it(tmp_path: Path) -> None:
    """As a server does that another Java starts."""
    file = tmp_path / "pid"
    code = SLEEPER.format(inner=INNER.format(file=str(file)))
    starter = subprocess.Popen([sys.executable, "-c", STARTER.format(watcher=WATCHER, code=code)])
    end = time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    grandchild = int(file.read_text())
    starter.send_signal(signal.SIGKILL)
    starter.wait(60)
    while alive(grandchild):
        assert time.monotonic() < end, "it is left over"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_server_that_does_not_come_up_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[str] = []

    def failing(name: str) -> NoReturn:
        starts.append(name)
        raise AssertionError(f"{name} ended: no memory")

    monkeypatch.setattr(conftest, "running", failing)
    servers = conftest.Servers()
    for says in ("^x ended", "x did not come up before: x ended: no memory"):
        with pytest.raises(AssertionError, match=says):
            servers["x"]
    assert starts == ["x"]


def test_without_maven_a_test_fails_unless_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(search_servers, "CACHE", tmp_path)
    monkeypatch.delenv(search_servers.WITHOUT, raising=False)
    with pytest.raises(pytest.fail.Exception, match=f"set {search_servers.WITHOUT}=1"):
        search_servers.installed("elasticsearch-8.19.21")
    monkeypatch.setenv(search_servers.WITHOUT, "1")
    with pytest.raises(pytest.skip.Exception, match="NO MAVEN"):
        search_servers.installed("elasticsearch-8.19.21")


def test_a_server_that_was_fetched_under_a_closed_mask_can_be_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the tests run as root the server does not, and must reach its own files."""
    name = search_servers.USUAL[2]
    fetched = tmp_path / name
    for folder in ("bin", "config", "lib/tools"):
        (fetched / folder).mkdir(parents=True)
    (fetched / "config" / "jvm.options").write_text("")
    for folder in (fetched, *(path for path in fetched.rglob("*") if path.is_dir())):
        folder.chmod(0o700)
    monkeypatch.setattr(search_servers, "installed", lambda _name: fetched)
    server = search_servers.SearchServer(name)
    try:
        folders = [server.home, *(path for path in server.home.rglob("*") if path.is_dir())]
        closed = [str(one) for one in folders if stat.S_IMODE(one.stat().st_mode) != 0o755]
    finally:
        server.close()
    assert len(folders) == 5
    assert closed == []


def test_a_server_has_two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the first one yet when the second is looked for."""
    first = search_servers.steady_port()
    offered = iter([first, first])
    chosen = search_servers.random.randrange
    monkeypatch.setattr(
        search_servers.random, "randrange", lambda *ends: next(offered, None) or chosen(*ends)
    )
    assert search_servers.steady_port() != first
