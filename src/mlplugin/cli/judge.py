"""Judging names offline, part after part."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TypeVar

from mlplugin.cli.lookalikes import mistaken
from mlplugin.cli.output import Format, Row, json_line
from mlplugin.errors import InvalidNameError
from mlplugin.model import Model, Verdicts
from mlplugin.model.intake import Intake, canonical_many
from mlplugin.model.verdicts import rounded
from mlplugin.qname import escaped
from mlplugin.verdict import LEVELS, SOURCES, THREATS, Verdict

Item = TypeVar("Item")

COLUMNS = ("qname", "registered_domain", "verdict", "threat", "score", "source")


class Judge:
    """Judges part after part, and remembers what the exit status needs.

    Attributes:
        bad_names: how many texts were no names.
        worst: the rank of the worst level so far.
    """

    def __init__(self, model: Model, *, explain: bool, scores: bool) -> None:
        self._model, self._explain, self._scores = model, explain, scores
        self.bad_names = 0
        self.worst = 0

    def columns(self, form: Format) -> tuple[str, ...]:
        """Give the columns of a table or of CSV."""
        more = ["model"] if form is Format.CSV else []
        more += THREATS if self._scores else []
        more += ["reasons"] if self._explain else []
        return (*COLUMNS, *more, "error")

    def lines(self, texts: Sequence[str]) -> str:
        """Give JSON lines of verdicts without reasons and scores: the quick way."""
        verdicts, intake = self._judge(texts)
        faults = {row: json_line(fault) for row, fault in _faults(texts, intake).items()}
        return "".join(_in_order(json_lines(verdicts), intake, faults))

    def rows(self, texts: Sequence[str]) -> Iterable[Row]:
        """Give verdicts as objects of the interface."""
        verdicts, intake = self._judge(texts)
        found = (self._object(verdict) for verdict in verdicts)
        return _in_order(found, intake, _faults(texts, intake))

    def _judge(self, texts: Sequence[str]) -> tuple[Verdicts, Intake]:
        intake = canonical_unmistaken(texts)
        verdicts = self._model.judge_many(intake.names, scores=self._scores)
        self.bad_names += len(intake.faults)
        self.worst = max(self.worst, int(verdicts.level.max(initial=0)))
        return verdicts, intake

    def _object(self, verdict: Verdict) -> Row:
        if self._explain:
            verdict = replace(verdict, reasons=tuple(self._model.explain(verdict.qname)))
        return verdict.to_json()


def _faults(texts: Sequence[str], intake: Intake) -> dict[int, Row]:
    return {
        row: {"qname": escaped(texts[row]), "error": str(error)}
        for row, error in intake.faults.items()
    }


def _in_order(found: Iterable[Item], intake: Intake, faults: dict[int, Item]) -> Iterable[Item]:
    """Put what became of the faulty texts between what was found of the others."""
    if intake.rows is None:
        return found
    return map(
        itemgetter(1),
        heapq.merge(zip(intake.rows, found, strict=True), faults.items(), key=itemgetter(0)),
    )


def json_lines(verdicts: Verdicts) -> list[str]:
    """Give JSON lines, those of ``Verdict.to_json``, without an object for each."""
    kinds = {
        (level, threat, source): (
            f',"verdict":{json.dumps(LEVELS[level])},'
            f'"threat":{json.dumps(THREATS[threat] if threat >= 0 else None)},"score":',
            f',"source":{json.dumps(SOURCES[source])},'
            f'"model":{json.dumps(verdicts.model)},"reasons":[]}}\n',
        )
        for level in range(len(LEVELS))
        for threat in range(-1, len(THREATS))
        for source in range(len(SOURCES))
    }
    columns = (verdicts.level, verdicts.threat, verdicts.source)
    kind = [kinds[key] for key in zip(*(column.tolist() for column in columns), strict=True)]
    score = map(repr, rounded(verdicts.score).tolist())
    names, domains = _quoted(verdicts.qname), _quoted(verdicts.registered_domains())
    return [
        f'{{"qname":{name},"registered_domain":{domain}{before}{number}{behind}'
        for name, domain, (before, behind), number in zip(names, domains, kind, score, strict=True)
    ]


def _quoted(names: Sequence[str | None]) -> list[str]:
    """Give canonical names as JSON: quotes and backslashes are all that needs care."""
    return [
        "null"
        if name is None
        else f'"{name}"'
        if '"' not in name and "\\" not in name
        else json.dumps(name)
        for name in names
    ]


def canonical_unmistaken(texts: Sequence[str]) -> Intake:
    """Give the canonical form of each text, as `canonical_many`, and a fault for lookalikes."""
    found = {row: said for row, text in enumerate(texts) if (said := mistaken(text)) is not None}
    intake = canonical_many(texts)
    if not found:
        return intake
    rows = range(len(texts)) if intake.rows is None else intake.rows
    kept = [pair for pair in zip(rows, intake.names, strict=True) if pair[0] not in found]
    faults = {**intake.faults, **{row: InvalidNameError(said) for row, said in found.items()}}
    return Intake(
        [name for _, name in kept], [row for row, _ in kept], dict(sorted(faults.items()))
    )
