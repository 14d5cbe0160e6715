"""Measuring a model directory on labelled names, its own hold-out kept in mind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.errors import UsageError
from mlplugin.training import (
    datasets,
    false_alarms,
    finds,
    goals,
    holdouts,
    measure,
    preparation,
    refits,
    summary,
    traffic,
)
from mlplugin.training.checkpoint import digests, write_safely
from mlplugin.training.fit import Recipe
from mlplugin.training.judging import judge_of
from mlplugin.training.write import as_json


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        model: the model directory.
        data: folder of labelled names.
        logs: captures or logs of benign traffic, to count false alarms in.
        kinds: hold-outs to fit anew for, of :data:`holdouts.KINDS`.
        seeds: how often each.
        passes: of either look of these fits; those of the model's recipe if None.
        jobs: how many of these fits at a time.
        report: where everything goes, after each part; one of the same model, data and recipe
            is gone on with.
        paired: whether generators and feeds are held out in the same fits.
    """

    model: Path
    data: Path
    logs: tuple[Path, ...] = ()
    kinds: tuple[str, ...] = ()
    seeds: int = 1
    passes: int | None = None
    report: Path | None = None
    jobs: int = 1
    paired: bool = False


def evaluate(request: Request, tell: preparation.Tell = lambda _: None) -> dict[str, Any]:
    """Everything that is measured of a model.

    Sets of malicious names and those called unseen hold only registered domains of the tenth
    that training by this package always leaves out.

    Raises:
        ModelError: if the model is missing or damaged.
        UsageError: if the data cannot be read, or the report is something else.
        OSError: if the report cannot be written.
    """
    judge, model = judge_of(request.model), identity(request.model)
    recipe = recipe_of(request.model, request.passes, tell)
    wanted = {"model": model, "data": digests(datasets.labelled_files(request.data))}
    before = _before(request.report, wanted, recipe)
    tell(f"reading {request.data}")
    ready = preparation.prepare(request.data, tell)
    about = holdouts.subject(ready, ready.trainable)
    tell("measuring the model on names under unseen domains")
    report = {**wanted, **measured(judge, about, request.logs, ready)}

    def keep(section: dict[str, Any]) -> None:
        report["holdouts"] = section
        report["goals"] = goals.measured(report)
        if request.report is not None:
            _write(request.report, report)

    keep(before)
    if request.kinds:
        plan = refits.Plan(request.kinds, request.seeds, recipe, request.jobs, request.paired)
        refits.run(ready, plan, before, keep, tell)
    return report


def measured(
    judge: measure.Judge, about: measure.Subject, logs: Sequence[Path], ready: preparation.Prepared
) -> dict[str, Any]:
    """All that one model shows on the names under unseen domains, and in logs."""
    benign = measure.judged_benign(judge, about)
    reference = finds.Reference(benign, about)
    sets = finds.judged_malicious(judge, about, about.unseen)
    found = finds.finds(sets, about, reference)
    malicious = about.data.target != datasets.BENIGN
    domains = np.unique(about.domain[about.trained])
    return {
        "false_positives": false_alarms.false_positives(benign, about),
        "population": false_alarms.population(benign, about),
        "score_scale": false_alarms.score_scale(benign, about),
        "finds": found,
        "macro": finds.macro(found),
        "roc": {"rates": list(finds.GRID), **finds.curves(sets, about, reference)},
        "reputation_effect": false_alarms.reputation(judge, benign, about, malicious),
        "traffic": traffic.of_logs(judge, logs, traffic.Known(ready.rules, domains)),
    }


def identity(folder: Path) -> dict[str, str]:
    """Which model it is: its version, and the SHA-256 of its configuration and its weights."""
    raw = (folder / "config.json").read_bytes()
    config = json.loads(raw)
    return {
        "version": config["version"],
        "config_sha256": hashlib.sha256(raw).hexdigest(),
        "weights_sha256": config["weights"]["sha256"],
    }


def recipe_of(folder: Path, passes: int | None, tell: preparation.Tell) -> Recipe:
    """The recipe that a model directory tells of; the usual one, said so, if it tells of none."""
    told = _told(folder / "metrics.json")
    if told is None:
        tell(f"{folder} tells no recipe: hold-outs are fitted by the usual one")
    recipe = Recipe(**(told or {}))
    return recipe if passes is None else recipe.with_passes(passes)


def _told(path: Path) -> dict[str, Any] | None:
    """The values of a recipe that a file of metrics has, None if it has none of the right kinds."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    told = metrics.get("recipe") if isinstance(metrics, dict) else None
    if not isinstance(told, dict):
        return None
    usual = asdict(Recipe())
    known = {name: value for name, value in told.items() if name in usual}
    return known if all(_fits(value, usual[name]) for name, value in known.items()) else None


def _fits(value: object, usual: object) -> bool:
    """Whether a value is of the kind of the usual one."""
    if isinstance(usual, dict):
        return isinstance(value, dict) and all(_fits(part, 1.0) for part in value.values())
    kinds = (int, float) if isinstance(usual, float) else (int,)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _before(path: Path | None, wanted: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The hold-outs that a report has of this model, data and recipe; none if it has none."""
    empty: dict[str, Any] = {"recipe": refits.plain(recipe), "fits": {}, "summary": summary.of({})}
    if path is None or not path.exists():
        return empty
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        same = all(report[key] == value for key, value in wanted.items())
        section: dict[str, Any] = report["holdouts"]
        same &= section["recipe"] == refits.plain(recipe)
        before = {**section, "summary": summary.of(section["fits"])} if same else empty
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path} is there and no report of an evaluation; name another file"
        ) from error
    return before


def _write(path: Path, report: dict[str, Any]) -> None:
    """Write it so that an interruption leaves the last whole report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, as_json(report))
