"""Judge a history of many distinct names again: time, processor, and the most memory.

uv run python -m bench.hindsight [--names 1000000] [--queries 3] [--data DATA]

The embedded store is filled with --queries queries of each name, of 500 clients, and each question
is asked in a process of its own. With DATA (a folder with `names/`) the names are real ones.
`the shipped model` finds few names otherwise, `low thresholds` some hundredth, `com is denied` half
of them: who asked for each is looked up then.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa

from bench.performance.workloads import invented
from mlplugin.model import load
from mlplugin.qname import canonical
from mlplugin.service.hindsight import Replay
from mlplugin.service.lists import Lists
from mlplugin.service.past import Stretch
from mlplugin.service.rules import Limits, Rules
from mlplugin.store import open_store
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Filter

FILES = ("benign_popular", "benign_longtail", "mal_malware")
DAYS = 7
SHIPPED, LOW, DENIED = "the shipped model", "low thresholds", "com is denied"
FILL = """
    INSERT INTO events
    SELECT
        make_timestamp({start} + n * {step}), 0, n,
        '10.0.' || (hash(n, 1) % 2)::BIGINT::VARCHAR || '.' || (hash(n, 2) % 250)::BIGINT::VARCHAR,
        'udp', qname, NULL, 'A', 'NOERROR', '192.0.2.1', 100, 'benign', NULL, 3.0, 'model',
        '2026.11.1', 'observe', NULL, NULL, NULL, NULL
    FROM (SELECT qname, row * {queries} + r.i AS n FROM named, range({queries}) r(i))
"""


def names_of(data: Path | None) -> Iterator[str]:
    """Real names, or invented ones, in no order."""
    dice = random.Random(1)
    if data is None:
        while True:
            yield f"{dice.getrandbits(32):x}.{invented(dice)}"
    for file in FILES:
        with gzip.open(data / "names" / f"{file}.tsv.gz", "rt") as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                yield canonical(row["name"])


def fill(place: Path, names: int, queries: int, data: Path | None) -> int:
    """Make the history; how many names it has."""
    found = list(dict.fromkeys(islice(names_of(data), names)))
    table = pa.table({"row": pa.array(range(len(found)), pa.int64()), "qname": found})
    store = DuckDBStore(place)
    start = datetime.now(UTC) - timedelta(days=DAYS)
    total = len(found) * queries
    with store._file.writing() as connection:
        connection.execute("INSERT INTO sensors VALUES (0, 'bench')")
        connection.execute("INSERT INTO sequences VALUES (0, 0, ?)", [total - 1])
        connection.register("named", table)
        connection.execute(
            FILL.format(
                start=int(start.timestamp() * 1e6), step=DAYS * 86_400_000_000 // total,
                queries=queries,
            )
        )  # fmt: skip
    store.close()
    return len(found)


def ask(place: Path, kind: str) -> None:
    """Ask one question, and print what it took."""
    store = open_store(None, place, read_only=True)
    model = load()
    lists, limits = Lists(), Limits()
    if kind == DENIED:
        lists.add("com", allowed=False)
    if kind == LOW:
        limits = Limits(20.0, 25.0)
    rules = Rules(model, limits, lists=lists)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, used = time.perf_counter(), time.process_time()
    found = Replay(Stretch(store, Filter()), rules).run()
    print(json.dumps({
        "names": found.names, "seconds": time.perf_counter() - began,
        "processor": time.process_time() - used,
        "before": before / 1024, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "otherwise": {kind: total.names for kind, total in found.totals.items() if total.names},
    }))  # fmt: skip


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=3)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--ask", nargs=2, metavar=("PLACE", "KIND"), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main() -> int:
    """Fill a store and ask."""
    options = parsed()
    if options.ask:
        ask(Path(options.ask[0]), options.ask[1])
        return 0
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        names = fill(Path(place), options.names, options.queries, options.data)
        print(f"{names:,} names, {options.queries} queries each, made in "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        print("| question | seconds | of a processor | MB before | MB at most | names otherwise |")
        print("|---|---:|---:|---:|---:|---|")
        for kind in (SHIPPED, LOW, DENIED):
            command = [sys.executable, "-m", "bench.hindsight", "--ask", place, kind]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            row = json.loads(done.stdout)
            print(
                f"| {kind} | {row['seconds']:.1f} | {row['processor']:.1f} | {row['before']:.0f} "
                f"| {row['peak']:.0f} | {row['otherwise']} |", flush=True,
            )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
