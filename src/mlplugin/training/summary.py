"""Hold-outs put together: the mean over seeds, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlplugin.training import finds
from mlplugin.training.false_alarms import MALICIOUS, SUSPICIOUS

Fit = Mapping[str, Any]
_AT = finds.OWN, finds.OVERALL
_RATE = "0.10%"


def of(fits: Mapping[str, Fit]) -> dict[str, Any]:
    """Each hold-out by name: its sets, and of every set each figure with mean and spread.

    Parts of one hold-out and seed, such as a quarter of the families each, count as one.
    """
    result = {}
    for name in dict.fromkeys(fit["part"] for fit in fits.values()):
        of_name = [fit for fit in fits.values() if fit["part"] == name]
        seeds = sorted({fit["seed"] for fit in of_name})
        whole = [_joined([fit for fit in of_name if fit["seed"] == seed]) for seed in seeds]
        result[name] = {place: _spread(whole, place) for place in _places(whole)}
    return result


def brief(section: Mapping[str, Any]) -> dict[str, Any]:
    """Hold-outs as a model directory keeps them: no fit by itself, and only what a card shows."""
    kept = {
        name: {
            place: row
            for place, row in places.items()
            if place.startswith(("finds/", "macro/")) or name in {"domains", "odd"}
        }
        for name, places in section["summary"].items()
    }
    told = {}
    for label, fit in section["fits"].items():
        kept_of = ("held_out", "beside", "rows_dropped", "names_tested")
        told[label] = {key: fit[key] for key in kept_of if key in fit}
        passed = fit["passed_by_reputation"]
        told[label]["passed_by_reputation"] = {name: row["passed"] for name, row in passed.items()}
    return {"recipe": section["recipe"], "fits": told, "summary": kept}


def added(before: Mapping[str, Any] | None, brief: Mapping[str, Any]) -> dict[str, Any]:
    """Hold-outs of :func:`brief` with those before that it lacks; none of another recipe.

    A hold-out that is measured anew takes the place of all its fits of before.
    """
    if not before or before["recipe"] != brief["recipe"]:
        return dict(brief)
    left = {
        label: fit
        for label, fit in before["fits"].items()
        if not any(belongs(label, name) for name in brief["summary"])
    }
    return {
        "recipe": brief["recipe"],
        "fits": {**left, **brief["fits"]},
        "summary": {**before["summary"], **brief["summary"]},
    }


def belongs(label: str, name: str) -> bool:
    """Whether a fit is of a hold-out: a label is its name, maybe a part, and a seed."""
    whole = label.rpartition(", seed ")[0]
    return whole == name or whole.startswith(f"{name}, part ")


def _joined(parts: Sequence[Fit]) -> dict[str, Mapping[str, Any]]:
    """All sets of one seed by place, such as ``finds/mal_scam``."""
    found: dict[str, Any] = {}
    for part in parts:
        for name, row in part["finds"].items():
            found[name] = {**row, "trained": part["trained"][row["threat"]]}
    places = {f"finds/{name}": row for name, row in found.items()}
    places |= {f"macro/{name}": row for name, row in finds.macro(found).items()}
    first = parts[0]
    for section in ("false_positives", "population"):
        places |= {f"{section}/{name}": row for name, row in first[section].items()}
    for name, rows in first["score_scale"].items():
        for row in rows:
            key = f"score_scale/{name}/{row['score']}"
            span = {"observed": row["interval"]}
            places[key] = {**row, "interval": span}
    return places


def _places(whole: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(place for seed in whole for place in seed))


def _spread(whole: Sequence[Mapping[str, Mapping[str, Any]]], place: str) -> dict[str, Any]:
    rows = [seed[place] for seed in whole if place in seed]
    if place.startswith("score_scale/"):
        return {
            "expected": rows[0]["expected"],
            "observed": _figure(
                [r["observed"] for r in rows], [r["interval"]["observed"] for r in rows], rows
            ),
        }
    result = {
        key: _figure([r[key] for r in rows], [r["interval"][key] for r in rows], rows)
        for key in (SUSPICIOUS, MALICIOUS)
    }
    for key in (SUSPICIOUS, MALICIOUS):
        if "by name" in rows[0]:
            result[key]["by name"] = _mean([row["by name"][key] for row in rows])
    if place.startswith(("finds/", "macro/")):
        for kind in _AT:
            shares = [row[kind][_RATE] for row in rows]
            spans = [row["interval"][kind][_RATE] for row in rows]
            result[f"{kind}, {_RATE}"] = _figure(shares, spans, rows)
    return result


def _figure(
    shares: Sequence[float], spans: Sequence[Sequence[float]], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One figure over all seeds.

    ``interval`` is the mean of theirs, which is on the safe side; ``names`` are those of a seed.
    ``spread`` is None where one seed tells of none.
    """
    figure: dict[str, Any] = {
        "mean": _mean(shares),
        "interval": [_mean([span[0] for span in spans]), _mean([span[1] for span in spans])],
        "spread": [min(shares), max(shares)] if len(shares) > 1 else None,
        "deviation": round(float(np.std(shares, ddof=1)), 6) if len(shares) > 1 else None,
        "seeds": len(shares),
        "names": round(float(np.mean([row["names"] for row in rows]))),
    }
    if "families" in rows[0]:
        counts = [row["families"] for row in rows]  # a tenth has enough names of more than another
        figure["families"] = sorted({min(counts), max(counts)})
    if "trained" in rows[0]:
        figure["trained"] = min(row["trained"] for row in rows)
    return figure


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 6)
