"""Documents cannot lie: every Corefile block boots, every command shown is one that exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.cli.main import cli
from tests.e2e.system import CoreDNS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "coredns" / "mlplugin" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^(```|~~~)[ ]?(\w+)?\n(.*?)^\1$", re.M | re.S)


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for number, match in enumerate(FENCE.finditer(document.read_text())):
            if match[2] in languages:
                yield f"{document.relative_to(ROOT)}#{number}", match[3]


def commands() -> Iterator[tuple[str, list[str]]]:
    for place, block in blocks("sh", "console", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:2] == ["uv", "run"]:
                words = words[2:]
            if words[:1] == ["mlplugin"]:
                yield f"{place}: {line.strip()}", words[1:]


COREFILES = dict(blocks("corefile"))
COMMANDS = dict(commands())


def test_there_is_something_to_check() -> None:
    assert len(COREFILES) >= 3
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("place", COMMANDS)
def test_command_exists(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Parsed by the command itself, files it names put in place, and not run."""
    words = COMMANDS[place]
    for word in words:
        if re.fullmatch(r"[\w-]+\.(txt|log|gz|pcap|toml|csv|parquet)(\.gz)?", word):
            (tmp_path / word).touch()
    (tmp_path / "Corefile").touch()
    for folder in ("names", "model"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    context = cli.make_context("mlplugin", list(words[:1]), resilient_parsing=True)
    if words and not words[0].startswith("-"):
        command = cli.get_command(context, words[0])
        assert command is not None, f"there is no command {words[0]}"
        if "--help" not in words:
            parse(command, words, context)


def parse(command: click.Command, words: list[str], parent: click.Context) -> None:
    """Have a command take its words, and a command within it those that are left."""
    context = command.make_context(words[0], list(words[1:]), parent=parent)
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        _, inner, _ = command.resolve_command(context, rest)
        assert inner is not None, f"there is no command {words}"
        parse(inner, rest, context)


def bootable(corefile: str, folder: Path) -> str:
    """The block with its ports moved to free ones and its example files put in place."""
    text = re.sub(r"^(\S*?)(:\d+)? \{$", rf"\1:{free_port()} {{", corefile, flags=re.M)
    if not re.search(r"^\S*:\d+ \{$", text, re.M):
        text = f".:{free_port()} {{\n{corefile}\n}}\n"
    for name in re.findall(r"(?:allow|deny) (/\S+)", text):
        place = folder / Path(name).name
        place.write_text("listed.example.net\n")
        text = text.replace(name, str(place))
    text = re.sub(r"spool /\S+", f"spool {folder}/spool", text)
    text = re.sub(r"prometheus \S+|prometheus$", "prometheus 127.0.0.1:0", text, flags=re.M)
    return re.sub(r"^(\s*)(ready|health).*$", r"\1\2 127.0.0.1:0", text, flags=re.M)


@pytest.mark.e2e
@pytest.mark.parametrize("place", COREFILES)
def test_corefile_boots(place: str, tmp_path: Path) -> None:
    text = bootable(COREFILES[place], tmp_path)
    port = re.search(r":(\d+) \{$", text, re.M)
    assert port is not None
    server = CoreDNS(tmp_path, text, int(port[1]), None)
    server.start()
    assert server.stop() == 0, server.output()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    context = click.Context(cli)
    missing = [name for name in cli.list_commands(context) if f"mlplugin {name}" not in readme]
    assert missing == []
