"""A report as flat rows, for a table, JSON lines or CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlplugin.training import finds
from mlplugin.training.false_alarms import MALICIOUS, SUSPICIOUS

Row = dict[str, Any]
Report = Mapping[str, Any]

# What each kind of row shows, in the order in which they come.
SECTIONS = {
    "false positives": ("set", "names", "suspicious", "low", "high", "malicious"),
    "score scale": ("set", "names", "score", "expected", "observed", "low", "high"),
    "found": (
        "set", "threat", "names", "suspicious", "low", "high", "malicious", "found_1", "found_0.1",
        "found_0.01", "own_0.1", "no_suffix_0.1", "floor_0.1", "auc",
    ),
    "mean of families": (
        "set", "families", "suspicious", "low", "high", "malicious", "found_1", "found_0.1",
        "found_0.01", "own_0.1", "no_suffix_0.1", "floor_0.1",
    ),
    "reputation": ("set", "names", "passed", "flagged_without", "flagged_with"),
    "traffic": (
        "set", "queries", "names", "suspicious_by_name", "suspicious_per_million",
        "malicious_per_million",
    ),
    "hold-out": (
        "set", "names", "seeds", "suspicious", "low", "high", "least", "most", "malicious",
        "own_0.1",
    ),
    "goal": (
        "set", "floor", "best_peer", "goal", "suspicious", "low", "high", "least", "most", "met",
        "measured_on",
    ),
}  # fmt: skip
COLUMNS = ("kind", *dict.fromkeys(name for names in SECTIONS.values() for name in names))


def rows(report: Report) -> Iterator[Row]:
    """Everything as one flat row a set, shares between 0 and 1.

    ``low`` and ``high`` are the 95 % interval of what stands before them, ``least`` and
    ``most`` the lowest and highest of all seeds.
    """
    yield from _false_positives(report)
    yield from _scale(report)
    for name, row in report["finds"].items():
        yield {"kind": "found", "set": name, **_found(row), "auc": row["auc"]}
    for name, row in report["macro"].items():
        yield {"kind": "mean of families", "set": name, **_found(row)}
    yield from _reputation(report)
    yield from _traffic(report)
    yield from _holdouts(report)
    yield from _goals(report)


def _span(interval: list[float] | None) -> Row:
    return {} if interval is None else {"low": interval[0], "high": interval[1]}


def _extremes(spread: list[float] | None) -> Row:
    return {} if spread is None else {"least": spread[0], "most": spread[1]}


def _false_positives(report: Report) -> Iterator[Row]:
    sets = {
        **report["false_positives"],
        **{f"clean names: {name}": row for name, row in report["population"].items()},
    }
    for name, row in sets.items():
        yield {
            "kind": "false positives",
            "set": name,
            "names": row["names"],
            "suspicious": row[SUSPICIOUS],
            **_span(row["interval"][SUSPICIOUS]),
            "malicious": row[MALICIOUS],
        }


def _scale(report: Report) -> Iterator[Row]:
    for name, points in report["score_scale"].items():
        for point in points:
            yield {
                "kind": "score scale",
                "set": name,
                **{key: point[key] for key in ("names", "score", "expected", "observed")},
                **_span(point["interval"]),
            }


def _found(row: Mapping[str, Any]) -> Row:
    flat = {key: row[key] for key in ("threat", "families", "names") if key in row}
    return {
        **flat,
        "suspicious": row[SUSPICIOUS],
        **_span(row["interval"][SUSPICIOUS]),
        "malicious": row[MALICIOUS],
        **{f"found_{float(rate[:-1]):g}": share for rate, share in row[finds.OVERALL].items()},
        "own_0.1": row[finds.OWN]["0.10%"],
        "no_suffix_0.1": row[finds.OWN_BARE]["0.10%"],
        "floor_0.1": row[finds.FLOOR]["0.10%"],
    }


def _reputation(report: Report) -> Iterator[Row]:
    effect = report["reputation_effect"]
    for name, row in effect["gain"].items():
        yield {
            "kind": "reputation",
            "set": name,
            "names": row["names"],
            "passed": row["passed"],
            "flagged_without": row["flagged without"],
            "flagged_with": row["flagged with"],
        }
    for name, row in effect["harm"].items():
        yield {
            "kind": "reputation",
            "set": f"{name}, as the feeds have it",
            "names": row["names"],
            "passed": row["passed"],
        }


def _traffic(report: Report) -> Iterator[Row]:
    for name, row in report["traffic"].items():
        for title, part in ((name, row), (f"{name}, new domains", row["under new domains"])):
            yield {
                "kind": "traffic",
                "set": title,
                "queries": part["queries"],
                "names": part["names"],
                "suspicious_by_name": part["suspicious_or_worse_by_name"],
                "suspicious_per_million": part["suspicious_or_worse_per_million"],
                "malicious_per_million": part["malicious_per_million"],
            }


def _holdouts(report: Report) -> Iterator[Row]:
    for part, places in report.get("holdouts", {}).get("summary", {}).items():
        for place, row in places.items():
            if SUSPICIOUS not in row:
                continue
            figure = row[SUSPICIOUS]
            own = row.get(f"{finds.OWN}, 0.10%")
            yield {
                "kind": "hold-out",
                "set": f"{part}: {place.partition('/')[2]}",
                "names": figure["names"],
                "seeds": figure["seeds"],
                "suspicious": figure["mean"],
                **_span(figure["interval"]),
                **_extremes(figure["spread"]),
                "malicious": row[MALICIOUS]["mean"],
                "own_0.1": own["mean"] if own else None,
            }


def _goals(report: Report) -> Iterator[Row]:
    for entry in report.get("goals", []):
        yield {
            "kind": "goal",
            "set": entry["row"],
            **{key: entry[key] for key in ("floor", "best_peer", "goal", "met")},
            "measured_on": entry["measured_on"] and f"{entry['measured_on']}: {entry['set']}",
            "suspicious": entry["share"],
            **_span(entry["interval"]),
            **_extremes(entry["spread"]),
        }
