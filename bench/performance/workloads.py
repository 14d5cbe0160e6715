"""What is asked for: real traffic, names by Zipf's law, names that nobody ever asked for."""

from __future__ import annotations

import bisect
import gzip
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.probes import WORDS

HOT, ZIPF, UNSEEN = "hot", "zipf", "unseen"
WORKLOADS = (HOT, ZIPF, UNSEEN)
ZIPF_NAMES = 100_000
TYPES = ("A",) * 62 + ("AAAA",) * 24 + ("HTTPS",) * 10 + ("TXT",) * 2 + ("PTR",) * 2
# Where really queried names lie: below domains that everybody knows.
KNOWN = (
    "akamaiedge.net", "amazon.com", "amazonaws.com", "apple.com", "bing.com", "cloudflare.com",
    "debian.org", "facebook.com", "github.com", "google.com", "googleapis.com", "gstatic.com",
    "icloud.com", "linkedin.com", "live.com", "microsoft.com", "mozilla.org", "netflix.com",
    "office.com", "python.org", "reddit.com", "spotify.com", "ubuntu.com", "whatsapp.net",
    "wikipedia.org", "windowsupdate.com", "yahoo.com", "youtube.com", "zoom.us",
)  # fmt: skip
HOSTS = ("api", "app", "cdn", "edge", "events", "img", "login", "m", "mail", "static", "www")
SUFFIXES = ("com",) * 10 + ("net", "net", "org", "org", "de", "io", "co.uk", "info")


@dataclass(frozen=True)
class Workload:
    """Queries as `dnsperf` reads them, some of the same kind to warm up, and their origin."""

    name: str
    queries: Path
    warm: Path
    count: int
    origin: str
    once: bool = False  # no query is to be sent twice


def invented(dice: random.Random) -> str:
    """A name, five in six below a domain that everybody knows."""
    pick = dice.choice
    host = f"{pick(HOSTS)}{dice.randrange(100_000)}"
    if dice.random() < 5 / 6:
        return f"{host}.{pick(KNOWN)}"
    return f"{host}.{pick(WORDS)}{pick(WORDS)}.{pick(SUFFIXES)}"


def distinct(draw: Callable[[], str], count: int) -> list[str]:
    """So many different names."""
    names: dict[str, None] = {}
    while len(names) < count:
        names[draw()] = None
    return list(names)


def listed(path: Path) -> Iterator[str]:
    """The first column of a list, plain or gzip, without its header."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            name = line.split("\t", 1)[0].strip()
            if name and name != "name" and "\\" not in name and "_" not in name:
                yield name


def zeek(path: Path) -> Iterator[str]:
    """Name and type of each query of a Zeek log, in the log's order."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            fields = line.rstrip("\n").split("\t")
            name, qtype = fields[9], fields[13]
            if name.isascii() and " " not in name and "\\" not in name and qtype.isalnum():
                yield f"{name} {qtype}"


def by_zipf(names: list[str], count: int, dice: random.Random) -> Iterator[str]:
    """Draw names, the first ones most often, with types as resolvers see them."""
    weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(names))))
    for _ in range(count):
        name = names[bisect.bisect(weights, dice.random() * weights[-1])]
        yield f"{name} {dice.choice(TYPES)}"


class Workloads:
    """Makes the three workloads, from data where it is there, else invented."""

    def __init__(self, folder: Path, data: Path | None, unseen: int, seed: int = 1) -> None:
        self.folder, self.data, self.unseen = folder, data, unseen
        self.dice = random.Random(seed)

    def make(self, name: str) -> Workload:
        """The workload of this name; its file is in the folder."""
        return {HOT: self._hot, ZIPF: self._zipf, UNSEEN: self._unseen}[name]()

    def _write(self, name: str, lines: Iterable[str], origin: str, once: bool = False) -> Workload:
        path, warm = self.folder / f"{name}.txt", self.folder / f"{name}-warm.txt"
        texts = [line + "\n" for line in lines]
        split = len(texts) // 10 if name != HOT else 0
        warm.write_text("".join(texts[:split] or texts))
        path.write_text("".join(texts[split:]))
        return Workload(name, path, warm, len(texts) - split, origin, once)

    def _hot(self) -> Workload:
        if self.data is not None:
            log = self.data / "traffic" / "zeek-wrccdc2018-dns.log.gz"
            return self._write(HOT, zeek(log), f"the queries of {log.name}, in their order")
        names = distinct(lambda: invented(self.dice), 1_600)
        return self._write(HOT, by_zipf(names, 50_000, self.dice), "1,600 invented names, Zipf")

    def _zipf(self) -> Workload:
        if self.data is not None:
            pool = list(listed(self.data / "names" / "benign_fqdn.tsv.gz"))
            names = self.dice.sample(pool, min(ZIPF_NAMES, len(pool)))
            origin = f"{len(names):,} of the really queried names in benign_fqdn.tsv.gz"
        else:
            names = distinct(lambda: invented(self.dice), ZIPF_NAMES)
            origin = f"{len(names):,} invented names"
        return self._write(ZIPF, by_zipf(names, 1_000_000, self.dice), origin)

    def _unseen(self) -> Workload:
        if self.data is not None:
            pool = list(listed(self.data / "names" / "benign_popular.tsv.gz"))
            names = self.dice.sample(pool, min(self.unseen, len(pool)))
            origin = "names of benign_popular.tsv.gz, each asked for once"
        else:
            names = distinct(lambda: invented(self.dice), self.unseen)
            origin = "invented names, each asked for once"
        return self._write(UNSEEN, (f"{name} A" for name in names), origin, once=True)
