"""Data sets made up for the tests, in the form of the real ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlplugin.training.fit import Recipe
from mlplugin.training.sample import HEADER, WORDS, benign, noise, table

__all__ = ["HEADER", "SMALL", "WORDS", "benign", "noise", "table"]

SMALL = Recipe(
    buckets=1 << 12,
    dimensions=4,
    hidden=8,
    passes=3,
    invented_families=12,
    invented_each=20,
    ordinary=300,
    look_passes=2,
    look_filters=24,
    look_hidden=8,
    look_longest=32,
)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set: five files, two classes that anyone can tell apart."""
    folder, rng = tmp_path_factory.mktemp("labelled"), random.Random(3)
    old = ("2013-10-24", "alexa100k-2013,tranco-65k-2023")
    good = benign(rng, 6000)
    table(
        folder, "benign_popular", [(name, "benign", "popular", "", old[0], old[1]) for name in good]
    )
    hosts = [f"{rng.choice(('www', 'mail', 'api', 'cdn-7'))}.{name}" for name in good[:600]]
    table(
        folder,
        "benign_fqdn",
        [(name, "benign", "popular", "", "2020-07-17", "misp-cisco_top20k") for name in hosts],
    )
    made = [
        (name, "malicious", "dga", family, "2015-01-01", "dga-baderj")
        for family in ("alpha", "beta", "gamma", "delta")
        for name in noise(rng, 500)
    ]
    table(folder, "dga_random", made)
    bait = [f"login-verify-{word}-{rng.randint(1, 999)}.top" for word in WORDS for _ in range(30)]
    days = [f"2025-{month:02}-{day:02}" for month in range(1, 10) for day in range(1, 28)]
    phishing = [
        (name, "malicious", "phishing", "", rng.choice(days), "tweetfeed") for name in set(bait)
    ]
    phishing += [
        (f"secure-{name}", "malicious", "phishing", "", "2025-03-01", "openphish")
        for name in sorted(set(bait))[:100]
    ]
    table(folder, "mal_phishing", sorted(phishing))
    return folder
