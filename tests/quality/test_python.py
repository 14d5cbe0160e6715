"""Style, types and layers of the Python side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_TREES = ("src", "tests", "bench", "hatch_build.py")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_ruff(arguments: tuple[str, ...]) -> None:
    run(tool("ruff"), *arguments, *PYTHON_TREES)


def test_types() -> None:
    run(sys.executable, "-m", "mypy")


def test_layers() -> None:
    run(tool("lint-imports"), "--no-cache")
