"""The measurements, each made in rounds that go through all settings in turn."""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.performance.apart import swap_to
from bench.performance.collecting import PACES, collected, since
from bench.performance.load import Generator, own_seconds
from bench.performance.results import Results
from bench.performance.systems import BARE, EVERYTHING, OURS, VERDICT, Bench, System, resident
from bench.performance.workloads import HOT, UNSEEN, Workload
from mlplugin.bundled.ports import free_port
from mlplugin.model import shipped

LIST_NAMES = 1_000_000
GUESS = 5000.0  # queries a second where nothing is measured, of what tells no latency by itself


def say(text: str) -> None:
    print(text, flush=True)


class Parts:
    """All measurements of one run."""

    def __init__(
        self, bench: Bench, load: Generator, workloads: dict[str, Workload], results: Results,
        options: argparse.Namespace,
    ) -> None:  # fmt: skip
        self.bench, self.load, self.workloads = bench, load, workloads
        self.results, self.options = results, options

    def _rounds(
        self, part: str, settings: list[str], measure: Callable[[str, str], dict[str, Any]]
    ) -> None:
        """Each round goes through workloads and settings, in another order each time."""
        for number in range(self.options.rounds):
            for name in self.workloads:
                order = random.Random(number).sample(settings, len(settings))
                for setting in order:
                    key = {"part": part, "workload": name, "setting": setting, "round": number}
                    if self.results.has(**key):
                        continue
                    found = measure(name, setting)
                    self.results.add(**key, **found)
                    shown = {k: v for k, v in found.items() if not isinstance(v, dict | list)}
                    say(f"{part} {number + 1}/{self.options.rounds} {name:6} {setting:16} {shown}")

    def throughput(self) -> None:
        """Answers a second when always 200 queries are on the way."""

        def measure(name: str, setting: str) -> dict[str, Any]:
            work = self.workloads[name]
            with System(self.bench, setting) as system:
                self.load.flood(system.port, work.warm, self.options.warm)
                before, own = system.cpu_seconds(), own_seconds()
                found = self.load.flood(
                    system.port, work.queries, self.options.seconds, once=work.once
                )
                memory, load = resident(system.pid), own_seconds() - own
                counts = system.counts() if system.service is not None else {}
                server, around = (
                    now - then for now, then in zip(system.cpu_seconds(), before, strict=True)
                )
                return {
                    **found,
                    "server_us": round(1e6 * server / found["answered"], 2),
                    "all_us": round(1e6 * (server + around + load) / found["answered"], 2),
                    "rss_mb": round(memory, 1),
                    "startup_s": round(system.startup, 3),
                    **counts,
                }

        self._rounds("throughput", self.options.settings, measure)

    def latency(self) -> None:
        """Latency at half of what bare CoreDNS answers."""
        rates = self._halves()

        def measure(name: str, setting: str) -> dict[str, Any]:
            work = self.workloads[name]
            with System(self.bench, setting) as system:
                self.load.steady(system.port, work.warm, self.options.warm, rates[name])
                return self._steady(system, work, rates[name])

        wanted = [name for name in (BARE, *OURS) if name in self.options.settings]
        self._rounds("latency", wanted, measure)

    def collecting(self) -> None:
        """Latency at half load beside what Go's collections of garbage take."""
        log = self.bench.folder / "collections.log"
        rates = self._halves()

        def measure(name: str, pace: str) -> dict[str, Any]:
            log.unlink(missing_ok=True)
            setting, environment = PACES[pace].setting, PACES[pace].environment
            with System(self.bench, setting, environment=environment, log=log) as system:
                work = self.workloads[name]
                self.load.steady(system.port, work.warm, self.options.warm, rates[name])
                ends = log.stat().st_size
                begin = time.perf_counter()
                found = self._steady(system, work, rates[name])
                return {**found, **collected(since(log, ends), time.perf_counter() - begin)}

        self._rounds("collecting", list(PACES), measure)

    def _half(self, name: str) -> float | None:
        """Half of what bare CoreDNS answers a second, where that is measured."""
        bare = [r["qps"] for r in self.results.of("throughput", workload=name, setting=BARE)]
        return statistics.median(bare) / 2 if bare else None

    def _halves(self) -> dict[str, float]:
        """The same of every workload. Raises SystemExit where one is not measured."""
        found = {name: self._half(name) for name in self.workloads}
        if missing := [name for name, rate in found.items() if rate is None]:
            raise SystemExit(
                f"half of what bare CoreDNS answers is not known of {', '.join(missing)}: measure "
                "throughput as well, or go on with --resume in a file that has it"
            )
        return {name: rate for name, rate in found.items() if rate is not None}

    def _steady(self, system: System, work: Workload, rate: float) -> dict[str, Any]:
        """Latencies at a rate, without those of each second."""
        found = self.load.steady(system.port, work.queries, self.options.seconds, rate)
        del found["p99_per_second"]
        return found

    def footprint(self) -> None:
        """Memory after start and under load, and with a list of a million names."""
        listing = self.bench.folder / "list.txt"
        count = min(LIST_NAMES, self.options.list_names)
        with listing.open("w") as out:
            out.writelines(f"host{n}.listed{n % 99991}.example\n" for n in range(count))
        for number in range(min(self.options.rounds, 3)):
            for setting, plugin in (
                (BARE, ""), (VERDICT, ""), ("verdict + list", f"deny {listing}"),
            ):  # fmt: skip
                if self.results.has(part="footprint", setting=setting, round=number):
                    continue
                name = VERDICT if plugin else setting
                with System(self.bench, name, plugin=plugin) as system:
                    fresh = resident(system.pid)
                    for work in self.workloads.values():
                        self.load.flood(system.port, work.queries, self.options.warm)
                    found = {"start_mb": round(fresh, 1), "rss_mb": round(resident(system.pid), 1),
                             "startup_s": round(system.startup, 3)}  # fmt: skip
                self.results.add(
                    part="footprint", setting=setting, round=number, names=count, **found
                )
                say(f"footprint {number + 1} {setting:16} {found}")

    def swaps(self) -> None:
        """Latency while model, list and policy change every second, and while nothing does."""
        models = self.bench.folder / "models"
        shutil.rmtree(models, ignore_errors=True)
        for name in ("a", "b"):
            shutil.copytree(shipped(), models / name)
        link, listing = models / "now", self.bench.folder / "swapped.txt"
        name = HOT if HOT in self.workloads else next(iter(self.workloads))
        rate = self._half(name) or GUESS
        for number in range(self.options.rounds):
            for setting in ("peace", "swaps"):
                if self.results.has(part="swaps", setting=setting, round=number):
                    continue
                swap_to(models / "now", models / "a")
                listing.write_text("listed.example\n")
                plugin = f"model {link}\ndeny {listing}"
                with System(self.bench, EVERYTHING, plugin=plugin) as system:
                    work = self.workloads[name]
                    self.load.steady(system.port, work.queries, self.options.warm, rate)
                    over, made = threading.Event(), [0]
                    swapper = threading.Thread(
                        target=keep_swapping, args=(system, self.bench.folder, over, made)
                    )
                    if setting == "swaps":
                        swapper.start()
                    found = self._steady(system, work, rate)
                    over.set()
                    if setting == "swaps":
                        swapper.join()
                self.results.add(
                    part="swaps", setting=setting, round=number, swaps=made[0], **found
                )
                say(f"swaps {number + 1} {setting:6} {made[0]} swaps, p99 {found['p99']:.0f} "
                    f"max {found['max']:.0f} µs")  # fmt: skip

    def soak(self) -> None:
        """Memory while names that nobody has asked for come at half of what is possible."""
        if self.results.has(part="soak"):
            return
        name = UNSEEN if UNSEEN in self.workloads else next(iter(self.workloads))
        rate = self._half(name) or GUESS
        flood, dice = self.bench.folder / "flood.txt", random.Random(2)
        with flood.open("w") as out:
            out.writelines(
                f"{dice.getrandbits(60):015x}.flooded.net\n" for _ in range(self.options.flood)
            )
        seconds = 60 * self.options.minutes
        with System(self.bench, EVERYTHING) as system:
            assert system.service is not None
            found: dict[str, Any] = {}
            load = threading.Thread(
                target=lambda: found.update(self.load.steady(system.port, flood, seconds, rate))
            )
            load.start()
            samples = []
            begin = time.monotonic()
            while load.is_alive():
                load.join(max(seconds / 20, 0.5))
                samples.append({
                    "s": round(time.monotonic() - begin, 1),
                    "coredns_mb": round(resident(system.pid), 1),
                    "service_mb": round(resident(system.service.pid), 1),
                })  # fmt: skip
                say(f"soak {samples[-1]}")
            del found["p99_per_second"]
            row = self.results.add(part="soak", minutes=self.options.minutes,
                                   names=self.options.flood, samples=samples, **found)  # fmt: skip
            # An hour was too long to lose it to a count that takes its time.
            row.update(system.counts())
            self.results.save()
        say(f"soak {samples[0]} ... {samples[-1]}")

    def profile(self, folder: Path) -> None:
        """CPU and allocation profiles of each of our settings under each workload."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, work in self.workloads.items():
            for setting in (s for s in self.options.settings if s in (BARE, *OURS)):
                port = free_port()
                with System(self.bench, setting, extra=f"pprof 127.0.0.1:{port}") as system:
                    self.load.flood(system.port, work.warm, self.options.warm)
                    seconds = max(2, round(self.options.seconds))
                    loading = threading.Thread(
                        target=self.load.flood, args=(system.port, work.queries, seconds + 1)
                    )
                    loading.start()
                    kinds = {"cpu": f"profile?seconds={seconds}", "allocs": "allocs"}
                    for kind, path in kinds.items():
                        url = f"http://127.0.0.1:{port}/debug/pprof/{path}"
                        with urllib.request.urlopen(url, timeout=seconds + 30) as answer:
                            file = folder / f"{name}-{setting.replace(' ', '')}-{kind}.pprof"
                            file.write_bytes(answer.read())
                    loading.join()
                say(f"profile {name} {setting}: go tool pprof -top {folder}/...")


def keep_swapping(system: System, folder: Path, over: threading.Event, made: list[int]) -> None:
    """Change model, list and policy in turn until told to end."""
    assert system.service is not None
    models, listing = folder / "models", folder / "swapped.txt"
    while not over.wait(0.5):
        turn = made[0]
        if turn % 3 == 0:
            swap_to(models / "now", models / "ba"[turn // 3 % 2])
        elif turn % 3 == 1:
            listing.write_text(f"listed{turn}.example\n")
        else:
            url = f"{system.service.url}/api/v1/overrides/vetted{turn}.example.org"
            request = urllib.request.Request(
                url, b'{"status": "benign"}', {"Content-Type": "application/json"}, method="PUT"
            )
            urllib.request.urlopen(request, timeout=10).close()
        made[0] = turn + 1
