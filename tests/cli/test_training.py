"""What a training run shows."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mlplugin.cli import training
from mlplugin.cli.main import main
from mlplugin.cli.train import LARGEST_SEED, train
from mlplugin.errors import UsageError
from mlplugin.training import evaluation, fit, job
from mlplugin.training.progress import JsonLines, Moment
from mlplugin.training.run import Order

MOMENT = Moment(
    fit=1, number=2, passes=2, done=1_000_000, total=2_500_000, rate=50_000.0, loss=0.12344,
    losses={"dga": 0.5, "benign": 0.02}, recall={"dga": 0.913}, measured=True,
)  # fmt: skip


def test_a_moment_in_one_line() -> None:
    assert MOMENT.share == 0.7
    assert training.summary(MOMENT) == (
        "pass 2 of 2: 1,000,000 of 2,500,000 names, 50,000 a second, 0:30 left, loss 0.1234; "
        "found at 0.1 % FPR: dga 91%"
    )


def test_off_a_terminal_only_measurements_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    lines = training.Lines()
    lines.moment(replace(MOMENT, measured=False))
    lines.moment(MOMENT)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == training.summary(MOMENT) + "\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    view = training.LiveView(terminal)
    view.line("reading [names]")
    view.moment(MOMENT)
    view.line("between")
    view.close()
    shown = terminal.getvalue()
    for part in ("reading [names]", "pass 2 of 2", "70%", "50,000 names a second", "0:30 left",
                 "0.1234", "dga", "91.3%", "benign", "between"):  # fmt: skip
        assert part in shown, part
    assert shown.count("\x1b[?25h") == shown.count("\x1b[?25l") == 1  # the cursor is back
    view.close()


def test_programs_get_json_lines() -> None:
    stream, complaints = io.StringIO(), []
    events = JsonLines(stream, complaints.append)
    events.line("hello")
    events.moment(MOMENT)
    events.event("checkpoint", file="x")
    first, second, third = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["event"], first["text"]) == ("line", "hello")
    assert second["event"] == "progress"
    assert (second["pass"], second["done"], second["share"]) == (2, 1_000_000, 0.7)
    assert (second["losses"], second["recall"]) == (MOMENT.losses, MOMENT.recall)
    assert third["file"] == "x"
    assert all(row["time"].endswith("Z") for row in (first, second, third))
    assert complaints == []


def test_a_reader_that_goes_ends_the_stream_only() -> None:
    complaints: list[str] = []
    with Path("/dev/full").open("w") as stream:
        events = JsonLines(stream, complaints.append)
        events.line("one")
        events.line("two")
        assert complaints == ["the progress stream has ended: No space left on device"]
        with pytest.raises(OSError, match="No space"):
            stream.close()


def test_the_clock_and_the_cost() -> None:
    assert [training.clock(value) for value in (0.4, 59.6, 3725)] == ["0:00", "1:00", "1:02:05"]
    cost = {
        "seconds": 80.0,
        "peak_bytes": 2_000_000_000,
        "stages": [{"stage": "fit", "seconds": 75.0, "peak_bytes": 1_500_000_000}],
    }
    assert training.cost_lines(cost) == [
        "fit             1:15  peak memory so far 1.50 GB",
        "in all          1:20  peak memory so far 2.00 GB",
    ]


@pytest.mark.parametrize("time", ["yesterday", "2026-12-01", "2026-13-01T00:00:00Z"])
def test_a_time_must_be_one(time: str, tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "o"), "--created", time]
    done = CliRunner().invoke(train, arguments)
    assert done.exit_code == 2
    assert "2026-12-01T00:00:00Z" in done.output


def test_help_has_examples() -> None:
    text = click.Context(train, info_name="train").get_help()
    assert text.count("mlplugin train --data") >= 4
    for option in ("--restart", "--progress", "--checkpoint-every", "--created"):
        assert option in text


@pytest.mark.parametrize("way", [["--data", ".", "--out", "model"], ["--from-history"]])
@pytest.mark.parametrize("seed", ["-1", str(LARGEST_SEED + 1), "1.5"])
def test_a_seed_that_no_generator_takes(
    seed: str, way: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *way, "--seed", seed]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'--seed'" in line


def test_generators_take_the_largest_seed() -> None:
    recipe = fit.Recipe(seed=LARGEST_SEED, passes=999)
    assert int(fit.generator(recipe, recipe.passes)[0]) == LARGEST_SEED * 1000 + 999


def test_passes_are_those_of_both_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `evaluate --passes` fits anew is as quick."""
    recipes = []

    def taken(order: Order, *_: object, **__: object) -> None:
        recipes.append(order.recipe)
        raise UsageError("enough")

    monkeypatch.setattr(job, "train", taken)
    words = ["train", "--data", str(tmp_path), "--out", str(tmp_path / "model")]
    assert main(words) == main([*words, "--passes", "1"]) == 2
    usual, quick = recipes
    assert usual == fit.Recipe()
    assert quick == replace(usual, passes=1, look_passes=1)
    assert evaluation.recipe_of(tmp_path, 1, lambda _: None) == quick
    (option,) = [one for one in train.params if one.name == "passes"]
    assert f"[default: {usual.passes}]" in str(option.to_info_dict()["help"])
    assert usual.passes == usual.look_passes
