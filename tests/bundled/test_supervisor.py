"""Children that are small Python programs: started, restarted, stopped, never left over."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlplugin.bundled.child import Child, Printer
from mlplugin.bundled.supervisor import Part, StartError, Supervisor

WAITING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open({log!r}, "a").write("{name}\\n"), sys.exit(0)))
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


class World:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.output = io.StringIO()
        self.printer = Printer(self.output)
        self.said: list[str] = []
        self.parts: list[Part] = []

    def part(self, name: str, code: str = WAITING, patience: float = 20) -> Part:
        code = code.replace("{log!r}", repr(str(self.log))).replace("{name}", name)
        child = Child(name, python(code), self.printer)
        part = Part(child, lambda: "ready" in child.said(), patience, pause=0.01)
        self.parts.append(part)
        return part

    def supervisor(self) -> Supervisor:
        return Supervisor(self.parts, self.said.append)

    def stopped(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def signal_soon(number: signal.Signals, condition: Callable[[], object]) -> threading.Thread:
    def wait() -> None:
        until(condition)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_parts_in_their_order(world: World, number: signal.Signals) -> None:
    first, second = world.part("first"), world.part("second")
    supervisor = world.supervisor()
    with supervisor.signals():
        assert supervisor.start(20)
        sender = signal_soon(number, lambda: True)
        supervisor.watch()
        sender.join()
        assert supervisor.stop()
    assert supervisor.stopped_by == number
    assert world.stopped() == ["first", "second"]
    assert first.child.exit_status() == second.child.exit_status() == 0
    world.printer.close()
    assert "first: ready\n" in world.output.getvalue()


def test_a_part_waits_for_the_head_start_of_another(world: World) -> None:
    second, first = world.part("second"), world.part("first")
    first.head_start = 20
    seen: list[bool] = []
    ready = first.ready
    first.ready = lambda: ready() and not seen.append(second.child.running())
    supervisor = world.supervisor()
    assert supervisor.start(20)
    assert seen == [False]
    supervisor.stop()
    assert world.stopped() == ["second", "first"]


def test_a_head_start_that_is_not_enough_is_said(world: World) -> None:
    second, first = world.part("second"), world.part("late", "import time; time.sleep(60)")
    first.head_start = 0.2
    supervisor = world.supervisor()
    assert supervisor.start(2)
    assert second.child.running()
    assert world.said == [
        "late is not ready after 0 s, the rest is started nevertheless",
        "late is not ready after 2 s, going on without it",
    ]
    supervisor.stop()


def test_the_last_words_are_not_printed_beside_the_message(world: World) -> None:
    world.part("bad", "import sys; print('first'); sys.exit('no such model\\n')")
    supervisor = world.supervisor()
    with pytest.raises(StartError, match="bad did not start: no such model"):
        supervisor.start(20)
    supervisor.stop()
    world.printer.close()
    assert world.output.getvalue().strip() == "bad: first"


def test_a_part_that_dies_is_started_again_and_told(world: World) -> None:
    part = world.part("mortal")
    supervisor = world.supervisor()
    with supervisor.signals():
        assert supervisor.start(20)
        first = part.child.pid
        os.kill(first, signal.SIGKILL)
        reborn = signal_soon(
            signal.SIGTERM, lambda: part.child.pid != first and "ready" in part.child.said()
        )
        supervisor.watch()
        reborn.join()
        supervisor.stop()
    assert len(world.said) == 1
    assert "mortal ended (SIGKILL): ready; starting it again" in world.said[0]


def test_pauses_grow(world: World) -> None:
    part = world.part("brief", "print('ready', flush=True); input()")
    supervisor = world.supervisor()
    with supervisor.signals():
        part.child.start()
        ender = signal_soon(signal.SIGTERM, lambda: len(world.said) >= 4)
        supervisor.watch()
        ender.join()
        supervisor.stop()
    pauses = [float(line.rsplit(" ", 2)[-2]) for line in world.said]
    assert pauses == sorted(pauses)
    assert part.pause >= 0.16


def test_a_part_that_does_not_start_is_named_with_its_last_words(world: World) -> None:
    world.part("good")
    world.part("bad", "import sys; print('first'); sys.exit('no such model\\n')")
    supervisor = world.supervisor()
    with pytest.raises(StartError, match="bad did not start: no such model"):
        supervisor.start(20)
    supervisor.stop()
    assert world.stopped() in ([], ["good"])
    assert not any(part.child.running() for part in world.parts)


def test_a_part_that_is_never_ready(world: World) -> None:
    world.part("slow", "import time; time.sleep(60)")
    supervisor = world.supervisor()
    with pytest.raises(StartError, match="slow not ready after 0 s"):
        supervisor.start(0.2)
    assert supervisor.stop()


def test_a_part_that_does_not_stop_is_killed(world: World) -> None:
    stubborn = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True)\n"
    )
    world.part("stubborn", stubborn + "while True: time.sleep(60)", patience=0.2)
    supervisor = world.supervisor()
    assert supervisor.start(20)
    assert not supervisor.stop()
    assert world.said == ["stubborn did not stop in 0 s and was killed"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = """
    import sys, time
    from mlplugin.bundled.child import Child, Printer
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = Child("child", sleep, Printer(sys.stderr))
    child.start()
    print(child.pid, flush=True)
    time.sleep(600)
    """
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not alive(child))


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_held_back_terminal_loses_lines_and_stops_nobody() -> None:
    gate, blocked = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            blocked.set()
            gate.wait(20)
            return super().write(text)

    stream = Stuck()
    printer = Printer(stream)
    printer.write("line 0")
    assert blocked.wait(20)
    for number in range(1, 10_051):
        printer.write(f"line {number}")
    gate.set()
    until(lambda: "line 10000" in stream.getvalue())
    printer.write("after")
    until(lambda: "after" in stream.getvalue())
    printer.close()
    assert "... 50 lines dropped" in stream.getvalue()
    assert "line 10001" not in stream.getvalue()


def test_a_child_gets_no_variable_that_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPLUGIN_STORE_PASSWORD", "secret")
    monkeypatch.setenv("MLPLUGIN_OTHER", "seen")
    printer = Printer(None)
    code = "import os; print(sorted(n for n in os.environ if n.startswith('MLPLUGIN_')))"
    child = Child("child", python(code), printer, {"MLPLUGIN_OWN": "x"}, "MLPLUGIN_STORE_")
    child.start()
    until(lambda: not child.running())
    assert child.last_words() == "['MLPLUGIN_OTHER', 'MLPLUGIN_OWN']"
    printer.close()
