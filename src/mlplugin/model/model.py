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
from mlplugin.model.explain import decompose
from mlplugin.model.network import Activations, Network
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

HIGHEST_SCORE = 60.0

# So many names, and so many bytes of them, at a time: the rows of their n-grams then
# fit in a processor's cache, and names of the greatest length do not fill the memory.
_BLOCK = 2048
_BLOCK_BYTES = 80 * _BLOCK


def load(path: Path | None = None) -> Model:
    """Load a model directory, the one that comes with the package if None.

    Raises:
        ModelError: if it is missing, damaged, or of another format.
    """
    return Model(directory.read(path or directory.shipped()))


class Model:
    """A loaded model; any number of threads may use it.

    What is said of many names wants canonical names, in any number; what is said of one name
    takes it as people write it, and raises InvalidNameError if it is none.
    """

    def __init__(self, contents: Contents) -> None:
        self._settings, self._tensors, self._sha256 = contents
        self._network = Network(self._settings, self._tensors)
        self._prior = np.array([self._settings.prior[threat] for threat in THREATS])

    @property
    def version(self) -> str:
        """The model's name, such as 2026.11.0."""
        return self._settings.version

    @property
    def sha256(self) -> str:
        """The SHA-256 of ``config.json`` in hex, which identifies the model."""
        return self._sha256

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

    def scores_many(self, names: Sequence[str], *, suffix: bool = True) -> Floats:
        """Give every threat's score of canonical names, as (names, threats).

        Args:
            names: in canonical form.
            suffix: False to leave out all that the public suffix says, as evaluations want it.
        """
        return self._scores(self.logits_many(names, suffix=suffix))

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
        rule = special_rule(qname)
        if rule is None and parts.registered_domain is None:
            rule = f"public suffix {qname}"
        if rule is not None:
            return [Reason("list", rule, 0.0)]
        if find(self._tensors.reputation, splits.domain)[0] >= 0:
            return [Reason("reputation", parts.registered_domain or qname, 0.0)]
        found = self._forward(batch, splits)
        lead = int(np.argmax(self._scores(found.logits)[0] + self._prior))
        matched = int(splits.rule[0]) >= 0
        return decompose(parts, lead, found, self._network, matched=matched)

    def logits_many(self, names: Sequence[str], *, suffix: bool = True) -> Floats:
        """Give every threat's logit of canonical names, as (names, threats).

        Args:
            names: in canonical form.
            suffix: False to leave out the n-grams of the public suffix and its own term.
        """
        split = (self._split(block) for block in _blocks(names))
        blocks = [self._forward(*parts, suffix=suffix).logits for parts in split]
        return np.concatenate([_no_scores(0), *blocks])

    def _split(self, names: Sequence[str]) -> tuple[Batch, Splits]:
        batch = pack(names)
        return batch, split(batch, self._tensors.suffix_hash, self._tensors.suffix_flag)

    def _forward(
        self,
        batch: Batch,
        splits: Splits,
        rows: NDArray[np.bool_] | slice = np.s_[:],
        *,
        suffix: bool = True,
    ) -> Activations:
        begin, end = splits.regions(batch)
        rule = splits.rule[rows]
        if not suffix:
            end[:, -1], rule = begin[:, -1], np.full_like(rule, -1)
        return self._network.forward(batch.text, begin[rows], end[rows], rule)

    def _scores(self, logits: Floats) -> Floats:
        curves = [self._settings.calibration.threats[threat] for threat in THREATS]
        columns = [
            np.interp(logits[:, index], curve.logit, curve.score)
            for index, curve in enumerate(curves)
        ]
        return np.stack(columns, axis=1)

    def _judge_block(self, names: Sequence[str], scores: bool) -> tuple[NDArray[np.generic], ...]:
        batch, splits = self._split(names)
        listed = is_special(batch, SPECIAL_HASH) | (splits.label < 0)
        reputed = ~listed & (find(self._tensors.reputation, splits.domain) >= 0)
        asked = ~listed & ~reputed
        source = np.full(len(batch), SOURCES.index(Source.MODEL), np.uint8)
        source[listed] = SOURCES.index(Source.ALLOWLIST)
        source[reputed] = SOURCES.index(Source.REPUTATION)
        scored = np.ones_like(asked) if scores else asked
        every = np.zeros((len(batch), len(THREATS)))
        every[scored] = self._scores(self._forward(batch, splits, scored).logits)
        sums = every + self._prior
        lead = np.argmax(sums, axis=1)
        overall = self._settings.calibration.overall
        score = np.interp(sums.max(axis=1), overall.inputs, overall.score)
        score = np.where(asked, np.clip(score, 0.0, HIGHEST_SCORE), 0.0)
        limits = self._settings.thresholds
        level = np.full(len(batch), LEVELS.index(Level.BENIGN), np.uint8)
        level[asked & (score >= limits.suspicious)] = LEVELS.index(Level.SUSPICIOUS)
        level[asked & (score >= limits.malicious)] = LEVELS.index(Level.MALICIOUS)
        threat = np.where(level > 0, lead, NO_THREAT).astype(np.int8)
        domain_at = np.where(splits.label >= 0, splits.label - batch.start, -1)
        return domain_at, level, threat, source, score, every


def _parts(qname: str, batch: Batch, splits: Splits) -> Parts:
    begin, end = splits.regions(batch)
    return Parts(*(qname[a:b] for a, b in zip(begin[0].tolist(), end[0].tolist(), strict=True)))


def _blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), _BLOCK):
        block = names[at : at + _BLOCK]
        size = sum(map(len, block))
        step = len(block) if size <= _BLOCK_BYTES else max(1, len(block) * _BLOCK_BYTES // size)
        yield from (block[first : first + step] for first in range(0, len(block), step))


def _no_scores(count: int) -> Floats:
    return np.zeros((count, len(THREATS)))
