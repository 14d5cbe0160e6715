from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from mlplugin.bundled import checks
from mlplugin.bundled.build import Progress
from mlplugin.bundled.ports import Endpoint, free_port
from mlplugin.cli import coredns
from mlplugin.errors import MlpluginError
from tests.e2e.system import Process, mlplugin, until

pytestmark = pytest.mark.e2e


def test_arguments_and_exit_status_are_coredns_own() -> None:
    done = mlplugin("coredns", "--", "-plugins", timeout=1500)
    assert done.returncode == 0
    assert "mlplugin" in done.stdout.split()
    wrong = mlplugin("coredns", "--", "-no-such-flag")
    assert wrong.returncode == 2
    assert "no-such-flag" in wrong.stderr
    extra = mlplugin("coredns", "--", "extra")
    assert extra.returncode == 1
    assert "extra command line arguments" in extra.stderr


def test_it_becomes_the_process_and_takes_its_signals(tmp_path: Path) -> None:
    corefile = tmp_path / "Corefile"
    corefile.write_text(f".:{free_port()} {{\n bind 127.0.0.1\n whoami\n}}\n")
    process = Process(
        [sys.executable, "-m", "mlplugin", "coredns", "--", "-conf", str(corefile)],
        tmp_path / "log",
    )
    process.start()
    until("it has started", lambda: "CoreDNS-" in process.output())
    assert "coredns" in Path(f"/proc/{process.pid}/comm").read_text()
    assert process.stop(signal.SIGTERM) == 0


def test_a_wrong_binary_is_said_in_one_line() -> None:
    done = mlplugin("coredns", "--", "-version", env={"MLPLUGIN_COREDNS": "/no/such/binary"})
    assert done.returncode == 3
    assert done.stderr == "mlplugin: MLPLUGIN_COREDNS=/no/such/binary: there is no such file\n"


@pytest.fixture
def telling(tmp_path: Path) -> Path:
    """What stands for CoreDNS, and says what it sees of the store's variables."""
    program = tmp_path / "telling"
    program.write_text('#!/bin/sh\necho "sees: ${MLPLUGIN_STORE_PASSWORD-nothing}" >&2\nexit 1\n')
    program.chmod(0o755)
    return program


def test_it_sees_no_secret_of_the_store(telling: Path) -> None:
    secret = {"MLPLUGIN_STORE_PASSWORD": "secret", "MLPLUGIN_COREDNS": str(telling)}
    done = mlplugin("coredns", "--", "-version", env={**os.environ, **secret})
    assert done.stderr == "sees: nothing\n"


def test_it_sees_no_secret_of_the_store_when_it_looks_at_a_corefile(
    telling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPLUGIN_STORE_PASSWORD", "secret")
    with pytest.raises(MlpluginError, match="sees: nothing"):
        checks._validated(telling, telling, Endpoint("127.0.0.1", 1))


def test_plain_progress_says_each_step_and_not_each_package(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = coredns._plain_lines()
    for done in range(101):
        report(Progress("compiling packages", done, 100, "x"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "CoreDNS is built, once: compiling packages: 0 of 100",
        "CoreDNS is built, once: compiling packages: 100 of 100",
    ]
