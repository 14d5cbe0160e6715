"""Many names as one block of bytes, the form in which compiled code reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class Names:
    """Canonical names, one behind the other: name i is ``blob[offsets[i]:offsets[i + 1]]``."""

    blob: Bytes
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, index: int) -> str:
        """The name at an index."""
        return bytes(self.blob[self.offsets[index] : self.offsets[index + 1]]).decode("ascii")

    def texts(self) -> list[str]:
        """Every name, in order."""
        data = self.blob.tobytes()
        edges = self.offsets.tolist()
        return [data[start:end].decode("ascii") for start, end in pairwise(edges)]

    def take(self, indices: NDArray[np.int64]) -> Names:
        """The names at these indices, in their order."""
        starts = self.offsets[indices]
        lengths = self.offsets[indices + 1] - starts
        offsets = np.zeros(len(indices) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        within = np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], lengths)
        return Names(self.blob[np.repeat(starts, lengths) + within], offsets)


def from_texts(texts: Sequence[str]) -> Names:
    """Pack canonical names.

    Raises:
        UnicodeEncodeError: if one is not ASCII, which no canonical name is.
    """
    encoded = [text.encode("ascii") for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Names(np.frombuffer(b"".join(encoded), np.uint8), offsets)


def join(parts: Sequence[Names]) -> Names:
    """One block of several, in order."""
    shifts = np.cumsum([0, *(len(part.blob) for part in parts)])
    edges = [part.offsets[:-1] + shift for part, shift in zip(parts, shifts, strict=False)]
    last = np.array([shifts[-1]], np.int64)
    return Names(
        np.concatenate([part.blob for part in parts]),
        np.concatenate([*edges, last]).astype(np.int64),
    )
