"""`mlplugin classify`: verdicts offline."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import click
import platformdirs

from mlplugin.cli.listing import chunks, list_option
from mlplugin.cli.lookalikes import canonical_unmistaken
from mlplugin.cli.output import Format, Row, format_option, json_line, write_rows
from mlplugin.model import Model, Verdicts, load
from mlplugin.model.intake import Intake
from mlplugin.model.verdicts import rounded
from mlplugin.qname import escaped
from mlplugin.service.registry import chosen
from mlplugin.verdict import LEVELS, SOURCES, THREATS, Level, Verdict

Item = TypeVar("Item")

COLUMNS = ("qname", "registered_domain", "verdict", "threat", "score", "source")
EXIT_MET = 1
EXIT_BAD_NAME = 2

EXAMPLES = """\b
Examples:
  mlplugin classify example.org xn--mnchen-3ya.de
  mlplugin classify --explain --scores login-example.pages.dev
  mlplugin classify -f names.txt --format csv > verdicts.csv
  mlplugin classify -f names.txt.gz --fail-on malicious > verdicts.jsonl
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@list_option
@click.option("--explain", is_flag=True, help="Add the reasons.")
@click.option("--scores", is_flag=True, help="Add every threat's score.")
@click.option(
    "--fail-on",
    type=click.Choice([level.value for level in LEVELS[1:]]),
    help="Exit with status 1 if a name is at least this bad.",
)
@click.option(
    "--model",
    "place",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The model directory.  [default: the promoted one, else the shipped one]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The data directory whose promoted model judges.  [default: the user's data folder]",
)
@format_option
def classify(
    *,
    names: tuple[str, ...],
    source: str | None,
    explain: bool,
    scores: bool,
    fail_on: str | None,
    place: Path | None,
    data: Path | None,
    output_format: Format,
) -> int:
    """Judge names offline, with the model alone: no lists, no overrides, no DNS.

    What a running system does with a name may differ: there overrides, lists and names that are
    not public go first. `POST /api/v1/classify` of its service asks the overrides too, and
    `mlplugin queries --qname NAME` shows what became of a query.

    What is no domain name gives an error in its place, and exit status 2 at the end; so do URLs,
    hosts with a port, IP addresses and e-mail addresses. Names that really look so are given with
    an escape: `example.org\\:53`.
    """
    if not names and source is None:
        raise click.UsageError("name what to classify, or a list of it with -f FILE")
    kept = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    judge = Judge(load(chosen(place, kept)), explain=explain, scores=scores)
    parts = chain([list(names)] if names else [], chunks(source) if source is not None else [])
    if output_format is Format.JSONL and not (explain or scores):
        for part in parts:
            sys.stdout.write(judge.lines(part))
            sys.stdout.flush()  # stdin may be slow, and what reads us may wait
    else:
        rows = chain.from_iterable(map(judge.rows, parts))
        flat = (
            rows if output_format is Format.JSONL else (_flat(row, output_format) for row in rows)
        )
        write_rows(flat, judge.columns(output_format), output_format)
    if judge.bad_names:
        click.echo(f"mlplugin: {judge.bad_names} of the names are no domain names", err=True)
        return EXIT_BAD_NAME
    return EXIT_MET if fail_on and judge.worst >= Level(fail_on).rank else 0


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


def _flat(row: Row, form: Format) -> Row:
    """Give a row without objects inside: a column a threat, and reasons in words in a table."""
    found: dict[str, Any] = {**row, **row.get("scores", {})}
    if form is Format.TABLE:
        found["reasons"] = ", ".join(map(_in_words, row.get("reasons", [])))
    return found


def _in_words(reason: Row) -> str:
    kind, text, weight = reason["kind"], reason["text"], reason["weight"]
    named = text if kind in {"ngram", "rest"} else f"{kind} {text}"
    return f"{named} {weight:+.2f}" if weight else named
