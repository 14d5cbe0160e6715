"""One retraining: gathered material in, a candidate and a report of it out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.model import Model, load
from mlplugin.model.directory import read
from mlplugin.service import promotion
from mlplugin.service.material import (
    FREQUENT,
    HELD_FROM,
    Decided,
    Material,
    Seen,
    checked,
    summary,
)
from mlplugin.training import evaluation, write
from mlplugin.training.datasets import BENIGN, THREATS
from mlplugin.training.progress import Course
from mlplugin.training.retraining import base, card, guard
from mlplugin.training.retraining.guard import Set
from mlplugin.training.retraining.learn import (
    Lessons,
    Networks,
    Recipe,
    learnt,
    lessons,
    together,
)
from mlplugin.training.retraining.rehearsal import rehearsal
from mlplugin.training.retraining.start import Parent
from mlplugin.training.run import timestamp
from mlplugin.verdict import LEVELS

ONE_IN = 5
LISTED = 200  # names whose verdict changes, of each direction
REPORT = "report.json"
# Seeds of what is made up to measure on: never the ones that are learnt from.
GUARD_SEED, RULER_SEED = 1000, 2000


@dataclass(frozen=True)
class Order:
    """What to retrain.

    Attributes:
        parent: the model directory to go on from.
        out: the model directory to write; new or empty.
        data: a folder of labelled names to learn from and measure on as well, if there is one.
        created: the time that the model carries, RFC 3339 in UTC; None is now.
        root: the model directory that the parent's line began with; None is the parent.
    """

    parent: Path
    material: Material
    out: Path
    version: str
    data: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)
    created: str | None = None
    root: Path | None = None


@dataclass(frozen=True)
class _Parts:
    """The material, with what is held back.

    Attributes:
        usual: what enough clients asked for, never flagged.
        flagged: what enough clients asked for, flagged at times.
        lone: what one client alone asked for: its own affairs, or its infection.
    """

    decided: list[Decided]
    held: list[Decided]
    usual: list[Seen]
    usual_held: list[Seen]
    flagged: list[Seen]
    lone: list[Seen]


def retrain(order: Order, course: Course) -> dict[str, Any]:
    """Learn, write the candidate, and report on it.

    Raises:
        UsageError: if nothing can be learnt from the material, or the directory is taken.
        ModelError: if the parent is damaged.
        OSError: if it cannot be written.
    """
    if order.out.exists() and any(order.out.iterdir()):
        raise UsageError(f"{order.out} is not empty: name a new directory for the model")
    course.stage("reading")
    contents = read(order.parent)
    parent, before = Parent(contents), Model(contents, order.parent)
    material = checked(order.material, before)
    parts = _divided(material)
    for note in material.notes:
        course(note)
    course.stage("rehearsal")
    domains = _domains(before, parts.usual)
    data = base.read(order.data, course) if order.data else None
    sets = _sets(parts, order.recipe, domains, data)
    taught = together(_lessons(parts, order.recipe, domains, data))
    texts, target = guard.watched(parent, sets)

    def watch(networks: Networks) -> dict[str, float]:
        score = guard.overall(parent, networks, texts)
        accuracy, recall = guard.shares(score, target, before.thresholds.suspicious)
        course.event("measured", accuracy=accuracy, recall=recall)
        return recall

    course.stage("fit")
    course(f"learning from {len(parts.decided):,} decided names and {len(taught):,} in all")
    networks = learnt(parent, taught, order.recipe, course, watch)
    course.stage("calibration")
    _write(order, parent, networks, domains)
    course.stage("measuring")
    report = _report(order, before, material, parts, sets)
    metrics = _metrics(order, report)
    write.write_json(order.out / "metrics.json", metrics)
    (order.out / "README.md").write_text(card.card(metrics), encoding="utf-8")
    return report


def _divided(material: Material) -> _Parts:
    """Hold a fifth back, always the same for the same names."""

    def is_held(name: str) -> bool:
        return zlib.crc32(name.encode()) % ONE_IN == 0

    many = len(material.decided) >= HELD_FROM
    usual = [one for one in material.common if not one.flagged]
    return _Parts(
        [one for one in material.decided if not (many and is_held(one.name))],
        [one for one in material.decided if many and is_held(one.name)],
        [one for one in usual if not is_held(one.name)],
        [one for one in usual if is_held(one.name)],
        [one for one in material.common if one.flagged],
        [one for one in material.traffic if one.clients < material.least],
    )


def _domains(model: Model, usual: Sequence[Seen]) -> list[str]:
    """The registered domains of ordinary traffic."""
    found = (model.split(one.name).registered_domain for one in usual)
    return sorted({one for one in found if one is not None})


def _heads(decided: Sequence[Decided]) -> NDArray[np.int8]:
    return np.array(
        [BENIGN if one.threat is None else THREATS.index(one.threat) for one in decided], np.int8
    )


def _lessons(
    parts: _Parts, recipe: Recipe, domains: list[str], data: base.Base | None
) -> list[Lessons]:
    weight = min(recipe.vetted, recipe.most / max(len(parts.decided), 1))
    made = rehearsal(recipe.seed, recipe.each, domains)
    frequent = [one.name for one in parts.usual if one.queries >= FREQUENT]
    harmless = min(recipe.frequent, recipe.most_frequent / max(len(frequent), 1))
    rare = [one.name for one in (*parts.usual, *parts.flagged) if one.flagged
            or one.queries < FREQUENT]  # fmt: skip
    lone = [one.name for one in parts.lone]
    found = [
        lessons([one.name for one in parts.decided], _heads(parts.decided), weight, 0.0),
        lessons(frequent, np.full(len(frequent), BENIGN), harmless, recipe.hold),
        lessons(rare, np.full(len(rare), BENIGN), 0.0, recipe.hold),
        lessons(lone, np.full(len(lone), BENIGN), 0.0, recipe.lone),
        lessons(made.texts, made.target, 0.0, recipe.hold),
    ]
    return [*found, data.lessons(recipe.hold)] if data else found


def _sets(
    parts: _Parts, recipe: Recipe, domains: list[str], data: base.Base | None
) -> dict[str, Set]:
    """The names that measure what a model must not lose."""
    made = rehearsal(recipe.seed + GUARD_SEED, recipe.each, domains)
    sets = {
        f"{'ordinary names' if head == BENIGN else THREATS[head]}, made up": Set(
            [text for text, one in zip(made.texts, made.target.tolist(), strict=True)
             if one == head], head,
        )
        for head in range(BENIGN, len(THREATS))
    }  # fmt: skip
    if parts.usual_held:
        sets["this network, held back"] = Set([one.name for one in parts.usual_held], BENIGN)
    if data is not None:
        sets |= data.sets()
    return {name: of for name, of in sets.items() if of.texts}


def _write(order: Order, parent: Parent, networks: Networks, domains: list[str]) -> None:
    made = rehearsal(order.recipe.seed + RULER_SEED, order.recipe.each, domains)
    ruler = [text for text, one in zip(made.texts, made.target.tolist(), strict=True) if one < 0]
    first, second = guard.kept_true(parent, networks, ruler)
    look = parent.settings.look
    model = write.Finished(
        networks[0], parent.rules, parent.tensors.reputation, first, networks[1], second,
        look.share, look.start,
    )  # fmt: skip
    told = json.loads((order.parent / "config.json").read_bytes())
    limits = parent.settings.thresholds
    write.write(
        order.out, model, order.version, order.created or timestamp(),
        str(told.get("data_cutoff", "1970-01-01")),
        thresholds={"suspicious": limits.suspicious, "malicious": limits.malicious},
    )  # fmt: skip


def _report(
    order: Order, before: Model, material: Material, parts: _Parts, sets: dict[str, Set]
) -> dict[str, Any]:
    after = Model(read(order.out), order.out)
    pair = {"before": before, "after": after}
    report: dict[str, Any] = {
        "version": order.version,
        "sha256": after.sha256,
        "parent": {"version": before.version, "sha256": before.sha256},
        "data_sha256": material.sha256,
        "labelled_names": None if order.data is None else base.digest(order.data),
        "recipe": asdict(order.recipe),
        "material": summary(material),
        "guard": {when: guard.figures(model, sets) for when, model in pair.items()},
        "decided": {
            name: {when: _agreement(model, rows) for when, model in pair.items()}
            for name, rows in (("learnt", parts.decided), ("held_back", parts.held))
        },
        "confusion": {
            name: {when: guard.confusion(model, *_flat(of)) for when, model in pair.items()}
            for name, of in (("decided", material.decided), ("guard", sets))
        },
        "roc": {
            "rates": list(guard.RATES),
            **{when: guard.roc(model, sets) for when, model in pair.items()},
        },
        "changes": changes(before, after, material),
    }
    common = [one.name for one in material.common]
    report["network"] = promotion.network(before, after, common)
    root = before if order.root is None else load(order.root)
    report["root"] = {"version": root.version, "sha256": root.sha256, "measured": None}
    if root.sha256 != before.sha256:
        report["root"] |= {
            "measured": guard.figures(root, sets),
            "network": promotion.network(root, after, common),
        }
    report["refused"] = _refused(report)
    return report


def _refused(report: dict[str, Any]) -> list[str]:
    """What speaks against promoting the candidate."""
    measured, name = report["guard"], report["parent"]["version"]
    return [
        *promotion.reasons(measured["before"], measured["after"], name),
        *promotion.too_many(report["network"], name),
        *promotion.erosion(report, measured["after"]),
    ]


def _flat(of: list[Decided] | dict[str, Set]) -> tuple[list[str], NDArray[np.int8]]:
    if isinstance(of, list):
        return [one.name for one in of], _heads(of)
    texts = [text for one in of.values() for text in one.texts]
    return texts, np.repeat(
        np.array([one.target for one in of.values()], np.int8),
        [len(one.texts) for one in of.values()],
    )


def _agreement(model: Model, decided: Sequence[Decided]) -> dict[str, int]:
    """How many decided names a model judges as people did."""
    level = model.judge_many([one.name for one in decided]).level
    bad = np.array([one.threat is not None for one in decided], np.bool_)
    return {
        "malicious": int(bad.sum()),
        "found": int((level[bad] > 0).sum()),
        "benign": int((~bad).sum()),
        "let_be": int((level[~bad] == 0).sum()),
    }


def changes(before: Model, after: Model, material: Material) -> dict[str, list[dict[str, Any]]]:
    """Names of this network whose verdict would change, by number of queries."""
    queries = {one.name: one.queries for one in (*material.traffic, *material.blocked)}
    queries |= {one.name: one.queries for one in material.decided}
    said = {one.name: one.threat or "benign" for one in material.decided}
    names = list(queries)
    old, new = before.judge_many(names), after.judge_many(names)
    found: dict[str, list[dict[str, Any]]] = {"stricter": [], "milder": []}
    for place in np.flatnonzero(old.level != new.level).tolist():
        name = names[place]
        way = "stricter" if new.level[place] > old.level[place] else "milder"
        found[way].append(
            {
                "name": name,
                "queries": queries[name],
                "before": LEVELS[int(old.level[place])].value,
                "after": LEVELS[int(new.level[place])].value,
                "score_before": round(float(old.score[place]), 1),
                "score_after": round(float(new.score[place]), 1),
                "decided": said.get(name),
            }
        )
    return {
        way: sorted(rows, key=lambda row: (-row["queries"], row["name"]))[:LISTED]
        for way, rows in found.items()
    }


def _metrics(order: Order, report: dict[str, Any]) -> dict[str, Any]:
    """What is told of the candidate for good; names of the network stay in the report."""
    told = json.loads((order.out / "config.json").read_bytes())
    kept = ("parent", "data_sha256", "labelled_names", "recipe", "material", "decided", "confusion",
            "roc")  # fmt: skip
    seen = promotion.nameless(report["network"])
    root = dict(report["root"])
    if "network" in root:
        root["network"] = promotion.nameless(root["network"])
    return {
        "version": order.version,
        "created": told["created"],
        "data_cutoff": told["data_cutoff"],
        "model": evaluation.identity(order.out),
        **report["guard"]["after"],
        "retraining": {
            **{name: report[name] for name in kept},
            "network": seen,
            "root": root,
            "refused": _refused(report | {"network": seen, "root": root}),
            "before": report["guard"]["before"],
        },
    }
