"""The dashboard on a large history, in a real browser: times, true figures, barriers, looks.

uv run python -m bench.screens --data ../shared/data [--events 10000000] [--out DIR] [PART...]

Parts: times, figures, looks, live, elastic. The history is made once, in --out, out of real names
and of what the clients of real logs asked; results go to results.json there as they come, and a
run that was cut off goes on with --resume. Pictures lie in looks/. The exit status is 1 where a
figure is not true, a page has a barrier or a fault, or a median is over its limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.elastic_load import counted, serving
from bench.performance.results import Results, machine
from bench.screens.history import fill, made
from bench.screens.live import live
from bench.screens.places import Busy, checked
from bench.screens.table import table
from bench.screens.truth import API
from bench.screens.walk import compared, looked, say, timed, true_to, walked
from mlplugin.store import open_store
from tests.support.search_servers import running

PARTS = ("times", "figures", "looks", "live", "elastic")
SERVER = "elasticsearch-8.19.21"


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(
        "python -m bench.screens", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--data", type=Path, required=True,
                        help="folder with real names and traffic")  # fmt: skip
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--cluster-events", type=int, default=200_000)
    parser.add_argument("--out", type=Path, default=Path("screens"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=2000, help="events a second of `live`")
    parser.add_argument("--server", default=SERVER)
    parser.add_argument("--resume", action="store_true", help="go on with what is in results.json")
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: choose from {', '.join(PARTS)}")
    if not (options.data / "traffic").is_dir():
        parser.error(f"{options.data} has no folder `traffic`")
    return options


def main() -> int:
    """Walk."""
    options = parsed()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = options.parts or PARTS
    about = {**machine(""), "events": options.events}
    results = Results(options.out / "results.json", fresh=not options.resume, about=about)
    say(f"{about}\nload before: {os.getloadavg()}")
    if set(parts) - {"elastic"}:
        history = made(options.out, options.data, options.events)
        with true_to(history, options.out) as truth:
            busy = Busy.of(truth, {})
            if "times" in parts:
                timed(results, history, busy, options.rounds)
            if "figures" in parts:
                compared(results, history, busy, truth)
        if "looks" in parts:
            looked(results, history, busy, options.out / "looks")
        if "live" in parts:
            live(results, history, busy, options.out, rate=options.rate, rounds=options.rounds)
    if "elastic" in parts:
        elastic(results, options)
    return table(results)


def elastic(results: Results, options: argparse.Namespace) -> None:
    """The same pages on a cluster, against what the API says."""
    with running(options.server, "1g") as server, tempfile.TemporaryDirectory() as folder:
        store = open_store(server.url, Path(folder) / "fill")
        until = datetime.now(UTC).replace(microsecond=0)
        for _ in fill(store, options.data, options.cluster_events, until):
            pass
        store.close()
        assert counted(server) == options.cluster_events
        with serving(server, Path(folder)) as service:
            truth = API(service.url)
            places = checked(Busy.of(truth, {}), until)
            walked(results, "elastic", service.url, places, truth)


if __name__ == "__main__":
    sys.exit(main())
