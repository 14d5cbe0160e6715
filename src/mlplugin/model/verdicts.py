"""Verdicts of many names as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.verdict import LEVELS, SOURCES, THREATS, Threat, Verdict

NO_THREAT = -1


def rounded(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round as ``mlplugin.verdict.rounded`` does, to the bit."""
    return np.rint(scores * 1000) / 1000


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts in the order of the names that were asked for.

    Attributes:
        qname: the canonical names.
        domain_at: where in its name each registered domain begins, -1 where there is none.
        level: index into ``LEVELS``.
        threat: index into ``THREATS``, -1 for none.
        source: index into ``SOURCES``.
        score: 0 to 60.
        model: the version of the model.
        scores: every threat's score as (names, threats), where asked for.
    """

    qname: Sequence[str]
    domain_at: NDArray[np.int64]
    level: NDArray[np.uint8]
    threat: NDArray[np.int8]
    source: NDArray[np.uint8]
    score: NDArray[np.float64]
    model: str
    scores: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.qname)

    def __getitem__(self, index: int) -> Verdict:
        """Give one verdict; its reasons are made by ``Model.explain``."""
        qname = self.qname[index]
        at, threat = int(self.domain_at[index]), int(self.threat[index])
        return Verdict(
            qname=qname,
            registered_domain=qname[at:] if at >= 0 else None,
            level=LEVELS[self.level[index]],
            threat=THREATS[threat] if threat >= 0 else None,
            score=float(self.score[index]),
            source=SOURCES[self.source[index]],
            model=self.model,
            scores=None if self.scores is None else self._scores(index),
        )

    def __iter__(self) -> Iterator[Verdict]:
        return (self[index] for index in range(len(self)))

    def registered_domains(self) -> list[str | None]:
        """Give eTLD+1 of every name, None where the name is itself a suffix or the root."""
        places = zip(self.qname, self.domain_at.tolist(), strict=True)
        return [name[at:] if at >= 0 else None for name, at in places]

    def _scores(self, index: int) -> dict[Threat, float]:
        assert self.scores is not None  # noqa: S101 - for the type checker; the caller looked
        return dict(zip(THREATS, self.scores[index].tolist(), strict=True))
