"""The stretches of a pass, and what is told between them."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplugin.training import fit, loop, pipeline, preparation
from mlplugin.training.descent import descend, scratch
from mlplugin.training.learners import FirstLook, SecondLook
from mlplugin.training.progress import Course, Moment
from tests.training.conftest import SMALL

RECIPE = replace(SMALL, passes=2)


@pytest.fixture(scope="module")
def ready(labelled: Path) -> preparation.Prepared:
    return preparation.prepare(labelled)


@pytest.fixture(scope="module")
def material(ready: preparation.Prepared) -> tuple[fit.Samples, np.ndarray, int]:
    rows = np.flatnonzero(ready.trainable)
    made, lenders = fit.samples(ready.data, ready.splits, rows, ready.rules, RECIPE)
    return made, lenders, len(ready.rules)


class Watch:
    """A reporter that keeps moments, and may end things at one."""

    def __init__(self, stop: int = -1) -> None:
        self.moments: list[Moment] = []
        self.stop = stop

    def line(self, text: str) -> None:
        pass

    def moment(self, moment: Moment) -> None:
        self.moments.append(moment)
        if len(self.moments) == self.stop:
            os.kill(os.getpid(), signal.SIGINT)

    def event(self, kind: str, **about: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("longest", [1, 333, 50_000])
def test_stretches_change_no_bit(
    longest: int, material: tuple[fit.Samples, np.ndarray, int]
) -> None:
    made, lenders, rules = material
    made = made._replace(weight=np.where(np.arange(len(made.weight)) % 4, made.weight, 0))
    expected, sums = fit.start(RECIPE, rules), np.zeros((7, 2))
    buffers = scratch(RECIPE.dimensions, RECIPE.hidden, 6)
    for number in range(RECIPE.passes):
        sums[:] = 0
        descend(
            made, fit.order(made, RECIPE, number), lenders, fit.chances(RECIPE), expected,
            fit.rates(RECIPE, number), buffers, fit.generator(RECIPE, number), sums,
        )  # fmt: skip
    watch = Watch()
    course = Course((watch,), longest=longest)
    weights = loop.fit(FirstLook(made, lenders, rules, RECIPE), course=course)
    for name, value in weights._asdict().items():
        assert np.array_equal(value, getattr(expected, name)), name
    last = watch.moments[-1]
    assert last.loss == sums[:, 0].sum() / sums[:, 1].sum()
    assert last.losses["dga"] == sums[0, 0] / sums[0, 1]
    assert last.losses["benign"] == sums[6, 0] / sums[6, 1]
    assert "tunnel" not in last.losses
    assert last.done == last.total == (made.weight > 0).sum() == sums[:, 1].sum()


@pytest.mark.parametrize("longest", [1, 333])
def test_stretches_change_no_bit_of_the_second_look(
    longest: int, material: tuple[fit.Samples, np.ndarray, int]
) -> None:
    """Its rates fall from sample to sample, so that a stretch must know where it begins."""
    made, lenders, _ = material
    made = made._replace(weight=np.where(np.arange(len(made.weight)) % 7 == 0, made.weight, 0))
    whole = loop.fit(SecondLook(made, lenders, RECIPE), course=Course())
    watch = Watch()
    course = Course((watch,), longest=longest)
    parts = loop.fit(SecondLook(made, lenders, RECIPE), course=course)
    for name, value in whole._asdict().items():
        assert np.array_equal(value, getattr(parts, name)), name
    assert watch.moments[-1].passes == RECIPE.look_passes
    assert watch.moments[-1].loss < watch.moments[0].loss


def test_watching_changes_no_bit(
    ready: preparation.Prepared, material: tuple[fit.Samples, np.ndarray, int]
) -> None:
    made, lenders, rules = material
    alone = loop.fit(FirstLook(made, lenders, rules, RECIPE), course=Course())
    sample = pipeline.watched(ready)
    watched = loop.fit(
        FirstLook(made, lenders, rules, RECIPE), course=Course((Watch(),)), sample=sample
    )
    assert all(np.array_equal(a, b) for a, b in zip(alone, watched, strict=True))


def test_recall_is_what_a_threshold_of_one_in_a_thousand_finds(
    ready: preparation.Prepared, material: tuple[fit.Samples, np.ndarray, int]
) -> None:
    made, lenders, rules = material
    weights = loop.fit(FirstLook(made, lenders, rules, RECIPE), course=Course())
    sample = pipeline.watched(ready)
    assert not (ready.unseen & ready.trainable).any()
    assert 0 < len(sample.names) <= 5000 + 6 * 500
    learner = FirstLook(made, lenders, rules, RECIPE)
    logits = learner.logits(weights, sample.names, sample.at)
    found = sample.recall(learner, weights)
    assert set(found) == {"dga", "phishing"}
    for threat, head in (("dga", 0), ("phishing", 3)):
        benign = np.sort(logits[sample.target == -1, head])[::-1]
        limit = benign[len(benign) // 1000]
        reached = logits[sample.target == head, head] > limit
        assert found[threat] == pytest.approx(reached.mean(), abs=1e-4)


def test_a_second_interrupt_does_not_wait(
    material: tuple[fit.Samples, np.ndarray, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two stretches nothing looks, so that only the signal itself can end it."""
    made, lenders, rules = material
    before = signal.getsignal(signal.SIGINT)
    with loop.patience() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    watch = Watch(stop=3)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(FirstLook(made, lenders, rules, RECIPE), course=Course((watch,)))
    assert len(watch.moments) == 3


def test_an_ignored_interrupt_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with loop.patience() as stopped:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stopped()
    finally:
        signal.signal(signal.SIGINT, before)
