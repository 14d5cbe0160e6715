"""The rows that a model of this kind is compared by, with what others reach on them.

``floor`` is a linear reference model (hashed n-grams, six minutes of training, no tuning);
``best_peer`` the best of seven published detectors (Maltrail's rules, dgaintel, the Endgame
LSTM, dgad, an LSTM by princio, fraudurl, a convolutional network of 2020). Both were measured on
names under other registered domains, of later dates, generators and curators than any list of
the data that a model is trained on; all found at one false alarm in 1,000 clean names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlplugin.training import measure
from mlplugin.training.false_alarms import MALICIOUS, POOLED, SUSPICIOUS

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """One row, shares in per cent.

    Attributes:
        floor: what the reference model finds; None where it was not measured.
        best_peer: what the best published detector finds.
        goal: at least that much is to be found, or at most so many false positives.
        places: the parts of a report that measure it, the best first; see :func:`measured`.
        trained: rows of that threat that must be left to learn from.
    """

    name: str
    floor: float | None
    best_peer: float | None
    goal: float
    places: tuple[tuple[str, str], ...]
    key: str = SUSPICIOUS
    trained: int = 1000


_DOMAINS, _FAMILIES = "domains", "families"
GOALS = (
    Goal("DGA random, known families", 87, 74, 98,
         ((_DOMAINS, "macro/dga_random"), ("", "macro/dga_random"))),
    Goal("DGA dictionary, known families", 88, 16, 97,
         ((_DOMAINS, "macro/dga_dictionary"), ("", "macro/dga_dictionary"))),
    Goal("DGA random, new families", 40, 68, 80, ((_FAMILIES, "macro/dga_random"),)),
    Goal("DGA dictionary, new families", 5, 33, 50, ((_FAMILIES, "macro/dga_dictionary"),)),
    Goal("DGA dictionary, new word list", 20, 15, 60, (("word list", "macro/dga_dictionary"),)),
    Goal("malware, later dates", 11, 8, 35,
         (("dates, lists kept", "finds/mal_malware"), ("dates", "finds/mal_malware"))),
    Goal("malware, other curators", 15, 8, 35, (("source", "finds/mal_malware"),)),
    Goal("phishing, later dates", 14, 15, 45,
         (("dates, lists kept", "finds/mal_phishing"), ("dates", "finds/mal_phishing"))),
    Goal("phishing, other feeds", 13, 15, 40,
         (("source", "finds/mal_phishing"), ("source", "finds/mal_phishing, foreign sources"),
          ("", "finds/mal_phishing, foreign sources"))),
    Goal("phishing, verified list", 34, 15, 65, ()),  # no source of the usual data is verified
    Goal("scam", 5, 2, 20, (("source", "finds/mal_scam"), (_DOMAINS, "finds/mal_scam"))),
    Goal("false positives, clean names: suspicious", None, None, 0.1,
         ((_DOMAINS, f"population/{POOLED}"), ("", f"population/{POOLED}"))),
    Goal("false positives, clean names: malicious", None, None, 0.02,
         ((_DOMAINS, f"population/{POOLED}"), ("", f"population/{POOLED}")), MALICIOUS),
    Goal("false positives, long tail: suspicious", None, None, 0.5,
         ((_DOMAINS, f"false_positives/{measure.TAIL}"), ("", f"false_positives/{measure.TAIL}"))),
    Goal("false positives, hard names: suspicious", None, None, 0.1,
         (("odd", f"false_positives/{measure.ODD}"),)),
    Goal("false positives, real traffic: suspicious", None, None, 0.05,
         (("odd", f"false_positives/{measure.TRAFFIC}"),)),
)  # fmt: skip


def measured(report: Report) -> list[dict[str, Any]]:
    """Each row with all that a report says of it, shares between 0 and 1.

    A row has one entry a hold-out that measures it; ``measured_on`` names the hold-out, ``set``
    the names in it, and ``met`` says whether the mean keeps the goal.
    """
    return [entry for goal in GOALS for entry in _entries(goal, report)]


def _entries(goal: Goal, report: Report) -> Iterator[dict[str, Any]]:
    found = False
    for part, place in goal.places:
        for name, values in _summaries(goal, part, place, report):
            found = True
            yield _entry(goal, name, place.partition("/")[2], values)
    if not found:
        yield _entry(goal, None, None, {})


def _entry(
    goal: Goal, where: str | None, names: str | None, values: Mapping[str, Any]
) -> dict[str, Any]:
    share = values.get("mean")
    at_most = goal.name.startswith("false positives")
    limit = goal.goal / 100
    return {
        "row": goal.name,
        "floor": None if goal.floor is None else goal.floor / 100,
        "best_peer": None if goal.best_peer is None else goal.best_peer / 100,
        "goal": limit,
        "measured_on": where,
        "set": names,
        "names": values.get("names"),
        "share": share,
        "interval": values.get("interval"),
        "spread": values.get("spread"),
        "by_name": values.get("by name"),
        "met": None if share is None else share <= limit if at_most else share >= limit,
    }


def _summaries(
    goal: Goal, part: str, place: str, report: Report
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not part:
        row = _at(report, place)
        if row is not None:
            yield "this model: names under unseen domains", _plain(row, goal.key)
        return
    summary: Mapping[str, Any] = report.get("holdouts", {}).get("summary", {})
    matches: Callable[[str], bool] = (
        (lambda name: name.startswith("source "))
        if part == "source"
        else (lambda name: name == part)
    )
    for name in filter(matches, summary):
        row = summary[name].get(place, {}).get(goal.key)
        if row is not None and row.get("trained", goal.trained) >= goal.trained:
            yield name, row


def _at(report: Report, place: str) -> Mapping[str, Any] | None:
    section, _, name = place.partition("/")
    row: Mapping[str, Any] | None = report.get(section, {}).get(name)
    return row


def _plain(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {
        "mean": row[key],
        "names": row["names"],
        "interval": row["interval"][key],
        "by name": row.get("by name", {}).get(key),
    }
