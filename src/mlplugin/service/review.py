"""Candidates and policies held against the history: what they would have changed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mlplugin.errors import UsageError
from mlplugin.model import Model, load
from mlplugin.service import model_papers
from mlplugin.service.hindsight import Replay
from mlplugin.service.history import Asked
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.lists import Lists
from mlplugin.service.past import LISTED, Stretch
from mlplugin.service.registry import SHADOW
from mlplugin.service.rules import DEFAULT_ACTIONS, Limits, Rules, parse_actions
from mlplugin.service.times import rfc3339
from mlplugin.service.vetting import Vetting
from mlplugin.store.port import Filter, Store, StoreBusyError
from mlplugin.store.sums import Count
from mlplugin.verdict import LEVELS, Level

MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Policy:
    """What to judge the past with.

    Attributes:
        model: the version of a model that is here, or `shadow`; None for the one in use.
        on: what to do with a verdict or a threat, as in a Corefile; none blocks what is malicious.
        allow: lines of a list.
        deny: lines of a list.
        overrides: whether what people decided goes before all.
    """

    model: str | None = None
    suspicious: float | None = None
    malicious: float | None = None
    on: Sequence[str] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    overrides: bool = True


class Review:
    """Looks at the history as others would have judged it."""

    def __init__(self, store: Store, models: ModelInUse, vetting: Vetting) -> None:
        self._store = store
        self._models = models
        self._vetting = vetting
        self._busy = threading.Lock()

    def shadow(self, asked: Asked, limit: int = LISTED) -> dict[str, Any]:
        """Say what a candidate in shadow thought otherwise: `asked.shadow_model`, or the latest.

        Names are in two lists, those it thinks worse of and those it thinks better of.
        """
        wanted = asked.parse()
        candidates = self._store.top(
            replace(wanted, shadow_model=None, shadow=wanted.shadow or LEVELS),
            "shadow_model",
            MOST_CANDIDATES,
        )
        candidates.sort(key=lambda one: one.last, reverse=True)
        chosen = wanted.shadow_model
        if chosen is None and candidates:
            chosen = candidates[0].value
        answer: dict[str, Any] = {
            "model": chosen,
            "models": [
                {"model": one.value, "queries": one.queries, "first": rfc3339(one.first),
                 "last": rfc3339(one.last)}
                for one in candidates
            ],
        }  # fmt: skip
        pairs: list[dict[str, Any]] = []
        worse: list[dict[str, Any]] = []
        better: list[dict[str, Any]] = []
        if any(one.value == chosen for one in candidates):
            within = replace(wanted, shadow_model=chosen)
            for pair, names in self._pairs(within, limit):
                pairs.append(pair)
                (worse if Level(pair["shadow"]).rank > Level(pair["live"]).rank else better).extend(
                    names
                )
        return {
            **answer,
            "queries": sum(pair["queries"] for pair in pairs),
            "disagreements": pairs,
            "worse": _most(worse, limit),
            "better": _most(better, limit),
        }

    def _pairs(
        self, wanted: Filter, limit: int
    ) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """What was counted of each pair of levels that there is, and its most frequent names."""
        for live, shadow in itertools.product(wanted.verdicts or LEVELS, wanted.shadow or LEVELS):
            if live is shadow:
                continue
            part = replace(wanted, verdicts=(live,), shadow=(shadow,))
            summary = self._store.summary(part, ("qname",), limit)
            stats = summary.stats
            if stats.queries:
                levels = {"live": str(live), "shadow": str(shadow)}
                counts = {name: getattr(stats, name) for name in ("queries", "names", "clients")}
                yield levels | counts, [_name(one) | levels for one in summary.top["qname"]]

    def hindsight(self, asked: Asked, policy: Policy, limit: int = LISTED) -> dict[str, Any]:
        """Say what a policy and a model would have blocked and flagged, and what no longer.

        Raises UsageError, and StoreBusyError while another one is under way.
        """
        until = datetime.now(UTC)
        wanted = asked.parse()
        wanted = replace(wanted, until=wanted.until or until)
        rules = self._rules(policy)
        if not self._busy.acquire(blocking=False):
            raise StoreBusyError("another look back is under way: come again when it is done")
        try:
            found = Replay(Stretch(self._store, wanted), rules, limit=limit).run()
        finally:
            self._busy.release()
        return described(rules, wanted) | found.to_json()

    def _rules(self, policy: Policy) -> Rules:
        lists = Lists()
        lists.take(policy.allow, allowed=True, what="allow")
        lists.take(policy.deny, allowed=False, what="deny")
        return Rules(
            self._model(policy.model),
            Limits(policy.suspicious, policy.malicious),
            parse_actions(policy.on) if policy.on else DEFAULT_ACTIONS,
            lists,
            self._vetting.all() if policy.overrides else (),
        )

    def _model(self, version: str | None) -> Model:
        if version is None:
            return self._models.model
        registry = self._models.registry
        if version == SHADOW and registry is not None:
            return load(registry.shadow_link)
        place = model_papers.place_of(self._models, version)
        if place is None:
            raise UsageError(f"there is no model {version[:64]!r} here: /api/v1/models lists them")
        return load(place)


def described(rules: Rules, wanted: Filter) -> dict[str, Any]:
    """Say what the past is judged with, and which stretch of it."""
    suspicious, malicious = rules.limits.of(rules.model)
    return {
        "model": rules.model.version,
        "thresholds": {"suspicious": suspicious, "malicious": malicious},
        "on": dict(rules.actions),
        "since": None if wanted.since is None else rfc3339(wanted.since),
        "until": None if wanted.until is None else rfc3339(wanted.until),
    }


def _name(one: Count) -> dict[str, Any]:
    return {
        "value": one.value, "queries": one.queries, "clients": one.clients, "score": one.score,
        "first": rfc3339(one.first), "last": rfc3339(one.last),
    }  # fmt: skip


def _most(names: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    return sorted(names, key=lambda row: (-row["queries"], row["value"], row["live"]))[:limit]
