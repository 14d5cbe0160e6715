"""Plots of what was measured, drawn from a report alone and to the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mlplugin.training import finds
from mlplugin.training.false_alarms import SUSPICIOUS

Report = Mapping[str, Any]

# Okabe and Ito's colours, which every kind of eye can tell apart; each line has its own dash too.
BLUE, ORANGE, GREEN, GREY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#666666", "#CC79A7"
_LINES = (
    (finds.OWN, "its own head", BLUE, "-"),
    (finds.OVERALL, "overall score", ORANGE, "--"),
    (finds.OWN_BARE, "own head, no suffix", GREEN, "-."),
    (finds.FLOOR, "public suffix only", GREY, ":"),
)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "mlplugin",
    "svg.fonttype": "none",  # text stays text: small, and it can be searched and read out
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}
_LOWEST = 1e-4


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw what the report has the figures for; the files.

    ``roc.svg``, ``reliability.svg`` and ``families.svg``, each only where there is something
    to show.

    Raises:
        OSError: if a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[Report], Figure | None]] = {
        "roc.svg": _roc,
        "reliability.svg": _reliability,
        "families.svg": _families,
    }
    written = []
    for name, make in makers.items():
        with mpl.rc_context():
            mpl.rcParams.update(_STYLE)
            figure = make(report)
            if figure is None:
                continue
            FigureCanvasSVG(figure)
            figure.savefig(folder / name, format="svg", metadata={"Date": None, "Creator": None})
        written.append(folder / name)
    return written


def _roc(report: Report) -> Figure | None:
    curves = {name: row for name, row in report["roc"].items() if name != "rates"}
    if not curves:
        return None
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.9 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (threat, row) in zip(axes, curves.items(), strict=False):
        for kind, label, colour, dash in _LINES:
            axis.plot(report["roc"]["rates"], row[kind], dash, color=colour, label=label, lw=1.6)
        axis.axvline(1e-3, color="black", lw=0.7)
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlim(_LOWEST, 1)
        axis.set_ylim(0, 1.01)
        axis.set_title(threat.replace("_", " "), fontsize=10)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    figure.supxlabel("false positives among clean names under unseen domains", fontsize=9)
    figure.supylabel("share of malicious names found", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return figure


def _reliability(report: Report) -> Figure | None:
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axis: Axes = figure.subplots()
    marks = iter(("o", "s", "^", "D"))
    colours = iter((BLUE, ORANGE, GREEN, PURPLE))
    shift = 0.94
    for label, points in _scales(report):
        axis.errorbar(
            [point[0] * shift for point in points],
            [max(point[1], _LOWEST / 20) for point in points],
            yerr=[
                [max(point[1], _LOWEST / 20) - max(point[2], _LOWEST / 20) for point in points],
                [point[3] - max(point[1], _LOWEST / 20) for point in points],
            ],
            fmt=next(marks), color=next(colours), label=label, ms=4, lw=1, capsize=2,
        )  # fmt: skip
        shift *= 1.08
    axis.plot([5e-5, 0.2], [5e-5, 0.2], color="black", lw=0.8, label="as promised")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(5e-5, 0.2)
    axis.set_ylim(_LOWEST / 20, 0.3)
    axis.set_xlabel("promised false positives, 10^(-score / 10): 0.001 is a score of 30")
    axis.set_ylabel("observed, 95 % intervals; none at the lower edge")
    axis.set_title("What a score promises, and what it keeps", fontsize=10)
    axis.legend(loc="upper left", frameon=False, fontsize=8)
    return figure


def _scales(report: Report) -> list[tuple[str, list[tuple[float, float, float, float]]]]:
    """Of each set: promised, observed, and the observed one's interval."""
    result = []
    held = report.get("holdouts", {}).get("summary", {}).get("domains", {})
    for name, rows in report["score_scale"].items():
        places = [held.get(f"score_scale/{name}/{row['score']}") for row in rows]
        if all(places):
            points = [
                (p["expected"], p["observed"]["mean"], *p["observed"]["interval"])
                for p in places
                if p is not None
            ]
            result.append((f"{name}: never calibrated on", points))
        else:
            points = [(r["expected"], r["observed"], *r["interval"]) for r in rows]
            result.append((f"{name}: calibrated on", points))
    return result


def _families(report: Report) -> Figure | None:
    bars = _bars(report)
    if not bars:
        return None
    figure = Figure(figsize=(7.2, 1.3 + 0.23 * len(bars)), layout="constrained")
    axis: Axes = figure.subplots()
    groups = (
        ("known", "new names of a known family", BLUE, "", -0.2),
        ("new", "the family itself is new", ORANGE, "////", 0.2),
    )
    both = {key for bar in bars.values() for key in bar} == {"known", "new"}
    for key, label, colour, hatch, aside in groups:
        shift = aside if both else 0.0
        shown = [(place, bar[key]) for place, bar in enumerate(bars.values()) if key in bar]
        if not shown:
            continue
        shares = [share for _, (share, _) in shown]
        spans = [span for _, (_, span) in shown]
        axis.barh(
            [place + shift for place, _ in shown], shares, 0.38, label=label, color=colour,
            hatch=hatch, edgecolor="white", linewidth=0,
            xerr=_reaches(shares, spans),
            error_kw={"lw": 0.8, "capsize": 1.5},
        )  # fmt: skip
    axis.set_yticks(range(len(bars)), list(bars), fontsize=7)
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.set_xlim(0, 1)
    axis.set_xlabel("share found as shipped, suspicious or worse; 95 % intervals")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=8)
    return figure


def _reaches(shares: Sequence[float], spans: Sequence[Sequence[float]]) -> list[list[float]]:
    down = [max(share - span[0], 0) for share, span in zip(shares, spans, strict=True)]
    up = [max(span[1] - share, 0) for share, span in zip(shares, spans, strict=True)]
    return [down, up]


def _bars(report: Report) -> dict[str, dict[str, tuple[float, list[float]]]]:
    bars: dict[str, dict[str, tuple[float, list[float]]]] = {}
    new = report.get("holdouts", {}).get("summary", {}).get("families", {})
    for name, row in report["finds"].items():
        bars.setdefault(name, {})["known"] = (row[SUSPICIOUS], row["interval"][SUSPICIOUS])
    for place, row in new.items():
        if place.startswith("finds/"):
            figure = row[SUSPICIOUS]
            name = place.removeprefix("finds/")
            bars.setdefault(name, {})["new"] = (figure["mean"], figure["interval"])
    return dict(sorted(bars.items()))
