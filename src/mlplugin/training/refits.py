"""Models fitted anew without what they are measured on, part by part, and what they are worth."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.errors import MlpluginError
from mlplugin.training import false_alarms, finds, holdouts, measure, summary, write
from mlplugin.training.datasets import THREATS
from mlplugin.training.fit import Recipe
from mlplugin.training.holdouts import Part
from mlplugin.training.judging import judge_of
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
    """

    kinds: Sequence[str]
    seeds: int
    recipe: Recipe
    jobs: int = 1


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
    left = [task for task in tasks if task.key not in done]
    if len(left) < len(tasks):
        tell(f"{len(tasks) - len(left)} of {len(tasks)} hold-outs are done before")
    started = time.monotonic()
    with contextlib.closing(_fits(ready, plan, left, tell)) as fits:
        for count, (task, fit) in enumerate(fits, 1):
            done[task.key] = fit
            each = (time.monotonic() - started) / count
            tell(
                f"hold-out {count} of {len(left)}: {task.key}: done, "
                f"{each * (len(left) - count) / 60:.0f} min to go"
            )
            order = [*(task.key for task in tasks if task.key in done), *done]
            done = {key: done[key] for key in dict.fromkeys(order)}  # in whatever order they came
            keep({"recipe": plain(plan.recipe), "fits": done, "summary": summary.of(done)})


@dataclass(frozen=True)
class _Task:
    """A part of the hold-outs of a seed, by its number; who fits it finds its rows again."""

    seed: int
    number: int
    key: str


def _tasks(ready: Prepared, plan: Plan) -> list[_Task]:
    return [
        _Task(seed, number, f"{part.label}, seed {seed}")
        for seed in range(plan.recipe.seed, plan.recipe.seed + plan.seeds)
        for number, part in enumerate(holdouts.parts(ready, plan.kinds, seed))
    ]


def _fits(
    ready: Prepared, plan: Plan, tasks: Sequence[_Task], tell: Tell
) -> Generator[tuple[_Task, dict[str, Any]], None, None]:
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


def _shared_fit(task: _Task) -> dict[str, Any]:
    return _fit(_SHARED["ready"], _SHARED["plan"], task, lambda _: None)


def _fit(ready: Prepared, plan: Plan, task: _Task, tell: Tell) -> dict[str, Any]:
    parts = holdouts.parts(ready, plan.kinds, task.seed)
    part = next(itertools.islice(parts, task.number, None))
    tell(f"{task.key}: without {', '.join(part.told)}")
    return fitted_without(ready, part, replace(plan.recipe, seed=task.seed), tell)


def plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return result


def fitted_without(ready: Prepared, part: Part, recipe: Recipe, tell: Tell) -> dict[str, Any]:
    """Fit without what a part holds out, measure on it."""
    rest = holdouts.without(ready, part.dropped)
    learned = np.zeros(len(ready.data), np.bool_)
    learned[np.flatnonzero(~part.dropped)[rest.trainable]] = True
    model = train(rest, rest.trainable, recipe, tell).model
    del rest
    with tempfile.TemporaryDirectory() as folder:
        write.write(Path(folder), model, "0", "1970-01-01T00:00:00Z", "1970-01-01")
        judge = judge_of(Path(folder))
    counts = np.bincount(ready.data.target[learned] + 1, minlength=len(THREATS) + 1)
    about = holdouts.subject(ready, learned, part.unseen)
    return {
        "part": part.name,
        "seed": recipe.seed,
        "held_out": part.told,
        "rows_dropped": int(part.dropped.sum()),
        "trained": dict(zip(("benign", *THREATS), counts.tolist(), strict=True)),
        **_measured(judge, about, part.tested),
    }


def _measured(judge: measure.Judge, about: measure.Subject, tested: Mask) -> dict[str, Any]:
    new = tested & ~np.isin(about.domain, np.unique(about.domain[about.trained]))
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
