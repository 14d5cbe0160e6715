"""A small folder of labelled names, made up: to try training out, and to test it.

It has what makes real ones hard: host names beside bare domains, shared hosting, malicious names
in popularity lists and harmless ones in feeds. No name is anybody's on purpose.
"""

# ruff: noqa: S311 - nothing here is secret, and the same seed must give the same names

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable
from pathlib import Path

from mlplugin.training import invented, ordinary
from mlplugin.training.fit import Recipe

HEADER = "name\tlabel\tcategory\tfamily\tfirst_seen\tsource\n"
WORDS = (
    *("garden", "house", "river", "market", "train", "music", "coffee", "school", "travel"),
    *("bridge", "window", "forest", "paper", "cloud", "planet", "summer", "winter", "hotel"),
    *("kitchen", "doctor", "letter", "silver", "golden", "mountain", "flower"),
)
# Large enough to tell these names apart, and seconds on one core.
RECIPE = Recipe(
    buckets=1 << 15,
    dimensions=8,
    hidden=16,
    passes=3,
    invented_families=60,
    invented_each=50,
    ordinary=15_000,
)
FAMILIES = 14  # of each kind, about
SHARED = ("pages.dev", "github.io", "web.app")
LISTED = ("2013-10-24", "alexa100k-2013,tranco-65k-2023")
Row = tuple[str, ...]


def table(folder: Path, name: str, rows: Iterable[Row]) -> None:
    """Write a file of labelled names, without the time, so that the same rows give the same bytes.

    Args:
        folder: where.
        name: of the file, without its ending; it decides what the file teaches.
        rows: name, label, category, family, first seen, sources.
    """
    text = HEADER + "".join("\t".join(row) + "\n" for row in rows)
    (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def benign(rng: random.Random, count: int) -> list[str]:
    """At most so many registered domains of two words and a number."""
    suffixes = ("com", "org", "de", "co.uk", "net")
    return sorted(
        {
            f"{rng.choice(WORDS)}{rng.choice(('', '-'))}{rng.choice(WORDS)}{rng.randint(1, 99)}."
            f"{rng.choice(suffixes)}"
            for _ in range(count)
        }
    )


def noise(rng: random.Random, count: int) -> list[str]:
    """So many names of random consonants."""
    letters = "bcdfghjklmnpqrstvwxz"
    return ["".join(rng.choices(letters, k=14)) + ".info" for _ in range(count)]


def write(folder: Path, seed: int = 3) -> Path:
    """Write a folder with some 130,000 labelled names, and give it; the same for the same seed.

    Raises:
        OSError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    good, bait = [*benign(rng, 70_000), *_brands(rng, 30_000)], _bait(rng)
    # One name in a hundred of a popularity list is malicious, and feeds hold compromised sites.
    listed = [(name, "benign", "popular", "", *LISTED) for name in good]
    listed += [
        (name, "benign", "popular", "", "2023-01-01", "tranco-65k-2023") for name in bait[:300]
    ]
    table(folder, "benign_popular", sorted(listed))
    hosts = [
        f"{rng.choice(('www', 'mail', 'api', 'cdn-7', 'img.static'))}.{name}"
        for name in rng.sample(good, 20_000)
    ]
    # Shared hosting has harmless names, too.
    hosts += [f"{name.split('.')[0]}.{rng.choice(SHARED)}" for name in rng.sample(good, 200)]
    table(
        folder,
        "benign_fqdn",
        [(name, "benign", "popular", "", "2020-07-17", "misp-cisco_top20k") for name in hosts],
    )
    odd = sorted(set(ordinary.names(seed + 50, 12_000, good[:2000])))
    table(
        folder,
        "benign_hard",
        [(name, "benign", "popular", "", "", "SYNTHETIC") for name in odd],
    )
    _generated(folder, seed)
    days = [f"2025-{month:02}-{day:02}" for month in range(1, 10) for day in range(1, 28)]
    feed = [*bait, *(f"secure-login.{name}" for name in rng.sample(good, 150))]
    feed += [f"{name.split('.')[0]}.{rng.choice(SHARED)}" for name in _bait(rng)[:500]]
    table(
        folder,
        "mal_phishing",
        sorted(
            (name, "malicious", "phishing", "", rng.choice(days), "tweetfeed") for name in set(feed)
        ),
    )
    return folder


def _brands(rng: random.Random, count: int) -> list[str]:
    """Short names that can be spoken and mean nothing, as firms like them."""
    starts, middles, ends = "bdfgklmnprstvz", "aeiou", ("", "n", "r", "x", "l", "tech", "lab")
    made = (
        "".join(rng.choice(starts) + rng.choice(middles) for _ in range(rng.randint(2, 4)))
        for _ in range(count)
    )
    return sorted({f"{name}{rng.choice(ends)}.{rng.choice(('com', 'io', 'net'))}" for name in made})


def _bait(rng: random.Random) -> list[str]:
    """Names that ask people to log in."""
    verbs, ends = ("login", "verify", "secure", "update", "account"), ("top", "xyz", "click", "com")
    made = {
        f"{rng.choice(verbs)}-{rng.choice(verbs)}-{word}-{rng.randint(1, 999)}.{rng.choice(ends)}"
        for word in WORDS
        for _ in range(60)
    }
    return rng.sample(sorted(made), len(made))


def _generated(folder: Path, seed: int) -> None:
    """Names of generators, a family each: random ones, and ones made of words."""
    stock = invented.Words([*WORDS], ["com", "net", "info", "ru", "biz"], [5, 3, 2, 2, 1])
    rows: dict[int, list[Row]] = {invented.DGA: [], invented.DICTIONARY: []}
    for number in range(2 * FAMILIES):
        names, heads = invented.families(seed + 1000 * (number + 1), 1, 500, stock)
        for name, head in zip(names, heads, strict=True):
            kind = "dga" if head == invented.DGA else "dga_dictionary"
            rows[head].append(
                (name, "malicious", kind, f"made-{number:02}", "2015-01-01", "dga-baderj")
            )
    table(folder, "dga_random", rows[invented.DGA])
    table(folder, "dga_dictionary", rows[invented.DICTIONARY])
