"""Compiling CoreDNS with the plugin, with progress, into one file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.source import MAIN_PACKAGE
from mlplugin.bundled.toolchain import BuildError, Go

_PARTIAL = ".build-"
COMMIT = "github.com/coredns/coredns/coremain.GitCommit"
NETWORK_FAULT = re.compile(
    r"dial tcp|no such host|i/o timeout|connection re(fused|set)|TLS handshake"
    r"|proxyconnect|network is unreachable|50[234] |unexpected EOF|server misbehaving"
)


@dataclass(frozen=True)
class Progress:
    """How far a build is: `done` of `total` in this step (None: not known beforehand)."""

    step: str
    done: int
    total: int | None
    item: str


Report = Callable[[Progress], None]


def compile_coredns(
    root: Path, target: Path, go: Go, *, full: bool, version: str, cache: Path, report: Report
) -> None:
    """Compile the sources under `root` and put the binary at `target` in one move.

    `full` takes in every plugin of CoreDNS; `version` is shown by `coredns -version`.
    One build at a time may have this target. Raises BuildError, with what the compiler or the
    module download said.
    """
    environment = go.environment(cache)
    tags = ["-tags", "full"] if full else []
    listed = _listed(
        [str(go.executable), "list", "-deps", *tags, MAIN_PACKAGE], root, environment, report
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{_PARTIAL}*"):  # of builds that were killed
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=target.parent) as folder:
        output = Path(folder) / target.name
        command = [str(go.executable), "build", "-v", "-trimpath", "-buildvcs=false", *tags]
        command += ["-ldflags", f"-s -w -X {COMMIT}=mlplugin-{version}", "-o", str(output)]
        seen = 0

        def count(line: str) -> bool:
            nonlocal seen
            if " " in line or line not in listed:
                return False
            seen += 1
            report(Progress("compiling packages", min(seen, len(listed)), len(listed), line))
            return True

        report(Progress("compiling packages", 0, len(listed), ""))
        _watched([*command, MAIN_PACKAGE], root, environment, count)
        report(Progress("compiling packages", len(listed), len(listed), "done"))
        output.chmod(0o755)
        os.replace(output, target)  # noqa: PTH105 - Path.replace hides that it is atomic


def _listed(
    command: Sequence[str], root: Path, environment: Mapping[str, str], report: Report
) -> set[str]:
    """Every package of the build; the modules that hold them are downloaded on the way."""
    fetched = 0

    def count(line: str) -> bool:
        nonlocal fetched
        if not line.startswith("go: downloading "):
            return False
        fetched += 1
        item = line.removeprefix("go: downloading ")
        report(Progress("downloading modules", fetched, None, item))
        return True

    report(Progress("downloading modules", 0, None, ""))
    return set(_watched(command, root, environment, count).split())


def _watched(
    command: Sequence[str],
    root: Path,
    environment: Mapping[str, str],
    take: Callable[[str], bool],
) -> str:
    """Run a command and give its stdout; lines of stderr that `take` refuses are its errors."""
    errors: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        with subprocess.Popen(
            command,
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as child:
            try:
                refused = (line for line in child.stderr or () if not take(line.strip()))
                errors.extend(line.rstrip() for line in refused)
            except BaseException:
                child.terminate()
                raise
        if child.returncode != 0:
            raise BuildError(explain(errors))
        output.seek(0)
        return output.read()


def explain(errors: Sequence[str]) -> str:
    """One message out of what Go printed: what failed, and what to do about it."""
    lines = [line for line in errors if line.strip() and not line.startswith("# ")]
    text = "\n".join(lines[:12]) or "go ended without a message"
    first = next((line for line in lines if NETWORK_FAULT.search(line)), None)
    if first is not None:
        return (
            f"CoreDNS could not be built, a Go module could not be fetched: {first.strip()}; "
            "check the network, or set GOPROXY to a module proxy that this machine reaches"
        )
    if "missing go.sum entry" in text or "updates to go.mod needed" in text:
        return f"CoreDNS could not be built, go.mod and go.sum do not fit: {lines[0].strip()}"
    if "no space left on device" in text:
        return "CoreDNS could not be built, the disk is full: free about 2 GB and try again"
    return f"CoreDNS could not be built:\n{text}"
