"""The model card: every figure in it comes from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlplugin.training import card_holdouts as held
from mlplugin.training.false_alarms import MALICIOUS, SUSPICIOUS
from mlplugin.training.markdown import percent, span, table


def card(metrics: dict[str, Any], plots: Sequence[str] = ()) -> str:
    """The ``README.md`` of a model directory.

    Args:
        metrics: all that was measured, as ``metrics.json`` has it.
        plots: names of the files beside it that show some of it.
    """
    parts = [
        _head(metrics),
        held.goals(metrics),
        _clean(metrics),
        _scale(metrics, plots),
        _reputation(metrics),
        _found(metrics, plots),
        held.holdouts(metrics),
        _new(metrics),
        _traffic(metrics),
        _cost(metrics),
        _failures(metrics),
        _data(metrics),
        _sources(metrics),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(metrics: dict[str, Any]) -> str:
    share = metrics["holdout"]["share_of_registered_domains"]
    filters, window = (metrics["recipe"][f"look_{part}"] for part in ("filters", "window"))
    return f"""# Model {metrics["version"]}

Judges a domain name by its text alone, in two looks. The first, at every name: hashed n-grams of
subdomain, label and public suffix, in a bag with one hidden layer plus a linear part, one head for
each of six threats, and a capped term for the public suffix. The second, at the few names that
score high: {filters} filters over windows of {window} characters, each counting where it is
strongest, and another hidden layer; the log-odds of both looks are averaged.
Made {metrics["created"]}; the newest malicious name in it was first seen on
{metrics["data_cutoff"]}. `docs/model-format.md` describes the format.

**For**: a first opinion on names that a resolver is asked for, with a known rate of false
alarms, beside lists and people. **Not for**: proof that a name is harmful or harmless;
blocking without a way to allow; judging people. One name says little: tunnels and
compromised sites above all need more than the name.

Scores are -10 log10 of the share of clean names that score as high: suspicious from 30
(one clean name in 1,000), malicious from 37 (one in 5,000). They are calibrated on names whose
registered domain, one of a held-out {share:.0%}, was never trained on. All figures are
per cent unless they say otherwise, and none of the names that they count was trained on, except
where a set says "seen", "odd" or "traffic", and of malicious names that reputation lets through.
What stands between brackets or after a share is its 95 % interval: names of one registered domain
count as one observation.

The weights that were measured have the SHA-256 `{metrics["model"]["weights_sha256"]}`."""


def _clean(metrics: dict[str, Any]) -> str:
    heads = ["names", "suspicious or worse", "95 %", "malicious", "95 %"]
    halves = [_alarms(name, row) for name, row in metrics["population"].items()]
    sets = [
        [*_alarms(name, row), percent(row["model alone, 30 or more"]), f"{row['trained on']:,}"]
        for name, row in metrics["false_positives"].items()
    ]
    return (
        "## False positives of the shipped thresholds\n\n"
        "Clean names are those that several popularity lists hold and no feed does. Nothing can be "
        "known of a domain that is new, so that names under unseen domains are judged without "
        "reputation here; host names that are really queried are judged as shipped.\n\n"
        + table(["clean names", *heads], halves)
        + "\n\nEvery set of benign names as shipped, reputation and all:\n\n"
        + table(
            ["benign names", *heads, "suspicious, no reputation", "names trained on"],
            sets,
        )
    )


def _alarms(name: str, row: dict[str, Any]) -> list[str]:
    spans = row["interval"]
    return [
        name,
        f"{row['names']:,}",
        percent(row[SUSPICIOUS]),
        span(spans[SUSPICIOUS]),
        percent(row[MALICIOUS]),
        span(spans[MALICIOUS]),
    ]


def _scale(metrics: dict[str, Any], plots: Sequence[str]) -> str:
    rows = [
        [
            name,
            str(point["score"]),
            percent(point["expected"]),
            percent(point["observed"]),
            span(point["interval"]),
        ]
        for name, points in metrics["score_scale"].items()
        for point in points
        if point["score"] in {20, 30, 37, 40}
    ]
    return (
        "## What a score promises, and what it keeps\n\n"
        + table(["clean names", "score", "promised", "observed", "95 %"], rows)
        + "\n\nThe scores are shares of both halves together, calibrated on these names. With the "
        "overall score of each half of them taken from a curve that is fitted to the other half, "
        + ", ".join(
            f"a score of {nominal} is worth {worth:.1f}"
            for nominal, worth in metrics["cross_checked_scores"].items()
        )
        + "."
        + held.scale(metrics)
        + _shown("reliability.svg", "Promised against observed false positives", plots)
    )


def _shown(name: str, text: str, plots: Sequence[str]) -> str:
    return f"\n\n![{text}]({name})" if name in plots else ""


def _reputation(metrics: dict[str, Any]) -> str:
    about, effect = metrics["reputation"], metrics["reputation_effect"]
    gain = [
        [
            name,
            percent(row["passed"]),
            percent(row["flagged without"]),
            percent(row["flagged with"]),
        ]
        for name, row in effect["gain"].items()
    ]
    harm = [
        [
            name,
            f"{row['names']:,}",
            percent(row["passed"]),
            span(row["interval"]),
            percent(row["passed that the model flags"]),
        ]
        for name, row in effect["harm"].items()
    ]
    return (
        f"## Reputation\n\n{about['domains']:,} registered domains that at least "
        f"{about['votes']} popularity or reference lists hold, years apart, and no feed does; "
        "never shared hosting. They are judged before the model. What that spares:\n\n"
        + table(["benign names", "passed", "flagged without it", "flagged with it"], gain)
        + "\n\nWhat it lets through, of names as the feeds have them, good sites that were "
        "broken into among them; the model has learnt most of them:\n\n"
        + table(
            ["malicious names", "names", "passed", "95 %", "passed that the model flags"],
            harm,
        )
        + held.passed(metrics)
    )


def _rates(found: dict[str, Any]) -> list[list[str]]:
    return [
        [
            name,
            f"{row['names']:,}",
            *(percent(value) for value in row["overall"].values()),
            *(percent(value) for value in row["own"].values()),
            percent(row["own, no suffix"]["0.10%"]),
            percent(row["floor"]["0.10%"]),
            f"{row['auc']:.3f}",
            f"{percent(row[SUSPICIOUS])} ({span(row['interval'][SUSPICIOUS])})",
            percent(row[MALICIOUS]),
        ]
        for name, row in found.items()
    ]


_HEADS = [
    "set", "names", "at 1 %", "at 0.1 %", "at 0.01 %", "own head, 1 %", "own head, 0.1 %",
    "own head, 0.01 %", "own head without suffix, 0.1 %", "suffix only, 0.1 %", "AUC",
    "suspicious or worse", "malicious",
]  # fmt: skip


def _macro(macro: dict[str, Any]) -> str:
    rows = [
        [
            name,
            str(row["families"]),
            *(percent(value) for value in row["overall"].values()),
            percent(row["own"]["0.10%"]),
            f"{percent(row[SUSPICIOUS])} ({span(row['interval'][SUSPICIOUS])})",
            percent(row[MALICIOUS]),
        ]
        for name, row in macro.items()
    ]
    heads = ["mean of families", "families", "at 1 %", "at 0.1 %", "at 0.01 %", "own head, 0.1 %",
             "suspicious or worse", "malicious"]  # fmt: skip
    return table(heads, rows) if rows else ""


def _found(metrics: dict[str, Any], plots: Sequence[str]) -> str:
    return (
        "## What it finds: new registered domains of known families and sources\n\n"
        "Found at a false-positive rate on clean names under unseen domains: by the overall "
        "score, by the score of the set's own threat with a threshold of its own, by the same "
        "without all that the public suffix says, by the public suffix alone (the floor), and as "
        "shipped.\n\n"
        + table(_HEADS, _rates(metrics["finds"]))
        + "\n\n"
        + _macro(metrics["macro"])
        + _shown("roc.svg", "Finds at every rate of false positives", plots)
        + _shown("families.svg", "Finds by family", plots)
    )


def _new(metrics: dict[str, Any]) -> str:
    probe = metrics.get("probe")
    if not probe or "families" in held.summary(metrics):
        return ""
    text = (
        "## What a probe finds of the truly new\n\nA second model of the same recipe was trained "
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
        _asked(title, part)
        for name, row in metrics["traffic"].items()
        for title, part in ((name, row), (f"{name}, new domains", row["under new domains"]))
    ]
    heads = ["log", "queries", "names", "names flagged", "suspicious or worse per million queries",
             "95 %", "malicious per million queries", "suspicious or worse, by name"]  # fmt: skip
    listed = [
        f"- {name}: " + ", ".join(f"`{text}` ({count})" for text, count in row["examples"].items())
        for name, row in metrics["traffic"].items()
        if row["examples"]
    ]
    text = "## False alarms in real traffic, weighted by query\n\n" + table(heads, rows)
    text += (
        "\n\nReal traffic is scarce: a log from which names were taken into training, as the file "
        "`benign_traffic` may have been, shows what is known, not what is new. New domains are "
        "those that no name trained on is under."
    )
    return text + (
        "\n\nFlagged, with the number of queries:\n\n" + "\n".join(listed) if listed else ""
    )


def _asked(title: str, row: dict[str, Any]) -> list[str]:
    low, high = row["interval"]["suspicious_or_worse_per_million"]
    return [
        title,
        f"{row['queries']:,}",
        f"{row['names']:,}",
        str(row["flagged_names"]),
        f"{row['suspicious_or_worse_per_million']:,.1f}",
        f"{low:,.1f} to {high:,.1f}",
        f"{row['malicious_per_million']:,.1f}",
        percent(row["suspicious_or_worse_by_name"]),
    ]


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
