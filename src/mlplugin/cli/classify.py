"""`mlplugin classify`: verdicts offline."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import Any

import click
import platformdirs

from mlplugin.cli.listing import chunks, list_option
from mlplugin.cli.output import Format, Row, format_option, write_rows
from mlplugin.verdict import LEVELS, Level

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
    from mlplugin.cli.judge import Judge  # noqa: PLC0415 - slow to import
    from mlplugin.model import load  # noqa: PLC0415
    from mlplugin.service.registry import chosen  # noqa: PLC0415

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
