"""Models fitted anew without what they are measured on, part by part, and what they are worth."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import MlpluginError
from mlplugin.training import (
    clean,
    false_alarms,
    finds,
    holdouts,
    measure,
    pipeline,
    summary,
    write,
)
from mlplugin.training.datasets import THREATS
from mlplugin.training.fit import Recipe
from mlplugin.training.holdouts import Part
from mlplugin.training.judging import judge_by
from mlplugin.training.pipeline import train
from mlplugin.training.preparation import Mask, Prepared, Tell

_EXAMPLES = 10
Keep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """Which hold-outs, how often.

    Attributes:
        kinds: of :data:`holdouts.KINDS`.
        seeds: how many seeds; the first is that of the recipe.
        recipe: of the model that is judged by these fits.
        jobs: how many fits at a time, in processes of their own.
        paired: whether generators and feeds are held out in the same fits, which are fewer then.
    """

    kinds: Sequence[str]
    seeds: int
    recipe: Recipe
    jobs: int = 1
    paired: bool = False


def run(ready: Prepared, plan: Plan, before: dict[str, Any], keep: Keep, tell: Tell) -> None:
    """Fit and measure every part that is not done yet.

    Args:
        ready: all the data.
        plan: what is wanted.
        before: the section as far as it was done.
        keep: takes the section after every part, to write it down.
        tell: takes lines of progress.
    """
    done: dict[str, Any] = dict(before.get("fits", {}))
    tasks = _tasks(ready, plan)
    keys = [key for task in tasks for key in task.keys]
    left = [task for task in tasks if not done.keys() >= set(task.keys)]
    if found := sum(key in done for key in keys):
        tell(f"{found} of {len(keys)} hold-outs are done before")
    started = time.monotonic()
    with contextlib.closing(_fits(ready, plan, left, tell)) as fits:
        for count, (task, measured) in enumerate(fits, 1):
            done = {**dict(zip(task.keys, measured, strict=True)), **done}
            each = (time.monotonic() - started) / count
            tell(
                f"fit {count} of {len(left)}: {' and '.join(task.keys)}: done, "
                f"{each * (len(left) - count) / 60:.0f} min to go"
            )
            order = [*(key for key in keys if key in done), *done]
            done = {key: done[key] for key in dict.fromkeys(order)}  # in whatever order they came
            keep({"recipe": plain(plan.recipe), "fits": done, "summary": summary.of(done)})


@dataclass(frozen=True)
class _Task:
    """Parts of the hold-outs of a seed, by number, that one fit misses; who fits finds them again.

    What is left out does not hang on what was done before, so that the figures do not either.
    """

    seed: int
    numbers: tuple[int, ...]
    keys: tuple[str, ...]


def _tasks(ready: Prepared, plan: Plan) -> list[_Task]:
    tasks = []
    for seed in range(plan.recipe.seed, plan.recipe.seed + plan.seeds):
        parts = list(holdouts.parts(ready, plan.kinds, seed))
        numbers = [(number,) for number in range(len(parts))]
        for chosen in holdouts.pairs(parts) if plan.paired else numbers:
            keys = tuple(f"{parts[number].label}, seed {seed}" for number in chosen)
            tasks.append(_Task(seed, chosen, keys))
    return tasks


def _fits(
    ready: Prepared, plan: Plan, tasks: Sequence[_Task], tell: Tell
) -> Generator[tuple[_Task, list[dict[str, Any]]], None, None]:
    """What was measured of each task, as it comes: one after the other, or several processes."""
    if plan.jobs == 1:
        for task in tasks:
            yield task, _fit(ready, plan, task, tell)
        return
    # A child that is forked shares the data with its parent, which a new one would read again.
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(plan.jobs, context, initializer=_share, initargs=(ready, plan))
    try:
        futures = {pool.submit(_shared_fit, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise MlpluginError(
            "a hold-out's process ended, as it does when memory runs out: what was done is kept; "
            "go on with fewer --jobs"
        ) from error
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once, whatever they are at."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


_SHARED: dict[str, Any] = {}


def _share(ready: Prepared, plan: Plan) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends its children
    _SHARED.update(ready=ready, plan=plan)


def _shared_fit(task: _Task) -> list[dict[str, Any]]:
    return _fit(_SHARED["ready"], _SHARED["plan"], task, lambda _: None)


def _fit(ready: Prepared, plan: Plan, task: _Task, tell: Tell) -> list[dict[str, Any]]:
    every = list(holdouts.parts(ready, plan.kinds, task.seed))
    parts = [every[number] for number in task.numbers]
    del every
    for key, part in zip(task.keys, parts, strict=True):
        tell(f"{key}: without {', '.join(part.told)}")
    return fitted_without(ready, parts, replace(plan.recipe, seed=task.seed), tell)


def plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return result


def fitted_without(
    ready: Prepared, parts: Sequence[Part], recipe: Recipe, tell: Tell
) -> list[dict[str, Any]]:
    """Fit once without what these parts hold out, and measure on each of them."""
    dropped = np.any([part.dropped for part in parts], axis=0)
    model, learned = model_without(ready, dropped, recipe, tell)
    counts = np.bincount(ready.data.target[learned] + 1, minlength=len(THREATS) + 1)
    trained = dict(zip(("benign", *THREATS), counts.tolist(), strict=True))
    found = []
    for part in parts:
        if part.keeps_reputation:
            model = replace(model, reputation=as_shipped(ready, part))
        judge = judge_by(model)
        beside = [text for other in parts if other is not part for text in other.told]
        found.append(
            {
                "part": part.name,
                "seed": recipe.seed,
                "held_out": part.told,
                **({"beside": beside} if beside else {}),
                "rows_dropped": int(part.dropped.sum()),
                "trained": trained,
                **_measured(judge, holdouts.subject(ready, learned, part.unseen), part.tested),
            }
        )
    return found


def model_without(
    ready: Prepared, dropped: Mask, recipe: Recipe, tell: Tell
) -> tuple[write.Finished, Mask]:
    """A model that knows nothing of some rows, and which of the others it learned from."""
    rest = holdouts.without(ready, dropped)
    learned = np.zeros(len(ready.data), np.bool_)
    learned[np.flatnonzero(~dropped)[rest.trainable]] = True
    return train(rest, rest.trainable, recipe, tell).model, learned


def probe(ready: Prepared, recipe: Recipe, tell: Tell) -> dict[str, Any]:
    """A second model, without some generators and the latest names: what is truly new to it."""
    day = holdouts.turning_day(ready.data)
    missing, generated = holdouts.held_families(ready.data)
    late = holdouts.later(ready.data, day)
    model, learned = model_without(ready, missing | late, recipe, tell)
    about = holdouts.subject(ready, learned)
    new = _new(about)
    judge = judge_by(model)
    reference = finds.Reference(measure.judged_benign(judge, about), about)

    def found(held: Mask) -> dict[str, Any]:
        sets = finds.judged_malicious(judge, about, held & new)
        return finds.finds(sets, about, reference)

    families = found(generated)
    names = {ready.data.families[code] for code in np.unique(ready.data.family[generated])}
    return {
        "families_held_out": sorted(names),
        "first_seen_from": str(day) if day is not None else None,
        "new_families": families,
        "new_families_macro": finds.macro(families),
        "later_names": found(late & ~holdouts.list_days(ready.data)) if late.any() else {},
    }


def as_shipped(ready: Prepared, part: Part) -> NDArray[np.uint64]:
    """Reputation as a model has it that ships: of all popularity lists, but of no feed held out."""
    known = holdouts.without(ready, part.tested).known
    return clean.best_known(known, pipeline.REPUTATION_VOTES, pipeline.REPUTATION_ROWS)


def _new(about: measure.Subject) -> Mask:
    """Rows under registered domains of which the model learnt nothing."""
    new: Mask = ~np.isin(about.domain, np.unique(about.domain[about.trained]))
    return new


def _measured(judge: measure.Judge, about: measure.Subject, tested: Mask) -> dict[str, Any]:
    new = tested & _new(about)
    benign = measure.judged_benign(judge, about)
    reference = finds.Reference(benign, about)
    sets = finds.judged_malicious(judge, about, new)
    found = finds.finds(sets, about, reference)
    return {
        "names_tested": int((new & about.fair).sum()),
        "false_positives": false_alarms.false_positives(benign, about),
        "flagged": false_alarms.flagged(benign, about, _EXAMPLES),
        "population": false_alarms.population(benign, about),
        "score_scale": false_alarms.score_scale(benign, about),
        "finds": found,
        "macro": finds.macro(found),
        "passed_by_reputation": false_alarms.passed(judge, about, new),
    }
