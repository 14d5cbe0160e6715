"""The card of a retrained model."""

from __future__ import annotations

from typing import Any

from mlplugin.training.retraining.guard import MALICIOUS, SUSPICIOUS


def card(metrics: dict[str, Any]) -> str:
    """Give the card as Markdown; no name of the network is in it."""
    about = metrics["retraining"]
    parent, material, network = about["parent"], about["material"], about["network"]
    root = about["root"]
    lines = [
        f"# Model {metrics['version']}",
        "",
        f"Retrained from {parent['version']} (`{parent['sha256'][:12]}`) on what people of one "
        f"network decided: {material['decided']:,} names, {material['benign']:,} of them benign, "
        f"beside {material['traffic']:,} names of its traffic. Data cut-off of the parent: "
        f"{metrics['data_cutoff']}. Material: `{about['data_sha256'][:12]}`.",
        "",
        "## Decided names",
        "",
        "| names | malicious | found before | found now | benign | let be before | let be now |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for title, row in (("learnt from", "learnt"), ("held back", "held_back")):
        old, new = about["decided"][row]["before"], about["decided"][row]["after"]
        lines.append(
            f"| {title} | {new['malicious']:,} | {old['found']:,} | {new['found']:,} "
            f"| {new['benign']:,} | {old['let_be']:,} | {new['let_be']:,} |"
        )
    lines += ["", "## What it must not forget", "", *_kept(metrics), ""]
    lines += [_flagged(network, "the parent"), ""]
    if root["measured"] is not None:
        lines += [_flagged(root["network"], f"{root['version']}, with which its line began,"), ""]
    if about["refused"]:
        lines += ["**Not to be promoted**: " + "; ".join(about["refused"]) + ".", ""]
    return "\n".join(lines)


def _kept(metrics: dict[str, Any]) -> list[str]:
    """The table of what both judge, and the model that the line began with, where it is a third."""
    about = metrics["retraining"]
    root, first = about["root"], about["root"]["measured"]
    title, bar = (f" flagged by {root['version']} |", "---:|") if first else ("", "")
    lines = [
        "The model by itself, on names that it did not learn from; 95 % intervals of the new "
        "model.",
        "",
        f"| names | number |{title} flagged before | flagged now | interval | malicious now |",
        f"|---|---:|{bar}---:|---:|---:|---:|",
    ]
    for part in ("false_positives", "finds"):
        for name, now in metrics[part].items():
            then = about["before"][part][name]
            began = f" {first[part][name][SUSPICIOUS]:.2%} |" if first else ""
            low, high = now["interval"][SUSPICIOUS]
            lines.append(
                f"| {name} | {now['names']:,} |{began} {then[SUSPICIOUS]:.2%} "
                f"| {now[SUSPICIOUS]:.2%} | {low:.2%} to {high:.2%} | {now[MALICIOUS]:.2%} |"
            )
    return lines


def _flagged(network: dict[str, Any], by: str) -> str:
    return (
        f"Of {network['names']:,} common names of the network that {by} lets be it flags "
        f"{network['flagged']:,} ({network['share']:.2%})."
    )
