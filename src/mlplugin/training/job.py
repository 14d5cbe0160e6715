"""A training run that can be stopped at any point and goes on when it is started again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mlplugin.errors import MlpluginError, UsageError
from mlplugin.training import checkpoint, memory
from mlplugin.training.checkpoint import RunDirectory
from mlplugin.training.datasets import labelled_files
from mlplugin.training.progress import CHECKPOINT_SECONDS, Course, Reporter
from mlplugin.training.run import Order, run


@dataclass(frozen=True)
class Done:
    """A run that reached its end.

    Attributes:
        metrics: what was measured, as ``metrics.json`` has it.
        cost: seconds and peak memory, of each stage and in all; of this process only, and in no
            file of the model, which would differ from run to run.
    """

    metrics: dict[str, Any]
    cost: dict[str, Any]


def train(
    order: Order,
    reporters: Sequence[Reporter] = (),
    *,
    restart: bool = False,
    every: float = CHECKPOINT_SECONDS,
) -> Done:
    """Train, and leave the model at ``order.out`` once it is whole.

    Until then everything is in a run directory beside it, ``<out>.partial``. The same order
    goes on from what it finds there, and ends in the same bits as if nothing had happened.

    Args:
        order: what to train.
        reporters: who is told.
        restart: throw away what an earlier run left.
        every: seconds from checkpoint to checkpoint.

    Raises:
        UsageError: if the data cannot be used, the directory is taken, or what an earlier run
            left is from other data, another recipe or other code.
        MlpluginError: if memory or disk do not suffice.
        KeyboardInterrupt: on SIGINT, after a checkpoint where a fit is under way.
    """
    out = order.out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{order.out} is there and not empty: name a new directory with --out")
    paths = labelled_files(order.data)
    memory.check(paths)
    folder = RunDirectory.open(partial(out), manifest(order, paths), restart=restart)
    course = Course(reporters, folder, every)
    try:
        with _last_words(order, course, folder):
            course.event("start", out=str(out), version=order.version, resumed=folder.saved)
            course.stage("reading")
            folder.clear_model()
            metrics = run(replace(order, out=folder.model), course)
            folder.publish(out)
            cost = course.cost()
            course.event("done", out=str(out), cost=cost)
            return Done(metrics, cost)
    finally:
        course.close()
        folder.close()


def partial(out: Path) -> Path:
    """The run directory of a model directory."""
    return out.with_name(f"{out.name}.partial")


def manifest(order: Order, paths: Sequence[Path]) -> dict[str, Any]:
    """What decides the weights."""
    return {
        "format": checkpoint.FORMAT,
        "code": checkpoint.code(),
        "recipe": asdict(order.recipe),
        "data": checkpoint.digests(paths),
    }


@contextmanager
def _last_words(order: Order, course: Course, folder: RunDirectory) -> Iterator[None]:
    """Say how a run that does not reach its end goes on."""
    try:
        yield
    except KeyboardInterrupt:
        course.close()
        course.event("interrupted", saved=folder.saved)
        if folder.saved:
            course(f"interrupted; the same command goes on from {folder.folder}")
        else:
            folder.discard()
            course("interrupted before anything was saved; the same command begins anew")
        raise
    except MemoryError as error:
        message = f"{order.data}: memory ran out: train on fewer names or a larger machine"
        course.event("error", message=message)
        raise MlpluginError(message) from error
    except (MlpluginError, OSError) as error:
        course.event("error", message=" ".join(str(error).split()))
        if not folder.saved:
            folder.discard()
        raise
