"""What the dashboard's own scripts and styles are called: another content has another address."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

ASSETS = Path(__file__).with_name("assets")
# Where an address says which content is meant.
MARK = "m"
LENGTH = 20


def fingerprint(asset: str) -> str | None:
    """Give what stands for the content that an asset has now; None where there is no such asset.

    Args:
        asset: a path below the assets.
    """
    place = ASSETS / asset
    try:
        if not place.resolve().is_relative_to(ASSETS.resolve()):
            return None
        now = place.stat()
        return _of(place, now.st_mtime_ns, now.st_size)
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=64)
def _of(place: Path, _changed: int, _size: int) -> str:
    return hashlib.sha256(place.read_bytes()).hexdigest()[:LENGTH]
