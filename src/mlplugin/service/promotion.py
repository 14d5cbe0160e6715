"""Whether a model may be put in use in place of another one: what both are measured by."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlplugin.errors import ModelError, RefusedError
from mlplugin.model import Model, load, shipped
from mlplugin.service import comparison
from mlplugin.service.ancestry import RETRAINING
from mlplugin.service.lineage import Entry
from mlplugin.service.material import least_clients, recent
from mlplugin.service.overrides import BENIGN, Overrides
from mlplugin.service.registry import Instead, Registry
from mlplugin.store.port import Filter, Override, Store

LOG = logging.getLogger(__name__)
TOP_NAMES = 1000
# Of a network's most frequent names that were let be, so many may be flagged at most.
MOST_FLAGGED = 0.005


class ObjectionError(RefusedError):
    """What was measured of a model speaks against it; it can be put in use all the same."""


def network(before: Model, after: Model, names: Sequence[str]) -> dict[str, Any]:
    """Say how many of these names the one model lets be and the other flags."""
    usual = np.flatnonzero(before.judge_many(names).level == 0)
    level = after.judge_many(names).level
    flagged = [names[row] for row in usual.tolist() if level[row] > 0]
    share = len(flagged) / len(usual) if len(usual) else 0.0
    return {
        "names": len(usual),
        "flagged": len(flagged),
        "share": round(share, 6),
        "first": flagged[:3],
    }


def nameless(seen: dict[str, Any]) -> dict[str, Any]:
    """What :func:`network` says, without any name of the network."""
    return seen | {"first": []}


def of_history(
    store: Store, before: Model, after: Model, decisions: Sequence[Override] = ()
) -> dict[str, Any]:
    """Ask that of the most frequent names of the last 30 days of the history.

    Names that people condemned for everyone and for good are to be flagged: they are left out.
    So are those that one client alone asks for, where there are more: a model that was taught a
    family of malware is not to be refused for what an infected client asks for often.
    """
    lasting = Overrides(one for one in decisions if one.client is None and one.expires is None)
    now, names, wanted = datetime.now(UTC), [], recent(store, Filter())
    least = least_clients(store, wanted)
    for one in store.top(wanted, "qname", TOP_NAMES):
        decision = lasting.match(one.value, None, now)
        vouched = decision is not None and decision.status == BENIGN
        if vouched or (decision is None and one.clients >= least):
            names.append(one.value)
    return network(before, after, names)


def reasons(before: comparison.Metrics, after: comparison.Metrics, name: str) -> list[str]:
    """Give what speaks against a retrained model, in words; nothing is no objection.

    Args:
        before: what was measured of the model that it goes on from.
        after: what was measured of it, on the same names.
        name: of the model that it goes on from.
    """
    why = comparison.incomparable(before, after, name)
    if why is not None:
        return [why]
    found = [
        f"it {'flags more' if row.is_alarm else 'finds less'} than {name} beyond chance: "
        f"{comparison.in_words(row)}"
        for row in comparison.compare(before, after)
        if row.change == comparison.WORSE
    ]
    lost = comparison.lost(before, after)
    if lost:
        found.append(f"it finds none or hardly any of what {name} finds of {', '.join(lost)}")
    return found


def too_many(
    seen: dict[str, Any] | None, name: str, most_flagged: float = MOST_FLAGGED
) -> list[str]:
    """Object to a model that flags too many frequent names, of which :func:`network` tells."""
    if seen is None:
        return []
    try:
        flagged, names, share = int(seen["flagged"]), int(seen["names"]), float(seen["share"])
        first = ", ".join(map(repr, seen["first"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return [f"what it flags of the names that {name} lets be cannot be read"]
    if flagged <= most_flagged * names:
        return []
    examples = f", {first} among them" if first else ""
    return [
        f"it flags {flagged:,} of {names:,} frequent names of this network "
        f"that {name} lets be ({share:.2%}; {most_flagged:.2%} is the most){examples}"
    ]


def trained(
    before: comparison.Metrics | None, after: comparison.Metrics | None, name: str, how: str = ""
) -> list[str]:
    """Give what speaks against a model that was trained anew; ``how`` to measure it otherwise."""
    why = comparison.incomparable(before, after, name)
    if why or before is None or after is None:
        return [f"{why}{how}"]
    rows = comparison.compare(before, after)
    worse, lost = comparison.alarming(rows), comparison.lost(before, after)
    found = []
    if worse:
        more = f", and {len(worse) - 1} more rows" if len(worse) > 1 else ""
        found.append(
            f"it is worse than {name} beyond chance in {comparison.in_words(worse[0])}{more}"
        )
    if lost:
        found.append(f"it finds none or hardly any of what {name} finds of {', '.join(lost)}")
    return found


def retraining_of(metrics: comparison.Metrics | None) -> dict[str, Any] | None:
    """Give what a retrained model tells of its retraining, None for any other."""
    found = None if metrics is None else metrics.get(RETRAINING)
    return found if isinstance(found, dict) else None


def basis(about: dict[str, Any], used: Model) -> comparison.Metrics | str:
    """Give what was measured of the model in use when another was retrained from it, or why not."""
    parent = about.get("parent")
    told = parent if isinstance(parent, dict) else {}
    if told.get("sha256") != used.sha256:
        return (
            f"it was retrained from {told.get('version')} and measured against that, and "
            f"{used.version} is in use: retrain from {used.version}"
        )
    before = about.get("before")
    if not isinstance(before, dict):
        return f"nothing was measured of {used.version} when it was retrained"
    return before


def erosion(about: dict[str, Any], after: comparison.Metrics) -> list[str]:
    """Give what speaks against a retrained model beside the one that its line began with.

    Args:
        about: what it tells of its retraining.
        after: what was measured of it then.
    """
    root = about.get("root")
    measured = root.get("measured") if isinstance(root, dict) else None
    if not isinstance(root, dict) or not isinstance(measured, dict):
        return []  # the line begins with its parent
    name = f"{root.get('version')}, with which its line began,"
    seen = root.get("network")
    return [
        *reasons(measured, after, name),
        *too_many(seen if isinstance(seen, dict) else None, name),
    ]


def objection(used: Path, candidate: Path, seen: dict[str, Any] | None = None) -> str | None:
    """Say why a model is not to be put in use in place of another; None where nothing speaks.

    Args:
        used: the directory of the model in use.
        candidate: that of the other.
        seen: what :func:`network` says; None: what the candidate tells of it itself, if anything.
    """
    model, other = load(used), load(candidate)
    try:
        after = comparison.metrics_of(candidate, other.sha256)
        about = retraining_of(after)
        if after is None or about is None:
            before = comparison.metrics_of(used, model.sha256)
            found = trained(before, after, model.version)
        else:
            basis_or_why = basis(about, model)
            if isinstance(basis_or_why, str):
                return basis_or_why
            found = [*reasons(basis_or_why, after, model.version), *erosion(about, after)]
            told = about.get("network")
            seen = seen if seen is not None else told if isinstance(told, dict) else None
    except ModelError as fault:
        return f"it cannot be compared with {model.version}: {fault}"
    return "; ".join([*found, *too_many(seen, model.version)]) or None


def promoted(
    registry: Registry,
    candidate: Path,
    *,
    store: Store | None = None,
    decisions: Sequence[Override] = (),
    force: bool = False,
    who: str | None = None,
) -> tuple[Entry | None, str | None]:
    """Compare a model with the one in use and put it in use.

    Where there is a history, its most frequent names are judged by both; ``decisions`` are those
    of people. Where the one in use cannot be read there is nothing to compare with.

    Returns:
        The entry of the record, None where it is in use already; and what speaks against the
        model where it was put in use all the same.

    Raises:
        ObjectionError: if it is worse.
        RefusedError: if another one was put in use meanwhile.
        ModelError: if it is damaged or nothing can be written.
    """
    instead = Instead(registry.serving())
    version = load(candidate).version
    try:
        used = registry.in_use() or shipped()
        load(used)
    except ModelError as fault:
        LOG.warning("%s is compared with nothing: %s", version, fault)
        used = None  # to put another one in use is what mends it
    why = None
    if used is not None and used.resolve() != candidate.resolve():
        seen = None if store is None else of_history(store, load(used), load(candidate), decisions)
        why = objection(used, candidate, seen)
    if why is not None and not force:
        raise ObjectionError(f"{version} is not promoted, {why}")
    return registry.promote(candidate, forced=why is not None, instead=instead, who=who), why
