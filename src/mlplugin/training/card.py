"""The model card: every figure in it comes from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def card(metrics: dict[str, Any]) -> str:
    """The ``README.md`` of a model directory."""
    parts = [
        _head(metrics),
        _clean(metrics),
        _found(metrics),
        _new(metrics),
        _traffic(metrics),
        _cost(metrics),
        _failures(metrics),
        _data(metrics),
        _sources(metrics),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def percent(value: float) -> str:
    """A share in per cent, with as many digits as a small one needs."""
    return f"{value * 100:.1f}" if value >= 0.02 else f"{value * 100:.3f}"


def _head(metrics: dict[str, Any]) -> str:
    share = metrics["holdout"]["share_of_registered_domains"]
    return f"""# Model {metrics["version"]}

Judges a domain name by its text alone: hashed n-grams of subdomain, label and public suffix, in a
bag with one hidden layer plus a linear part, one head for each of six threats, and a capped term
for the public suffix. Made {metrics["created"]}; the newest malicious name in it was
first seen on {metrics["data_cutoff"]}. `docs/model-format.md` describes the format.

**For**: a first opinion on names that a resolver is asked for, with a known rate of false
alarms, beside lists and people. **Not for**: proof that a name is harmful or harmless;
blocking without a way to allow; judging people. One name says little: tunnels and
compromised sites above all need more than the name.

Scores are -10 log10 of the share of clean names that score as high: suspicious from 30
(one clean name in 1,000), malicious from 37 (one in 5,000). They are calibrated on names whose
registered domain, one of a held-out {share:.0%}, was never trained on. All figures are
per cent unless they say otherwise, and none of the names that they count was trained on, except
where a set says "seen", "odd" or "traffic"."""


def _clean(metrics: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{row['names']:,}",
            percent(row["suspicious or worse"]),
            percent(row["malicious"]),
            percent(row["model alone, 30 or more"]),
        ]
        for name, row in metrics["false_positives"].items()
    ]
    heads = [
        "benign names",
        "names",
        "suspicious or worse",
        "malicious",
        "suspicious, no reputation",
    ]
    reputation = metrics["reputation"]
    return (
        "## False positives of the shipped thresholds\n\n"
        + table(heads, rows)
        + "\n\nThe two sets called clean are also those that the scores are calibrated on. With "
        "each half of them scored by a calibration of the other half, "
        + ", ".join(
            f"a score of {nominal} is worth {worth:.1f}"
            for nominal, worth in metrics["cross_checked_scores"].items()
        )
        + f".\n\nReputation: {reputation['domains']:,} registered domains that at least "
        f"{reputation['votes']} popularity or reference lists hold, years apart, and no feed does; "
        "never shared hosting. They are judged before the model."
    )


def _rates(found: dict[str, Any]) -> list[list[str]]:
    return [
        [
            name,
            f"{row['names']:,}",
            *(percent(value) for value in row["overall"].values()),
            percent(row["own"]["0.10%"]),
            percent(row["floor"]["0.10%"]),
            f"{row['auc']:.3f}",
            percent(row["suspicious or worse"]),
            percent(row["malicious"]),
        ]
        for name, row in found.items()
    ]


_HEADS = [
    "set", "names", "at 1 %", "at 0.1 %", "at 0.01 %", "own head, 0.1 %", "suffix only, 0.1 %",
    "AUC", "suspicious or worse", "malicious",
]  # fmt: skip


def _macro(macro: dict[str, Any]) -> str:
    rows = [
        [
            name,
            str(row["families"]),
            *(percent(value) for value in row["overall"].values()),
            percent(row["own"]["0.10%"]),
            percent(row["suspicious or worse"]),
        ]
        for name, row in macro.items()
    ]
    heads = ["mean of families", "families", "at 1 %", "at 0.1 %", "at 0.01 %", "own head, 0.1 %",
             "suspicious or worse"]  # fmt: skip
    return table(heads, rows) if rows else ""


def _found(metrics: dict[str, Any]) -> str:
    return (
        "## What it finds: new registered domains of known families and sources\n\n"
        "Found at a false-positive rate on clean names under unseen domains: by the overall "
        "score, by the score of the set's own threat, by the public suffix alone (the floor), "
        "and as shipped.\n\n"
        + table(_HEADS, _rates(metrics["finds"]))
        + "\n\n"
        + _macro(metrics["macro"])
    )


def _new(metrics: dict[str, Any]) -> str:
    probe = metrics.get("probe")
    if not probe:
        return ""
    text = (
        "## What it finds of the truly new\n\nA second model of the same recipe was trained "
        f"without these generators: {', '.join(probe['families_held_out']) or 'none'}"
    )
    if probe["first_seen_from"]:
        text += f"; and without names first seen from {probe['first_seen_from']} on"
    text += ".\n\n" + table(_HEADS, _rates({**probe["new_families"], **probe["later_names"]}))
    return text + "\n\n" + _macro(probe["new_families_macro"])


def _traffic(metrics: dict[str, Any]) -> str:
    if not metrics["traffic"]:
        return ""
    rows = [
        [
            name,
            f"{row['queries']:,}",
            f"{row['names']:,}",
            str(row["flagged_names"]),
            f"{row['suspicious_or_worse_per_million']:,.1f}",
            f"{row['malicious_per_million']:,.1f}",
        ]
        for name, row in metrics["traffic"].items()
    ]
    heads = ["log", "queries", "names", "names flagged", "suspicious or worse per million queries",
             "malicious per million queries"]  # fmt: skip
    listed = [
        f"- {name}: " + ", ".join(f"`{text}` ({count})" for text, count in row["examples"].items())
        for name, row in metrics["traffic"].items()
        if row["examples"]
    ]
    text = "## False alarms in real traffic, weighted by query\n\n" + table(heads, rows)
    text += (
        "\n\nReal traffic is scarce: a log from which names were taken into training, as the file "
        "`benign_traffic` may have been, shows what is known, not what is new."
    )
    return text + (
        "\n\nFlagged, with the number of queries:\n\n" + "\n".join(listed) if listed else ""
    )


def _cost(metrics: dict[str, Any]) -> str:
    rows = [
        [name, percent(row["float32"]), percent(row["int8"])]
        for name, row in metrics["quantisation_at_0.1_percent"].items()
    ]
    return (
        "## What eight bits cost\n\nFound at 0.1 % by the logit of each threat, files pooled, "
        "with the table in float32 and in int8 (one scale a column, clipped where the squared "
        "error is least).\n\n" + table(["threat", "float32", "int8"], rows)
    )


def _failures(metrics: dict[str, Any]) -> str:
    lines = [
        f"- {title}: {', '.join(f'`{text}`' for text in texts)}"
        for title, texts in metrics["examples"].items()
    ]
    return (
        "## Where it fails\n\nSo that nobody is surprised: benign names that are flagged, the "
        "highest scores first, and malicious ones with the lowest. Labels are those of the "
        "sources, and some are wrong.\n\n" + "\n".join(lines)
    )


def _data(metrics: dict[str, Any]) -> str:
    heads = [
        "rows",
        "dropped by cleaning",
        "dropped by licence",
        "held out by domain",
        "trained on",
    ]
    rows = [[name, *(f"{row[head]:,}" for head in heads)] for name, row in metrics["data"].items()]
    recipe = metrics["recipe"]
    return (
        "## Data\n\n"
        + table(["file", *heads], rows)
        + "\n\nCleaning drops benign names whose registered domain a malicious feed holds, and "
        "malicious names under registered domains that are long in popularity lists. Added in "
        f"training: {recipe['invented_families']:,} invented generator families of at most "
        f"{recipe['invented_each']:,} names, and about {recipe['ordinary']:,} odd but ordinary "
        "names (look-ups that carry hashes, hosts of clouds and content networks, service records)."
    )


def _sources(metrics: dict[str, Any]) -> str:
    rows = [
        [name, row["licence"], row["origin"], row["as_of"], f"{row['rows']:,}"]
        for name, row in metrics["sources"].items()
    ]
    unused = [name for name, row in metrics["sources"].items() if not row["used"]]
    text = "## Sources\n\n" + table(
        ["source", "licence", "origin", "as of", "rows trained on"], rows
    )
    if unused:
        text += (
            f"\n\nNames that only {', '.join(unused)} holds were not trained on, because of the "
            "licence; they serve as the sets called foreign sources."
        )
    return text
