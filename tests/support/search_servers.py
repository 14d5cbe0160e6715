"""Real Elasticsearch and OpenSearch servers, from Maven Central, for tests and benchmarks.

Each version is fetched once into the user's cache. A server runs on a copy of its own, as
nobody where the tests run as root, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from tests.support.leftovers import MARK

# Set to 1, it lets tests of servers be skipped where they cannot be fetched.
WITHOUT = "MLPLUGIN_TEST_WITHOUT_SERVERS"
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
CACHE = platformdirs.user_cache_path("mlplugin", appauthor=False) / "search-servers"
MAIN = re.compile(rb"bootstrap\.(Elasticsearch|OpenSearch)\0")
START_SECONDS = 300.0
# Between the tests and a server: ends the whole process group when they end, however they do.
# Newer servers are started by a Java of their own, whose end alone does not end them.
WATCHER = """
import ctypes, os, signal, subprocess, sys
child = None
def end(*_):
    if child is not None:
        os.killpg(child.pid, signal.SIGKILL)
    os._exit(1)
signal.signal(signal.SIGTERM, end)
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, process_group=0)
if os.getppid() != int(sys.argv[1]):
    end()
sys.exit(child.wait())
"""

USUAL = ("elasticsearch-7.17.29", "elasticsearch-8.19.21", "opensearch-2.19.5")
ALL = (
    "elasticsearch-7.7.0",
    "elasticsearch-7.10.2",
    *USUAL[:2],
    "elasticsearch-9.5.3",
    USUAL[2],
    "opensearch-3.8.0",
)


def least_java(name: str) -> int:
    """The oldest Java that a server takes."""
    engine, _, version = name.partition("-")
    major = int(version.split(".")[0])
    return 21 if major >= (9 if engine == "elasticsearch" else 3) else 17


@functools.cache
def javas() -> dict[int, Path]:
    """The Javas of this machine, by major version."""
    homes = [Path(home) for home in (os.environ.get("JAVA_HOME"),) if home]
    if program := shutil.which("java"):
        homes.append(Path(program).resolve().parents[1])
    homes += sorted(Path("/usr/lib/jvm").glob("*")) if Path("/usr/lib/jvm").is_dir() else []
    found: dict[int, Path] = {}
    for home in homes:
        if not (home / "bin" / "java").is_file():
            continue
        done = subprocess.run(
            [home / "bin" / "java", "-version"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if match := re.search(r'version "(\d+)', done.stderr):
            found.setdefault(int(match[1]), home)
    return found


def java_for(name: str) -> Path:
    """The Java to run a server with; skips the test, loudly, where there is none."""
    least = least_java(name)
    fitting = sorted(version for version in javas() if version >= least)
    if not fitting:
        pytest.skip(f"NO JAVA: {name} needs Java {least} or newer, and this machine has none")
    return javas()[fitting[0]]


def installed(name: str) -> Path:
    """The folder of a server in the cache, fetched if it is not there yet."""
    place = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _fetch(name, place)
    return place


def _fetch(name: str, place: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        lacks = f"NO MAVEN: {name} is fetched with `mvn`, which is not installed"
        if os.environ.get(WITHOUT) == "1":
            pytest.skip(lacks)
        pytest.fail(f"{lacks}: install it, or set {WITHOUT}=1 to go without")
    engine, _, version = name.partition("-")
    artifact = f"org.{engine}.distribution.integ-test-zip:{engine}:{version}:zip"
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        done = subprocess.run(
            [maven, "-q", "-B", UNPACK, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{name} cannot be fetched:\n{done.stdout}{done.stderr}"
        (unpacked,) = (path for path in Path(folder).iterdir() if (path / "bin").is_dir())
        unpacked.rename(place)


_given: list[int] = []


def steady_port() -> int:
    """A free port that no client is given while a server is away, to be there when it is back.

    Nobody listens on it yet: what was given is not given again.
    """
    clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    high = max(2048, clients)
    while True:
        port = random.randrange(max(1024, high - 20_000), high)
        if port in _given:
            continue
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            _given.append(port)
            return port


class SearchServer:
    """One node on loopback. `data` may be a folder of another file system."""

    def __init__(self, name: str, heap: str = "512m", data: Path | None = None) -> None:
        self.name = name
        self.engine, _, version = name.partition("-")
        self.version = tuple(int(part) for part in version.split("."))
        self._java = java_for(name)
        self._heap = heap
        source = installed(name)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        shutil.copytree(source, self.home, copy_function=_link)
        for folder in (self.home, *(path for path in self.home.rglob("*") if path.is_dir())):
            folder.chmod(0o755)  # whoever fetched it may have hidden it, and nobody runs it
        self.data = data or self.folder / "data"
        self.port, self.transport = steady_port(), steady_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._child: subprocess.Popen[bytes] | None = None
        self._configure()

    def _configure(self) -> None:
        config = self.home / "config"
        for path in config.rglob("*"):  # links to the cache must not be written through
            if path.is_file():
                content = path.read_bytes()
                path.unlink()
                path.write_bytes(content)
        options = config / "jvm.options"
        lines = options.read_text().splitlines()
        options.write_text("\n".join(line for line in lines if "-Xlog:gc" not in line) + "\n")
        settings = [
            "cluster.name: test",
            "node.name: test",
            "network.host: 127.0.0.1",
            f"http.port: {self.port}",
            f"transport.port: {self.transport}",
            f"path.data: {self.data}",
            f"path.logs: {self.folder / 'logs'}",
            "discovery.type: single-node",
            "cluster.routing.allocation.disk.threshold_enabled: false",
        ]
        if (self.home / "modules" / "x-pack-security").is_dir():
            settings.append("xpack.security.enabled: false")
        (config / f"{self.engine}.yml").write_text("\n".join(settings) + "\n")
        self.data.mkdir(exist_ok=True)
        for name in ("logs", "tmp"):
            (self.folder / name).mkdir()
        if os.geteuid() == 0:
            owned = (config, self.folder / "logs", self.folder / "tmp", self.data)
            subprocess.run(["chown", "-R", "nobody:nogroup", *owned], check=True, timeout=60)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it."""
        command = [sys.executable, "-c", WATCHER, str(os.getpid())]
        if os.geteuid() == 0:
            command += ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        kind = "OPENSEARCH" if self.engine == "opensearch" else "ES"
        environment = {
            MARK: os.environ.get(MARK, ""),
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "JAVA_HOME": str(self._java),
            f"{kind}_JAVA_HOME": str(self._java),
            f"{kind}_PATH_CONF": str(self.home / "config"),
            f"{kind}_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap}",
            f"{kind}_TMPDIR": str(self.folder / "tmp"),
        }
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                [*command, str(self.home / "bin" / self.engine)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,
            )

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "output.log"

    def wait(self) -> None:
        """Wait until it answers; a server that does not start fails the test."""
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self._child is not None
            said = self.log.read_text(errors="replace")[-3000:]
            assert self._child.poll() is None, f"{self.name} ended:\n{said}"
            assert time.monotonic() < end, f"{self.name} does not answer:\n{said}"
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether it can be used."""
        try:
            return bool(self.ask("GET", "/_cluster/health")["status"] in {"green", "yellow"})
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 30) -> Any:
        """A request past all our code."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return json.loads(answer.read() or b"{}")

    @property
    def pid(self) -> int:
        """The Java process that is the server: newer versions start it from another one."""
        home = str(self.home).encode()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = entry.read_bytes()
                if home in command and MAIN.search(command):
                    return int(entry.parent.name)
        raise AssertionError(f"{self.name} does not run")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server itself."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError, AssertionError):
            self.send(signal.SIGKILL)
        self._child.terminate()
        self._child.wait(30)

    def close(self) -> None:
        """End it, and remove everything of it."""
        if self._child is not None and self._child.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _link(source: str, target: str) -> None:
    """A hard link where one can be made: a server has a hundred megabytes that nobody changes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextlib.contextmanager
def running(name: str, heap: str = "512m", data: Path | None = None) -> Iterator[SearchServer]:
    """A server that is there and goes again."""
    server = SearchServer(name, heap, data)
    try:
        server.start()
        yield server
    finally:
        server.close()
