"""Everything that is said of speed and memory, measured here in about 40 minutes.

uv run python -m bench.performance [--data ../shared/data] [--quick] [PART...]

Every setting is the same CoreDNS with cache and forward to an upstream that answers at once;
rounds go through all of them in turn, so that whatever else the machine does hits all alike, and
each is compared with bare CoreDNS of its own round. Parts: throughput, latency, collecting,
footprint, swaps, soak, ingest, classify, questions. Results are kept in a JSON file as they come;
a run that was cut off goes on with --resume. `python -m bench.performance.report` makes
docs/performance.md of it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

from bench.performance.apart import sinks
from bench.performance.load import Generator
from bench.performance.parts import Parts, say
from bench.performance.results import Results, machine, ratios, spread
from bench.performance.service import classify, ingest, questions
from bench.performance.systems import ADGUARD, BARE, BLOCKY, SETTINGS, Bench, go_build
from bench.performance.workloads import WORKLOADS, Workloads
from mlplugin.cli.coredns import coredns_binary

QUERY_PARTS = ("throughput", "latency", "collecting", "footprint", "swaps", "soak")
SERVICE_PARTS = {"ingest": ingest, "classify": classify, "questions": questions}
PARTS = (*QUERY_PARTS, *SERVICE_PARTS)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options, checked against each other."""
    usage = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        "python -m bench.performance", description=usage[0], epilog=usage[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--data", type=Path, help="folder with real names and traffic")
    parser.add_argument(
        "--quick", action="store_true", help="shows that it works, measures nothing"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--warm", type=float, default=1, help="seconds before each measurement")
    parser.add_argument("--settings", type=lambda text: text.split(","), help="separated by commas")
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=list(WORKLOADS))
    parser.add_argument("--cpus", default="0,1", help="processors for all processes; empty: any")
    parser.add_argument("--load", choices=("dnsperf", "dnsload"), help="default: dnsperf if there")
    parser.add_argument("--binary", type=Path, help="CoreDNS; default: the bundled one")
    parser.add_argument("--before", type=Path, help="another build, measured beside it")
    parser.add_argument("--blocky", type=Path, help="its binary, measured as well")
    parser.add_argument("--adguard", type=Path, help="its binary, measured as well")
    parser.add_argument("--list", type=Path, help="names that these two block")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="write pprof profiles, no more")
    parser.add_argument("--out", type=Path, default=Path("performance.json"))
    parser.add_argument("--resume", action="store_true", help="go on with what is in the file")
    parser.add_argument("--minutes", type=float, default=1, help="of the soak")
    parser.add_argument(
        "--events",
        type=lambda text: [int(n) for n in text.split(",")],
        default=[10_000_000],
        help="sizes of the histories that are asked, separated by commas",
    )
    parser.add_argument("--scratch", type=Path, help="where those histories are made")
    parser.set_defaults(list_names=1_000_000, flood=1_000_000)
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: choose from {', '.join(PARTS)}")
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name!r}: choose from {', '.join(WORKLOADS)}")
    if options.data is not None and not (options.data / "traffic").is_dir():
        parser.error(
            f"{options.data} has no folder `traffic`: leave --data away for invented names"
        )
    if options.quick:
        options.rounds, options.seconds, options.warm = 1, 1.0, 1.0
        options.list_names, options.flood, options.minutes = 10_000, 10_000, 0.05
        options.events = [100_000]
    return options


def shown(arguments: list[str], options: argparse.Namespace) -> str:
    """The command as anybody can read it: a place of this machine stands as its option's name.

    Where results go is told if that is within the folder in which it runs.
    """
    places = {
        value: name.upper()
        for name, value in vars(options).items()
        if isinstance(value, Path) and (name != "out" or value.is_absolute() or ".." in value.parts)
    }
    words = []
    for word in arguments:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        words.append(option + equals + (places.get(Path(value), value) if value else ""))
    return shlex.join(words)


def record(commands: list[str], command: str) -> None:
    """Keep the command, unless it is one of these that goes on after it was cut off."""

    def begun(text: str) -> list[str]:
        return [word for word in shlex.split(text) if word != "--resume"]

    if begun(command) not in map(begun, commands):
        commands.append(command)


def main() -> int:
    """Measure what is asked for and print the ratios."""
    options = parsed()
    usable = os.sched_getaffinity(0)
    if options.cpus and not {int(cpu) for cpu in options.cpus.split(",")} <= usable:
        options.cpus = ",".join(map(str, sorted(usable)[:2]))
    binary = options.binary or coredns_binary()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        load = Generator.choose(go_build(folder, "./bench/dnsload"), options.cpus, options.load)
        program = go_build(folder, "./bench/sinks")
        made = Workloads(folder, options.data, 20_000 if options.quick else 600_000)
        workloads = {name: made.make(name) for name in options.workloads}
        about = {**machine(options.cpus), "generator": load.name,
                 "workloads": {name: work.origin for name, work in workloads.items()}}  # fmt: skip
        results = Results(options.out, fresh=not options.resume, about=about)
        record(results.about.setdefault("commands", []), shown(sys.argv[1:], options))
        say(f"{about}\nload before: {os.getloadavg()}")
        with sinks(program, options.cpus) as addresses:
            others = {BLOCKY: options.blocky, ADGUARD: options.adguard}
            there = {name: path for name, path in others.items() if path}
            bench = Bench(folder, options.cpus, binary.resolve(), addresses, options.before,
                          there, options.list)  # fmt: skip
            known = bench.settings()
            options.settings = options.settings or known
            if unknown := set(options.settings) - set(known):
                raise SystemExit(f"there is no setting {unknown}: choose from {', '.join(known)}")
            parts = Parts(bench, load, workloads, results, options)
            if options.profile:
                parts.profile(options.profile)
                return 0
            for part in options.parts or PARTS:
                if part in SERVICE_PARTS:
                    SERVICE_PARTS[part](results, options)
                else:
                    getattr(parts, part)()
    table(results)
    say(f"results in {options.out}")
    return 0


def table(results: Results) -> None:
    """Print the ratios to bare CoreDNS: median, least and most of the rounds."""
    names = results.names("throughput", "workload")
    settings = results.names("throughput", "setting")
    order = [s for s in SETTINGS if s in settings] + [s for s in settings if s not in SETTINGS]
    say("".join(f"{text:>24}" for text in ("", *names)))
    for setting in order:
        cells = []
        for name in names:
            if setting == BARE:
                bare = results.of("throughput", workload=name, setting=BARE)
                cells.append(f"{spread([row['qps'] for row in bare])[0]:,.0f}/s")
                continue
            found = ratios(results, name, setting)
            middle, least, most = spread(found) if found else (0.0, 0.0, 0.0)
            cells.append(f"{middle:.3f} ({least:.2f}-{most:.2f})")
        say("".join(f"{text:>24}" for text in (setting, *cells)))


if __name__ == "__main__":
    sys.exit(main())
