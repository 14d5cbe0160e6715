"""One training run: fit, probe, measure, write the directory."""

from __future__ import annotations

import datetime
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.errors import UsageError
from mlplugin.training import (
    card,
    datasets,
    description,
    evaluation,
    false_alarms,
    goals,
    holdouts,
    measure,
    pipeline,
    plots,
    preparation,
    refits,
    summary,
    write,
)
from mlplugin.training.checkpoint import digests, write_safely
from mlplugin.training.fit import Recipe
from mlplugin.training.judging import judge_of
from mlplugin.training.sources import known, split

FEW = 10_000  # clean names; of fewer, less than ten are beyond the threshold of one in 1,000
LARGEST = 12_000_000  # bytes of a directory that is kept in the repository


@dataclass(frozen=True)
class Order:
    """What to train from and to.

    Attributes:
        data: folder of labelled names.
        out: the model directory to write; must not exist or be empty.
        version: of the model, ``YYYY.MM.N``.
        probe: also fit a second model without some families and the latest names.
        logs: captures or logs of benign traffic, to count false alarms in.
        created: the time that the model carries, RFC 3339 in UTC; None is now.
    """

    data: Path
    out: Path
    version: str
    recipe: Recipe
    probe: bool
    logs: tuple[Path, ...]
    created: str | None = None


def run(order: Order, tell: preparation.Tell) -> dict[str, Any]:
    """Train, measure and write; what was measured, as ``metrics.json`` has it.

    Raises:
        UsageError: if the data cannot be used or the directory is taken.
        OSError: if it cannot be written.
    """
    if order.out.exists() and any(order.out.iterdir()):
        raise UsageError(f"{order.out} is not empty: name a new directory for the model")
    tell(f"reading {order.data}")
    ready = preparation.prepare(order.data, tell)
    require_measurable(order.data, ready)
    trained = pipeline.train(ready, ready.trainable, order.recipe, tell)
    created = order.created or timestamp()
    write.write(order.out, trained.model, order.version, created, cutoff(ready))
    tell("measuring on names under unseen domains")
    judge, about = judge_of(order.out), holdouts.subject(ready, ready.trainable)
    metrics: dict[str, Any] = {
        "version": order.version,
        "created": created,
        "data_cutoff": cutoff(ready),
        "model": evaluation.identity(order.out),
        "holdout": {"share_of_registered_domains": preparation.UNSEEN_SHARE},
        "data": description.described(ready),
        "measured_on": digests(datasets.labelled_files(order.data)),
        "sources": source_rows(ready),
        "recipe": asdict(order.recipe),
        "reputation": {
            "domains": len(trained.model.reputation),
            "votes": pipeline.REPUTATION_VOTES,
        },
        "cross_checked_scores": trained.cross_checked,
        **evaluation.measured(judge, about, order.logs, ready),
        "quantisation_at_0.1_percent": trained.quantisation,
    }
    clean = metrics["false_positives"][measure.CLEAN]["names"]
    if clean < FEW:
        tell(
            f"only {clean:,} clean names under unseen domains say what a score is worth, too few "
            f"to see one false alarm in 1,000: it takes {FEW:,} for ten of them to decide"
        )
    if order.probe:
        tell("fitting the probe: some families and the latest names held out")
        metrics["probe"] = refits.probe(ready, order.recipe, tell)
    metrics["examples"] = examples(judge, about)
    metrics["goals"] = goals.measured(metrics)
    publish(order.out, metrics)
    size = sum(path.stat().st_size for path in order.out.iterdir())
    if size > LARGEST:
        tell(f"{order.out} has {size:,} bytes, more than the {LARGEST:,} a shipped model may have")
    return metrics


def require_measurable(folder: Path, ready: preparation.Prepared) -> None:
    """See to it, before anything is fitted, that false positives can be measured afterwards.

    Raises:
        UsageError: if there are too few clean names under domains that are held out.
    """
    clean = measure.clean_popular(ready.data, ready.two_votes)
    found = int((clean & ready.fair & ready.unseen).sum())
    if found < measure.FEWEST:
        raise UsageError(
            f"{folder}: of popular names that two popularity lists hold, {found} are under the "
            f"tenth of domains that is held out to measure on, and {measure.FEWEST} are needed: "
            "add such lists, as `mlplugin feeds fetch` does; lists of your own have no vote"
        )


def publish(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the plots, the card and ``metrics.json`` into a model directory.

    What was measured comes last and whole, because it cannot be made of the others again.

    Raises:
        OSError: if they cannot be written; a ``metrics.json`` that stood there stays.
    """
    drawn = [path.name for path in plots.draw(metrics, folder)]
    write_safely(folder / "README.md", card.card(metrics, drawn).encode())
    write_safely(folder / "metrics.json", write.as_json(metrics))


def add(folder: Path, report: dict[str, Any]) -> None:
    """Put a report of an evaluation into the model directory that it measured.

    What training alone knows stays; what the report lacks, such as traffic, stays too, and so do
    hold-outs that were put there before, if they are of the same recipe and data.

    Raises:
        UsageError: if the report is of other weights, or training left no ``metrics.json``.
        OSError: if it cannot be written.
    """
    path = folder / "metrics.json"
    if report["model"] != evaluation.identity(folder):
        raise UsageError(f"{folder} is not the model that was measured; evaluate it again")
    metrics = told(folder)
    new = {key: value for key, value in report.items() if value and key != "data"}
    section = summary.brief(report["holdouts"])
    try:
        if metrics.get("measured_on") == report["data"]:
            section = summary.added(metrics.get("holdouts"), section)
        metrics |= {**new, "measured_on": report["data"], "holdouts": section}
        metrics["goals"] = goals.measured(metrics)
        card.card(metrics)
    except KeyError as error:
        raise UsageError(f"{path} lacks {error} that this version needs; train again") from error
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"{path} holds other than training writes; train again") from error
    publish(folder, metrics)


def told(folder: Path) -> dict[str, Any]:
    """What training wrote down of a model.

    Raises:
        UsageError: if it is not there, or no JSON object.
    """
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read; train the model again: {error}") from error
    if not isinstance(metrics, dict):
        raise UsageError(f"{path} holds no JSON object; train the model again")
    return metrics


def timestamp() -> str:
    """The time of writing, RFC 3339 in UTC; ``SOURCE_DATE_EPOCH`` instead where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    if epoch and epoch.isdecimal():
        now = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def cutoff(ready: preparation.Prepared) -> str:
    """The last day on which a malicious name of a feed was first seen."""
    days = ready.data.first_seen[ready.data.of_file("mal") & ~np.isnat(ready.data.first_seen)]
    return str(days.max().astype("datetime64[D]")) if len(days) else "1970-01-01"


def source_rows(ready: preparation.Prepared) -> dict[str, dict[str, Any]]:
    """Of each source: rows trained on that name it, licence, origin, date."""
    table = known()
    codes = Counter(ready.data.source[ready.trainable].tolist())
    rows: Counter[str] = Counter()
    about = {}
    for code, text in enumerate(ready.data.sources):
        for source in split(text, table):
            about[source.name] = source
            rows[source.name] += codes.get(code, 0)
    return {
        name: {
            "rows": rows[name] if about[name].usable else 0,
            "licence": about[name].licence,
            "origin": about[name].origin,
            "as_of": about[name].as_of,
            "used": about[name].usable,
        }
        for name in sorted(about)
    }


def examples(judge: measure.Judge, about: measure.Subject, each: int = 6) -> dict[str, list[str]]:
    """Benign names that are flagged, the worst first, and malicious ones that score lowest."""
    benign = measure.judged_benign(judge, about)
    flagged = false_alarms.flagged(benign, about, each)
    result = {f"flagged: {title}": names for title, names in flagged.items()}
    for title, (_, rows) in measure.malicious_sets(about, about.unseen).items():
        if ":" in title:
            continue
        judged = judge(about.data.names.take(rows))
        missed = np.argsort(judged.score, kind="stable")[:each]
        result[f"missed: {title}"] = [about.data.names.text(rows[row]) for row in missed]
    return result
