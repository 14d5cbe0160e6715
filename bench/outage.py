"""Latency and counts at a steady load while the service is killed, stopped and out of disk.

uv run python -m bench.outage [--rate 5000] [--seconds 20] [NAMES]

NAMES is a file of names, one a line (default: invented ones). CoreDNS answers from a
template, so that nothing but the plugin and its events is measured. Phases with an outage
and phases in peace alternate in one run; the last lines count what was sent against what the
store holds. The disk is a tmpfs of its own where the rights allow a mount, else a
file size limit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mlplugin.bundled.ports import free_port
from tests.e2e.system import CoreDNS, Service, until

ROOT = Path(__file__).resolve().parents[1]

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor bench
        spool {spool} 1GiB
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""


def build_dnsload(folder: Path) -> Path:
    """Compile the load generator."""
    program = folder / "dnsload"
    go = Path(sys.executable).with_name("go")
    subprocess.run([go, "build", "-o", program, "./bench/dnsload"], cwd=ROOT, check=True)
    return program


def run_load(program: Path, server: CoreDNS, names: Path, rate: int, seconds: float) -> dict:  # type: ignore[type-arg]
    """One phase of load; the generator's report."""
    done = subprocess.run(
        [
            program,
            "-server",
            f"127.0.0.1:{server.port}",
            "-names",
            names,
            "-rate",
            str(rate),
            "-for",
            f"{seconds}s",
        ],
        capture_output=True,
        check=True,
    )
    report: dict[str, object] = json.loads(done.stdout)
    return report


class Outages:
    """What is done to the service two seconds into a phase, and undone before it ends."""

    def __init__(self, service: Service, data: Path, seconds: float, mounted: bool) -> None:
        self.service, self.data, self.mounted = service, data, mounted
        self.pause = seconds / 2

    def peace(self) -> None:
        """Nothing."""

    def kill(self) -> None:
        """SIGKILL, and a new start."""
        self.service.stop(signal.SIGKILL)
        time.sleep(self.pause)
        self.service.start()

    def stop(self) -> None:
        """SIGSTOP, and SIGCONT."""
        self.service.send(signal.SIGSTOP)
        time.sleep(self.pause)
        self.service.send(signal.SIGCONT)

    def full(self) -> None:
        """No space left on the store's disk, and space again."""
        with self.no_space():
            time.sleep(self.pause)

    @contextlib.contextmanager
    def no_space(self) -> Iterator[None]:
        """Fill the file system, or forbid the process to write."""
        if not self.mounted:
            before = resource.prlimit(self.service.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.service.pid, resource.RLIMIT_FSIZE, (1, before[1]))
            yield
            resource.prlimit(self.service.pid, resource.RLIMIT_FSIZE, before)
            return
        ballast = self.data / "ballast"
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        yield
        ballast.unlink()


def tmpfs(folder: Path) -> bool:
    """Mount a small file system of its own on the folder, where allowed."""
    if os.geteuid() != 0:
        return False
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def phase(outage: Callable[[], None], load: Callable[[], dict]) -> dict:  # type: ignore[type-arg]
    """One phase: the load in this thread, the outage beside it."""

    def disturb() -> None:
        time.sleep(2)
        outage()

    thread = threading.Thread(target=disturb)
    thread.start()
    report = load()
    thread.join()
    print(
        f"{outage.__name__:6} sent {report['sent']:>7} lost {report['lost']:>3} "
        f"rcodes {report['rcodes']} p50 {report['p50']:.0f} p99 {report['p99']:.0f} "
        f"p99.9 {report['p999']:.0f} max {report['max']:.0f} µs",
        flush=True,
    )
    return report


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="?", type=Path)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20)
    return parser.parse_args(arguments)


def main() -> int:
    """Run the phases and compare the counts."""
    options = parsed()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = folder / "data"
        data.mkdir()
        mounted = tmpfs(data)
        print("disk:", "a tmpfs of 192 MiB" if mounted else "a file size limit")
        try:
            return measure(folder, data, mounted, options)
        finally:
            if mounted:
                subprocess.run(["umount", "-l", str(data)], check=False)


def measure(folder: Path, data: Path, mounted: bool, options: argparse.Namespace) -> int:
    """All phases against one system."""
    names = options.names
    if names is None:
        names = folder / "names"
        names.write_text("".join(f"host{n}.example{n % 997}.com\n" for n in range(20_000)))
    program = build_dnsload(folder)
    service = Service(data, folder / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(port=port, metrics=metrics, url=service.url, spool=folder / "spool")
    server = CoreDNS(folder, corefile, port, metrics)
    server.start()
    outages = Outages(service, data, options.seconds, mounted)
    sent = lost = 0
    for outage in (
        outages.peace, outages.kill, outages.peace, outages.stop, outages.peace, outages.full,
    ):  # fmt: skip
        report = phase(
            outage,
            lambda: run_load(program, server, names, options.rate, options.seconds),
        )
        sent += report["sent"]
        lost += report["lost"]
    until(
        "all events are delivered",
        lambda: server.metrics()["coredns_mlplugin_events_pending"] == 0,
        120,
    )
    counters = server.metrics()
    dropped = counters.get("coredns_mlplugin_events_dropped_total", 0)
    stored = service.stats()["queries"]
    print(f"sent {sent}, lost answers {lost}, stored {stored}, dropped {dropped:.0f}")
    server.stop()
    service.stop()
    return 0 if lost == 0 and stored + dropped == sent else 1


if __name__ == "__main__":
    sys.exit(main())
