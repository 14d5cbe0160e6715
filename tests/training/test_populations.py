"""Which names calibrate a model, and what each of them stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplugin.training import pipeline, populations, preparation
from mlplugin.training.datasets import BENIGN
from tests.training.conftest import SMALL


@pytest.fixture(scope="module")
def ready(labelled: Path) -> preparation.Prepared:
    return preparation.prepare(labelled)


def counts(ready: preparation.Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Rows of clean names under new domains: popular ones, and queried hosts."""
    fresh = ready.fair & ready.unseen & ready.two_votes
    popular = np.flatnonzero(fresh & ready.data.of_file("benign_popular"))
    return popular, np.flatnonzero(fresh & ready.data.of_file("benign_fqdn"))


def test_half_of_the_population_are_hosts_that_reputation_may_pass(
    ready: preparation.Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(populations, "FEWEST", 10)
    popular, queried = counts(ready)
    assert len(popular) >= 10
    assert len(queried) >= 10
    known = np.unique(ready.splits.domain[queried[: len(queried) // 2]])
    passed = np.isin(ready.splits.domain[queried], known)
    assert 0 < passed.sum() < len(queried)
    found = populations._clean(ready, known)
    assert len(found.names) == len(popular) + (~passed).sum()
    assert found.names.texts()[: len(popular)] == ready.data.names.take(popular).texts()
    assert found.weight[: len(popular)] == pytest.approx(0.5 / len(popular))
    assert found.weight[len(popular) :] == pytest.approx(0.5 / len(queried))
    assert found.weight.sum() == pytest.approx(1 - passed.mean() / 2)


def test_with_few_hosts_the_popular_names_stand_alone(ready: preparation.Prepared) -> None:
    found = populations._clean(ready, np.empty(0, np.uint64))
    assert found.weight.sum() == pytest.approx(1.0)
    fresh = ready.fair & ready.unseen & (ready.data.target == BENIGN)
    assert len(found.names) == fresh.sum()


def test_what_is_flagged_is_no_more_than_scores_promise(
    ready: preparation.Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that the first look does not let through never reach a score of the second."""
    monkeypatch.setattr(populations, "FEWEST", 10)
    model = pipeline.train(ready, ready.trainable, SMALL, lambda _: None).model
    recipe = replace(SMALL, look_from=10.0)
    networks = model.network, model.look
    found = populations.calibrated(ready, networks, model.reputation, recipe)
    clean = populations._clean(ready, model.reputation)
    first, mixed = populations.both(networks, clean.names, ready.rules, recipe.look_share)
    passed = found.first.combined(first) >= recipe.look_from
    assert 0 < (clean.weight * passed).sum() <= 0.1
    score = found.second.combined(mixed)
    assert score.min() >= recipe.look_from
    flagged = passed & (score >= 20)
    assert (clean.weight * flagged).sum() <= 0.01
    assert found.second.together
    assert not found.first.together
