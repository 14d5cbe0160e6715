"""A policy and a model, as they would judge the names of the past.

In the plugin's order: decisions of people, lists, the model. What lists in a Corefile decided at
the time stays so, because nobody here knows them; lists that are given go before them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.model import Model
from mlplugin.model.verdicts import NO_THREAT
from mlplugin.service.lists import Lists
from mlplugin.service.overrides import BENIGN, HIGHEST_SCORE, Overrides, lineage, parse_address
from mlplugin.store.port import ACTIONS, OBSERVE, Override
from mlplugin.verdict import LEVELS, SOURCES, THREATS, Level, Source, Threat

MALICIOUS = LEVELS.index(Level.MALICIOUS)
# What is blocked where nothing else is said.
DEFAULT_ACTIONS: Mapping[str, str] = {str(Level.MALICIOUS): "nxdomain"}


def parse_actions(texts: Sequence[str]) -> dict[str, str]:
    """Read `VERDICT|THREAT ACTION` of each; the actions by verdict or threat.

    Raises UsageError.
    """
    subjects = [str(one) for one in (*Level, *Threat) if one is not Level.BENIGN]
    found: dict[str, str] = {}
    for text in texts:
        words = text.split()
        if len(words) < 2 or words[0] not in subjects or words[1] not in ACTIONS:
            raise UsageError(
                f"on {text[:80]!r}: write VERDICT|THREAT ACTION, the first one of "
                f"{', '.join(subjects)}, the second one of {', '.join(ACTIONS)}"
            )
        if words[2:] and (words[1] != "sinkhole" or not all(map(_is_address, words[2:]))):
            raise UsageError(f"on {text[:80]!r}: only sinkhole takes addresses")
        if words[0] in found:
            raise UsageError(f"on {words[0]} is given twice")
        found[words[0]] = words[1]
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Limits:
    """From which scores names are suspicious and malicious, where the model's are not taken."""

    suspicious: float | None = None
    malicious: float | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what is no threshold."""
        for name in ("suspicious", "malicious"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= HIGHEST_SCORE:
                raise UsageError(f"{name} {value:g} is no score: write a number from 0 to 60")

    def of(self, model: Model) -> tuple[float, float]:
        """Both thresholds. Raises UsageError where they are the wrong way round."""
        own = model.thresholds
        low = own.suspicious if self.suspicious is None else self.suspicious
        high = own.malicious if self.malicious is None else self.malicious
        if low > high:
            raise UsageError(f"suspicious from {low:g} is above malicious from {high:g}")
        return low, high


@dataclass(frozen=True, slots=True)
class Judged:
    """Judgements of names, in their order.

    Attributes:
        level: index into ``LEVELS``.
        threat: index into ``THREATS``, -1 for none.
        source: index into ``SOURCES``.
        score: 0 to 60.
        blocks: whether it is answered otherwise than observe.
        open: whether it depends on who asks.
    """

    level: NDArray[np.int64]
    threat: NDArray[np.int64]
    source: NDArray[np.int64]
    score: NDArray[np.float64]
    blocks: NDArray[np.bool_]
    open: NDArray[np.bool_]

    def take(self, rows: Sequence[int]) -> Judged:
        """Some of them, copied."""
        at = np.asarray(rows, np.int64)
        return Judged(*(getattr(self, name)[at] for name in self.__slots__))

    def told(self, row: int) -> dict[str, Any]:
        """One as an object of the interface."""
        threat = int(self.threat[row])
        return {
            "verdict": str(LEVELS[self.level[row]]),
            "threat": str(THREATS[threat]) if threat >= 0 else None,
            "score": round(float(self.score[row]), 1),
            "source": str(SOURCES[self.source[row]]),
        }


@dataclass(slots=True)
class Rules:
    """What names are held against."""

    model: Model
    limits: Limits = field(default_factory=Limits)
    actions: Mapping[str, str] = field(default_factory=lambda: DEFAULT_ACTIONS)
    lists: Lists = field(default_factory=Lists)
    decisions: Sequence[Override] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _all: Overrides = field(init=False)
    _some: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the decisions. Raises UsageError for thresholds that are the wrong way round."""
        self.limits.of(self.model)
        self._all = Overrides(self.decisions)
        self._some = frozenset(one.name for one in self.decisions if one.client is not None)

    def judge(
        self, names: Sequence[str], allowed: NDArray[np.bool_], denied: NDArray[np.bool_]
    ) -> Judged:
        """Judge canonical names, whoever asks; `allowed` and `denied` is what lists said then."""
        judged = self._by_model(names)
        self._listed(judged, allowed, "allow")
        self._listed(judged, denied, "deny")
        if self.lists or self._all:
            for row, name in enumerate(names):
                self._decide(judged, row, name)
        self._act(judged)
        return judged

    def for_clients(self, judged: Judged, names: Sequence[str], clients: Sequence[str]) -> Judged:
        """Judge names that are `open` for those who asked; the rows of `judged` are theirs."""
        for row in np.flatnonzero(judged.open).tolist():
            address = parse_address(clients[row].partition("%")[0])
            override = self._all.match(names[row], address, self.at)
            if override is not None:
                _overrule(judged, row, override)
                self._act(judged, np.s_[row : row + 1])
        return judged

    def _by_model(self, names: Sequence[str]) -> Judged:
        own = self.model.thresholds
        limits = self.limits.of(self.model)
        as_it_is = limits == (own.suspicious, own.malicious)
        found = self.model.judge_many(names, scores=not as_it_is)
        level, threat = found.level.astype(np.int64), found.threat.astype(np.int64)
        if found.scores is not None and len(found):
            asked = found.source == SOURCES.index(Source.MODEL)
            again = np.searchsorted(limits, found.score, side="right")
            level = np.where(asked, again, level).astype(np.int64)
            threat = np.where(asked & (level > 0), found.scores.argmax(axis=1), NO_THREAT)
        none = np.zeros(len(found), np.bool_)
        source, score = found.source.astype(np.int64), found.score.copy()
        return Judged(level, threat.astype(np.int64), source, score, none, none.copy())

    @staticmethod
    def _listed(judged: Judged, rows: NDArray[np.bool_] | int, side: str) -> None:
        """Take down what a list says."""
        deny = side == "deny"
        judged.level[rows] = MALICIOUS if deny else 0
        judged.threat[rows] = NO_THREAT
        judged.score[rows] = HIGHEST_SCORE if deny else 0.0
        judged.source[rows] = SOURCES.index(Source.DENYLIST if deny else Source.ALLOWLIST)

    def _decide(self, judged: Judged, row: int, name: str) -> None:
        """Take down what given lists and people say of one name."""
        if self.lists and (side := self.lists.match(name)) is not None:
            self._listed(judged, row, "allow" if side else "deny")
        if not self._all:
            return
        judged.open[row] = not self._some.isdisjoint(lineage(name)) if self._some else False
        override = self._all.match(name, None, self.at)
        if override is not None:
            _overrule(judged, row, override)

    def _act(self, judged: Judged, rows: slice = np.s_[:]) -> None:
        """Find what is blocked: the rule of the threat goes before that of the verdict."""
        by_level = np.array([self._blocks(str(level)) is True for level in LEVELS])
        blocks = by_level[judged.level[rows]]
        flagged = judged.level[rows] > 0
        for number, threat in enumerate(THREATS):
            rule = self._blocks(str(threat))
            if rule is not None:
                blocks = np.where(flagged & (judged.threat[rows] == number), rule, blocks)
        # A person that condemned a name asked for it to be blocked.
        person = judged.source[rows] == SOURCES.index(Source.OVERRIDE)
        judged.blocks[rows] = np.where(person, flagged, blocks)

    def _blocks(self, subject: str) -> bool | None:
        action = self.actions.get(subject)
        return None if action is None else action != OBSERVE


def _overrule(judged: Judged, row: int, override: Override) -> None:
    condemned = override.status != BENIGN
    judged.level[row] = MALICIOUS if condemned else 0
    judged.threat[row] = NO_THREAT
    judged.score[row] = HIGHEST_SCORE if condemned else 0.0
    judged.source[row] = SOURCES.index(Source.OVERRIDE)
