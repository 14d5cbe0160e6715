"""What a retraining learns from: decided names, and the traffic that nobody objected to.

The decisions are those for everyone and for good: what is let through for one client or for a
day says nothing about the name. See docs/retraining.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlplugin.errors import UsageError
from mlplugin.model import Model
from mlplugin.qname import canonical
from mlplugin.service.history import FLAGGED
from mlplugin.service.overrides import SUBDOMAINS, lineage
from mlplugin.store.past import MOST_ASKED
from mlplugin.store.port import Filter, Override, Store
from mlplugin.store.sums import Count
from mlplugin.verdict import SOURCES, THREATS, Source, Threat

CLEAN = "benign"
FEWEST = 10  # decided names
HELD_FROM = 50  # decided names, from which on a fifth is held back to measure on
FEWEST_TRAFFIC = 100  # names of the network, where nothing was decided to be benign
MOST = 20_000  # decided names; more are thinned out
MOST_TRAFFIC = 3000  # each is a bucket of a cluster, several times over
MOST_SUSPECTS = 2000
BELOW = 20  # queried hosts that a decision on a domain stands for
FREQUENT = 5  # queries from which on an ordinary name is taken as harmless
# Where a network has more than one client, so many must have asked for what counts as ordinary:
# one that is infected asks for what no other does.
LEAST_CLIENTS = 2
RECENT = timedelta(days=30)  # of the history, where nobody says how much
EARLIEST = datetime.min.replace(tzinfo=UTC) + RECENT
# Of names that are decided to be bad, so many may lie under domains that everybody knows.
MOST_REPUTED, LEAST_REPUTED = 0.1, 3


@dataclass(frozen=True, slots=True)
class Decided:
    """A name that people decided on: benign (no threat), or what harm it does.

    Attributes:
        queries: how often it was asked for; nothing is learnt from that.
    """

    name: str
    threat: str | None
    queries: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A name of the history that nobody decided on, and how many clients asked for it."""

    name: str
    queries: int
    flagged: int
    clients: int = 1


@dataclass(frozen=True)
class Material:
    """All that a retraining learns from, and what was left out and why.

    Attributes:
        least: so many clients must have asked for a name that counts as ordinary.
        blocked: frequent names that nobody decided on and something blocked: nothing is learnt
            from them, but what a candidate thinks of them is told.
    """

    decided: list[Decided]
    traffic: list[Seen]
    notes: list[str] = field(default_factory=list)
    least: int = 1
    blocked: list[Seen] = field(default_factory=list)

    @property
    def common(self) -> list[Seen]:
        """The traffic that enough clients asked for."""
        return [one for one in self.traffic if one.clients >= self.least]

    @property
    def sha256(self) -> str:
        """What identifies it: the digest of its lines."""
        found = hashlib.sha256()
        for line in self.lines():
            found.update(line.encode())
        return found.hexdigest()

    def lines(self) -> Iterator[str]:
        """Give it as JSON, a line a name."""
        yield json.dumps({"kind": "network", "least": self.least}, separators=(",", ":")) + "\n"
        kinds = (
            ("decided", self.decided), ("traffic", self.traffic), ("blocked", self.blocked),
        )  # fmt: skip
        for kind, rows in kinds:
            for row in rows:
                yield json.dumps({"kind": kind, **asdict(row)}, separators=(",", ":")) + "\n"

    def write(self, path: Path) -> None:
        """Write it to a file. Raises OSError."""
        with path.open("w", encoding="utf-8") as out:
            out.writelines(self.lines())

    @classmethod
    def read(cls, path: Path) -> Material:
        """Read what :meth:`write` wrote.

        Raises:
            UsageError: if it cannot be read.
        """
        decided: list[Decided] = []
        traffic: list[Seen] = []
        blocked: list[Seen] = []
        least = 1
        try:
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    kind = row.pop("kind")
                    if kind == "decided":
                        decided.append(Decided(**row))
                    elif kind == "network":
                        least = int(row["least"])
                    else:
                        (blocked if kind == "blocked" else traffic).append(Seen(**row))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
            raise UsageError(f"{path} is no material of a retraining: {fault}") from fault
        return cls(decided, traffic, least=least, blocked=blocked)


@dataclass(frozen=True)
class Choice:
    """What whoever asks for a retraining says.

    Attributes:
        threats: the harm of decided names, where it is not the one that was flagged.
        threat: the harm of those of which nothing else says it.
        range: a filter with the range of the history; its last 30 days where none is given.
    """

    threats: Mapping[str, Threat] = field(default_factory=dict)
    threat: Threat | None = None
    range: Filter = field(default_factory=Filter)


def gathered(
    store: Store,
    overrides: Sequence[Override],
    model: Model,
    choice: Choice | None = None,
) -> Material:
    """Gather from the history and from decisions, and check it.

    Args:
        store: where the history is.
        overrides: the decisions that hold.
        model: which the retraining goes on from.
        choice: what whoever asks for it says; nothing if None.

    Raises:
        UsageError: if nothing can be learnt from it, or it looks wrong.
    """
    lasting = [one for one in overrides if one.client is None and one.expires is None]
    notes = []
    if left := len(overrides) - len(lasting):
        notes.append(f"{left:,} decisions for one client or for a time are left out")
    choice = choice or Choice()
    wanted = recent(store, choice.range)
    seen = store.top(wanted, "qname", MOST_TRAFFIC)
    chosen = {canonical(name): threat for name, threat in choice.threats.items()}
    teller = _Threats(store, model, chosen, choice.threat)
    decided = list(_decided(lasting, seen, teller))
    named = {one.name for one in overrides}
    traffic: list[Seen] = []
    blocked: list[Seen] = []
    for one in seen:
        if named.isdisjoint(lineage(one.value)):
            row = Seen(one.value, one.queries, one.flagged, one.clients)
            (blocked if one.blocked else traffic).append(row)
    found = Material(decided, traffic, notes, least_clients(store, wanted), blocked)
    if lone := len(traffic) - len(found.common):
        notes.append(f"{lone:,} names that one client alone asked for are not taken as harmless")
    good = checked(found, model)
    return replace(good, decided=_asked_for(store, wanted, good.decided, seen))


def recent(store: Store, wanted: Filter) -> Filter:
    """Give the last 30 days that there are, where no beginning is given.

    Nobody waits for sums over a whole history, and a network of last year is another one.
    """
    if wanted.since is not None:
        return wanted
    span = store.span()
    ends = [wanted.until or datetime.now(UTC), *([] if span is None else [span[1]])]
    return replace(wanted, since=max(min(ends), EARLIEST) - RECENT)


def least_clients(store: Store, wanted: Filter) -> int:
    """Say how many clients must have asked for a name that counts as ordinary."""
    return max(1, len(store.top(wanted, "client", LEAST_CLIENTS)))


def checked(of: Material, model: Model) -> Material:
    """Refuse what nothing can be learnt from and what looks wrong; thin out what is too much.

    Raises:
        UsageError: with what is wrong, and what to do.
    """
    decided = _without_contradiction(of.decided)
    notes = list(of.notes)
    if len(decided) > MOST:
        kept = sorted(decided, key=lambda one: hashlib.sha256(one.name.encode()).digest())[:MOST]
        notes.append(f"of {len(decided):,} decided names {MOST:,} are taken")
        decided = sorted(kept, key=lambda one: one.name)
    decided = _judged(decided, model, notes)
    if len(decided) < FEWEST:
        raise UsageError(
            f"{counted(len(decided), 'name is', 'names are')} decided on for everyone and for "
            f"good, and {FEWEST} are the least to learn from: vet more of the queue"
        )
    bad = sum(one.threat is not None for one in decided)
    usual = sum(not one.flagged for one in of.traffic)
    if bad == len(decided) and usual < FEWEST_TRAFFIC:
        raise UsageError(
            f"all {bad:,} decided names are blocked, and {usual:,} ordinary names of the history "
            f"({FEWEST_TRAFFIC} at least) are too few to set against them: vet benign names too"
        )
    if not bad:
        notes.append("all decided names are benign: the model only learns to let be")
    notes = list(dict.fromkeys(notes))  # it may be checked again
    return replace(of, decided=decided, notes=notes)


def _without_contradiction(decided: Iterable[Decided]) -> list[Decided]:
    """Each name once; a name that is both benign and not is refused."""
    found: dict[str, Decided] = {}
    torn: dict[str, None] = {}
    for one in decided:
        known = found.setdefault(one.name, one)
        if (known.threat is None) != (one.threat is None):
            torn[one.name] = None
    if torn:
        first = next(iter(torn))
        more = f" and {len(torn) - 1:,} more" if len(torn) > 1 else ""
        raise UsageError(
            f"{first!r}{more} is decided both benign and malicious: take one decision back"
        )
    return list(found.values())


def _judged(decided: list[Decided], model: Model, notes: list[str]) -> list[Decided]:
    """Leave out what the model is not asked about, and refuse many well-known names as bad."""
    if not decided:
        return decided
    verdicts = model.judge_many([one.name for one in decided])
    listed = verdicts.source == SOURCES.index(Source.ALLOWLIST)
    reputed = verdicts.source == SOURCES.index(Source.REPUTATION)
    bad = [
        one for one, known in zip(decided, reputed.tolist(), strict=True) if known and one.threat
    ]
    blocked = sum(one.threat is not None for one in decided)
    if len(bad) >= LEAST_REPUTED and len(bad) > MOST_REPUTED * blocked:
        raise UsageError(
            f"{len(bad):,} of {blocked:,} blocked names, {bad[0].name!r} among them, are under "
            "domains that popularity lists have held for years: look who decided that "
            "(`GET /api/v1/changes`) and take it back"
        )
    out = listed | reputed
    if out.any():
        notes.append(f"{int(out.sum()):,} decided names are none that the model judges: left out")
    return [one for one, gone in zip(decided, out.tolist(), strict=True) if not gone]


def _decided(
    overrides: Sequence[Override], seen: Sequence[Count], threats: _Threats
) -> Iterator[Decided]:
    """Names of decisions, and queried hosts below those that hold for subdomains too."""
    status = {one.name: one for one in overrides}
    names: dict[str, str] = {one.name: one.status for one in overrides}
    below: dict[str, int] = {}
    for count in seen:
        for above in lineage(count.value):
            one = status.get(above)
            if one is not None and (one.scope == SUBDOMAINS or above == count.value):
                below[above] = below.get(above, 0) + 1
                if below[above] <= BELOW:
                    names.setdefault(count.value, one.status)
                break  # the most specific decision holds
    said = threats.of([name for name, what in names.items() if what != CLEAN])
    for name, what in sorted(names.items()):
        yield Decided(name, None if what == CLEAN else said[name])


def _asked_for(
    store: Store, wanted: Filter, decided: Sequence[Decided], seen: Sequence[Count]
) -> list[Decided]:
    """Say how often decided names were asked for, which are no part of the traffic."""
    queries = {one.value: one.queries for one in seen}
    if len(seen) >= MOST_TRAFFIC:  # else there are no others
        rare = [one.name for one in decided if one.name not in queries]
        for first in range(0, len(rare), MOST_ASKED):
            for batch in store.askers(wanted, rare[first : first + MOST_ASKED]):
                for row in batch.select(["qname", "queries"]).to_pylist():
                    name = row["qname"]
                    queries[name] = queries.get(name, 0) + row["queries"]
    return [replace(one, queries=queries.get(one.name, 0)) for one in decided]


class _Threats:
    """Which harm a name does that was decided to be bad."""

    def __init__(
        self,
        store: Store,
        model: Model,
        chosen: Mapping[str, Threat],
        default: Threat | None,
    ) -> None:
        self._store, self._model, self._chosen, self._default = store, model, chosen, default

    def of(self, names: Sequence[str]) -> dict[str, str]:
        """Give what was chosen, or flagged in the history, or what the model finds likeliest."""
        if not names:
            return {}
        suspects = self._store.suspects(Filter(verdicts=FLAGGED), MOST_SUSPECTS)
        flagged = {one.name: one.threat for one in suspects if one.threat is not None}
        likeliest = self._model.scores_many(names).argmax(axis=1)
        found = {}
        for name, place in zip(names, likeliest.tolist(), strict=True):
            above = list(lineage(name))
            for known in (self._chosen, flagged):
                threat = next((known[one] for one in above if one in known), None)
                if threat is not None:
                    break
            found[name] = str(threat or self._default or THREATS[place])
        return found


def counted(number: int, one: str, many: str) -> str:
    """Give a number with its noun in one form or the other."""
    return f"{number:,} {one if number == 1 else many}"


def summary(of: Material) -> dict[str, Any]:
    """Give what it consists of, in numbers."""
    by_threat = dict.fromkeys(THREATS, 0)
    for one in of.decided:
        if one.threat is not None:
            by_threat[Threat(one.threat)] += 1
    return {
        "decided": len(of.decided),
        "benign": sum(one.threat is None for one in of.decided),
        "by_threat": {str(name): count for name, count in by_threat.items() if count},
        "traffic": len(of.traffic),
        "notes": list(of.notes),
    }
