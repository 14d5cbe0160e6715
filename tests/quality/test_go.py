"""The Go side: format, vet, staticcheck, and its own tests under the race detector."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GO = Path(sys.executable).with_name("go")


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    environment["PATH"] = f"{GO.parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [str(GO), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def passes(*arguments: str) -> None:
    done = go(*arguments)
    assert done.returncode == 0, f"go {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"


def test_gofmt() -> None:
    root = go("env", "GOROOT").stdout.strip()
    done = subprocess.run(
        [str(Path(root) / "bin" / "gofmt"), "-l", "coredns", "models"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


@pytest.mark.slow
def test_vet() -> None:
    passes("vet", "./...")


@pytest.mark.slow
def test_staticcheck() -> None:
    passes("tool", "-modfile=tools/go.mod", "staticcheck", "./...")


@pytest.mark.slow
def test_unit_tests(capsys: pytest.CaptureFixture[str]) -> None:
    """With the race detector wherever a C compiler is, which cgo needs for it."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        with capsys.disabled():
            print("\nno gcc or clang: the Go tests run WITHOUT the race detector")
    passes("test", *(["-race"] if compiler else []), "./...")


@pytest.mark.slow
def test_allocations_and_stack() -> None:
    """The guards that the race detector cannot keep: pools forget on purpose, frames are larger."""
    passes("test", "-run", "Alloc|Stack", "./coredns/...")


def test_modules_are_tidy() -> None:
    done = go("mod", "tidy", "-diff")
    assert done.returncode == 0, done.stdout + done.stderr
