"""The Go sources of a checkout, and one name for their state."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

MAIN_PACKAGE = "./coredns/cmd/coredns"
# What decides nothing about the binary; tests change often and must not cost a build.
IGNORED_SUFFIXES = ("_test.go", ".md")
IGNORED_FOLDERS = frozenset({"testdata"})


def checkout() -> Path | None:
    """Give the root of the source checkout that this package runs from, if it does."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "go.mod").is_file() and (root / "coredns").is_dir() else None


def source_files(root: Path) -> Iterator[Path]:
    """Every file that goes into the binary, in a fixed order."""
    yield root / "go.mod"
    yield root / "go.sum"
    for tree in ("coredns", "models"):
        for path in sorted((root / tree).rglob("*")):
            if path.name.endswith(IGNORED_SUFFIXES) or not path.is_file():
                continue
            if IGNORED_FOLDERS.isdisjoint(path.relative_to(root).parts):
                yield path


def fingerprint(root: Path, *, full: bool, go_version: str) -> str:
    """Name the binary that these sources, build tags and Go version make, in 20 hex digits."""
    digest = hashlib.sha256()
    for part in (sys.platform, platform.machine(), go_version, "full" if full else "slim"):
        digest.update(part.encode() + b"\0")
    for path in source_files(root):
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:20]
