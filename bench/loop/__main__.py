"""Teach the shipped model a family that it misses, and count what is flagged on real traffic.

uv run python -m bench.loop DATA [--family dga_random:nymaim]... [--infected 100]
uv run python -m bench.loop DATA --missed

DATA has `names/` and `traffic/`. For each family: a service and CoreDNS; the queries of one log,
with its clients, become the history; one of these clients asked for names of the family as well,
ten times each, and people block --vetted of them and say that they are dga. --infected more are
asked for by that client, and nobody decides on them. Then: retrain, promote, roll back, by HTTP.
Before, after, and after the way back a second CoreDNS, which follows the same models and sends no
events, is asked for names of the family that nobody has asked for, and for every name of the
traffic. `made:SEED` is a family that is made up (`tests/support/families.py`). --missed lists the
families by what the shipped model finds.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import ipaddress
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.loop.asking import Traffic, blocked, octets, text, traffic
from mlplugin.bundled.ports import free_port
from mlplugin.model import load
from mlplugin.replay.source import Source
from mlplugin.service.registry import Registry
from tests.e2e.system import CoreDNS, Service, get_json, mlplugin, post_json, until
from tests.support.events import event, ndjson
from tests.support.families import syllables

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    prometheus 127.0.0.1:{metrics}
{proxy}
    mlplugin {{
        model {model} or builtin
{more}
    }}
    template IN ANY . {{
        rcode NOERROR
    }}
}}
"""
PROXY = "    proxyproto {\n        allow 127.0.0.1/32\n    }"
STRICT = "        on suspicious nxdomain\n        on malicious nxdomain"
LEARNT = "zeek-wrccdc2018-dns.log.gz"
OTHERS = {
    "other networks: Zeek logs": ("zeek-slips*", "zeek-zat*", "zeek-otrf*/*"),
    "applications (nDPI)": ("dnsonly-ndpi*",),
    "a crawl of popular names": ("ggyggy-normal*",),
}
FAMILIES = ("made:1",)
FILES = ("dga_random", "dga_dictionary", "mal_malware")
UNSEEN = 1000
FEWEST = 240
OFTEN = 10
WITHIN = 60.0
JOB = 3600.0


@dataclass(frozen=True)
class Family:
    """Names of one family, in three parts that share none."""

    title: str
    vetted: list[str]
    infected: list[str]
    unseen: list[str]


def names_of(data: Path, file: str) -> Iterator[tuple[str, str]]:
    """Names of a file, with their families."""
    with gzip.open(data / "names" / f"{file}.tsv.gz", "rt") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["name"], row["family"]


def family(data: Path, wanted: str, vetted: int, infected: int) -> Family:
    """Divide the names of a family, always the same way."""
    file, _, name = wanted.partition(":")
    if file == "made":
        found = syllables(int(name), vetted + infected + UNSEEN)
    else:
        found = sorted(qname for qname, of in names_of(data, file) if of == name)
    if len(found) < FEWEST:
        raise SystemExit(f"{wanted} has {len(found)} names, and {FEWEST} are the least")
    random.Random(1).shuffle(found)
    # of a small family a third is left to measure on
    share = min(1.0, len(found) * 2 / 3 / (vetted + infected))
    vetted, infected = int(vetted * share), int(infected * share)
    rest = found[vetted + infected :]
    return Family(wanted, found[:vetted], found[vetted : vetted + infected], rest[:UNSEEN])


def missed(data: Path) -> None:
    """List the families by what the shipped model finds of each."""
    model, rows = load(), []
    for file in FILES:
        by_family: dict[str, list[str]] = {}
        for name, of in names_of(data, file):
            by_family.setdefault(of, []).append(name)
        for of, names in by_family.items():
            if of and len(names) >= FEWEST:
                some = random.Random(1).sample(names, min(len(names), 1000))
                found = (model.judge_many(some).level > 0).mean()
                rows.append((float(found), f"{file}:{of}", len(names)))
    for share, title, count in sorted(rows):
        print(f"{share:7.1%}  {count:7,}  {title}")


class Loop:
    """A service with CoreDNS before it, and a second one to ask."""

    def __init__(self, folder: Path) -> None:
        data = folder / "data"
        registry = Registry(data)
        registry.folder.mkdir(parents=True)
        self.service = Service(data, folder / "service.log")
        self.service.start()
        (folder / "history").mkdir()
        told = f"        service {self.service.url}\n        spool {folder / 'spool'} 1GiB"
        self.dns = self._server(folder / "history", registry, PROXY, told)
        (folder / "judge").mkdir()
        self.judge = self._server(folder / "judge", registry, "", STRICT)

    @staticmethod
    def _server(folder: Path, registry: Registry, proxy: str, more: str) -> CoreDNS:
        port, metrics = free_port(), free_port()
        corefile = COREFILE.format(
            port=port, metrics=metrics, proxy=proxy, model=registry.link, more=more
        )
        found = CoreDNS(folder, corefile, port, metrics)
        found.start()
        return found

    def stop(self) -> None:
        """End all three."""
        for process in (self.dns, self.judge, self.service):
            process.stop()

    def fill(self, log: Path, of: Family) -> None:
        """Have the log's queries and the infected client's as the history."""
        done = mlplugin(
            "replay", str(log), "--dns", f"127.0.0.1:{self.dns.port}", "--service",
            self.service.url, "--clients", "keep", "--rate", "5000", timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pending = "coredns_mlplugin_events_pending"
        until("events are delivered", lambda: self.dns.metrics()[pending] == 0)
        now = int(time.time() * 1e6)
        asked = [name for name in (*of.vetted, *of.infected) for _ in range(OFTEN)]
        rows = (
            event(number, qname=name, registered_domain=None, time=now, rcode="NXDOMAIN",
                  client=one_of(log), answers=None)
            for number, name in enumerate(asked)
        )  # fmt: skip
        get_json(
            f"{self.service.url}/api/v1/events?sensor=infected", data=ndjson(rows), method="POST",
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip
        for name in of.vetted:
            get_json(
                f"{self.service.url}/api/v1/overrides/{name}", method="PUT",
                data=json.dumps({"status": "blocked"}).encode(),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip

    def learn(self) -> dict[str, Any]:
        """Retrain, and give the job with its report."""
        job = post_json(f"{self.service.url}/api/v1/jobs", {"kind": "train", "threat": "dga"})
        path = f"{self.service.url}/api/v1/jobs/{job['id']}"
        until("the job is over", lambda: get_json(path)["state"] != "running", JOB)
        found: dict[str, Any] = get_json(path)
        assert found["state"] == "done", found["reason"]
        return found

    def follow(self, version: str) -> None:
        """Wait until the server that is asked judges with a model."""

        def follows() -> bool:
            return any(
                key.startswith("coredns_mlplugin_model_info{") and f'version="{version}"' in key
                for key, value in self.judge.metrics().items()
                if value == 1
            )

        until(f"{version} is in use", follows, WITHIN)


def one_of(log: Path) -> str:
    """The client whose query is the first of a log."""
    with Source(log) as source:
        query = next(source.queries())
    assert query.client is not None
    return str(ipaddress.ip_address(query.client.address))


@dataclass(frozen=True)
class Counted:
    """What was blocked of some names at each time."""

    names: Traffic
    then: list[set[bytes]]

    def line(self) -> str:
        """A row of the table: names, and queries where they are not one each."""
        total = self.names.names.total()
        shown = []
        for found in self.then:
            queries = sum(self.names.names[name] for name in found)
            shown.append(f"{len(found):,} / {queries:,}")
        return f"| {self.names.title} | {len(self.names.names):,} / {total:,} | " + (
            " | ".join(shown) + " |"
        )


def run(data: Path, of: Family, kinds: Sequence[Traffic], folder: Path, *, force: bool) -> None:
    """One family, from the first question to the last."""
    loop = Loop(folder)
    sets = [
        Traffic(f"{of.title}, nobody asked for", Counter(octets(of.unseen))),
        Traffic(f"{of.title}, asked for, not decided", Counter(octets(of.infected))),
        *kinds,
    ]
    sets = [one for one in sets if one.names]

    def ask() -> list[set[bytes]]:
        return [blocked(loop.judge.port, list(one.names)) for one in sets]

    try:
        loop.fill(data / "traffic" / LEARNT, of)
        loop.follow(load().version)
        before = ask()
        began = time.monotonic()
        job = loop.learn()
        seconds = time.monotonic() - began
        refused = "; ".join(job["report"]["refused"]) or "not refused"
        print(
            f"\n{of.title}: {len(of.vetted)} vetted, {len(of.infected)} not; {job['version']} "
            f"in {seconds:.0f} s; {refused}"
        )
        for note in job["material"]["notes"]:
            print(f"note: {note}")
        route = f"{loop.service.url}/api/v1/models"
        post_json(f"{route}/{job['version']}/promote", {"force": force})
        loop.follow(job["version"])
        after = ask()
        post_json(f"{route}/rollback", {})
        loop.follow(load().version)
        back = ask()
    finally:
        loop.stop()
    print("\n| names / queries | all | flagged before | after | rolled back |")
    print("|---|---:|---:|---:|---:|")
    for number, one in enumerate(sets):
        print(Counted(one, [when[number] for when in (before, after, back)]).line())
    for number, one in enumerate(kinds, len(sets) - len(kinds)):
        for what, names in (("newly", after[number] - before[number]),
                            ("no longer", before[number] - after[number])):  # fmt: skip
            if names:
                shown = ", ".join(sorted(map(text, names))[:12])
                print(f"{what} flagged in {one.title}: {shown}")
    print(f"as before after the way back: {before == back}", flush=True)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--family", action="append", metavar="FILE:NAME")
    parser.add_argument("--vetted", type=int, default=300)
    parser.add_argument("--infected", type=int, default=0)
    parser.add_argument("--logs", type=int, default=100, help="of each kind of traffic, at most")
    parser.add_argument("--force", action="store_true", help="promote what is refused, too")
    parser.add_argument("--missed", action="store_true")
    return parser.parse_args(arguments)


def main() -> int:
    """Do it for each family."""
    options = parsed()
    if options.missed:
        missed(options.data)
        return 0
    logs = options.data / "traffic"
    kinds = [traffic(f"the network's own ({LEARNT})", [logs / LEARNT])] + [
        traffic(title, [log for one in patterns for log in sorted(logs.glob(one))[: options.logs]])
        for title, patterns in OTHERS.items()
    ]
    for wanted in options.family or FAMILIES:
        of = family(options.data, wanted, options.vetted, options.infected)
        with tempfile.TemporaryDirectory() as place:
            run(options.data, of, kinds, Path(place), force=options.force)
    return 0


if __name__ == "__main__":
    sys.exit(main())
