"""`mlplugin models`: the list, promotion and the way back, as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mlplugin.bundled.corefile import Layout
from mlplugin.bundled.ports import Endpoint
from mlplugin.bundled.reading import model_mismatch
from mlplugin.cli.main import main
from mlplugin.cli.models import models
from mlplugin.model import load, shipped
from mlplugin.service.registry import Registry
from tests.support.models import measured, variant


class Ran:
    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.status = main(["models", *arguments])
        captured = capsys.readouterr()
        self.out, self.errors = captured.out, captured.err.splitlines()

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    def one(*arguments: str) -> Ran:
        return Ran(capsys, "--data", str(tmp_path / "data"), *arguments)

    return one


def in_use(listed: Ran) -> list[str]:
    return [row["version"] for row in listed.rows() if row["in_use"]]


def test_who_never_promotes_sees_what_there_was(run: Any, tmp_path: Path) -> None:
    listed = run("--format", "jsonl")
    assert listed.status == 0
    assert [list(row) for row in listed.rows()] == [
        [
            "version",
            "in_use",
            "state",
            "data_cutoff",
            "sha256",
            "error",
            "directory",
            "parent",
            "data_sha256",
            "who",
            "added",
        ]
    ] * len(list(shipped().parent.glob("*/config.json")))
    assert in_use(listed) == [load().version]
    assert not (tmp_path / "data").exists()
    table = run("--format", "table").out.splitlines()
    assert table[0].split() == [
        "version", "in_use", "state", "parent", "who", "data_cutoff", "sha256", "directory",
        "error",
    ]  # fmt: skip


def test_promote_list_and_roll_back(run: Any, tmp_path: Path) -> None:
    place = variant(tmp_path, "1.0", measured(0.001, 0.5))
    done = run("promote", str(place), "--force")
    assert done.status == 0
    assert done.errors[-1] == f"1.0 is in use in place of the shipped model {load().version}"
    assert in_use(run()) == in_use(run("list")) == ["1.0"]
    assert run("list").rows() == run().rows()
    second = variant(tmp_path, "2.0", measured(0.0001, 0.6))
    done = run("promote", str(second), "--format", "jsonl")
    assert done.status == 0
    assert {row["change"] for row in done.rows()} >= {"better", "same"}
    assert list(done.rows()[0]) == [
        "row", "measured_on", "in_use", "candidate", "low", "high", "change",
    ]  # fmt: skip
    assert done.errors[-1] == "2.0 is in use in place of 1.0"
    assert run("promote", "2.0").errors[-1] == "2.0 is in use already"
    assert in_use(run()) == ["2.0"]
    assert run("rollback").errors[-1] == "1.0 is in use in place of 2.0"
    assert run("promote", "2.0").status == 0
    for _ in range(2):
        assert run("rollback").status == 0
    assert in_use(run()) == [load().version]
    done = run("rollback")
    assert done.status == 2
    assert done.errors == ["mlplugin: nothing to roll back to: the shipped model is in use"]


def test_what_is_worse_is_refused(run: Any, tmp_path: Path) -> None:
    run("promote", str(variant(tmp_path, "1.0", measured(0.001, 0.5))), "--force")
    worse = variant(tmp_path, "2.0", measured(0.004, 0.9))
    done = run("promote", str(worse), "--format", "table")
    assert done.status == 1
    assert "worse" in done.out
    (line,) = done.errors
    assert line.startswith("mlplugin: 2.0 is not promoted, it is worse than 1.0 beyond chance in")
    assert "0.400% (0.322% to 0.498%) against 0.100%" in line
    assert "--force" in line
    assert in_use(run()) == ["1.0"]
    assert not (tmp_path / "data" / "models" / "2.0").exists()
    assert run("promote", str(worse), "--force").status == 0
    assert [entry.forced for entry in Registry(tmp_path / "data").history()] == [True, True]
    # The other way round it is better, and needs no force.
    assert run("promote", "1.0").status == 0


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        (measured(0.001, 0.0), "it finds none or hardly any of what 1.0 finds of phishing"),
        (measured(0.001, 0.5) | {"finds": {}}, "hardly any of what 1.0 finds of phishing"),
        (measured(0.004, 0.1), "against 0.100%"),
        (measured(0.004, 0.1), " and it finds none or hardly any of what 1.0 finds of phishing"),
        (None, "nothing was measured of it (it has no metrics.json): `--names DIR` measures"),
        (measured(0.001, 0.5, data="else"), "on other names than 1.0: `--names DIR` measures"),
        ([], "it cannot be compared with 1.0: "),
    ],
)
def test_what_lost_a_threat_or_cannot_be_compared_is_refused(
    metrics: Any, says: str, run: Any, tmp_path: Path
) -> None:
    run("promote", str(variant(tmp_path, "1.0", measured(0.001, 0.5))), "--force")
    other = str(variant(tmp_path, "2.0", metrics))
    done = run("promote", other)
    assert done.status == 1
    (line,) = done.errors
    assert line.startswith("mlplugin: 2.0 is not promoted, ")
    assert line.endswith("; --force does it all the same")
    assert says in line
    assert in_use(run()) == ["1.0"]
    done = run("promote", other, "--force")
    assert done.status == 0
    assert done.errors[0].startswith("--force: 2.0 is promoted although ")
    assert says in done.errors[0]
    assert in_use(run()) == ["2.0"]


def test_a_model_in_use_that_tells_nothing(run: Any, tmp_path: Path) -> None:
    run("promote", str(variant(tmp_path, "1.0")), "--force")
    done = run("promote", str(variant(tmp_path, "2.0", measured(0.001, 0.5))))
    assert done.status == 1
    assert "nothing was measured of 1.0, which is in use" in done.errors[-1]


def test_a_newer_shipped_model_is_told(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package was upgraded after the promotion, which stays in force."""

    def made(version: str, created: str) -> Path:
        place = variant(tmp_path, version)
        config = json.loads((place / "config.json").read_text()) | {"created": created}
        (place / "config.json").write_text(json.dumps(config))
        return place

    assert run("--format", "csv").errors == []
    run("promote", str(made("mine", "2026-12-01T00:00:00Z")), "--force")
    newer, older = made("2027.1.0", "2027-01-01T00:00:00Z"), made("99.0", "2026-11-01T00:00:00Z")
    place = {"now": older}
    for module in ("service.in_use", "cli.promoting"):
        monkeypatch.setattr(f"mlplugin.{module}.shipped", lambda: place["now"])
    assert run("--format", "csv").errors == []
    place["now"] = newer
    (line,) = run("--format", "csv").errors
    assert line == (
        "a newer model comes with this mlplugin, 2027.1.0 in place of mine: "
        "`mlplugin models promote 2027.1.0` takes it"
    )
    main(["check", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data",
          str(tmp_path / "data")])  # fmt: skip
    (said,) = [row for row in capsys.readouterr().out.splitlines() if " model: " in row]
    assert said.endswith(f"; {line}")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["promote", "no-such"], 2, "`mlplugin models` lists what is there"),
        (["promote", "./no-such"], 2, "there is no such directory"),
        (["promote", "empty"], 3, "config.json"),
        (["promote", "broken"], 3, "weights.safetensors"),
        (["promote", "odd"], 1, "metrics.json"),
        (["promote", "deep"], 1, "metrics.json"),
        (["promote", "list"], 1, "metrics.json holds no metrics"),
        (["promote", "evil"], 2, "the version '../evil' cannot name a directory"),
        (["promote", "current"], 2, "`mlplugin models` lists what is there"),
        (["promote"], 2, "DIR|VERSION"),
        (["promte", "x"], 2, "promte"),
        (["rollback", "--data", "file/data"], 2, "nothing to roll back to"),
        (["promote", "good", "--force", "--data", "file/data"], 3, "--data"),
    ],
)
def test_mistakes_are_one_line_each(
    arguments: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("broken", "odd", "good", "deep", "list", "evil"):
        variant(tmp_path, name, measured(0.001, 0.5)).rename(tmp_path / name)
    (tmp_path / "broken" / "weights.safetensors").write_bytes(b"short")
    (tmp_path / "odd" / "metrics.json").write_text("{")
    (tmp_path / "deep" / "metrics.json").write_text("[" * 100_000)
    (tmp_path / "list" / "metrics.json").write_text("[]")
    config = tmp_path / "evil" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"version": "../evil"}))
    done = Ran(capsys, "--data", str(tmp_path / "data"), *arguments)
    assert done.status == status
    assert done.errors[-1].startswith("mlplugin: ")
    assert says in done.errors[-1]
    assert not (tmp_path / "data").exists()


def test_a_link_that_leads_nowhere(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("promote", str(variant(tmp_path, "1.0")), "--force")
    shutil.rmtree(tmp_path / "data" / "models" / "1.0")
    row = run().rows()[0]
    assert (row["version"], row["in_use"]) == ("current", True)
    assert "not there" in row["error"]
    assert main(["classify", "example.org", "--data", str(tmp_path / "data")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "rollback" in line
    assert run("rollback").status == 0
    assert main(["classify", "example.org", "--data", str(tmp_path / "data")]) == 0


def test_a_link_to_itself(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("promote", str(variant(tmp_path, "1.0")), "--force")
    link = tmp_path / "data" / "models" / "current"
    link.unlink()
    link.symlink_to("current")
    row = run().rows()[0]
    assert (row["version"], row["in_use"]) == ("current", True)
    assert str(link) in row["error"]
    assert main(["classify", "example.org", "--data", str(tmp_path / "data")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "`mlplugin models promote`" in line
    assert run("promote", "1.0").status == 0
    assert in_use(run()) == ["1.0"]


def test_other_commands_use_what_was_promoted(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("promote", str(variant(tmp_path, "1.0")), "--force")
    data = ["--data", str(tmp_path / "data")]
    assert main(["classify", "example.net", *data]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "1.0"
    assert main(["classify", "example.net", *data, "--model", str(shipped())]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == load().version
    main(["check", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", *data])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok     model: 1.0, SHA-256") for line in lines)
    assert f"promoted in {tmp_path / 'data'}" in "".join(lines)


def test_the_data_directory_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mlplugin.toml"
    config.write_text('[data]\ndir = "kept"\n')
    place = str(variant(tmp_path, "1.0"))
    assert main(["--config", str(config), "models", "promote", place, "--force"]) == 0
    assert (tmp_path / "kept" / "models" / "current").is_symlink()
    capsys.readouterr()


def test_a_folder_of_models_is_listed_as_before(tmp_path: Path) -> None:
    variant(tmp_path, "1.0")
    done = CliRunner().invoke(models, ["--models", str(tmp_path), "--format", "jsonl"])
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["version"], row["in_use"]) == ("1.0", False)


def test_a_model_that_tells_no_cutoff_is_listed(tmp_path: Path) -> None:
    """The format does not demand it."""
    config = variant(tmp_path, "1.0") / "config.json"
    told = json.loads(config.read_text())
    del told["data_cutoff"]
    config.write_text(json.dumps(told))
    done = CliRunner().invoke(models, ["--models", str(tmp_path), "--format", "jsonl"])
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["version"], row["data_cutoff"], row["error"]) == ("1.0", None, None)


def test_the_corefile_names_the_link() -> None:
    link = Path("/var/lib/mlplugin/models/current")
    place = Endpoint("127.0.0.1", 1053)
    layout = Layout(place, "http://127.0.0.1:5000", Path("/s"), place, place, ("192.0.2.1",),
                    model=link, model_or_builtin=True)  # fmt: skip
    assert f"        model {link} or builtin\n" in layout.text()
    assert model_mismatch(layout.text(), link) is None
    said = model_mismatch("mlplugin {\n model /other\n}\n", link)
    assert said is not None
    assert f"`model {link} or builtin`" in said


def test_a_retrained_model_is_judged_by_what_its_retraining_measured(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = variant(tmp_path, "1.0", measured(0.001, 0.5))
    run("promote", str(used), "--force")
    about = {
        "parent": {"version": "1.0", "sha256": load(used).sha256},
        "before": measured(0.001, 0.5),
        "network": {"names": 1000, "flagged": 0, "share": 0.0, "first": []},
    }
    worse = variant(tmp_path, "1.0+1", measured(0.001, 0.4) | {"retraining": about})
    refused = run("promote", str(worse))
    assert refused.status == 1
    assert "finds less than 1.0 beyond chance" in refused.errors[-1]
    bad = about | {"network": {"names": 100, "flagged": 9, "share": 0.09, "first": ["a.net"]}}
    loud = variant(tmp_path, "1.0+2", measured(0.001, 0.5) | {"retraining": bad})
    assert "9 of 100 frequent names" in run("promote", str(loud)).errors[-1]
    monkeypatch.setattr(
        "mlplugin.cli.promoting._measured",
        lambda place, _: measured(0.001, 0.4 if place == worse else 0.5),
    )
    for one, why in ((worse, "finds less than 1.0"), (loud, "9 of 100 frequent names")):
        again = run("promote", str(one), "--names", str(tmp_path))
        assert (again.status, why in again.errors[-1]) == (1, True)
    silent = variant(tmp_path, "1.0+5")
    (silent / "metrics.json").write_text("{")
    assert run("promote", str(silent), "--names", str(tmp_path)).status == 0
    run("rollback")
    monkeypatch.undo()
    good = variant(tmp_path, "1.0+3", measured(0.001, 0.5) | {"retraining": about})
    assert run("promote", str(good)).status == 0
    states = {row["version"]: row["state"] for row in run("--format", "jsonl").rows()}
    assert (states["1.0"], states["1.0+3"]) == ("retired", "live")
    late = variant(tmp_path, "1.0+4", measured(0.001, 0.5) | {"retraining": about})
    assert "retrain from 1.0+3" in run("promote", str(late)).errors[-1]


def test_a_shadow_is_set_and_removed(run: Any, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        run("promote", str(variant(tmp_path, version)), "--force")
    assert run("shadow", "1.0").status == 0
    assert (tmp_path / "data" / "models" / "shadow").readlink() == Path("1.0")
    states = {row["version"]: row["state"] for row in run("--format", "jsonl").rows()}
    assert (states["1.0"], states["2.0"]) == ("shadow", "live")
    assert run("shadow", "--off").status == 0
    assert not (tmp_path / "data" / "models" / "shadow").is_symlink()
    for words in (["shadow"], ["shadow", "1.0", "--off"], ["shadow", "2.0"], ["shadow", "9"]):
        assert run(*words).status == 2
