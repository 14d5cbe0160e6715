"""The systems side by side: how each is configured, started, looked at and stopped."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.ingest import cpu_seconds
from bench.performance.apart import COREFILE, answers, pinned
from mlplugin.bundled.ports import free_port
from tests.e2e.system import Process, Service, until

ROOT = Path(__file__).resolve().parents[2]

BARE, VERDICT, EVENTS, EVERYTHING = "bare", "verdict", "verdict + events", "everything"
LOG, DNSTAP, PROMETHEUS = "log", "dnstap", "prometheus"
OURS = (VERDICT, EVENTS, EVERYTHING)
SETTINGS = (BARE, *OURS, PROMETHEUS, LOG, DNSTAP)
BEFORE = " (before)"
BLOCKY, ADGUARD = "blocky", "AdGuard Home"

BLOCKY_CONFIG = """ports: {{dns: "127.0.0.1:{port}"}}
upstreams: {{groups: {{default: ["{host}:{upstream}"]}}}}
blocking: {{denylists: {{ads: ["{list}"]}}, clientGroupsBlock: {{default: [ads]}}}}
log: {{level: error}}
"""
ADGUARD_CONFIG = """http: {{address: 127.0.0.1:{http}}}
dns:
  bind_hosts: [127.0.0.1]
  port: {port}
  ratelimit: 0
  cache_size: 4194304
  upstream_dns: ["{host}:{upstream}"]
  bootstrap_dns: ["{host}:{upstream}"]
querylog: {{enabled: true}}
statistics: {{enabled: true}}
filters: [{{enabled: true, url: "{list}", name: list, id: 1}}]
schema_version: 29
"""


def go_build(folder: Path, package: str) -> Path:
    """Compile a program of this module with the packaged Go."""
    program = folder / Path(package).name
    go = Path(sys.executable).with_name("go")
    subprocess.run([go, "build", "-o", program, package], cwd=ROOT, check=True)
    return program


@dataclass
class Bench:
    """What all measurements share."""

    folder: Path
    cpus: str
    binary: Path
    sinks: dict[str, str]
    before: Path | None = None
    others: dict[str, Path] = field(default_factory=dict)  # blocky, AdGuard Home
    list_: Path | None = None  # of names, for those others

    def settings(self) -> list[str]:
        """All that can be measured, in the order of the tables."""
        more = [name + BEFORE for name in OURS] if self.before else []
        return [*SETTINGS, *more, *self.others]


def resident(pid: int) -> float:
    """Memory of a process that is in use, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


class System:
    """One DNS server, with the service where the setting has one; a context."""

    def __init__(
        self, bench: Bench, setting: str, plugin: str = "", extra: str = "", *,
        environment: dict[str, str] | None = None, log: Path = Path("/dev/null"),
    ) -> None:  # fmt: skip
        """`plugin` is more for the block of mlplugin, `extra` for the server block."""
        self.bench, self.setting = bench, setting
        self.environment, self.log = environment or {}, log
        self.plain = setting.removesuffix(BEFORE)
        self.plugin, self.extra = plugin, extra
        self.port = free_port()
        self.service: Service | None = None
        self.startup = 0.0
        self.place = bench.folder / "run"
        self.process: Process | None = None

    def __enter__(self) -> System:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        if self.plain == EVERYTHING:
            self.service = Service(self.place / "data", self.place / "service.log")
            self.service.command = pinned(self.bench.cpus, self.service.command)
            self.service.start()
            # What is imported for the first who looks is not a cost of queries.
            urllib.request.urlopen(self.service.url, timeout=30).close()
        command = pinned(self.bench.cpus, self._command())
        # What is logged goes where nothing is kept, as with `log` to nothing, unless it is wanted.
        self.process = Process(command, self.log, self.environment)
        begin = time.perf_counter()
        self.process.start()
        until(f"{self.setting} answers", lambda: self._up() and answers(self.port), 30)
        self.startup = time.perf_counter() - begin

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.alive(), f"{self.setting} does not run: {self.process.command}"
        return True

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.stop()
        if self.service is not None:
            self.service.stop()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def cpu_seconds(self) -> tuple[float, float]:
        """Processor time of the server, and of what serves it: upstream, readers, service."""
        around = cpu_seconds(int(self.bench.sinks["pid"]))
        if self.service is not None:
            around += cpu_seconds(self.service.pid)
        return cpu_seconds(self.pid), around

    def counts(self) -> dict[str, Any]:
        """What the service stored, what was dropped, and what still waits, once all is in."""
        if self.service is None:
            return {}
        at_end = stored = self.service.stats()["queries"]
        for _ in range(100):
            time.sleep(1)  # longer than an event waits for its batch to fill
            now = self.service.stats()
            if now["queries"] == stored:
                break
            stored = now["queries"]
        return {"stored": stored, "dropped": now["dropped"], "late": stored - at_end}

    def _command(self) -> list[str]:
        host, _, upstream = self.bench.sinks["dns"].rpartition(":")
        if self.plain in self.bench.others:
            program = str(self.bench.others[self.plain])
            values = {"port": self.port, "host": host, "upstream": upstream,
                      "list": self.bench.list_, "http": free_port()}  # fmt: skip
            config = self.place / "config.yml"
            if self.plain == BLOCKY:
                config.write_text(BLOCKY_CONFIG.format(**values))
                return [program, "--config", str(config)]
            config.write_text(ADGUARD_CONFIG.format(**values))
            return [program, "-c", str(config), "-w", str(self.place), "--no-check-update"]
        corefile = self.place / "Corefile"
        corefile.write_text(
            COREFILE.format(port=self.port, extra=self._extra(), upstream=self.bench.sinks["dns"])
        )
        before = self.setting != self.plain
        binary = self.bench.before if before and self.bench.before else self.bench.binary
        return [str(binary), "-conf", str(corefile)]

    def _extra(self) -> str:
        service = {
            EVENTS: f"service {self.bench.sinks['events']}\nsensor bench",
            EVERYTHING: f"service {self.service.url}\nsensor bench" if self.service else "",
        }.get(self.plain, "")
        found = {
            LOG: "log",
            DNSTAP: f"dnstap {self.bench.sinks['dnstap']} full",
            PROMETHEUS: f"prometheus 127.0.0.1:{free_port()}",
        }.get(self.plain, "")
        if self.plain in OURS:
            found = f"mlplugin {{\n{service}\n{self.plugin}\n}}"
        return f"{found}\n{self.extra}"
