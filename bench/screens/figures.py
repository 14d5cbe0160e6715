"""Every figure of a page, as it is shown, against what it has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bench.screens.read import Seen
from bench.screens.truth import FLAGGED, SUSPICIOUS, Asked, Truth, earlier

SHOWN = 12
DAY = 86_400
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def grouped(count: float) -> str:
    """A count as a table has it."""
    return f"{count:,}"


@dataclass
class Compared:
    """How many figures were the same, and which were not."""

    same: int = 0
    wrong: list[str] = field(default_factory=list)

    def hold(self, what: str, shown: Any, true: Any) -> None:
        """Compare one figure, or a list or table of them."""
        if shown == true:
            self.same += _figures(true)
            return
        pairs = [
            (one, other) for one, other in zip(shown, true, strict=False) if one != other
        ] if isinstance(shown, list) and isinstance(true, list) else [(shown, true)]  # fmt: skip
        first = pairs[0] if pairs else (len(shown), len(true))
        self.wrong.append(f"{what}: shown {first[0]!r:.300}, and is {first[1]!r:.300}")


def _figures(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_figures, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_figures, value))
    return 1


def overview(seen: Seen, truth: Truth, asked: Asked, found: Compared) -> None:
    """The tiles, the rankings, the chart, the newest flagged, the sensors."""
    now = truth.stats(asked)
    before = truth.stats(earlier(asked)) if asked.get("since") else None
    for label in ("Queries", "Flagged", "Blocked", "Clients", "Names"):
        tile = seen.tiles[label]
        found.hold(label, tile["value"], grouped(now[label.lower()]))
        if before is not None:
            was = before[label.lower()]
            said = f"{grouped(was)} in the range before"
            if not was:
                said = "none in the range before"
            elif was == now[label.lower()]:
                said = "as in the range before"
            found.hold(f"{label} before", tile["change"], said)
    for title, column in (("Threat", "threat"), ("Action", "action")):
        true = [(value, grouped(count)) for value, count in truth.by(asked, column)]
        found.hold(title, seen.table(f"Queries by {column}", title, "Queries"), true)
    for kind, verdict in (("flagged", FLAGGED), ("benign", "benign")):
        shown = seen.table(f"Registered domains by {kind} queries", "Domain", "Clients", "Queries")
        most = truth.top({**asked, "verdict": verdict}, "registered_domain", 10)
        found.hold(f"most {kind}", shown, [(v, grouped(c), grouped(n)) for v, n, _, c in most])
    most = truth.top(asked, "client", 10)
    shown = seen.table("Clients by queries", "Client", "Flagged", "Queries")
    found.hold("clients", shown, [(value, grouped(f), grouped(n)) for value, n, f, _ in most])
    _chart(seen, "overview", truth, asked, found)
    shown = seen.table("The newest flagged queries", "Time", "Name", "Client", "Score", "Action")
    rows = truth.rows({"verdict": FLAGGED}, 15, "-time")
    found.hold("newest", shown, [(r[0], r[1], r[3], f"{r[6]:.1f}", r[7]) for r in rows])
    stored = truth.stored()
    found.hold("store", seen.facts["Store"].split()[1], grouped(sum(stored.values())))
    shown = seen.table("What sensors served, stored and dropped, ever", "Sensor", "Stored")
    found.hold("sensors", sorted(shown), sorted((k, short(v)) for k, v in stored.items()))


def queries(
    seen: Seen, truth: Truth, asked: Asked, found: Compared, *, sort: str = "-time"
) -> None:
    """How many there are, the rows, the chart."""
    total = truth.stats(asked)["queries"]
    said = f"Results{grouped(total)} quer" if total else "Nothing found"
    found.hold("total", said in seen.text, True)
    if not total:
        return
    rows = truth.rows(asked, 100, sort)
    shown = seen.table("Queries of the history", "Time", "Name", "Type", "Client", "Verdict",
                       "Score", "Action", "Answer", "Sensor", "Reason")  # fmt: skip
    found.hold("rows", shown, [
        (r[0], r[1], r[2], r[3], r[4] + (r[5] or ""), f"{r[6]:.1f}", r[7], r[8] or "–", r[9],
         r[10] or "") for r in rows
    ])  # fmt: skip
    _chart(seen, "queries", truth, asked, found)


def domain(seen: Seen, truth: Truth, asked: Asked, found: Compared, *, name: str) -> None:
    """Its figures, who asked, what was answered, what lies beside it, what looks like it."""
    within = {**asked, "domain": name}
    stats = truth.stats(within)
    own = bool(stats["queries"])
    if not own:
        within = {**asked, "qname": name}
        stats = truth.stats(within)
    for term, key in (("Requests", "queries"), ("Flagged", "flagged"), ("Blocked", "blocked"),
                      ("Clients", "clients"), ("Names", "names")):  # fmt: skip
        found.hold(term, seen.facts[term], grouped(stats[key]))
    found.hold("first", seen.facts["First seen"], stats["first"] or "–")
    found.hold("last", seen.facts["Last seen"], stats["last"] or "–")
    _bars(seen, "Clients", "Client", truth.top(within, "client", 10), found)
    _bars(seen, "Answers seen", "Answer", truth.top(within, "answer", 10), found)
    if own:
        _bars(seen, "Names below it", "Name", truth.top(within, "qname", 10), found)
    _chart(seen, "activity", truth, within, found)
    for alike, count in seen.table("Look-alikes", "Domain", "Queries"):
        true = truth.stats({**asked, "domain": alike})["queries"]
        found.hold(f"look-alike {alike}", count, grouped(true))


def client(seen: Seen, truth: Truth, asked: Asked, found: Compared, *, ip: str) -> None:
    """Its figures, and what it asked for that others did not, or it had not before."""
    within = {**asked, "client": ip}
    stats = truth.stats(within)
    for label in ("Queries", "Names", "Flagged", "Blocked"):
        found.hold(label, seen.tiles[label]["value"], grouped(stats[label.lower()]))
    part = f"{grouped(stats['nxdomain'])} of {grouped(stats['queries'])}"
    found.hold("NXDOMAIN", seen.tiles["NXDOMAIN"]["change"], part)
    found.hold("seen", seen.tiles["Seen"]["times"], [stats["first"], stats["last"]])
    flagged = truth.top({**within, "verdict": FLAGGED}, "qname", SHOWN)
    _bars(seen, "Flagged names", "Name", flagged, found)
    _bars(seen, "Top domains", "Domain", truth.top(within, "registered_domain", 10), found)
    _bars(seen, "Top names", "Name", truth.top(within, "qname", 10), found)
    more = truth.client(within)
    found.hold("asked by nobody else", seen.table("Asked by nobody else", "Domain", "Queries"),
               [(value, grouped(n)) for value, n in more["only"][:SHOWN]])  # fmt: skip
    shown = seen.table("Domains that it had not asked for before", "Domain", "Queries")
    found.hold("new", shown, [(value, grouped(n)) for value, n in more["new"][:20]])
    _chart(seen, "activity", truth, within, found)


def vetting(seen: Seen, truth: Truth, asked: Asked, found: Compared) -> None:
    """What waits for a decision."""
    shown = seen.table("Names that wait for a decision, the ones most worth it first", "Name",
                       "Score", "Queries", "Clients", "Flagged", "Last")  # fmt: skip
    found.hold("queue", shown, [
        (r[0], f"{r[2]:.1f}", grouped(r[3]), grouped(r[4]), grouped(r[5]),
         r[6] if isinstance(r[6], str) else f"{r[6].isoformat()}Z")
        for r in truth.queue(asked, 60)
    ])  # fmt: skip


def model(seen: Seen, truth: Truth, asked: Asked, found: Compared) -> None:
    """Names by score, and what would be flagged."""
    (bars,) = seen.charts["scores"]
    shown = {int(x): y for x, y in zip(bars["x"], bars["y"], strict=True) if y}
    found.hold("scores", shown, truth.scores(asked))
    above = {**asked, "source": "model", "min_score": f"{SUSPICIOUS:g}"}
    stats = truth.stats(above)
    said = (
        f"{grouped(stats['names'])} names, {grouped(stats['queries'])} queries of "
        f"{grouped(stats['clients'])} clients would be flagged"
    )
    found.hold("would be flagged", said in seen.text, True)
    true = truth.top(above, "qname", 30)
    names = seen.table("Names that would be flagged", "Name", "Queries", "Clients")
    found.hold("names", names, [(value, grouped(n), grouped(c)) for value, n, _, c in true])


def _bars(seen: Seen, caption: str, title: str, true: list[Any], found: Compared) -> None:
    shown = seen.table(caption, title, "Flagged", "Queries")
    found.hold(caption, shown, [(value, grouped(f), grouped(n)) for value, n, f, _ in true])


def _chart(seen: Seen, name: str, truth: Truth, asked: Asked, found: Compared) -> None:
    """The counts of each step; how long it is, the chart says itself, if it has more than one."""
    times = seen.charts[name][0]["x"] if seen.charts.get(name) else []
    if not times:
        found.hold(f"chart {name}", {}, truth.timeline(asked, DAY))
    if len(times) < 2:
        return
    first, second = (datetime.fromisoformat(at) for at in times[:2])
    step = round((second - first).total_seconds())
    found.hold(f"chart by {step} s", seen.counts(name), truth.timeline(asked, step))


def short(value: float) -> str:
    """A count in four or five characters, as columns have it where there is no room."""
    size, unit = next((one for one in UNITS if value >= one[0]), (1.0, ""))
    return f"{value:,}" if value < 1e4 else f"{value / size:.3g}{unit}"


Check = Callable[..., None]
CHECKS: dict[str, Check] = {
    "overview": overview, "queries": queries, "domain": domain, "client": client,
    "vetting": vetting, "model": model,
}  # fmt: skip
