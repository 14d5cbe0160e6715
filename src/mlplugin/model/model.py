"""A model: it splits, scores, judges and explains names. It never changes once it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlplugin.model import directory
from mlplugin.model.batch import Batch, pack
from mlplugin.model.directory import Contents, Floats
from mlplugin.model.explain import decompose, every
from mlplugin.model.letters import spread
from mlplugin.model.scoring import Regions, Scored, Scorer
from mlplugin.model.settings import Thresholds
from mlplugin.model.split import (
    SPECIAL_HASH,
    Parts,
    Splits,
    find,
    is_special,
    special_rule,
    split,
)
from mlplugin.model.verdicts import NO_THREAT, Verdicts
from mlplugin.qname import canonical
from mlplugin.verdict import LEVELS, SOURCES, THREATS, Level, Reason, Source, Verdict

# So many names, and so many bytes of them, at a time: the rows of their n-grams then
# fit in a processor's cache, and names of the greatest length do not fill the memory.
_BLOCK = 2048
_BLOCK_BYTES = 80 * _BLOCK


def load(path: Path | None = None) -> Model:
    """Load a model directory, the one that comes with the package if None.

    Raises:
        ModelError: if it is missing, damaged, or of another format.
    """
    place = path or directory.shipped()
    return Model(directory.read(place), place)


class Model:
    """A loaded model; any number of threads may use it.

    What is said of many names wants canonical names, in any number; what is said of one name
    takes it as people write it, and raises InvalidNameError if it is none.
    """

    def __init__(self, contents: Contents, place: Path | None = None) -> None:
        self._settings, self._tensors, self._sha256 = contents
        self._place = place
        self._scorer = Scorer(self._settings, self._tensors)

    @property
    def version(self) -> str:
        """The model's name, such as 2026.11.0."""
        return self._settings.version

    @property
    def sha256(self) -> str:
        """The SHA-256 of ``config.json`` in hex, which identifies the model."""
        return self._sha256

    @property
    def place(self) -> Path | None:
        """The directory that it was read from, if it was read from one."""
        return self._place

    @property
    def thresholds(self) -> Thresholds:
        """The scores from which a name is suspicious or malicious."""
        return self._settings.thresholds

    def judge(self, name: str) -> Verdict:
        """Judge a name, without reasons."""
        return self.judge_many([canonical(name)])[0]

    def judge_explained(self, name: str) -> Verdict:
        """Judge a name, with the reasons."""
        verdict = self.judge(name)
        return replace(verdict, reasons=tuple(self.explain(verdict.qname)))

    def judge_many(self, names: Sequence[str], *, scores: bool = False) -> Verdicts:
        """Judge canonical names.

        Args:
            names: in canonical form, which is not checked but for what would mix names up.
            scores: whether to give every threat's score too, also where the model was not asked.
        """
        blocks = [self._judge_block(block, scores) for block in _blocks(names)]
        columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
        if not columns:
            columns = [
                *(np.zeros(0, kind) for kind in ("i8", "u1", "i1", "u1", "f8")),
                _no_scores(0),
            ]
        at, level, threat, source, score, every = columns
        return Verdicts(
            names, at, level, threat, source, score, self.version, every if scores else None
        )

    def rate_many(self, names: Sequence[str], *, suffix: bool = True) -> tuple[Floats, Floats]:
        """Give the overall score and every threat's score, whatever names are listed or reputed.

        Args:
            names: in canonical form.
            suffix: False to leave out all that the public suffix says, as evaluations want it:
                its n-grams, its own term, and in the second look its text.

        Returns:
            The overall scores, 0 to 60, and the threats' scores as (names, threats).
        """
        blocks = [(found.overall, found.scores) for found in self._score_many(names, suffix)]
        overall = np.concatenate([np.zeros(0), *(score for score, _ in blocks)])
        return overall, np.concatenate([_no_scores(0), *(scores for _, scores in blocks)])

    def scores_many(self, names: Sequence[str], *, suffix: bool = True) -> Floats:
        """Give every threat's score of canonical names, as (names, threats); see ``rate_many``."""
        return self.rate_many(names, suffix=suffix)[1]

    def logits_many(self, names: Sequence[str], *, suffix: bool = True) -> Floats:
        """Give every threat's logit of canonical names, as (names, threats); see ``rate_many``."""
        blocks = [found.logits for found in self._score_many(names, suffix)]
        return np.concatenate([_no_scores(0), *blocks])

    def levels(self, score: Floats) -> NDArray[np.uint8]:
        """Give the level of each overall score, as an index into ``LEVELS``."""
        limits = self._settings.thresholds
        found = np.full(len(score), LEVELS.index(Level.BENIGN), np.uint8)
        found[score >= limits.suspicious] = LEVELS.index(Level.SUSPICIOUS)
        found[score >= limits.malicious] = LEVELS.index(Level.MALICIOUS)
        return found

    def split(self, name: str) -> Parts:
        """Take a name apart at its public suffix."""
        qname = canonical(name)
        return _parts(qname, *self._split([qname]))

    def explain(self, name: str) -> list[Reason]:
        """Give the reasons of the verdict on a name, strongest first.

        Where the network decided they add up to the logit of the threat that leads.
        """
        qname = canonical(name)
        batch, splits = self._split([qname])
        parts = _parts(qname, batch, splits)
        known = self._known(qname, parts, splits)
        if known is not None:
            return [known]
        regions = _regions(batch, splits)
        return decompose(parts, self._scorer, regions, self._scorer.score(regions))

    def letters(self, name: str) -> list[float] | None:
        """Give what each character of a canonical name adds to the logit of the threat that leads.

        None where it is not the network that decided.
        """
        qname = canonical(name)
        batch, splits = self._split([qname])
        parts = _parts(qname, batch, splits)
        if self._known(qname, parts, splits) is not None:
            return None
        regions = _regions(batch, splits)
        return spread(parts, every(parts, self._scorer, regions, self._scorer.score(regions)))

    def _known(self, qname: str, parts: Parts, splits: Splits) -> Reason | None:
        """What decides before the network is asked, if something does."""
        rule = special_rule(qname)
        if rule is None and parts.registered_domain is None:
            rule = f"public suffix {qname}"
        if rule is not None:
            return Reason("list", rule, 0.0)
        if find(self._tensors.reputation, splits.domain)[0] >= 0:
            return Reason("reputation", parts.registered_domain or qname, 0.0)
        return None

    def _score_many(self, names: Sequence[str], suffix: bool) -> Iterator[Scored]:
        for block in _blocks(names):
            yield self._scorer.score(_regions(*self._split(block), suffix=suffix))

    def _split(self, names: Sequence[str]) -> tuple[Batch, Splits]:
        batch = pack(names)
        return batch, split(batch, self._tensors.suffix_hash, self._tensors.suffix_flag)

    def _judge_block(self, names: Sequence[str], scores: bool) -> tuple[NDArray[np.generic], ...]:
        batch, splits = self._split(names)
        listed = is_special(batch, SPECIAL_HASH) | (splits.label < 0)
        reputed = ~listed & (find(self._tensors.reputation, splits.domain) >= 0)
        asked = ~listed & ~reputed
        source = np.full(len(batch), SOURCES.index(Source.MODEL), np.uint8)
        source[listed] = SOURCES.index(Source.ALLOWLIST)
        source[reputed] = SOURCES.index(Source.REPUTATION)
        rows = np.ones_like(asked) if scores else asked
        found = self._scorer.score(_regions(batch, splits, rows))
        score, every = np.zeros(len(batch)), _no_scores(len(batch))
        lead = np.zeros(len(batch), np.int64)
        score[rows], every[rows], lead[rows] = found.overall, found.scores, found.lead
        score[~asked] = 0.0
        level = np.where(asked, self.levels(score), np.uint8(LEVELS.index(Level.BENIGN)))
        threat = np.where(level > 0, lead, NO_THREAT).astype(np.int8)
        domain_at = np.where(splits.label >= 0, splits.label - batch.start, -1)
        return domain_at, level, threat, source, score, every


def _parts(qname: str, batch: Batch, splits: Splits) -> Parts:
    begin, end = splits.regions(batch)
    return Parts(*(qname[a:b] for a, b in zip(begin[0].tolist(), end[0].tolist(), strict=True)))


def _regions(
    batch: Batch,
    splits: Splits,
    rows: NDArray[np.bool_] | slice = np.s_[:],
    *,
    suffix: bool = True,
) -> Regions:
    begin, end = splits.regions(batch)
    rule = splits.rule[rows]
    if not suffix:
        end[:, -1], rule = begin[:, -1], np.full_like(rule, -1)
    return Regions(batch.text, begin[rows], end[rows], rule)


def _blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), _BLOCK):
        block = names[at : at + _BLOCK]
        size = sum(map(len, block))
        step = len(block) if size <= _BLOCK_BYTES else max(1, len(block) * _BLOCK_BYTES // size)
        yield from (block[first : first + step] for first in range(0, len(block), step))


def _no_scores(count: int) -> Floats:
    return np.zeros((count, len(THREATS)))
