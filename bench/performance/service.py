"""The service's side: events into the store, the dashboard's questions, names by the file."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.ingest import BATCH, Mix, batches
from bench.ingest import measure as measure_ingest
from bench.performance import dashboard
from bench.performance.load import own_seconds
from bench.performance.parts import say
from bench.performance.results import Results
from bench.performance.systems import go_build
from bench.performance.workloads import distinct, invented, listed

GO, PYTHON = "Go", "Python"


def ingest(results: Results, options: argparse.Namespace) -> None:
    """Events from the socket to DuckDB."""
    count = 20_000 if options.quick else 500_000
    bodies = None
    for number in range(min(options.rounds, 3)):
        if results.has(part="ingest", round=number):
            continue
        bodies = bodies or batches(Mix().events(count), BATCH)
        with tempfile.TemporaryDirectory() as place:
            found = measure_ingest(bodies, 2, Path(place) / "data")
        results.add(part="ingest", round=number, **found)


def classify(results: Results, options: argparse.Namespace) -> None:
    """Names a second that one core judges, of a file; what a start takes is taken off."""
    few, many = (1_000, 5_000) if options.quick else (10_000, 210_000)
    dice = random.Random(1)
    if options.data is not None:
        pool = list(listed(options.data / "names" / "benign_fqdn.tsv.gz"))
        names = [dice.choice(pool) for _ in range(many)]
    else:
        names = distinct(lambda: invented(dice), many)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sizes = {few: folder / "few.txt", many: folder / "many.txt"}
        for size, path in sizes.items():
            path.write_text("\n".join(names[:size]) + "\n")
        judge = go_build(folder, "./coredns/cmd/judge")
        for number in range(min(options.rounds, 3)):
            for program in (GO, PYTHON):
                if results.has(part="classify", setting=program, round=number):
                    continue
                used = []
                for path in sizes.values():
                    before = own_seconds()
                    command = [str(judge)]
                    if program == PYTHON:
                        command = [sys.executable, "-m", "mlplugin", "classify", "-f", str(path),
                                   "--format", "jsonl"]  # fmt: skip
                    with path.open("rb") as stdin:
                        subprocess.run(command, stdin=stdin, stdout=subprocess.DEVNULL, check=True)
                    used.append(own_seconds() - before)
                rate = (many - few) / (used[1] - used[0])
                results.add(part="classify", setting=program, round=number, per_core_s=round(rate))
                say(f"classify {number + 1} {program:6} {rate:,.0f} names/s of one core")


def questions(results: Results, options: argparse.Namespace) -> None:
    """The dashboard's questions on each size of history."""
    for count in options.events:
        if results.has(part="questions", events=count):
            continue
        with tempfile.TemporaryDirectory(dir=options.scratch) as place:
            begin = time.perf_counter()
            size = dashboard.generate(Path(place), count)
            say(f"questions: {count:,} events made in {time.perf_counter() - begin:.0f} s")
            for what, took in dashboard.measure(Path(place)).items():
                results.add(part="questions", events=count, setting=what,
                            disk_bytes=round(size, 2), **took)  # fmt: skip
                say(f"questions {count:,} {what:26} {took}")
