"""A large history out of real names and of what real clients do."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.performance.workloads import listed
from bench.replay_counts import zeek_rows
from mlplugin.errors import InvalidNameError
from mlplugin.model import load
from mlplugin.qname import canonical
from mlplugin.store import Store, open_store
from mlplugin.store.columns import EVENTS
from mlplugin.store.port import Override
from mlplugin.verdict import LEVELS, SOURCES, THREATS

# Raised when a history would come out otherwise: one that is there is then not taken again.
EDITION = 3
DAYS = 7
CHUNK = 250_000
# Sensors, and what part of the queries each sees.
SENSORS = {"edge-1": 0.6, "edge-2": 0.3, "branch-1": 0.1}
# Of the queries so many are what clients asked in the logs; of the rest a name in three is drawn
# evenly from all, the others by a law near Zipf's; and so many are for a bad name.
BY_HABIT, EVENLY, BAD = 0.85, 1 / 3, 0.004
# The bad names are asked for by so many clients.
INFECTED = 12
ORDINARY = {"benign_fqdn": None, "benign_longtail": 120_000, "benign_popular": 250_000}
HARMFUL = {
    "dga_random": 20_000, "dga_dictionary": 20_000, "mal_malware": 20_000,
    "mal_phishing": 20_000, "mal_scam": 10_000, "tunnel_real": 3_000,
}  # fmt: skip
TYPES, TYPE_WEIGHTS = ("A", "AAAA", "HTTPS", "TXT", "PTR"), (0.62, 0.24, 0.1, 0.02, 0.02)
DECIDED = 40
WHO = "bench"


@dataclass(frozen=True)
class History:
    """A history on disk: the folder that a store has, and from when to when it goes."""

    data: Path
    events: int
    since: datetime
    until: datetime


def made(folder: Path, source: Path, events: int) -> History:
    """Give a history of so many events: the one that is there, else one made, or made further."""
    place = folder / f"history-{events}"
    place.mkdir(parents=True, exist_ok=True)
    said = place / "made.json"
    found = json.loads(said.read_text()) if said.exists() else {}
    if found.get("edition") != EDITION:
        shutil.rmtree(place)
        place.mkdir()
        until = datetime.now(UTC).replace(microsecond=0)
        found = {"edition": EDITION, "until": until.isoformat(), "done": 0}
    if found["done"] < events:
        store = open_store(None, place)
        try:
            for done in fill(store, source, events, _moment(found), found["done"]):
                found["done"] = done
                said.write_text(json.dumps(found))
        finally:
            store.close()
    until = _moment(found)
    return History(place, events, until - timedelta(days=DAYS), until)


def _moment(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found["until"])


def fill(store: Store, source: Path, events: int, until: datetime, done: int = 0) -> Iterator[int]:
    """Put events of the last days into a store, and some decisions; how many there are so far.

    What was stored before it was cut off is known to the store, and not stored twice.
    """
    traffic = Traffic(source, until)
    began, before = time.perf_counter(), done
    for start in range(done, events, CHUNK):
        for sensor, table in traffic.events(start, min(CHUNK, events - start), events):
            store.append(sensor, table)
        done = min(start + CHUNK, events)
        yield done
        print(f"{done:,} of {events:,} events", flush=True)
    print(f"{done - before:,} events in {time.perf_counter() - began:.0f} s")
    for override in traffic.decisions():
        store.put_override(override, WHO)


class Names:
    """Names and what is thought of them, by their number."""

    def __init__(self, names: list[str]) -> None:
        judged = load().judge_many(names)
        self.qname = pa.array(names)
        self.domain = pa.array(judged.registered_domains(), pa.string())
        self.level, self.score = judged.level, judged.score
        self.verdict = pa.array(list(map(str, LEVELS))).take(pa.array(judged.level))
        threats = [*map(str, THREATS), None]
        self.threat = pa.array([threats[at] for at in judged.threat.tolist()], pa.string())
        self.source = pa.array(list(map(str, SOURCES))).take(pa.array(judged.source))
        self.model = judged.model


class Traffic:
    """Draws events: what clients of real logs asked, and other real names beside it."""

    def __init__(self, source: Path, until: datetime) -> None:
        self.dice = np.random.default_rng(1)
        self.since, self.until = until - timedelta(days=DAYS), until
        rows = list(_logged(source / "traffic"))
        known: dict[str, int] = {}
        self.habits = {
            "name": np.array([known.setdefault(row["qname"], len(known)) for row in rows]),
            "client": np.array(self._clients([row["client"] for row in rows])),
            "duration": np.array([row["duration"] for row in rows]),
        }
        for column in ("qtype", "rcode", "answers"):
            self.habits[column] = np.array([row[column] for row in rows], dtype=object)
        for name in self._listed(source / "names", ORDINARY):
            known.setdefault(name, len(known))
        self.ordinary = (len({row["qname"] for row in rows}), len(known))
        for name in self._listed(source / "names", HARMFUL):
            known.setdefault(name, len(known))
        self.harmful = (self.ordinary[1], len(known))
        self.names = Names(list(known))
        self.rank = self.dice.permutation(self.ordinary[1] - self.ordinary[0]) + self.ordinary[0]
        self.infected = self.dice.permutation(len(self.clients))[:INFECTED]

    def _listed(self, folder: Path, wanted: Mapping[str, int | None]) -> Iterator[str]:
        for name, most in wanted.items():
            found = list(listed(folder / f"{name}.tsv.gz"))
            if most is not None and most < len(found):
                found = [found[at] for at in self.dice.choice(len(found), most, replace=False)]
            for one in found:
                with contextlib.suppress(InvalidNameError):
                    yield canonical(one)

    def _clients(self, asked: list[str]) -> list[int]:
        """Number the clients, and give them addresses at every sensor's site."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(client, len(numbers)) for client in asked]
        self.clients = list(numbers)
        self.addresses = [
            pa.array([_at_site(client, site, at) for at, client in enumerate(self.clients)])
            for site in range(len(SENSORS))
        ]
        return found

    def events(self, start: int, size: int, count: int) -> Iterator[tuple[str, pa.Table]]:
        """Give a part of so many events by sensor, in the order of time; the same each time."""
        self.dice = np.random.default_rng(start)
        hours = np.arange(DAYS * 24 + 1)
        busy = 1 + 0.7 * np.sin((hours - 9) / 24 * 2 * np.pi) * (1 - 0.5 * (hours // 24 % 7 > 4))
        sums = np.concatenate([[0], np.cumsum(busy[:-1])])
        begin, length = int(self.since.timestamp() * 1e6), DAYS * 86_400_000_000
        at = (start + np.sort(self.dice.random(size)) * size) / count
        times = begin + (np.interp(at * sums[-1], sums, hours) / hours[-1] * length).astype(int)
        sites = self.dice.choice(len(SENSORS), size, p=list(SENSORS.values()))
        columns = self._drawn(size)
        for site, sensor in enumerate(SENSORS):
            chosen = np.flatnonzero(sites == site)
            if len(chosen):
                part = {name: values[chosen] for name, values in columns.items()}
                # from one part to the next a sensor starts anew
                sequence = begin + start + np.arange(len(chosen))
                yield sensor, self._table(part, times[chosen], sequence, site)

    def _drawn(self, size: int) -> dict[str, Any]:
        """Draw who asks what, and what is answered."""
        dice, habits = self.dice, self.habits
        rows = dice.integers(len(habits["name"]), size=size)
        found = {name: values[rows] for name, values in habits.items()}
        other = np.flatnonzero(dice.random(size) >= BY_HABIT)
        ranks = np.exp(np.log(len(self.rank)) * dice.random(len(other))).astype(int)
        even = dice.random(len(other)) < EVENLY
        ranks[even] = dice.integers(len(self.rank), size=int(even.sum()))
        found["name"][other] = self.rank[ranks % len(self.rank)]
        bad = np.flatnonzero(dice.random(size) < BAD)
        found["name"][bad] = dice.integers(*self.harmful, size=len(bad))
        found["client"][bad] = dice.choice(self.infected, len(bad))
        elsewhere = np.union1d(other, bad)
        found["qtype"][elsewhere] = dice.choice(TYPES, len(elsewhere), p=TYPE_WEIGHTS)
        found["rcode"][elsewhere] = np.where(dice.random(len(elsewhere)) < 0.05, "NXDOMAIN",
                                             "NOERROR")  # fmt: skip
        found["answers"][elsewhere] = [
            f"198.{18 + number % 2}.{number % 251}.{number % 241}"
            for number in found["name"][elsewhere].tolist()
        ]
        found["duration"][elsewhere] = dice.lognormal(9.2, 0.8, len(elsewhere)).astype(int)
        return found

    def _table(self, part: dict[str, Any], times: Any, sequence: Any, site: int) -> pa.Table:
        """The columns that a store takes; what is malicious was blocked."""
        names, number = self.names, pa.array(part["name"])
        level, score = names.level[part["name"]], np.round(names.score[part["name"]], 1)
        blocked = level == LEVELS.index("malicious")
        actions = np.where(blocked, np.where(part["name"] % 5 == 0, "sinkhole", "nxdomain"),
                           "observe")  # fmt: skip
        rcode = np.where(actions == "nxdomain", "NXDOMAIN", part["rcode"])
        answers: Any = np.where(rcode == "NOERROR", part["answers"], None)
        answers[actions == "sinkhole"] = "0.0.0.0"  # noqa: S104 - what a sinkhole answers
        threats = names.threat.take(number)
        reasons = [
            f"model: {threat}, score {value}" if flagged else None
            for flagged, threat, value in zip(level > 0, threats.to_pylist(), score.tolist(),
                                              strict=True)
        ]  # fmt: skip
        size = len(times)
        columns: dict[str, Any] = {
            "sequence": sequence, "time": times,
            "client": self.addresses[site].take(pa.array(part["client"])),
            "transport": pa.array(np.where(times % 50 == 0, "tcp", "udp")),
            "qname": names.qname.take(number), "registered_domain": names.domain.take(number),
            "qtype": pa.array(part["qtype"], pa.string()), "rcode": pa.array(rcode, pa.string()),
            "answers": pa.array(answers, pa.string()), "duration": part["duration"],
            "verdict": names.verdict.take(number), "threat": threats, "score": score,
            "source": names.source.take(number), "model": pa.array([names.model] * size),
            "action": pa.array(actions), "reason": pa.array(reasons, pa.string()),
        }  # fmt: skip
        arrays = [
            pa.array(columns[field.name], field.type) if field.name in columns
            else pa.nulls(size, field.type)
            for field in EVENTS
        ]  # fmt: skip
        return pa.Table.from_arrays(arrays, schema=EVENTS)

    def decisions(self) -> Iterator[Override]:
        """Give decisions on some names, as people would have made them: most for good."""
        now = self.until
        flagged = np.flatnonzero(self.names.level > 0)
        for place, number in enumerate(self.dice.permutation(flagged)[:DECIDED].tolist()):
            yield Override(
                name=self.names.qname[number].as_py(), scope="subdomains",
                status="benign" if place % 3 == 0 else "blocked", client=None,
                expires=now + timedelta(days=30) if place % 10 == 9 else None,
                reason="looked at by hand" if place % 4 else "", created=now,
            )  # fmt: skip


def _at_site(client: str, site: int, number: int) -> str:
    """A client's address: as in the log at the first site, another at the others."""
    if site == 0:
        return client
    if site == 2 and number % 3 == 0:
        return f"2001:db8:0:{site}::{number:x}"
    return f"10.{100 + site}.{number // 250}.{1 + number % 250}"


def _logged(folder: Path) -> Iterator[dict[str, Any]]:
    """The queries of the logs: who asked what, and what was answered."""
    for log in sorted(folder.glob("*dns.log.gz")):
        with gzip.open(log) as lines:
            is_table = lines.read(1) == b"#"
        if is_table:  # there are logs of JSON, too
            for row in zeek_rows(log):
                if row["query"] in {"-", "(empty)"} or not row["qtype_name"].isalnum():
                    continue
                try:
                    qname = canonical(row["query"])
                except InvalidNameError:
                    continue
                answered = row["answers"] not in {"-", "(empty)"}
                yield {
                    "qname": qname, "client": row["id.orig_h"], "qtype": row["qtype_name"],
                    "rcode": None if row["rcode_name"] == "-" else row["rcode_name"],
                    "answers": " ".join(sorted(set(row["answers"].split(",")))[:8]).strip()
                    if answered else None,
                    "duration": 0 if row.get("rtt", "-") == "-" else int(float(row["rtt"]) * 1e6),
                }  # fmt: skip
