"""What tests start ends with them, and a run that leaves something behind fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.e2e.system import Process, until
from tests.support import leftovers

ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_left_is_found_and_killed() -> None:
    mark = uuid.uuid4().hex
    # Grandchildren too, and those whose parent has ended.
    code = (
        "import subprocess\n"
        f"print(subprocess.Popen({SLEEP!r}, stdout=subprocess.DEVNULL).pid, flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, leftovers.MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    orphan = int(done.stdout)
    assert list(leftovers.left(mark)) == [orphan]
    (line,) = leftovers.end(mark, grace=0)
    assert f"process {orphan}: " in line
    until("it is gone", lambda: not alive(orphan))
    assert leftovers.end(mark, grace=0) == []


@pytest.mark.parametrize(("leaks", "status"), [(True, 1), (False, 0)])
def test_a_run_that_leaves_something_fails(leaks: bool, status: int, tmp_path: Path) -> None:
    seconds = 600 if leaks else 0
    (tmp_path / "test_it.py").write_text(
        "import subprocess, sys\n"
        "from subprocess import DEVNULL\n"
        "def test_it():\n"
        f"    code = 'import time; time.sleep({seconds})'\n"
        "    command = [sys.executable, '-c', code]\n"
        "    subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL).returncode = 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.leftovers", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    assert ("left behind by the tests" in done.stdout) == leaks
    assert "1 passed" in done.stdout


def test_what_a_killed_run_started_ends_too(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.e2e.system import Process\n"
        f"process = Process({SLEEP!r}, Path('log'))\n"
        "process.start()\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    until("it is gone", lambda: not alive(pid))


class TestWhatATestForgets:
    """In this order: the first leaves a process, the second finds it gone."""

    pid = 0

    def test_leaves_a_process(self, tmp_path: Path) -> None:
        process = Process(SLEEP, tmp_path / "log")
        process.start()
        type(self).pid = process.pid
        assert process.alive()

    def test_finds_it_gone(self) -> None:
        if not self.pid:
            pytest.skip("needs the test before it")
        assert not alive(self.pid)
