"""How a training run shows: live on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from mlplugin.training.progress import Moment


class Lines:
    """A line at each measurement, on stderr."""

    def line(self, text: str) -> None:
        """Write it."""
        click.echo(text, err=True)

    def moment(self, moment: Moment) -> None:
        """Write a line where something was measured."""
        if moment.measured:
            self.line(summary(moment))

    def event(self, kind: str, **about: Any) -> None:
        """Nothing: it is for machines."""

    def close(self) -> None:
        """Nothing."""


class LiveView:
    """A bar with rate and time left over a table of loss and recall, on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(stderr=True) if stream is None else Console(file=stream)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]:,.0f} names a second, {task.fields[left]} left"),
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=1.0, rate=0.0, left="")
        self._live: Live | None = None

    def line(self, text: str) -> None:
        """Write it above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def moment(self, moment: Moment) -> None:
        """Draw anew."""
        self._bar.update(
            self._task,
            description=f"pass {moment.number} of {moment.passes}",
            completed=moment.share,
            rate=moment.rate,
            left=clock(moment.seconds_left),
        )
        shown = Group(self._bar, table(moment))
        if self._live is None:
            self._live = Live(shown, console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(shown, refresh=True)
        if moment.last:
            self.close()

    def event(self, kind: str, **about: Any) -> None:
        """Nothing: it is for machines."""

    def close(self) -> None:
        """Leave the last picture and give the cursor back."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def summary(moment: Moment) -> str:
    """Where a fit stands, in one line."""
    found = ", ".join(f"{name} {share:.0%}" for name, share in (moment.recall or {}).items())
    return (
        f"pass {moment.number} of {moment.passes}: {moment.done:,} of {moment.total:,} names, "
        f"{moment.rate:,.0f} a second, {clock(moment.seconds_left)} left, loss {moment.loss:.4f}"
        + (f"; found at 0.1 % FPR: {found}" if found else "")
    )


def table(moment: Moment) -> Table:
    """Loss and recall of each threat; the first row is all names together."""
    shown = Table("names", box=None, pad_edge=False)
    shown.add_column("mean loss", justify="right")
    shown.add_column("found at 0.1 % FPR", justify="right")
    shown.add_row("all", f"{moment.loss:.4f}", "")
    recall = moment.recall or {}
    for name, loss in moment.losses.items():
        found = f"{recall[name]:.1%}" if name in recall else ""
        shown.add_row(name, f"{loss:.4f}", found)
    return shown


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """What a run took, a line a stage and one for all."""
    rows = [*cost["stages"], {"stage": "in all", **cost}]
    return [
        f"{row['stage']:<12} {clock(row['seconds']):>7}  "
        f"peak memory so far {row['peak_bytes'] / 1e9:.2f} GB"
        for row in rows
    ]
