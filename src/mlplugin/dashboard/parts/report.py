"""What a retraining found out: before and after, and which verdicts of this network change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards, charts, measured, tables, text
from mlplugin.service import comparison, outcome

WHEN = ("before", "after")
AT = (0.0001, 0.001, 0.01, 0.1)
KINDS = ("first", "second", "third", "fourth", "fifth", "sixth")
CHANGES = {comparison.BETTER: "better", comparison.SAME: "same", comparison.WORSE: "worse"}
CONFUSED = {"decided": "Decided names", "guard": "Made-up and held-back names"}


def shown(report: Mapping[str, Any]) -> list[Element]:
    """Show a report, a panel for each thing that it says; what it lacks is left out."""
    parts = (
        ("May it be promoted?", _against(report), "card half"),
        ("Decided names", _decided(report), "card half"),
        ("Verdicts that would change", _changes(report), "card wide"),
        ("What it must not lose", _guard(report), "card wide"),
        ("Found at each false-positive rate", _roc(report), "card half"),
        ("Confusion", _confusion(report), "card half"),
    )
    return [
        html.Section(
            [html.Div(html.H2(title), className="card-head"), html.Div(body, className="body")],
            className=kind,
        )
        for title, body, kind in parts
        if body is not None
    ]


def _pair(found: Any) -> tuple[Any, Any] | None:
    """Give what was found before and after, None where either is missing."""
    if isinstance(found, Mapping) and all(when in found for when in WHEN):
        return found["before"], found["after"]
    return None


def _against(report: Mapping[str, Any]) -> Any:
    refused = report.get("refused") or []
    seen = report.get("network") or {}
    said: list[Any] = []
    if refused:
        said += [
            html.P("This speaks against it:", className="wrong"),
            html.Ul([html.Li(text.plain(why)) for why in refused]),
        ]
    else:
        said.append(html.P("Nothing that was measured speaks against it.", className="said-done"))
    little = outcome.little(report)
    if little:
        said.append(html.P(html.Strong(f"{little[0].upper()}{little[1:]}.")))
    if seen:
        count = f"{seen.get('flagged', 0):,} of {seen.get('names', 0):,}"
        said.append(html.P(f"It flags {count} names of this network that the one before lets be."))
    return said


def _decided(report: Mapping[str, Any]) -> Any:
    """Show how many decided names each model judges as people did."""
    found = report.get("decided")
    if not isinstance(found, Mapping):
        return None
    rows = [
        {"what": f"{title}: {words}", "of": pair["before"][total],
         **{when: pair[when][key] for when in WHEN}}
        for name, title in (("learnt", "Learnt from"), ("held_back", "Held back"))
        if (pair := found.get(name))
        for key, total, words in (("found", "malicious", "found"), ("let_be", "benign", "let be"))
        if pair["before"][total]
    ]  # fmt: skip
    columns = [
        tables.Column("Names", lambda row: row["what"], "grow", heads=True),
        tables.Column("Of", lambda row: text.number(row["of"]), "n"),
        tables.Column("Before", lambda row: text.number(row["before"]), "n"),
        tables.Column("After", lambda row: text.number(row["after"]), "n"),
    ]
    return tables.table("Decided names judged as people did", columns, rows, kind="dense stack")


def _guard(report: Mapping[str, Any]) -> Any:
    """Show what share of each set both flag, with 95 % intervals."""
    pair = _pair(report.get("guard"))
    if pair is None:
        return None
    root = report.get("root") or {}
    first = comparison.compare(root["measured"], pair[1]) if root.get("measured") else []
    began = {(row.name, row.place): row for row in first}
    rows = [_row(row, began.get((row.name, row.place))) for row in comparison.compare(*pair)]
    columns = [
        tables.Column("Names", lambda row: text.plain(row["place"]), "grow", heads=True),
        tables.Column("What", lambda row: text.plain(row["name"]), "nowrap"),
        tables.Column("Before", lambda row: measured.percent(row["before"]), "n"),
        tables.Column("95 %", lambda row: measured.span(row["before_span"]), "n"),
        tables.Column("After", lambda row: measured.percent(row["after"]), "n"),
        tables.Column("95 %", lambda row: measured.span(row["after_span"]), "n"),
        tables.Column("Beyond chance", lambda row: _change(row["change"])),
    ]
    if began:
        version = text.plain(root.get("version"))
        columns += [
            tables.Column(version, lambda row: measured.percent(row["first"]), "n"),
            tables.Column("Since then", lambda row: _change(row["since"])),
        ]
    return [
        tables.table("What both models flag of the same names", columns, rows, kind="dense stack"),
        html.P(
            [html.Strong(version), " is the model that this line of retrainings began with: "
             "what each of them loses within chance must not add up."],
            className="note",
        ) if began else None,
    ]  # fmt: skip


def _row(row: comparison.Row, began: comparison.Row | None) -> dict[str, Any]:
    """Give a row of a comparison as one of a table, with what the line began with."""
    return {
        "first": began.used.value if began else None, "since": began.change if began else None,
        "name": row.name, "place": row.place, "change": row.change,
        "before": row.used.value, "before_span": row.used.interval,
        "after": row.candidate.value, "after_span": row.candidate.interval,
    }  # fmt: skip


def _change(change: str | None) -> Any:
    said = CHANGES.get(change or "", text.MISSING)
    return html.Span(said, className="wrong") if change == comparison.WORSE else said


def _changes(report: Mapping[str, Any]) -> Any:
    found = report.get("changes")
    if not isinstance(found, Mapping):
        return None
    parts: list[Any] = []
    for way in (outcome.STRICTER, outcome.MILDER):
        rows = found.get(way) or []
        title = f"Judged {way} than before"
        sides = outcome.sides(way, rows)
        counted = f"{title}: {len(rows):,}" + (f", {sides}" if sides else "")
        parts.append(html.H3(counted, className="below"))
        parts.append(_names(title, way, rows) if rows else cards.empty("No name of this network."))
    return parts


def _names(title: str, way: str, rows: Sequence[Mapping[str, Any]]) -> Element:
    columns = [
        tables.Column("Name", lambda row: text.name(row["name"]), "grow", heads=True),
        tables.Column("Queries", lambda row: text.number(row["queries"]), "n"),
        tables.Column("Before", lambda row: text.verdict(row["before"])),
        tables.Column("After", lambda row: text.verdict(row["after"])),
        tables.Column("Score", lambda row: text.score(row["score_before"]), "n"),
        tables.Column("then", lambda row: text.score(row["score_after"]), "n"),
        tables.Column("Decided", lambda row: _side(way, row["decided"])),
    ]
    return html.Div(tables.table(title, columns, rows, kind="dense stack"), className="tall")


def _side(way: str, decided: str | None) -> Any:
    """Show what was decided, and whether the change goes that way."""
    agrees = outcome.agrees(way, decided)
    if agrees is None:
        return text.MISSING
    said = text.plain(decided)
    if agrees:
        return f"{said}, as decided"
    return html.Span(f"{said}, against it", className="wrong")


def _confusion(report: Mapping[str, Any]) -> Any:
    found = report.get("confusion")
    if not isinstance(found, Mapping):
        return None
    parts: list[Any] = [
        html.P("A row is what names are, a column what they are judged as; small: before.",
               className="note"),
    ]  # fmt: skip
    for key, title in CONFUSED.items():
        pair = _pair(found.get(key))
        if pair is not None:
            parts += [html.H3(title, className="below"), _matrix(title, *pair)]
    return parts


def _matrix(title: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Element:
    classes = [text.plain(name) for name in after["classes"]]
    rows = [
        {"class": name, "old": old, "new": new}
        for name, old, new in zip(classes, before["counts"], after["counts"], strict=True)
        if sum(new)
    ]

    def column(place: int) -> tables.Column:
        return tables.Column(
            classes[place], lambda row: _count(row["old"][place], row["new"][place]), "n"
        )

    columns = [
        tables.Column("Is", lambda row: row["class"], heads=True),
        *map(column, range(len(classes))),
    ]
    return tables.table(f"{title}: confusion matrix", columns, rows, kind="dense confusion")


def _count(old: int, new: int) -> Any:
    if old == new:
        return text.number(new)
    return [text.number(new), html.Small([" was ", text.number(old)])]


def _roc(report: Mapping[str, Any]) -> Any:
    found = report.get("roc")
    if not isinstance(found, Mapping):
        return None
    pair, rates = _pair(found), found.get("rates")
    if pair is None or not rates:
        return None
    before, after = pair
    said = "What is found of each threat at each false-positive rate, before and after"
    return [
        html.P("Lines: after. Dotted: before.", className="note"),
        drawn(said, rates, before, after),
        html.Details([html.Summary("As a table"), _rates(rates, before, after)], className="more"),
    ]


def drawn(
    said: str, rates: Sequence[float], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Element:
    """Draw what is found against the logarithm of the false-positive rate."""
    lines, kinds = {}, {}
    for number, name in enumerate(after):
        for when, found in (("before", before), ("after", after)):
            if name in found:
                line = f"{text.plain(name)}, {when}"
                lines[line] = [
                    (100 * rate, 100 * share)
                    for rate, share in zip(rates, found[name], strict=True)
                ]
                kinds[line] = f"{KINDS[number % len(KINDS)]} {when}"
    height, least, most = 300, min(rates), max(rates)
    ticks = {100 * rate: f"{100 * rate:g} %" for rate in AT if least <= rate <= most}
    across = charts.Scale(100 * least, 100 * most, 0, charts.ACROSS, log=True)
    up = charts.Scale(0, 100, height - charts.BOTTOM, charts.TOP)
    return charts.curves(
        charts.Frame("learning-roc", said, height),
        lines,
        kinds,
        charts.Axis(across, ticks, "false positives"),
        charts.Axis(up, {at: f"{at} %" for at in range(0, 101, 20)}, "Found"),
    )


def _rates(rates: Sequence[float], before: Mapping[str, Any], after: Mapping[str, Any]) -> Element:
    places = [min(range(len(rates)), key=lambda n: abs(rates[n] - rate)) for rate in AT]
    rows = [
        {"threat": f"{text.plain(name)}, {when}", "shares": curves[name]}
        for name in after
        for when, curves in (("before", before), ("after", after))
        if name in curves
    ]

    def column(place: int) -> tables.Column:
        title = measured.percent(rates[place])
        return tables.Column(title, lambda row: measured.percent(row["shares"][place]), "n")

    columns = [
        tables.Column("Threat", lambda row: row["threat"], "grow", heads=True),
        *map(column, places),
    ]
    return tables.table("Found at false-positive rates", columns, rows, kind="dense stack")
