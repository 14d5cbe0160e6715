"""Latency where load, server and what surrounds it have processors of their own.

python3 bench/performance/apart.py --binaries DIR --queries hot=FILE --out FILE

On few processors a load generator at half of what a server answers takes what the server would
need, and the tail of the latency tells of the scheduler. This needs Python's own library alone, and
in DIR three programs that run on any Linux: `coredns`, `dnsload` and `sinks`. The rate is half of
what bare CoreDNS answers on its processors; settings take turns within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A query for a name that no workload has, by which a server is seen to answer.
PROBE = bytes.fromhex("070701000001000000000000") + b"\x05ready\x07example\x03net\0\0\1\0\1"
COREFILE = """.:{port} {{
    bind 127.0.0.1
{extra}
    cache
    forward . {upstream}
}}
"""
SETTINGS = {
    "bare": "",
    "verdict": "mlplugin {\n}\n",
    "verdict + events": "mlplugin {\nservice {events}\n}\n",
}
OUTSTANDING = 200


def free_port() -> int:
    """A port that is free for UDP just now; of Python's own library alone, as all of this."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def pinned(cpus: str, command: list[str]) -> list[str]:
    """The command on these processors only, where `taskset` is there."""
    return ["taskset", "-c", cpus, *command] if cpus and shutil.which("taskset") else command


@contextlib.contextmanager
def sinks(program: Path, cpus: str) -> Iterator[dict[str, str]]:
    """Upstream, dnstap reader and event reader; the addresses they listen on, and their process."""
    child = subprocess.Popen(
        pinned(cpus, [str(program)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        addresses: dict[str, str] = json.loads(child.stdout.readline())
        yield {**addresses, "pid": str(child.pid)}
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


def answers(port: int) -> bool:
    """Ask once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.1)
        try:
            asker.connect(("127.0.0.1", port))
            asker.send(PROBE)
            return asker.recv(512)[:2] == PROBE[:2]
        except OSError:
            return False


class Apart:
    """Programs, addresses and processors of one run."""

    def __init__(self, options: argparse.Namespace, folder: Path, sinks: dict[str, str]) -> None:
        self.options, self.folder, self.sinks = options, folder, sinks

    @contextlib.contextmanager
    def server(self, plugin: str) -> Iterator[int]:
        """CoreDNS on its processors; its port, once it answers."""
        port, corefile = free_port(), self.folder / "Corefile"
        plugin = plugin.replace("{events}", self.sinks["events"])
        text = COREFILE.format(port=port, extra=plugin, upstream=self.sinks["dns"])
        corefile.write_text(text)
        program = str(self.options.binaries / "coredns")
        child = subprocess.Popen(
            pinned(self.options.server_cpus, [program, "-conf", str(corefile)]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(200):
                if answers(port):
                    break
                time.sleep(0.05)
            else:
                raise SystemExit(f"CoreDNS does not answer with {corefile.read_text()}")
            yield port
        finally:
            child.terminate()
            child.wait(30)

    def load(self, port: int, queries: Path, seconds: float, *more: str) -> dict[str, Any]:
        """What `dnsload` reports, from its own processors."""
        program = str(self.options.binaries / "dnsload")
        done = subprocess.run(
            pinned(self.options.load_cpus, [
                program, "-server", f"127.0.0.1:{port}", "-names", str(queries),
                "-for", f"{seconds}s", *more,
            ]),
            capture_output=True, check=True,
        )  # fmt: skip
        report: dict[str, Any] = json.loads(done.stdout)
        del report["p99_per_second"]
        return report

    def half(self, queries: Path) -> float:
        """Half of what bare CoreDNS answers a second, median of three."""
        rates: list[float] = []
        for _ in range(3):
            with self.server(SETTINGS["bare"]) as port:
                more = ("-outstanding", str(OUTSTANDING), "-sockets", "20")
                self.load(port, warming(queries), 1, *more)
                rates.append(self.load(port, queries, self.options.seconds, *more)["rate"])
        return statistics.median(rates) / 2

    def steady(self, port: int, queries: Path, rate: float) -> dict[str, Any]:
        """Latencies at that rate, after a second to warm up."""
        more = ("-rate", str(rate), "-wait", "1s")
        self.load(port, warming(queries), 1, *more)
        return self.load(port, queries, self.options.seconds, *more)

    def latencies(self, rows: list[dict[str, Any]]) -> None:
        """Each workload and setting in turn, in another order each round."""
        rates = {name: self.half(file) for name, file in self.options.queries}
        for number in range(self.options.rounds):
            for name, file in self.options.queries:
                for setting in random.Random(number).sample(list(SETTINGS), len(SETTINGS)):
                    with self.server(SETTINGS[setting]) as port:
                        found = self.steady(port, file, rates[name])
                    about = {"part": "apart", "workload": name, "setting": setting}
                    rows.append({**about, "round": number, "wanted": round(rates[name]), **found})
                    shown(rows[-1])

    def swaps(self, rows: list[dict[str, Any]], model: Path) -> None:
        """Latency while model and list change every half second, and while nothing does."""
        name, file = self.options.queries[0]
        rate = self.half(file)
        models, listing = self.folder / "models", self.folder / "listed.txt"
        for copy in ("a", "b"):
            shutil.copytree(model, models / copy, dirs_exist_ok=True)
        plugin = f"mlplugin {{\nmodel {models / 'now'}\ndeny {listing}\n}}\n"
        for number in range(self.options.rounds):
            for setting in ("peace", "swaps"):
                swap_to(models / "now", models / "a")
                listing.write_text("listed.example\n")
                with self.server(plugin) as port:
                    over, made = threading.Event(), [0]
                    swapper = threading.Thread(
                        target=keep_swapping, args=(models, listing, over, made)
                    )
                    if setting == "swaps":
                        swapper.start()
                    found = self.steady(port, file, rate)
                    over.set()
                    if setting == "swaps":
                        swapper.join()
                rows.append({"part": "apart swaps", "workload": name, "setting": setting,
                             "round": number, "swaps": made[0], **found})  # fmt: skip
                shown(rows[-1])


def warming(queries: Path) -> Path:
    """Names to warm up with, so that those of the workload stay unseen, if there are any."""
    found = queries.with_stem(f"{queries.stem}-warm")
    return found if found.exists() else queries


def swap_to(link: Path, target: Path) -> None:
    """Let a link point there, at once."""
    new = link.with_name("new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def keep_swapping(models: Path, listing: Path, over: threading.Event, made: list[int]) -> None:
    """Change model and list in turn until told to end."""
    while not over.wait(0.5):
        if made[0] % 2:
            listing.write_text(f"listed{made[0]}.example\n")
        else:
            swap_to(models / "now", models / "ba"[made[0] // 2 % 2])
        made[0] += 1


def shown(row: dict[str, Any]) -> None:
    """One line of progress."""
    print(
        f"{row['part']} {row['workload']:6} {row['setting']:16} {row['rate']:9,.0f}/s "
        f"p50 {row['p50']:6.0f} p99 {row['p99']:6.0f} p999 {row['p999']:6.0f} "
        f"max {row['max']:6.0f} µs, lost {row['lost']}",
        flush=True,
    )


def about(options: argparse.Namespace) -> dict[str, Any]:
    """What this runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "processor": model, "processors": os.cpu_count(),
        "server": options.server_cpus, "load": options.load_cpus, "around": options.sink_cpus,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }  # fmt: skip


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    usage = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        "apart.py", description=usage[0], epilog="\n\n".join(usage[1:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--binaries",
        type=lambda text: Path(text).resolve(),
        required=True,
        help="folder of the programs",
    )
    parser.add_argument(
        "--queries", action="append", required=True, metavar="NAME=FILE",
        type=lambda text: (text.partition("=")[0], Path(text.partition("=")[2])),
        help="a workload: a file of names with types, warmed up with FILE-warm beside it if that "
        "is there; more than one may be given",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="file of results")
    parser.add_argument("--model", type=Path, help="a model directory: measures swaps, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--server-cpus", default="0,1")
    parser.add_argument("--load-cpus", default="2,3")
    parser.add_argument("--sink-cpus", default="4,5", help="upstream and event reader")
    return parser.parse_args(arguments)


def main() -> int:
    """Measure, and write what was measured at the end, however that comes."""
    options = parsed()
    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as place,
        sinks(options.binaries / "sinks", options.sink_cpus) as addresses,
    ):
        apart = Apart(options, Path(place), addresses)
        try:
            if options.model is not None:
                apart.swaps(rows, options.model)
            apart.latencies(rows)
        finally:
            options.out.write_text(json.dumps({"about": about(options), "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
