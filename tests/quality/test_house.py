"""House rules that a program can hold: size, forbidden words, no leftovers."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50

# Longer than the rule, each with its reason.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked("src/*.py", "coredns/*.go") if "_test" not in path.name]


def test_modules_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := path.read_text().count("\n")) > LONGEST_MODULE
    }
    assert set(long) == set(LONG_MODULES), long


def python_functions() -> Iterator[tuple[str, int]]:
    for path in tracked("src/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                name = f"{path.relative_to(ROOT)}::{node.name}"
                yield name, node.end_lineno - node.body[0].lineno + 1


def go_functions() -> Iterator[tuple[str, int]]:
    for path in tracked("coredns/*.go"):
        if path.name.endswith("_test.go"):
            continue
        for match in re.finditer(r"^func (.+?) \{\n(.*?)^\}", path.read_text(), re.M | re.S):
            yield f"{path.relative_to(ROOT)}::{match[1]}", match[2].count("\n")


def test_functions_are_short() -> None:
    found = [*python_functions(), *go_functions()]
    long = {name: lines for name, lines in found if lines > LONGEST_FUNCTION}
    assert set(long) == set(LONG_FUNCTIONS), long


@pytest.mark.parametrize(
    "pattern",
    [
        r"/work/",
        r"\b(TODO|FIXME|XXX)\b",
        r"import pickle|pickle\.load|\bh5py\b",
    ],
    ids=["machine paths", "leftovers", "executable models"],
)
def test_forbidden_words(pattern: str) -> None:
    here = Path(__file__)
    guilty = [
        str(path.relative_to(ROOT))
        for path in tracked(
            "*.py", "*.go", "*.md", "*.toml", "*.yml", "*.yaml", "*.ipynb", "justfile", ".ci/*"
        )
        if path != here and re.search(pattern, path.read_text())
    ]
    assert guilty == []
