"""Cleaning, reputation and the hold-out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlplugin.training import clean, datasets, suffixes
from tests.training.conftest import table

OLD, NEW = "alexa100k-2013,tranco-65k-2023", "top50k-2025,dtd-safelist-2025"


def standing(tmp_path: Path) -> tuple[datasets.Labelled, clean.Standing, dict[str, int]]:
    table(
        tmp_path,
        "benign_popular",
        [
            ("trusted.com", "benign", "popular", "", "2013-10-24", OLD),
            ("young.com", "benign", "popular", "", "2025-02-19", NEW),
            ("single.com", "benign", "popular", "", "2013-10-24", "alexa100k-2013"),
            ("taken.com", "benign", "popular", "", "2013-10-24", OLD),
            ("me.github.io", "benign", "popular", "", "2013-10-24", OLD),
            ("rents.com", "benign", "popular", "", "2013-10-24", OLD),
            ("listed.com", "benign", "popular", "", "2023-08-05", "ggyggy-normal-2023"),
        ],
    )
    bad = ["taken.com", "a.rents.com", "b.rents.com", "c.rents.com", "x.trusted.com", "listed.com"]
    table(
        tmp_path,
        "mal_malware",
        [(name, "malicious", "malware", "", "2026-01-03", "maltrail-2026-01") for name in bad]
        + [("only.top", "malicious", "malware", "", "2025-01-01", "openphish")]
        + [("both.top", "malicious", "malware", "", "2025-01-01", "openphish,tweetfeed")],
    )
    data = datasets.read(tmp_path)
    rules = suffixes.bundled()
    splits = datasets.split(data.names, rules)
    known = clean.standing(data, splits, rules)
    rows = known.rows(splits.domain)
    return data, known, {data.names.text(i): int(rows[i]) for i in range(len(data))}


def test_trust_wants_votes_years_and_no_feed(tmp_path: Path) -> None:
    _, known, row = standing(tmp_path)
    trusted = known.trusted(2)
    assert [name for name in row if trusted[row[name]]] == ["trusted.com", "x.trusted.com"]
    assert known.votes[row["trusted.com"]] == 2
    assert known.years[row["trusted.com"]] == 10
    assert known.private[row["me.github.io"]]


def test_both_sides_are_cleaned(tmp_path: Path) -> None:
    data, known, _ = standing(tmp_path)
    splits = datasets.split(data.names, suffixes.bundled())
    kept = clean.clean_rows(data, splits, known)
    names = [data.names.text(i) for i in np.flatnonzero(kept)]
    assert "listed.com" in names  # the malicious row stays, the benign one goes
    assert names.count("listed.com") == 1
    assert "x.trusted.com" not in names
    assert "young.com" in names


def test_licence(tmp_path: Path) -> None:
    data, _, _ = standing(tmp_path)
    usable = clean.usable_rows(data)
    refused = [data.names.text(i) for i in np.flatnonzero(~usable)]
    assert refused == ["only.top"]


def test_reputation_takes_the_best_known(tmp_path: Path) -> None:
    _, known, _ = standing(tmp_path)
    found = clean.best_known(known, 2, 10)
    assert found.tolist() == [suffixes.fnv64("trusted.com")]
    assert len(clean.best_known(known, 2, 0)) == 0


def test_held_out_is_a_fixed_share() -> None:
    domains = np.array([suffixes.fnv64(f"name{i}.com") for i in range(20_000)], np.uint64)
    held = clean.held_out(domains, 0.1)
    assert abs(held.mean() - 0.1) < 0.01
    assert (clean.held_out(domains[::-1], 0.1)[::-1] == held).all()
