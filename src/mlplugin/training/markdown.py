"""Pieces of Markdown that a model card is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def percent(value: float) -> str:
    """A share in per cent, with as many digits as a small one needs."""
    return f"{value * 100:.1f}" if value >= 0.02 else f"{value * 100:.3f}"


def span(interval: Sequence[float] | None) -> str:
    """An interval in per cent; empty for none."""
    return "" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"
