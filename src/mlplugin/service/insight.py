"""Sums, rankings and comparisons over the history: what the screens and those who ask show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from mlplugin.errors import UsageError
from mlplugin.qname import canonical
from mlplugin.service import model_papers
from mlplugin.service.history import (
    FLAGGED,
    NXDOMAIN,
    TOP,
    Asked,
    History,
    about_json,
    counts_json,
    stats_json,
)
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.judging import Judging
from mlplugin.service.overrides import parse_address
from mlplugin.service.resemblance import kind_of
from mlplugin.service.timeline import Steps
from mlplugin.service.times import rfc3339
from mlplugin.service.vetting import Vetting, override_json
from mlplugin.store.port import Filter, Store
from mlplugin.store.sums import COLUMNS, SLICED_BY, Count, Suspect
from mlplugin.verdict import Level, Source

NO_SLICES = "none"
MOST_VALUES = 1000
LISTED = 20
BINS = 60
# Of so many domains of a client is looked whether others asked for them, and whether they are new.
MOST_DOMAINS = 1000
MOST_SUSPECTS = 2000
MOST_SIMILAR = 100
# So far below the threshold a name is still worth a decision.
NEAR = 10.0
# So far from a threshold a score counts a third.
STEEP = 3.0


class Insight:
    """What the history tells, beyond its rows."""

    def __init__(
        self,
        store: Store,
        history: History,
        judging: Judging,
        vetting: Vetting,
        models: ModelInUse,
    ) -> None:
        self._store = store
        self._history = history
        self._judging = judging
        self._vetting = vetting
        self._models = models

    # Over time

    def compared(self, asked: Asked, top: Sequence[str] = (), limit: int = TOP) -> dict[str, Any]:
        """Count over a range and over the one of the same length before, if it has a beginning.

        Args:
            asked: the range, or any filter.
            top: columns of whose values the range's most frequent are given too, as `top`.
            limit: so many at most.
        """
        wanted = asked.parse()
        before = None
        if wanted.since is not None:
            until = wanted.until or datetime.now(UTC)
            try:
                begin = wanted.since - max(until - wanted.since, timedelta(0))
            except OverflowError:
                begin = datetime.min.replace(tzinfo=UTC)
            earlier = replace(asked, since=rfc3339(begin), until=rfc3339(wanted.since))
            before = self._history.stats(earlier)
        return {"now": self._history.stats(asked, top, limit), "before": before}

    def timeline(
        self, asked: Asked, step: str | int | None = None, by: str = "verdict"
    ) -> dict[str, Any]:
        """Count by steps of time, steps without a query too.

        Args:
            asked: the filter; without a beginning or an end, the history's own.
            step: in seconds, or `minute`, `hour` or `day`; None for a round one.
            by: what each step is counted by: verdict, threat, action, rcode, qtype or none.
        """
        if by not in {*SLICED_BY, NO_SLICES}:
            raise UsageError(f"by {by[:40]!r} is none of {', '.join((*SLICED_BY, NO_SLICES))}")
        wanted = asked.parse()
        steps = Steps.of(wanted.since, wanted.until, step, self._store.span)
        slices = []
        if steps is not None:
            wanted = replace(wanted, since=steps.since, until=steps.until)
            slices = self._store.timeline(wanted, steps.seconds, None if by == NO_SLICES else by)
        return {"by": by, **Steps.json(steps, slices)}

    # By value

    def top(self, asked: Asked, column: str, limit: int = TOP) -> dict[str, Any]:
        """Give the most frequent values of a column."""
        if column not in COLUMNS:
            raise UsageError(f"column {column[:40]!r} is none of {', '.join(COLUMNS)}")
        found = self._store.top(asked.parse(), column, _bounded(limit, MOST_VALUES))
        return {"column": column, "values": counts_json(found)}

    def domain(self, name: str, asked: Asked) -> dict[str, Any]:
        """Sum up what is known of a name and all below it, and what is thought of it now."""
        qname = canonical(name)
        within, found = self._history.about(qname, asked)
        (verdict,) = self._judging.classify([qname], explain=True, scores=True)
        override = self._vetting.current().match(qname, None, datetime.now(UTC))
        domain = verdict["registered_domain"]
        siblings: Sequence[Count] = ()
        if domain is not None and domain == within.domain:
            siblings = found.top["qname"]
        elif domain is not None:
            siblings = self._store.top(replace(asked.parse(), domain=domain), "qname", TOP + 1)
        return {
            **about_json(qname, found),
            "registered_domain": domain,
            "verdict": verdict,
            "override": None if override is None else override_json(override),
            "siblings": counts_json([one for one in siblings if one.value != qname][:TOP]),
        }

    def client(self, ip: str, asked: Asked) -> dict[str, Any]:
        """Sum up what is known of a client, and what sets it apart from the others."""
        address = parse_address(ip)
        within = replace(asked.parse(), client=ip_network(address))
        portrait = self._store.portrait(within, MOST_DOMAINS, LISTED)
        found = portrait.summary
        mine = found.top["registered_domain"]
        only = [one for one in mine if one.value not in portrait.shared]
        new = self._new(mine, within)
        return {
            "client": str(address),
            **stats_json(found.stats),
            "top_names": counts_json(found.top["qname"][:TOP]),
            "top_domains": counts_json(mine[:TOP]),
            "nxdomain": found.stats.by_rcode.get(NXDOMAIN, 0),
            "only_here": [
                {"value": one.value, "queries": one.queries, "flagged": one.flagged}
                for one in only[:LISTED]
            ],
            "new_domains": [
                {"value": one.value, "queries": one.queries, "first": rfc3339(one.first)}
                for one in new[:LISTED]
            ],
            "flagged_names": counts_json(portrait.flagged),
        }

    def _new(self, mine: list[Count], within: Filter) -> list[Count]:
        """Those of a client's domains that it did not ask for before the range."""
        if not mine or within.since is None:
            return []
        domains = tuple(one.value for one in mine)
        earlier = Filter(client=within.client, until=within.since, domains=domains)
        known = {one.value for one in self._store.top(earlier, "registered_domain", len(mine))}
        return [one for one in mine if one.value not in known]

    def lookalikes(
        self, name: str, asked: Asked, limit: int = LISTED, *, clients: bool = True
    ) -> dict[str, Any]:
        """Give registered domains of the history that look like that of a name.

        Args:
            name: a name.
            asked: where they are looked for.
            limit: so many at most.
            clients: whether to count who asked for each, which takes longer than all else.
        """
        qname = canonical(name)
        parts = self._models.model.split(qname)
        domain, label = parts.registered_domain, parts.label
        if domain is None:
            return {"name": qname, "lookalikes": []}
        found = []
        within = asked.parse()
        for value, queries in self._store.similar(within, domain, label, MOST_SIMILAR).items():
            alike = kind_of(domain, label, value, self._models.model.split(value).label)
            if alike is not None:
                found.append((*alike, value, queries))
        found.sort(key=lambda row: (row[0], -row[3], row[2]))
        found = found[: _bounded(limit, MOST_VALUES)]
        values = tuple(value for _, _, value, _ in found)
        askers = self._askers(within, values) if clients else {}
        verdicts = self._judging.classify(list(values))
        return {
            "name": qname,
            "lookalikes": [
                {
                    "domain": value, "distance": apart, "kind": kind, "queries": queries,
                    **({"clients": askers.get(value, 0)} if clients else {}),
                    "verdict": verdict["verdict"],
                }
                for (apart, kind, value, queries), verdict in zip(found, verdicts, strict=True)
            ],
        }  # fmt: skip

    def _askers(self, within: Filter, domains: tuple[str, ...]) -> dict[str, int]:
        """How many clients asked for some registered domains."""
        if not domains:
            return {}
        found = self._store.top(replace(within, domains=domains), "registered_domain", len(domains))
        return {one.value: one.clients for one in found}

    # By score

    def scores(self, asked: Asked) -> dict[str, Any]:
        """Count what the model judged by score."""
        wanted = _by_model(asked.parse())
        found = {} if wanted is None else {one.score: one for one in self._store.scores(wanted)}
        bins = [
            {
                "score": score,
                "queries": found[score].queries if score in found else 0,
                "names": found[score].names if score in found else 0,
            }
            for score in range(BINS)
        ]
        return {"step": 1.0, "bins": bins}

    def would_flag(self, asked: Asked, score: str | float, limit: int = 50) -> dict[str, Any]:
        """Say what the model would have flagged in this history, were this its threshold."""
        given = Asked(min_score=score).parse().min_score
        wanted = _by_model(asked.parse())
        answer: dict[str, Any] = {"score": given, "queries": 0, "names": 0, "clients": 0}
        if wanted is None or given is None:
            return {**answer, "values": []}
        above = replace(wanted, min_score=max(given, wanted.min_score or 0.0))
        found = self._store.summary(above, ("qname",), _bounded(limit, MOST_VALUES))
        counts = {name: getattr(found.stats, name) for name in ("queries", "names", "clients")}
        values = [
            {
                "value": one.value, "score": one.score,
                "queries": one.queries, "clients": one.clients,
            }
            for one in found.top["qname"]
        ]  # fmt: skip
        return {**answer, **counts, "values": values}

    def queue(self, asked: Asked, limit: int = 100) -> dict[str, Any]:
        """Give the names that nobody decided on and that are most worth a decision, those first."""
        decided, now = self._vetting.current(), datetime.now(UTC)
        limits = self._models.model.thresholds
        thresholds = {"suspicious": limits.suspicious, "malicious": limits.malicious}
        found: dict[str, Suspect] = {}
        for wanted in _doubtful(asked.parse(), limits.suspicious - NEAR):
            for suspect in self._store.suspects(wanted, MOST_SUSPECTS):
                if decided.match(suspect.qname, None, now) is None:
                    known = found.get(suspect.name)
                    if known is None or _worth(known, thresholds) < _worth(suspect, thresholds):
                        found[suspect.name] = suspect
        ranked = sorted(
            found.values(), key=lambda one: (_worth(one, thresholds), one.name), reverse=True
        )
        chosen = ranked[: _bounded(limit, MOST_VALUES)]
        return {"names": [_suspect_json(one, thresholds) for one in chosen]}

    # Models

    def models(self) -> dict[str, Any]:
        """Give the models that are here, the one in use first, and where others are promoted."""
        registry = self._models.registry
        return {
            "data": None if registry is None else str(registry.folder.parent),
            "models": model_papers.every(self._models),
        }

    def model(self, version: str) -> dict[str, Any] | None:
        """Give a model's thresholds, card and measurements; None if there is none such."""
        return model_papers.one(self._models, version)


def _bounded(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise UsageError(f"limit {limit} is not between 1 and {most}")
    return limit


def _by_model(wanted: Filter) -> Filter | None:
    """What the model judged of a filter, None if that asks for what others judged."""
    if wanted.source not in (None, Source.MODEL):
        return None
    return replace(wanted, source=Source.MODEL)


def _doubtful(wanted: Filter, least: float) -> Iterator[Filter]:
    """What the model thought nearly bad or worse, and what else was flagged but by a list."""
    if (by_model := _by_model(wanted)) is not None:
        yield replace(by_model, min_score=max(least, wanted.min_score or 0.0))
    verdicts = tuple(level for level in FLAGGED if not wanted.verdicts or level in wanted.verdicts)
    for source in (Source.ANSWER, Source.BEHAVIOUR):
        if wanted.source in (None, source) and verdicts:
            yield replace(wanted, source=source, verdicts=verdicts)


def _worth(suspect: Suspect, thresholds: dict[str, float]) -> tuple[bool, float]:
    """How much a decision is worth: flagged first, then doubt, hits and clients."""
    distance = min(abs(suspect.score - threshold) for threshold in thresholds.values())
    doubt = math.exp(-distance / STEEP)
    if suspect.flagged:
        return True, (0.5 + doubt) * math.log1p(suspect.flagged) * suspect.clients
    return False, doubt * math.log1p(suspect.queries) * suspect.clients


def _suspect_json(one: Suspect, thresholds: dict[str, float]) -> dict[str, Any]:
    return {
        "name": one.name,
        "qname": one.qname,
        "queries": one.queries,
        "clients": one.clients,
        "flagged": one.flagged,
        "first": rfc3339(one.first),
        "last": rfc3339(one.last),
        "score": one.score,
        "verdict": str(one.verdict),
        "threat": None if one.threat is None else str(one.threat),
        "why": _why(one, thresholds),
    }


def _why(one: Suspect, thresholds: dict[str, float]) -> str:
    """Say in one short sentence why a name waits for a decision."""
    name, limit = min(thresholds.items(), key=lambda item: abs(one.score - item[1]))
    apart = round(abs(one.score - limit), 1)
    side = "above" if one.score >= limit else "below"
    where = f"score {one.score:g}, {apart:g} {side} {name} ({limit:g})"
    hits = f"{_times(one.flagged)} flagged" if one.flagged else f"asked {_times(one.queries)}"
    clients = f"{one.clients:,} client{'' if one.clients == 1 else 's'}"
    if one.verdict is not Level.BENIGN and not one.score:
        return f"{hits} for {clients}"
    return f"{hits} for {clients}: {where}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
