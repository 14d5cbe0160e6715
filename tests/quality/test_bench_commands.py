"""Every command of `bench` that a document or a docstring shows is one that its module takes."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "bench").rglob("*.py"))
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "models").glob("*/README.md")),
    *sorted((ROOT / "bench").rglob("*.md")),
]
SPAN = re.compile(r"(`+)(.+?)\1", re.S)
COMMAND = re.compile(r"(?<!\S)python3? (?:-m (bench\.[\w.]+)|bench/([\w/]+)\.py)(?!\S)(.*)")
# What stands for a number, and what does not belong to a command any more.
NUMBER = "N"
ENDS = {"|", "||", "&", "&&", ";", ">", "2>", "<"}


def shown(text: str) -> Iterator[tuple[str, list[str], bool]]:
    """Modules and arguments in a text, and whether it is but named, in a sentence.

    In a line of its own, indented or fenced, a command is whole.
    """
    text = re.sub(r"^ *(```|~~~).*$", "", text, flags=re.M).replace("\\\n", " ")
    for paragraph in re.split(r"\n\s*\n", text):
        spans = [match[2].replace("\n", " ") for match in SPAN.finditer(paragraph)]
        lines = SPAN.sub("", paragraph).splitlines()
        for piece in [*spans, *lines]:
            if match := COMMAND.search(piece):
                module = match[1] or "bench." + match[2].replace("/", ".")
                words = arguments(match[3])
                yield module.removesuffix(".__main__"), words, not words and piece in spans


def arguments(text: str) -> list[str]:
    """The words of a command; what may be left out or said again is said once."""
    words = []
    for word in shlex.split(re.sub(r"(?<!\S)\[(.+?)\](\.\.\.)?(?!\S)", r"\1", text), comments=True):
        if word in ENDS:
            break
        words.append(word.removesuffix("..."))
    return words


def docstrings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""


def commands() -> Iterator[tuple[str, tuple[str, list[str], bool]]]:
    for document in DOCUMENTS:
        for found in shown(document.read_text()):
            yield f"{document.relative_to(ROOT)}: {found[0]} {shlex.join(found[1])}", found
    for path in MODULES:
        for text in docstrings(path.read_text()):
            for found in shown(text):
                yield f"{path.relative_to(ROOT)}: {found[0]} {shlex.join(found[1])}", found


def source_of(module: str) -> Path:
    """The file that `python -m` runs."""
    place = ROOT.joinpath(*module.split("."))
    found = [path for path in (place.with_suffix(".py"), place / "__main__.py") if path.exists()]
    assert found, f"there is no module {module}"
    return found[0]


def parser_of(module: str) -> tuple[Callable[[list[str]], object], tuple[str, ...]]:
    """What takes a module's arguments, and the parts that it can be asked for.

    The parser of a module that wants PyTorch, which is not here, is cut out of its source.
    """
    path = source_of(module)
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    try:
        loaded: dict[str, Any] = vars(importlib.import_module(name))
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        tree = ast.parse(path.read_text())
        kept = [node for node in tree.body if getattr(node, "name", "") == "parsed"]
        future = ast.parse("from __future__ import annotations").body
        loaded = {"argparse": argparse, "Path": Path, "__doc__": ast.get_docstring(tree)}
        exec(compile(ast.Module(future + kept, []), str(path), "exec"), loaded)  # noqa: S102
    assert "parsed" in loaded, f"{module} is no command"
    return loaded["parsed"], loaded.get("PARTS", ())


def check(module: str, words: list[str], named: bool) -> None:
    """Have the module's parser take the words; the folder of data is DATA, here."""
    parsed, parts = parser_of(module)
    if named:
        return
    stand = {NUMBER: "1", "PART": parts[0] if parts else "PART"}
    words = [stand.get(word, word) for word in words]
    for at, word in enumerate(words[:-1]):
        if word == "--data":
            words[at + 1] = "DATA"
    if "--help" not in words:
        parsed(words)


COMMANDS = dict(commands())


def test_there_is_something_to_check() -> None:
    told = {module for module, _, _ in COMMANDS.values()}
    runs = {path for path in MODULES if '__name__ == "__main__"' in path.read_text()}
    assert {source_of(module) for module in told} == runs


@pytest.mark.parametrize("place", COMMANDS)
def test_command_is_taken(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "DATA" / "traffic").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    check(*COMMANDS[place])


INVENTED = """
# A document

    uv run python -m bench.{line}

| command | what |
|---|---|
| `uv run python -m bench.{span}` | and `python -m bench.ingest` |

```text
uv run python -m bench.{fence} \\
  --seeds 2 > out
```
"""
GOOD = {"line": "limits DATA --model DIR", "span": "teacher DATA", "fence": "matched DATA"}


def checked(**changed: str) -> int:
    found = list(shown(INVENTED.format(**{**GOOD, **changed})))
    for one in found:
        check(*one)
    return len(found)


def test_an_invented_document() -> None:
    assert checked() == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"line": "limits DATA --modle DIR"}, "--modle"),
        ({"line": "limits"}, "required: data"),
        ({"span": "teacher DATA --hours 2"}, "--hours"),
        ({"span": "recipes DATA wide='{{\"dimension\": 32}}'"}, "dimension"),
        ({"span": "elastic speed"}, "speed"),
        ({"fence": "matched"}, "required: data"),
        ({"fence": "reference DATA domains"}, "--seeds"),
    ],
)
def test_wrong_arguments(
    changed: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        checked(**changed)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("place", ["line", "span", "fence"])
def test_wrong_modules(place: str) -> None:
    with pytest.raises(AssertionError, match=r"there is no module bench\.limit\b"):
        checked(**{place: "limit DATA"})
    with pytest.raises(AssertionError, match=r"bench\.elastic_load is no command"):
        checked(**{place: "elastic_load DATA"})
