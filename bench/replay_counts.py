"""Replay a Zeek dns.log through a live system, and count again what the store must hold.

uv run python -m bench.replay_counts LOG [--rate 5000]

`mlplugin up` runs with a scripted upstream; `mlplugin replay --clients keep` sends the log.
Then stored + counted-as-dropped is held against served, and the store's counts for each
name and each client against those that `expected` here, which shares nothing
with the replay's own reader, takes from the file.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlplugin.bundled.ports import free_port
from mlplugin.bundled.upstream import Script
from tests.e2e.system import Process, get_json, metrics, mlplugin, until
from tests.support.upstream import UpstreamProcess

Counts = tuple["collections.Counter[str]", "collections.Counter[str]"]


def zeek_rows(log: Path) -> Iterator[dict[str, str]]:
    """The lines of a Zeek log by the names of its columns, as they stand there."""
    columns: list[str] = []
    with gzip.open(log, "rt", encoding="latin-1") as lines:
        for line in lines:
            cells = line.rstrip("\n").split("\t")
            if cells[0] == "#fields":
                columns = cells[1:]
            if not line.startswith("#"):
                yield dict(zip(columns, cells, strict=True))


def expected(log: Path) -> Counts:
    """Queries by name and by client, straight from the columns of the log."""
    names: collections.Counter[str] = collections.Counter()
    clients: collections.Counter[str] = collections.Counter()
    for row in zeek_rows(log):
        if row["query"] == "-" or row["qtype"] == "-":  # a reply whose query was not seen
            continue
        root = row["query"] == "(empty)"
        names["." if root else row["query"].lower()] += 1
        clients[row["id.orig_h"]] += 1
    return names, clients


def unescaped(qname: str) -> str:
    """A canonical name as Zeek writes it: bytes outside printable ASCII as \\xNN."""
    plain = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1])), qname)
    plain = re.sub(r"\\(.)", r"\1", plain)
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in plain)


def stored(service: str, folder: Path) -> Counts:
    """The same counts from an export of the store."""
    out = folder / "export.jsonl"
    done = mlplugin("export", "--service", service, "-o", str(out))
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    names: collections.Counter[str] = collections.Counter()
    clients: collections.Counter[str] = collections.Counter()
    with out.open() as lines:
        for line in lines:
            row = json.loads(line)
            names[unescaped(row["qname"])] += 1
            clients[row["client"]] += 1
    return names, clients


def compare(what: str, want: collections.Counter[str], have: collections.Counter[str]) -> bool:
    """Print how two counts differ."""
    wrong = {key for key in want.keys() | have.keys() if want[key] != have[key]}
    print(f"{what}: {len(want)} in the file, {len(have)} in the store, {len(wrong)} differ")
    for key in sorted(wrong)[:10]:
        print(f"  {key!r}: {want[key]} in the file, {have[key]} in the store")
    return not wrong


def run(log: Path, rate: str, folder: Path, upstream: str) -> bool:
    """One replay and all comparisons."""
    dns, http = free_port(), free_port()
    service = f"http://127.0.0.1:{http}"
    system = Process(
        [sys.executable, "-m", "mlplugin", "up", "--dns", f"127.0.0.1:{dns}",
         "--http", f"127.0.0.1:{http}", "--data", str(folder / "data"), "--forward", upstream],
        folder / "up.log",
    )  # fmt: skip
    system.start()
    until("the system is up", lambda: "dig" in system.output(), 300)
    replay = ["replay", str(log), "--dns", f"127.0.0.1:{dns}", "--service", service]
    done = mlplugin(*replay, "--rate", rate, "--clients", "keep", "--format", "table", timeout=900)
    print(done.stderr.strip())
    print(done.stdout.strip())
    found = re.search(r"metrics\S* \S*?127\.0\.0\.1:(\d+)", system.output())
    stats = get_json(f"{service}/api/v1/stats")
    if found:
        counters = metrics(int(found[1]))
        served = counters["coredns_mlplugin_queries_total"]
        dropped = counters.get("coredns_mlplugin_events_dropped_total", 0)
    else:
        served, dropped = stats["served"], stats["dropped"]
    print(f"served {served:.0f}, stored {stats['queries']}, dropped {dropped:.0f}")
    names, clients = expected(log)
    held_names, held_clients = stored(service, folder)
    system.stop()
    fine = [
        compare("names", names, held_names),
        compare("clients", clients, held_clients),
        stats["queries"] + dropped == served == names.total(),
    ]
    return all(fine)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("log", type=Path)
    parser.add_argument("--rate", default="5000")
    return parser.parse_args(arguments)


def main() -> int:
    """Run with a scripted upstream."""
    options = parsed()
    with (
        tempfile.TemporaryDirectory() as place,
        UpstreamProcess(Script(), Path(place)) as upstream,
    ):
        return 0 if run(options.log, options.rate, Path(place), upstream.address) else 1


if __name__ == "__main__":
    sys.exit(main())
