"""The frame of the command line: lazy commands, exit statuses, one line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import click
import pytest

from mlplugin import __version__
from mlplugin.cli import main as console
from mlplugin.cli.main import COMMANDS, Entry, cli
from mlplugin.errors import ConfigError, ModelError

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Put a command `broken` into the table that raises what it is told to."""

    def put(error: BaseException) -> None:
        @click.command()
        def broken() -> None:
            raise error

        monkeypatch.setitem(COMMANDS, "broken", Entry(f"{__name__}:broken", "Fails."))
        monkeypatch.setattr(sys.modules[__name__], "broken", broken, raising=False)

    return put


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ModelError("the model\nis gone"), 3, "mlplugin: the model is gone\n"),
        (ConfigError("no"), 2, "mlplugin: no\n"),
        (click.UsageError("no"), 2, "mlplugin: no; `mlplugin broken --help` says what there is\n"),
        (OSError(13, "Permission denied", "x"), 3, "mlplugin: Permission denied: x\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_mistakes_are_one_line(
    error: BaseException,
    status: int,
    said: str,
    failing: Callable[[BaseException], None],
    capsys: Capsys,
) -> None:
    failing(error)
    assert console(["broken"]) == status
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classfy"], "No such command 'classfy'. Did you mean 'classify'?"),
        (["models", "promot"], "No such command 'promot'. Did you mean 'promote'?"),
    ],
)
def test_a_command_that_is_nearly_right(arguments: list[str], said: str, capsys: Capsys) -> None:
    assert console(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mlplugin: {said} `mlplugin")
    assert line.endswith("--help` says what there is")


def test_every_option_is_explained_and_no_short_help_is_cut() -> None:
    def walk(command: click.Command) -> Iterator[tuple[str, str | None]]:
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield f"{command.name} {parameter.opts[-1]}", parameter.help
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                if command is not cli:
                    yield f"{name}: cut", "" if "..." in inner.get_short_help_str() else "whole"
                yield from walk(inner)

    assert [name for name, text in walk(cli) if not text] == []


def test_our_own_bugs_are_not_hidden(failing: Callable[[BaseException], None]) -> None:
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        console(["broken"])


def test_a_module_that_is_not_installed(
    failing: Callable[[BaseException], None], capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "gone", Entry("no_such_module:gone", "Is gone."))
    assert console(["gone"]) == 3
    assert "`gone` needs the module no_such_module" in capsys.readouterr().err
    failing(ModuleNotFoundError("No module named 'gone'", name="gone"))
    assert console(["broken"]) == 3
    assert "`broken` needs the module gone, which is not installed" in capsys.readouterr().err


def test_a_module_of_ours_that_is_not_there_is_a_bug(
    failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "gone", Entry("mlplugin.no_such_module:gone", "Is gone."))
    for fault in ("mlplugin.no_such_module", None):
        failing(ModuleNotFoundError("gone", name=fault))
        for command in ("gone", "broken"):
            with pytest.raises(ModuleNotFoundError):
                console([command])


def test_every_command_is_listed_with_what_it_does(capsys: Capsys) -> None:
    assert console(["--help"]) == 0
    text = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert f"  {name} " in text
        assert entry.says in text


@pytest.mark.parametrize("arguments", [["nope"], ["classify", "--nope"], ["--nope"]])
def test_wrong_usage(arguments: list[str], capsys: Capsys) -> None:
    assert console(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("mlplugin: No such ")
    assert err.count("\n") == 1


def test_no_command_shows_the_help(capsys: Capsys) -> None:
    assert console([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_version(capsys: Capsys) -> None:
    assert console(["--version"]) == 0
    assert capsys.readouterr().out == f"mlplugin, version {__version__}\n"


# What takes long to import.
HEAVY = (
    "dash", "duckdb", "elastic_transport", "flask", "numba", "numpy", "pyarrow", "pydantic",
    "requests", "rich", "safetensors",
)  # fmt: skip
NOBODY = ["--service", "http://127.0.0.1:1"]


def commands() -> list[list[str]]:
    """Every command, and every command within one."""
    found: list[list[str]] = [[]]
    for name in COMMANDS:
        found.append([name])
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            found += [[name, inner] for inner in command.commands]
    return found


def imported(lines: list[list[str]]) -> list[list[object]]:
    """The status of each call, and what of `HEAVY` was there after it, in one new process."""
    script = (
        "import contextlib, io, json, sys\n"
        "from mlplugin.cli import main\n"
        "told, lines = [], json.loads(sys.argv[1])\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    for line in lines:\n"
        f"        told.append([main(line), [name for name in {HEAVY!r} if name in sys.modules]])\n"
        "print(json.dumps(told))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[object]] = json.loads(done.stdout)
    return found


def test_help_imports_nothing_that_takes_long() -> None:
    lines = [[*command, "--help"] for command in commands()]
    assert len(lines) > len(COMMANDS)
    assert list(zip(lines, imported(lines), strict=True)) == [(line, [0, []]) for line in lines]


def test_a_mistake_is_told_before_anything_that_takes_long() -> None:
    # CoreDNS takes any option.
    lines = [[*command, "--nope"] for command in commands() if command != ["coredns"]]
    lines += [
        ["classify"], ["export", "--since", "soon"], ["feeds", "fetch"],
        ["hindsight", "--client", "me"], ["hunt", "--since", "soon"], ["models", "shadow"],
        ["queries", "--until", "soon"], ["store", "copy", "duckdb:///d", "duckdb:///d"],
        ["store", "prune"], ["train"], ["vet", "benign"],
    ]  # fmt: skip
    assert list(zip(lines, imported(lines), strict=True)) == [(line, [2, []]) for line in lines]


def test_asking_a_service_imports_nothing_that_takes_long() -> None:
    lines = [["queries", *NOBODY], ["vet", "example.org", "unvetted", *NOBODY]]
    assert imported(lines) == [[3, []], [3, []]]


def test_commands_are_looked_up_by_name() -> None:
    context = click.Context(cli)
    assert cli.get_command(context, "nope") is None
    found = cli.get_command(context, "classify")
    assert found is not None
    assert found.name == "classify"


def test_a_wrong_configuration_is_told(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPLUGIN_STORE_RETENTION", "3")
    assert console(["classify", "x.de"]) == 2
    err = capsys.readouterr().err
    assert "did you mean MLPLUGIN_STORE_RETENTION_DAYS?" in err
