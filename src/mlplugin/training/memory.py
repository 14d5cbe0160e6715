"""Whether there is enough memory to begin at all: the kernel's own way to say no is SIGKILL."""

from __future__ import annotations

import io
import re
import resource
from collections.abc import Sequence
from pathlib import Path

from mlplugin.errors import MlpluginError

FIXED = 300_000_000
EACH_BYTE = 7.5  # of text: 2.9 million names in 206 MB peak at 1.9 GB
_GROUPS = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def check(paths: Sequence[Path]) -> None:
    """Refuse to begin what cannot end.

    Raises:
        MlpluginError: if the names in these files need more memory than there is.
    """
    need = FIXED + int(EACH_BYTE * sum(text_bytes(path) for path in paths))
    free = available()
    if free is not None and free < need:
        raise MlpluginError(
            f"training on {len(paths)} files takes about {need / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free: train on fewer names or on a larger machine"
        )


def text_bytes(path: Path) -> int:
    """The size of a file without its compression, which gzip notes at the end (modulo 4 GiB)."""
    size = path.stat().st_size
    if path.suffix != ".gz" or size < 18:
        return size
    with path.open("rb") as stream:
        stream.seek(-4, io.SEEK_END)
        return int.from_bytes(stream.read(4), "little")


def available() -> int | None:
    """Bytes that this process may still take: of the machine, its control groups, its limit.

    None where nothing says so.
    """
    found = []
    if _MEMINFO.exists():
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.M)
        found += [int(match[1]) * 1024] if match else []
    found += of_groups(Path("/proc/self/cgroup"), _GROUPS)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit)
    return min(found, default=None)


def of_groups(membership: Path, root: Path) -> list[int]:
    """What the control group (version 2) of this process and those above it leave."""
    match = re.search(r"^0::(/.*)$", membership.read_text(), re.M) if membership.exists() else None
    if match is None:
        return []
    group = root / match[1].lstrip("/")
    left = []
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            break
        try:
            limit = (folder / "memory.max").read_text().strip()
            held = re.search(r"^anon (\d+)$", (folder / "memory.stat").read_text(), re.M)
        except OSError:
            continue
        if limit.isdecimal() and held:
            left.append(int(limit) - int(held[1]))
    return left
