"""A whole system on loopback: scripted upstream, service, CoreDNS; each a real process."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlplugin.bundled.binary import find_binary
from mlplugin.bundled.ports import free_port
from tests.support.leftovers import tied

DEADLINE = 60.0


def until(what: str, condition: Callable[[], Any], deadline: float = DEADLINE) -> Any:
    """Poll until the condition is true; fail with its name when the deadline passes."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline:.0f} s: {what}")


def get_json(url: str, **request: Any) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, **request), timeout=10) as answer:
        return json.load(answer)


def post_json(url: str, body: Any) -> Any:
    data = json.dumps(body).encode()
    return get_json(url, data=data, headers={"Content-Type": "application/json"}, method="POST")


def metrics(port: int) -> dict[str, float]:
    """CoreDNS's metrics, summed over labels by name, and also with labels as they stand."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#") or not (match := re.match(r"(\w+)(\{.*\})? (\S+)$", line)):
            continue
        value = float(match[3])
        found[match[1]] = found.get(match[1], 0.0) + value
        if match[2]:
            found[match[1] + match[2]] = value
    return found


@dataclass
class Process:
    """A child with its output in a file.

    It ends with the test that started it, or with the tests as a whole if a fixture did.
    """

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                tied(self.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
            )
        STARTED.append(self)

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def send(self, number: signal.Signals) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait, and give the exit status."""
        if self.child is None:
            return 0
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
        try:
            return self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(30)
            raise AssertionError(f"did not stop: {self.command}\n{self.output()}") from None

    def kill(self) -> None:
        """End it, and its children with it, however far it has come."""
        if self.alive():
            with contextlib.suppress(AssertionError):
                self.stop()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


# What runs; the fixture `nothing_runs_on` ends what a test leaves in it.
STARTED: list[Process] = []


def mlplugin(*arguments: str, timeout: float = 120, **options: Any) -> Any:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mlplugin", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


class Service(Process):
    """`mlplugin serve` on a data directory."""

    def __init__(self, data: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            [
                sys.executable,
                "-m",
                "mlplugin",
                "serve",
                "--http",
                f"127.0.0.1:{self.port}",
                "--data",
                str(data),
            ],
            log,
        )

    def start(self) -> None:
        super().start()
        until("the service is ready", self.ready)

    def ready(self) -> bool:
        assert self.alive(), self.output()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            except OSError:
                return False

    def stats(self) -> Any:
        return get_json(f"{self.url}/api/v1/stats")


@functools.cache
def built() -> Path:
    """The bundled CoreDNS; the first of a machine is built, which takes minutes."""
    return find_binary(lambda _progress: None)


class CoreDNS(Process):
    """The bundled CoreDNS with a Corefile."""

    def __init__(self, folder: Path, corefile: str, port: int, metrics_port: int | None) -> None:
        self.port = port
        self.metrics_port = metrics_port
        self.corefile = folder / "Corefile"
        self.corefile.write_text(corefile)
        super().__init__(
            [sys.executable, "-m", "mlplugin", "coredns", "--", "-conf", str(self.corefile)],
            folder / "coredns.log",
        )

    def start(self) -> None:
        built()
        super().start()
        until("CoreDNS listens", self.listens)

    def listens(self) -> bool:
        """Whether TCP and UDP are open; the second comes a moment after the first."""
        assert self.alive(), self.output()
        place = "127.0.0.1", self.port
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            if stream.connect_ex(place) != 0:
                return False
            datagrams.connect(place)
            try:
                for _ in range(2):  # the second is told that nobody took the first
                    datagrams.send(b"no query")
            except ConnectionRefusedError:
                return False
            return True

    def metrics(self) -> dict[str, float]:
        assert self.metrics_port is not None
        return metrics(self.metrics_port)
