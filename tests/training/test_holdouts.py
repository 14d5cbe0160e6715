"""What hold-outs leave out, and that it is gone."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mlplugin.errors import UsageError
from mlplugin.training import clean, holdouts, preparation
from mlplugin.training.preparation import Prepared
from tests.training.conftest import benign, noise, table

FAMILIES = {
    "dga_random": ("conficker", "newgoz", "murofet", "tinba", "necurs"),
    "dga_dictionary": ("gozi-gpl", "gozi-luther", "gozi", "rovnix"),
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Families and their variants, names without one, feeds and lists of one date."""
    folder, rng = tmp_path_factory.mktemp("names"), random.Random(5)
    good = benign(rng, 3000)
    lists = "alexa100k-2013,tranco-65k-2023"
    table(
        folder,
        "benign_popular",
        [(name, "benign", "popular", "", "2013-10-24", lists) for name in good],
    )
    for file, families in FAMILIES.items():
        rows = [
            (name, "malicious", "dga", family, "2015-01-01", "dga-baderj")
            for family in families
            for name in noise(rng, 50)
        ]
        table(folder, file, rows)
    table(
        folder,
        "dga_nofamily",
        [(name, "malicious", "dga", "", "2015-01-01", "dga-deepdga") for name in noise(rng, 60)],
    )
    days = [f"2025-{month:02}-{day:02}" for month in range(1, 11) for day in range(1, 26)]
    feed = [
        (name, "malicious", "malware", "", day, "tweetfeed")
        for name, day in zip(noise(rng, 250), days, strict=True)
    ]
    feed += [("gozi-host.top", "malicious", "malware", "gozi", "2025-01-01", "tweetfeed")]
    feed += [(f"www.{feed[0][0]}", "malicious", "malware", "", "2025-01-01", "maltrail-2026-01")]
    feed += [
        (name, "malicious", "malware", "", "2026-01-03", "maltrail-2026-01")
        for name in noise(rng, 150)
    ]
    feed += [(good[0], "malicious", "malware", "", "2025-01-01", "tweetfeed")]
    table(folder, "mal_malware", feed)
    table(
        folder,
        "benign_traffic",
        [(f"h.{name}", "benign", "traffic", "", "", "traffic-zat") for name in good[:40]],
    )
    return preparation.prepare(folder)


def families_of(ready: Prepared, mask: preparation.Mask) -> set[str]:
    return {ready.data.families[code] for code in np.unique(ready.data.family[mask])}


def test_every_kind_has_its_parts(ready: Prepared) -> None:
    names = [part.name for part in holdouts.parts(ready, holdouts.KINDS, 1)]
    assert names.count("families") == holdouts.FOLDS
    assert set(names) == {
        *("domains", "families", "word list", "dates", "dates, lists kept", "odd"),
        *("source tweetfeed", "source maltrail-2026-01"),
    }
    with pytest.raises(UsageError, match="no hold-out is called weather"):
        list(holdouts.parts(ready, ["weather"], 1))


def test_every_family_is_missing_once_with_its_offspring(ready: Prepared) -> None:
    folds = [p for p in holdouts.families(ready, 1) if p.name == "families"]
    tested = [families_of(ready, part.tested) for part in folds]
    assert sorted(name for fold in tested for name in fold) == sorted(
        name for families in FAMILIES.values() for name in families
    )
    assert {"newgoz", "murofet"} <= next(fold for fold in tested if "newgoz" in fold)
    gozi = next(part for part in folds if "gozi" in families_of(ready, part.tested))
    left = families_of(ready, ~gozi.dropped)
    assert not {name for name in left if name.startswith("gozi")}
    for part in folds:
        # nobody knows whose names these are
        assert part.dropped[ready.data.of_file("dga_nofamily")].all()
        assert not part.tested[ready.data.of_file("dga_nofamily", "mal")].any()


def test_a_word_list_is_missing_while_its_generator_is_known(ready: Prepared) -> None:
    for seed, held in ((1, "gozi-gpl"), (2, "gozi-luther"), (3, "gozi-gpl")):
        part = next(p for p in holdouts.families(ready, seed) if p.name == "word list")
        assert part.told == [held]
        assert families_of(ready, part.tested) == {held}
        left = families_of(ready, ~part.dropped)
        assert "gozi" not in left
        assert {"gozi-gpl", "gozi-luther"} - left == {held}


def test_later_dates_are_real_ones(ready: Prepared) -> None:
    strict, lax = holdouts.dates(ready)
    of_list = ready.data.first_seen == np.datetime64("2026-01-03")
    assert strict.dropped[of_list].all()
    assert not lax.dropped[of_list].any()
    for part in (strict, lax):
        assert not part.tested[of_list].any()
        day = ready.data.first_seen[part.tested].min()
        earlier = ready.data.of_file("mal") & (ready.data.first_seen < day)
        assert not part.dropped[earlier].any()


def test_a_source_goes_with_its_domains(ready: Prepared) -> None:
    part = next(p for p in holdouts.sources(ready) if p.name == "source tweetfeed")
    code = ready.data.sources.index("tweetfeed")
    tested = ready.data.source == code
    assert np.array_equal(part.tested, tested)
    under = np.isin(ready.splits.domain, ready.splits.domain[tested])
    bad = ready.data.target >= 0
    assert part.dropped[under & bad].all()
    assert not part.dropped[~bad].any()
    other = part.dropped & (ready.data.source != code)
    assert other.sum() == 1  # the www. of a domain that the source has


def test_another_tenth_of_domains_for_each_seed(ready: Prepared) -> None:
    first, second = (holdouts.domains(ready, seed) for seed in (1, 2))
    for part in (first, second):
        assert 0.07 < part.dropped.mean() < 0.13
        held = np.unique(ready.splits.domain[part.dropped])
        assert not np.isin(ready.splits.domain[~part.dropped], held).any()
    assert (first.dropped & second.dropped).mean() < 0.03
    assert (first.dropped & ready.unseen).mean() < 0.03


def test_what_is_dropped_had_never_been_there(ready: Prepared) -> None:
    part = next(p for p in holdouts.sources(ready) if p.name == "source tweetfeed")
    rest = holdouts.without(ready, part.dropped)
    assert len(rest.data) == int((~part.dropped).sum())
    assert rest.data.names.texts() == ready.data.names.take(np.flatnonzero(~part.dropped)).texts()
    assert "tweetfeed" not in {rest.data.sources[code] for code in np.unique(rest.data.source)}

    def feeds(of: Prepared) -> int:
        return int(of.known.feeds.sum())

    assert feeds(rest) < feeds(ready)  # nor does it speak against a domain's reputation
    at = np.flatnonzero(~part.dropped)
    assert np.array_equal(rest.unseen, ready.unseen[at])
    assert np.array_equal(rest.splits.domain, ready.splits.domain[at])
    best = clean.best_known(rest.known, 2, 10_000)
    assert len(best) >= len(clean.best_known(ready.known, 2, 10_000))


def test_lineages() -> None:
    assert holdouts.lineage("suppobox-words1") == holdouts.lineage("suppobox") == "suppobox"
    assert holdouts.lineage("gameoverzeus") == holdouts.lineage("Newgoz")
    assert not holdouts.lineage("")
