"""What a retraining is to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SEED = 1  # of the service's jobs


@dataclass(frozen=True)
class Wishes:
    """What `mlplugin train --from-history` was given.

    Attributes:
        data: the data directory, whose model is gone on from and where the candidate goes.
        names: a folder of labelled names to learn from as well.
        out: where the candidate goes too.
        threat: the harm of blocked names of which nothing else says it.
    """

    service: str
    data: Path | None
    store: str | None
    names: Path | None
    out: Path | None
    version: str | None
    threat: str | None
    seed: int
    since: str | None

    @property
    def is_local(self) -> bool:
        """Whether what only this process can do is asked for."""
        given = (self.names, self.out, self.version, self.data, self.store, self.seed != SEED)
        return any(given)
