"""`train`, `evaluate` and `models` as commands."""

from __future__ import annotations

import builtins
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlplugin.cli.evaluate import evaluate
from mlplugin.cli.models import models
from mlplugin.cli.train import train
from mlplugin.errors import MlpluginError, UsageError
from mlplugin.model import load, shipped
from mlplugin.training import run as runs
from tests.support.models import variant
from tests.training.conftest import SMALL


def test_train_then_evaluate(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlplugin.training import fit

    monkeypatch.setattr(fit, "Recipe", lambda **_: SMALL)
    out = tmp_path / "models" / "7.1.0"
    arguments = ["--data", str(labelled), "--out", str(out), "--version", "7.1.0"]
    done = CliRunner().invoke(train, [*arguments, "--holdout", "domains"])
    assert done.exit_code == 0, done.output
    assert "model 7.1.0" in done.stdout
    assert "pass 1 of 3" in done.stderr
    assert "found at 0.1 % FPR: dga" in done.stderr
    assert "in all" in done.stderr
    assert "peak memory" in done.stderr
    assert not (out.parent / "7.1.0.partial").exists()

    report = tmp_path / "report.json"
    arguments = ["--data", str(labelled), "--model", str(out), "--report", str(report)]
    done = CliRunner().invoke(evaluate, [*arguments, "--format", "jsonl"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(row["set"] == "dga_random: beta" and row["threat"] == "dga" for row in rows)
    assert "finds" in json.loads(report.read_text())

    listed = CliRunner().invoke(models, ["--models", str(out.parent), "--format", "jsonl"])
    (row,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert row["version"] == "7.1.0"
    assert row["error"] is None
    (out / "weights.safetensors").write_bytes(b"short")
    listed = CliRunner().invoke(models, ["--models", str(out.parent), "--format", "jsonl"])
    assert "weights.safetensors" in json.loads(listed.stdout)["error"]


def test_models_are_measured_on_the_same_names_before_one_is_promoted(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the weights of the tests: what is measured is what counts here, and who is asked."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    kept = ["--data", str(tmp_path / "home" / "mlplugin")]
    asked = ["--data", str(labelled), "--format", "jsonl"]
    first, second = (str(variant(tmp_path, version)) for version in ("1.0", "2.0"))
    done = CliRunner().invoke(evaluate, asked)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[0] == (
        f"measuring model {load().version} in {shipped()}, the shipped one"
    )
    done = CliRunner().invoke(models, ["promote", first, "--force", *kept])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(models, ["promote", second, *kept])
    assert "nothing was measured of it" in str(done.exception)
    done = CliRunner().invoke(models, ["promote", second, "--names", str(labelled), *kept])
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[-1] == "2.0 is in use in place of 1.0"
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["change"] for row in rows} <= {"same", None}
    done = CliRunner().invoke(evaluate, asked)
    place = tmp_path / "home" / "mlplugin"
    assert done.stderr.splitlines()[0] == (
        f"measuring model 2.0 in {place / 'models' / '2.0'}, promoted in {place}"
    )


@pytest.mark.parametrize("text", ["[]", "[" * 100_000, '{"recipe": []}', '{"model": [], "x": 1}'])
def test_a_model_with_strange_metrics_is_measured(
    text: str, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlplugin.cli.main import main

    place = variant(tmp_path, "1.0")
    (place / "metrics.json").write_text(text)
    arguments = ["evaluate", "--model", str(place), "--data", str(labelled), "--format", "jsonl"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    first, *others = captured.err.splitlines()
    assert first == f"measuring model 1.0 in {place}, named with --model"
    assert f"{place} tells no recipe: hold-outs are fitted by the usual one" in others
    assert len(captured.out.splitlines()) > 5
    assert main([*arguments, "--card"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("mlplugin: ")
    assert "metrics.json" in line


@pytest.mark.parametrize("option", ["--plots", "--report"])
def test_where_the_figures_go_is_tried_before_they_are_measured(
    option: str,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mlplugin.cli.main import main
    from mlplugin.training import evaluation

    monkeypatch.setattr(evaluation, "evaluate", lambda *_: pytest.fail("it is measured"))
    (tmp_path / "file").touch()
    folders = [Path("/proc/nope"), tmp_path / "file" / "folder"]
    for folder in folders:
        place = str(folder if option == "--plots" else folder / "report.json")
        assert main(["evaluate", "--data", str(labelled), option, place]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"mlplugin: {folder}: ")
        assert line.endswith(f"{option} needs a folder that can be written")


def test_rows_are_told_before_the_rest_is_written_which_does_not_hang_on_them(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlplugin.cli import evaluate as command
    from mlplugin.training import plots

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    asked = ["--data", str(labelled), "--plots", str(tmp_path / "plots"), "--format", "jsonl"]
    with monkeypatch.context() as patch:
        patch.setattr(plots, "draw", full)
        done = CliRunner().invoke(evaluate, asked)
    assert isinstance(done.exception, OSError)
    assert len(done.stdout.splitlines()) > 5

    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(command, "_write", gone)
    monkeypatch.setattr(plots, "draw", lambda _, folder: (folder / "roc.svg").touch())
    done = CliRunner().invoke(evaluate, asked)
    assert (tmp_path / "plots" / "roc.svg").exists()


def test_a_stream_to_follow_and_an_interrupt(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlplugin.cli.main import main
    from mlplugin.training import fit, progress

    monkeypatch.setattr(fit, "Recipe", lambda **_: SMALL)
    out, stream = tmp_path / "model", tmp_path / "progress.jsonl"
    arguments = ["train", "--data", str(labelled), "--out", str(out), "--holdout", "domains"]
    arguments += ["--created", "2026-12-01T00:00:00Z", "--progress", str(stream)]

    def interrupt(course: progress.Course, moment: progress.Moment) -> None:
        if moment.number == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(progress.Course, "at", interrupt)
        assert main(arguments) == 130
    assert main(arguments) == 0
    assert json.loads((out / "config.json").read_text())["created"] == "2026-12-01T00:00:00Z"
    events = [json.loads(line) for line in stream.read_text().splitlines()]
    kinds = [event["event"] for event in events]
    assert [event["resumed"] for event in events if event["event"] == "start"] == [False, True]
    assert kinds.count("interrupted") == 1
    assert kinds[-1] == "done"
    assert events[-1]["cost"]["stages"]
    assert {"line", "stage", "progress", "checkpoint"} <= set(kinds)


def test_mistakes_are_one_line_each(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlplugin.cli.main import main

    (tmp_path / "file").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "benign.tsv").write_text("name\tlabel\nexample.org\tbenign\n")
    good, out = ["train", "--data", str(labelled)], ["--out", str(tmp_path / "model")]
    for arguments, says in (
        ([*good, "--out", str(tmp_path)], "is there and not empty"),
        ([*good, "--out", str(tmp_path / "file" / "model")], "beside which you may write"),
        ([*good, *out, "--progress", str(tmp_path / "file" / "x")], "--progress"),
        (["train", "--data", str(tmp_path / "data"), *out], "the columns are not"),
        ([*good, *out, "--version", "../evil"], "the version '../evil' cannot name a directory"),
        ([*good, *out, "--version", ""], "the version '' cannot name"),
        ([*good, *out, "--version", "current"], "cannot name a directory"),
        ([*good, *out, "--version", "1" * 65], "of 1 to 64 letters"),
        ([*good, *out, "--version", "2026.12.0\n"], "cannot name a directory"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("mlplugin: ")
        assert says in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "file"]


def test_train_without_names(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["--data", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(train, arguments)
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "out").exists()


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("mlplugin.training"):
            raise ModuleNotFoundError("No module named 'numba'", name="numba")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    for command, arguments in ((train, ["--out", str(tmp_path / "o")]), (evaluate, [])):
        done = CliRunner().invoke(command, ["--data", str(tmp_path), *arguments])
        assert isinstance(done.exception, MlpluginError)
        assert "mlplugin[train]" in str(done.exception)
        assert done.exception.exit_code == 3


def test_the_time_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert runs.timestamp() == "1970-01-01T00:00:00Z"
