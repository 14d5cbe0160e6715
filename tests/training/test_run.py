"""Training as a whole, on names that anyone can tell apart."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mlplugin.errors import UsageError
from mlplugin.model import load
from mlplugin.training import datasets, evaluation, listing, pipeline, preparation, quantise
from mlplugin.training.names import from_texts
from mlplugin.training.run import Order, run
from tests.training.conftest import SMALL, benign, noise

ROOT = Path(__file__).resolve().parents[2]


def quiet(_: str) -> None:
    """Take no notice of the progress."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "queries.txt"
    path.write_text("www.example.org A\ngarden-house7.com A\ngarden-house7.com AAAA\n")
    return path


@pytest.fixture(scope="module")
def trained(
    labelled: Path, log: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("models") / "2026.1.0"
    order = Order(labelled, out, "2026.1.0", SMALL, True, (log,))
    return out, run(order, quiet)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def test_the_directory_is_whole(trained: tuple[Path, dict[str, Any]]) -> None:
    out, metrics = trained
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("config.json", "weights.safetensors", "metrics.json", "README.md"),
        *("roc.svg", "reliability.svg", "families.svg"),
    }
    assert load(out).version == "2026.1.0"
    assert json.loads((out / "metrics.json").read_text()) == metrics


def test_it_has_learnt(trained: tuple[Path, dict[str, Any]]) -> None:
    import random

    model, rng = load(trained[0]), random.Random(77)
    good = model.scores_many(benign(rng, 500))
    generated = model.scores_many(noise(rng, 500))
    assert np.median(generated[:, 0]) > 30
    assert (good.max(axis=1) >= 30).mean() < 0.02


def test_numbers_of_the_trainer_are_those_of_the_reader(
    labelled: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    ready = preparation.prepare(labelled)
    model = pipeline.train(ready, ready.trainable, SMALL, quiet).model
    names = from_texts(
        [*ready.data.names.texts()[::97], "a.b.\\255\\000x.example.co.uk", "x" * 63 + ".top"]
    )
    at = datasets.split(names, model.rules)
    first, second = model.network.logits(names, at), model.look.logits(names, at)
    there = load(trained[0])
    looked = model.calibration.combined(first) >= model.look_from
    assert 3 < looked.sum() < len(names) - 3
    mixed = (1 - model.look_share) * first + model.look_share * second
    here = np.where(looked[:, None], mixed, first)
    assert np.abs(here - there.logits_many(names.texts())).max() < 1e-9
    scores = np.where(
        looked[:, None], model.look_calibration.scores(mixed), model.calibration.scores(first)
    )
    assert np.abs(scores - there.scores_many(names.texts())).max() < 1e-5


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "testdata" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


def test_numbers_are_those_of_the_written_format(trained: tuple[Path, dict[str, Any]]) -> None:
    from safetensors.numpy import load_file

    out = trained[0]
    config = json.loads((out / "config.json").read_text())
    tensors = {
        name: value.tolist() for name, value in load_file(out / "weights.safetensors").items()
    }
    plain, model = reference().Model(config, tensors), load(out)
    for name in ("qzxkwvbnmtrpls.info", "mail.garden-river7.co.uk", "login-verify-music-7.top"):
        expected = plain.judge(name)
        verdict = model.judge(name)
        assert verdict.level == expected["verdict"]
        logits = list(expected["logits"].values())
        assert np.allclose(model.logits_many([name])[0], logits, atol=1e-9)


def test_the_same_seed_gives_the_same_bytes(
    labelled: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    same = Order(labelled, tmp_path / "same", "2026.1.0", SMALL, False, ())
    run(same, quiet)
    assert digest(same.out) == digest(trained[0])
    other = replace(same, out=tmp_path / "other", recipe=replace(SMALL, seed=2))
    run(other, quiet)
    assert digest(other.out) != digest(same.out)


def test_forbidden_rows_and_held_domains_are_not_trained_on(labelled: Path) -> None:
    ready = preparation.prepare(labelled)
    sources = [ready.data.sources[code] for code in ready.data.source[ready.trainable]]
    assert "openphish" not in sources
    assert not (ready.trainable & ready.unseen).any()
    share = ready.unseen.mean()
    assert 0.07 < share < 0.13


def test_metrics_are_measured(trained: tuple[Path, dict[str, Any]]) -> None:
    metrics = trained[1]
    assert metrics["finds"]["dga_random: alpha"]["own"]["1.00%"] > 0.9
    assert metrics["finds"]["dga_random: alpha"]["auc"] > 0.99
    assert metrics["traffic"]["queries.txt"]["queries"] == 3
    assert metrics["traffic"]["queries.txt"]["names"] == 2
    files = metrics["data"]["mal_phishing"]
    assert files["dropped by licence"] > 0
    assert (
        files["trained on"]
        + files["held out by domain"]
        + files["dropped by licence"]
        + files["dropped by cleaning"]
        == files["rows"]
    )
    assert metrics["probe"]["first_seen_from"].startswith("2025-")


def test_card_shows_what_was_measured(trained: tuple[Path, dict[str, Any]]) -> None:
    out, metrics = trained
    card = (out / "README.md").read_text()
    assert "# Model 2026.1.0" in card
    assert "| openphish | non-commercial |" in card
    clean = metrics["false_positives"]["clean, unseen domains"]
    assert f"| clean, unseen domains | {clean['names']:,} |" in card
    assert "dga_random: alpha" in card


def test_evaluate_agrees_with_the_training_run(
    labelled: Path, log: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    out, metrics = trained
    measured = evaluation.evaluate(evaluation.Request(out, labelled, (log,)))
    sections = (
        *("model", "false_positives", "population", "score_scale", "finds", "macro", "roc"),
        *("reputation_effect", "traffic", "goals"),
    )
    for key in sections:
        assert measured[key] == metrics[key]
    rows = list(listing.rows(measured))
    assert {row["set"] for row in rows} >= {"clean, unseen domains", "dga_random: alpha"}
    assert all(set(row) <= set(listing.COLUMNS) for row in rows)


def test_a_directory_in_use_is_left_alone(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        run(Order(labelled, tmp_path, "1", SMALL, False, ()), quiet)
    assert (tmp_path / "keep").read_text() == "mine"


def test_eight_bits_stay_near(labelled: Path) -> None:
    values = np.random.default_rng(1).normal(0, 1, (512, 10)).astype(np.float32)
    values[0] *= 50  # a few large rows must not spoil the rest
    zeros = np.zeros((6, 12), np.float32)
    network = quantise.Network(
        values, np.ones(10, np.float32), zeros, zeros[:, 0], zeros, zeros[:, 0],
        zeros[:, :6], np.ones(1, np.float32), 1.0, 0.5,
    )  # fmt: skip
    small = quantise.quantised(network)
    assert small.table.dtype == np.int8
    restored = small.table * small.table_scale
    error = np.abs(restored - values)[1:]
    assert error.max() <= small.table_scale.max() / 2 + 1e-6
