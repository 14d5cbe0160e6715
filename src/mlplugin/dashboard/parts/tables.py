"""Tables: real ones, with a caption, headers that say what they head, and a way to sort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import text

Row = Mapping[str, Any]
DIRECTIONS = {True: "descending", False: "ascending"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: what stands over it.
        show: gives a row's cell.
        kind: the cells' CSS class: `n` for numbers, `grow` for what takes the room that is left.
        sorts: the address that sorts by it.
        descending: how it is sorted now, None if it is not.
        heads: whether its cells head their rows.
    """

    title: str
    show: Callable[[Row], Any]
    kind: str = ""
    sorts: str | None = None
    descending: bool | None = None
    heads: bool = False


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Row],
    *,
    kind: str = "",
    name: str = "",
    mark: Callable[[Row], str] | None = None,
) -> Element:
    """Give a table in a region of its own, which scrolls sideways where it must.

    Args:
        caption: what it shows, for those who do not see what stands around it.
        kind: CSS classes; with `stack` a row is a block of its own where there is little room,
            which is why the parts of a table say what they are.
        name: an id for its body.
        mark: gives a row's CSS class.
    """
    head = html.Thead(html.Tr([_head(column) for column in columns], role="row"), role="rowgroup")
    body = html.Tbody(
        table_rows(columns, rows, mark), role="rowgroup", **({"id": name} if name else {})
    )
    return html.Div(
        html.Table(
            [html.Caption(caption, className="unseen"), head, body], className=kind, role="table"
        ),
        className="scroll",
        role="region",
        tabIndex="0",
        **{"aria-label": caption},
    )


def table_rows(
    columns: Sequence[Column], rows: Iterable[Row], mark: Callable[[Row], str] | None = None
) -> list[Element]:
    """Give the rows alone, for a table that is already there."""
    return [
        html.Tr(
            [_cell(column, row) for column in columns],
            className=mark(row) if mark else None,
            role="row",
        )
        for row in rows
    ]


def _head(column: Column) -> Element:
    said: Any = column.title
    if column.sorts:
        arrow = {None: "↕", True: "↓", False: "↑"}[column.descending]
        said = html.A(
            [column.title, html.Span(arrow, className="arrow", **{"aria-hidden": "true"})],
            href=column.sorts,
        )
    sorted_so = {}
    if column.descending is not None:
        sorted_so = {"aria-sort": DIRECTIONS[column.descending]}
    return html.Th(
        said, scope="col", role="columnheader", className=column.kind or None, **sorted_so
    )


def _cell(column: Column, row: Row) -> Element:
    shown = column.show(row)
    if column.heads:
        return html.Th(shown, scope="row", role="rowheader", className=column.kind or None)
    # what a number is of, where the heads are not seen
    label = {"data-label": column.title} if column.kind == "n" else {}
    return html.Td(shown, role="cell", className=column.kind or None, **label)


def bars(
    caption: str,
    title: str,
    rows: Sequence[Row],
    show: Callable[[Row], Any],
    *,
    by: str = "queries",
    extra: Sequence[Column] = (),
) -> Element:
    """Give values with a bar each that says how many there are of them.

    Args:
        title: what stands over the values.
        show: gives a row's value as it is shown.
        by: the count that the bars are of.
        extra: columns beside it.
    """
    most = max((row[by] for row in rows), default=0)

    def amount(row: Row) -> Element:
        said = html.Span(text.short(row[by]), title=text.number(row[by]))
        return html.Span([meter(row[by], most), said], className="amount")

    columns = [
        Column(title, show, "grow", heads=True),
        *extra,
        Column(by.capitalize(), amount, "n"),
    ]
    return table(caption, columns, rows, kind="bars")


def meter(value: float, most: float) -> Element:
    """Give a bar as long as a value's part of the most; what it says stands beside it."""
    share = round(100 * value / most, 1) if most else 0
    return html.Svg(
        html.Rect(width=f"{share}%", height="100%"), className="meter", **{"aria-hidden": "true"}
    )
