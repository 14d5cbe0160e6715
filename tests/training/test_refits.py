"""Evaluation with models fitted anew: kept after each, gone on with, merged into the card."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mlplugin.cli.evaluate import evaluate
from mlplugin.errors import MlpluginError, UsageError
from mlplugin.training import evaluation, holdouts, listing, preparation, refits, run
from mlplugin.training.evaluation import Request
from mlplugin.training.fit import Recipe
from tests.e2e.system import until
from tests.training.conftest import SMALL

QUICK = replace(SMALL, passes=1, invented_families=4, ordinary=100)


def quiet(_: str) -> None:
    """Take no notice of the progress."""


@pytest.fixture(scope="module")
def model(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "3.1.0"
    run.run(run.Order(labelled, out, "3.1.0", QUICK, False, ()), quiet)
    return out


@pytest.fixture(scope="module")
def report(labelled: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.json"
    arguments = ["--model", str(model), "--data", str(labelled), "--report", str(path)]
    chosen = ["--holdout", "domains", "--seeds", "2", "--format", "jsonl"]
    done = CliRunner().invoke(evaluate, [*arguments, *chosen])
    assert done.exit_code == 0, done.output
    assert "fit 2 of 2: domains, seed 2" in done.stderr
    assert "min to go" in done.stderr
    chosen = ["--holdout", "sources", "--format", "jsonl"]
    done = CliRunner().invoke(evaluate, [*arguments, *chosen])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["kind"] for row in rows} >= {"found", "hold-out", "goal", "score scale"}
    assert {row["set"] for row in rows if row["kind"] == "hold-out"} >= {
        *("domains: dga_random", "source tweetfeed: mal_phishing"),
    }
    return path


def test_every_part_is_measured_on_what_it_never_saw(report: Path) -> None:
    measured = json.loads(report.read_text())
    fits = measured["holdouts"]["fits"]
    assert set(fits) == {
        *("domains, seed 1", "domains, seed 2"),
        *("source tweetfeed, seed 1", "source openphish, seed 1"),
    }
    feed = fits["source tweetfeed, seed 1"]
    assert feed["trained"]["phishing"] == 0
    assert feed["trained"]["dga"] > 1000
    assert feed["names_tested"] > 300
    assert feed["finds"]["mal_phishing"]["names"] > 300
    domains = fits["domains, seed 1"]
    clean = domains["false_positives"]["clean, unseen domains"]
    assert clean["names"] > 300
    assert clean["trained on"] == 0
    assert domains["finds"]["dga_random: alpha"]["own"]["1.00%"] > 0.8


def test_the_summary_tells_mean_and_spread(report: Path) -> None:
    measured = json.loads(report.read_text())
    section = measured["holdouts"]
    row = section["summary"]["domains"]["finds/mal_phishing"]["suspicious or worse"]
    shares = [
        section["fits"][f"domains, seed {seed}"]["finds"]["mal_phishing"]["suspicious or worse"]
        for seed in (1, 2)
    ]
    assert row["mean"] == pytest.approx(sum(shares) / 2, abs=1e-6)
    assert row["spread"] == [min(shares), max(shares)]
    assert row["interval"][0] <= row["mean"] <= row["interval"][1]
    assert row["seeds"] == 2
    scale = section["summary"]["domains"]["score_scale/pooled, half each/20"]
    assert scale["expected"] == 0.01
    assert 0 <= scale["observed"]["mean"] < 0.1
    goals = {(goal["row"], goal["measured_on"]): goal for goal in measured["goals"]}
    known = goals["DGA random, known families", "domains"]
    macros = [
        section["fits"][f"domains, seed {seed}"]["macro"]["dga_random"]["suspicious or worse"]
        for seed in (1, 2)
    ]
    assert known["share"] == pytest.approx(sum(macros) / 2, abs=1e-6)
    assert known["spread"] == [min(macros), max(macros)]
    assert known["met"] is (known["share"] >= 0.98)
    # nothing was left to learn phishing from
    assert ("phishing, other feeds", "source tweetfeed") not in goals


def test_a_report_is_gone_on_with(
    labelled: Path, model: Path, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "report.json"
    shutil.copy(report, copy)
    fitted: list[str] = []

    def fit(_ready: Any, parts: Any, recipe: Any, _tell: Any) -> list[dict[str, Any]]:
        fitted.extend(f"{part.label}, seed {recipe.seed}" for part in parts)
        raise KeyboardInterrupt

    monkeypatch.setattr(refits, "fitted_without", fit)
    done = json.loads(report.read_text())["holdouts"]["fits"]
    request = Request(model, labelled, (), ("domains",), 2, None, copy)
    again = evaluation.evaluate(request, quiet)
    assert not fitted
    assert again["holdouts"]["fits"] == done
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(replace(request, seeds=3), quiet)
    assert fitted == ["domains, seed 3"]
    assert json.loads(copy.read_text())["holdouts"]["fits"] == done  # what was done is kept
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(replace(request, passes=2), quiet)
    assert fitted[1:] == ["domains, seed 1"]  # another recipe begins anew


def test_several_at_a_time_measure_the_same(
    labelled: Path, model: Path, report: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    request = Request(model, labelled, (), ("domains",), 2, None, path, jobs=2)
    told: list[str] = []
    evaluation.evaluate(request, told.append)
    fits = json.loads(path.read_text())["holdouts"]["fits"]
    expected = json.loads(report.read_text())["holdouts"]["fits"]
    assert list(fits) == ["domains, seed 1", "domains, seed 2"]
    assert fits == {key: expected[key] for key in fits}
    assert any(line.startswith("fit 2 of 2: domains, seed") for line in told)


def test_generators_and_feeds_may_be_held_out_at_once() -> None:
    nothing = np.zeros(0, np.bool_)

    def pairs(*names: str) -> list[tuple[int, ...]]:
        return holdouts.pairs([holdouts.Part(name, name, nothing, nothing, []) for name in names])

    assert pairs("domains", "families", "word list", "dates", "source a", "source b", "odd") == [
        (0,), (1, 3), (2, 4), (6, 5),
    ]  # fmt: skip
    assert pairs("families", "families", "dates") == [(0, 2), (1,)]
    assert pairs("source a", "source b") == [(0,), (1,)]
    assert pairs() == []


def test_each_is_measured_on_its_own(labelled: Path) -> None:
    """By one fit that misses both, which the report tells of."""
    ready = preparation.prepare(labelled, quiet)
    first, second = itertools.islice(holdouts.sources(ready), 2)
    found = refits.fitted_without(ready, [first, second], QUICK, quiet)
    assert [one["part"] for one in found] == [first.name, second.name]
    assert [one["beside"] for one in found] == [second.told, first.told]
    assert found[0]["trained"] == found[1]["trained"]
    assert all(one["names_tested"] > 0 for one in found)


def test_a_probe_knows_nothing_of_what_it_is_measured_on(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its fit nor its calibration, which decides how often each threat may be flagged."""
    ready = preparation.prepare(labelled)
    told: list[preparation.Prepared] = []
    measured: list[preparation.Mask] = []
    train, judged = refits.train, refits.finds.judged_malicious

    def training(rest: Any, *arguments: Any) -> Any:
        told.append(rest)
        return train(rest, *arguments)

    def judging(judge: Any, about: Any, held: Any) -> Any:
        measured.append(held)
        return judged(judge, about, held)

    monkeypatch.setattr(refits, "train", training)
    monkeypatch.setattr(refits.finds, "judged_malicious", judging)
    probe = refits.probe(ready, SMALL, quiet)
    (rest,) = told
    names, domains = set(rest.data.names.texts()), rest.splits.domain[rest.trainable]
    assert len(measured) == 2
    for held in measured:
        rows = np.flatnonzero(held)
        assert len(rows) > 30
        assert names.isdisjoint(ready.data.names.take(rows).texts())
        assert not np.isin(ready.splits.domain[rows], domains).any()
    assert set(probe["families_held_out"]) < {"alpha", "beta", "gamma", "delta"}
    assert set(probe["later_names"]) == {"mal_phishing"}


def test_an_interrupt_ends_all_of_them_at_once(labelled: Path, model: Path, tmp_path: Path) -> None:
    """A terminal sends it to every process of the group; none may begin another hold-out."""
    script = f"""
import time
from pathlib import Path
from mlplugin.training import evaluation, refits

def slowly(ready, parts, recipe, tell):
    with open({str(tmp_path / "begun")!r}, "a") as out:
        print(parts[0].label, recipe.seed, file=out)
    time.sleep(300)

refits.fitted_without = slowly
request = evaluation.Request(
    Path({str(model)!r}), Path({str(labelled)!r}), (), ("domains",), 6, None,
    Path({str(tmp_path / "report.json")!r}), jobs=2,
)
try:
    evaluation.evaluate(request, print)
except KeyboardInterrupt:
    raise SystemExit(130)
"""
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    begun = tmp_path / "begun"
    until("both", lambda: begun.exists() and len(begun.read_text().splitlines()) == 2)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert len(begun.read_text().splitlines()) == 2
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_process_that_is_killed_is_told_of(
    labelled: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "fitted_without", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    request = Request(model, labelled, (), ("domains",), 2, None, tmp_path / "r.json", jobs=2)
    with pytest.raises(MlpluginError, match="fewer --jobs"):
        evaluation.evaluate(request, quiet)


def test_no_other_file_is_overwritten(labelled: Path, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text('{"mine": 1}')
    with pytest.raises(UsageError, match="no report"):
        evaluation.evaluate(Request(model, labelled, report=path), quiet)
    assert path.read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    "text",
    [
        "[]", "1", "{", "[" * 100_000, "{}", '{"recipe": []}', '{"recipe": {"passes": "many"}}',
        '{"recipe": {"weights": [1]}}', '{"recipe": {"rate": null}}', '{"recipe": {"seed": true}}',
    ],
)  # fmt: skip
def test_metrics_that_tell_no_recipe(text: str, tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "metrics.json").write_text(text)
    assert evaluation.recipe_of(tmp_path, None, said.append) == Recipe()
    assert said == [f"{tmp_path} tells no recipe: hold-outs are fitted by the usual one"]
    assert evaluation.recipe_of(tmp_path, 7, quiet) == Recipe(passes=7, look_passes=7)


def test_a_recipe_that_is_told(tmp_path: Path) -> None:
    told = {"recipe": {"passes": 5, "rate": 1, "of another version": [], "weights": {"a": 2}}}
    (tmp_path / "metrics.json").write_text(json.dumps(told))
    found = evaluation.recipe_of(tmp_path, None, lambda _: pytest.fail("it is told"))
    assert (found.passes, found.rate, found.weights) == (5, 1, {"a": 2})


@pytest.mark.parametrize("text", ["[]", "[" * 100_000, '{"recipe": [], "holdout": 1}'])
def test_no_card_from_strange_metrics(text: str, model: Path, report: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / "metrics.json").write_text(text)
    with pytest.raises(UsageError, match=r"metrics\.json .* again"):
        run.add(folder, json.loads(report.read_text()))
    assert (folder / "metrics.json").read_text() == text


def test_the_card_tells_of_hold_outs(model: Path, report: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    measured = json.loads(report.read_text())
    run.add(folder, measured)
    card = (folder / "README.md").read_text()
    assert "### New registered domains" in card
    assert "### Without the source tweetfeed" in card
    assert "| DGA random, known families | 87 | 74 | 98 |" in card
    assert measured["model"]["weights_sha256"] in card
    assert "![Finds by family](families.svg)" in card
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["recipe"] == json.loads((model / "metrics.json").read_text())["recipe"]
    assert "finds" not in metrics["holdouts"]["fits"]["domains, seed 1"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run.add(folder, measured)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_hold_outs_that_were_there_before_stay(model: Path, report: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    measured = json.loads(report.read_text())

    def of(report: dict[str, Any], name: str) -> dict[str, Any]:
        section = report["holdouts"]
        chosen = {
            "fits": {key: fit for key, fit in section["fits"].items() if fit["part"] == name},
            "summary": {name: section["summary"][name]},
        }
        return report | {"holdouts": section | chosen}

    for name in ("domains", "source tweetfeed"):
        run.add(folder, of(measured, name))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["holdouts"]["summary"]) == ["domains", "source tweetfeed"]
    assert {entry["measured_on"] for entry in metrics["goals"]} >= {"domains"}
    again = of(measured, "domains")
    label, fit = next(iter(again["holdouts"]["fits"].items()))
    again["holdouts"]["fits"] = {label: fit}
    run.add(folder, again)
    fits = json.loads((folder / "metrics.json").read_text())["holdouts"]["fits"]
    assert [name for name in fits if name.startswith("domains")] == [label]
    other = of(measured, "source tweetfeed")
    other["holdouts"]["recipe"] = other["holdouts"]["recipe"] | {"passes": 9}
    run.add(folder, other)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["holdouts"]["summary"]) == ["source tweetfeed"]  # of the other recipe


def test_a_full_disk_costs_no_figure(
    model: Path, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metrics.json that is cut off would lose the hold-outs of hours."""
    here = tmp_path / "model"
    shutil.copytree(model, here)
    before = (here / "metrics.json").read_bytes()

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run.add(here, json.loads(report.read_text()))
    assert (here / "metrics.json").read_bytes() == before
    assert not list(here.glob("*.part"))


def test_a_report_of_other_weights_is_refused(model: Path, report: Path, tmp_path: Path) -> None:
    measured = json.loads(report.read_text())
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    with pytest.raises(UsageError, match="not the model that was measured"):
        run.add(folder, measured | {"model": measured["model"] | {"weights_sha256": "0" * 64}})
    (folder / "metrics.json").write_text('{"version": "3.1.0"}')
    with pytest.raises(UsageError, match="train again"):
        run.add(folder, measured)
    assert json.loads((folder / "metrics.json").read_text()) == {"version": "3.1.0"}
    (folder / "metrics.json").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        run.add(folder, measured)


def test_command_with_plots_and_card(
    labelled: Path, model: Path, report: Path, tmp_path: Path
) -> None:
    folder, plots = tmp_path / "model", tmp_path / "plots"
    shutil.copytree(model, folder)
    log = tmp_path / "queries.txt"
    log.write_text("www.example.org A\ngarden-house7.com A\ngarden-house7.com AAAA\n")
    shutil.copy(report, tmp_path / "report.json")
    arguments = ["--model", str(folder), "--data", str(labelled), "--plots", str(plots), "--card"]
    more = ["--report", str(tmp_path / "report.json"), "--traffic", str(log), "--format", "table"]
    done = CliRunner().invoke(evaluate, [*arguments, *more])
    assert done.exit_code == 0, done.output
    for kind in listing.SECTIONS:
        assert f"\n{kind}\n" in done.stdout
    assert {path.name for path in plots.iterdir()} == {
        *("roc.svg", "reliability.svg", "families.svg"),
    }
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["traffic"]["queries.txt"]["queries"] == 3
    assert "### New registered domains" in (folder / "README.md").read_text()


def test_every_row_fits_its_columns(report: Path) -> None:
    measured = json.loads(report.read_text())
    for row in listing.rows(measured):
        assert set(row) <= {"kind", *listing.COLUMNS}
        assert row["kind"] in listing.SECTIONS
