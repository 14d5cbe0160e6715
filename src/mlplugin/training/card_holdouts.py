"""The part of a model card that tells of models fitted anew without what they are judged on."""

from __future__ import annotations

from typing import Any

from mlplugin.training.false_alarms import MALICIOUS, SUSPICIOUS
from mlplugin.training.markdown import percent, span, table
from mlplugin.training.summary import belongs

_TITLES = {
    "domains": "New registered domains",
    "families": "New generators",
    "word list": "A new word list of a known generator",
    "dates": "Later dates, nothing of the day or later known",
    "dates, lists kept": "Later dates, lists of one date known",
    "odd": "Real traffic and hard names, none of them trained on",
}
_TOLD = {
    "domains": "Without another tenth of all registered domains, which neither the fit nor the "
    "calibration knows; reputation is that of the popularity lists, as when a model ships, and "
    "of the feeds that are left.",
    "families": "Every generator missing once, with its offspring and with the generated names "
    "of which no family is known.",
    "word list": "Without one word list of each generator that has several, and without names of "
    "the generator whose list is not known.",
    "dates": "Without malicious names first seen from the turning day on; lists of one date that "
    "is later are missing as a whole.",
    "dates, lists kept": "The same, but such lists are known, but for the domains that are tested.",
    "odd": "Without the files of real traffic and of hard names, which a model that ships learns.",
}


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """The hold-outs by name; empty where none was fitted."""
    found: dict[str, Any] = metrics.get("holdouts", {}).get("summary", {})
    return found


def goals(metrics: dict[str, Any]) -> str:
    """The rows by which models of this kind are compared."""
    rows = []
    for entry in metrics.get("goals", []):
        measured = entry["share"] is not None
        spread = entry["spread"]
        rows.append(
            [
                entry["row"],
                *(_share(entry[key]) for key in ("floor", "best_peer", "goal")),
                _measured(entry) if measured else "not measured",
                _met(entry),
                span(entry["interval"]),
                span(spread),
                f"{entry['measured_on']}: {entry['set']}" if measured else "",
            ]
        )
    if not rows:
        return ""
    heads = ["found as shipped", "linear reference", "best peer", "aim", "this model", "met",
             "95 %", "least to most over seeds", "measured on the hold-out"]  # fmt: skip
    return (
        "## In short\n\nThe linear reference model (six minutes of training, no tuning) and the "
        "best of seven published detectors (Maltrail's rules, dgaintel, the Endgame LSTM, dgad, an "
        "LSTM by princio, fraudurl, a convolutional network of 2020) were measured at one false "
        "alarm in 1,000 clean names, on other names than this model's, later and harder ones: a "
        "row shows the order of size and no difference. `docs/limits.md` has the reference on the "
        "same names, where it is as good on known families and feeds. Generated names count by "
        "family, each the same. Without a spread there was one fit. An aim within the 95 % "
        "interval is *perhaps* met: the names are too few to tell.\n\n" + table(heads, rows)
    )


def _met(entry: dict[str, Any]) -> str:
    if entry["met"] is None:
        return ""
    low, high = entry["interval"]
    if low < entry["goal"] < high:
        return "perhaps"
    return "yes" if entry["met"] else "no"


def _measured(entry: dict[str, Any]) -> str:
    by_name = entry["by_name"]
    also = "" if by_name is None else f", by name {percent(by_name)}"
    return f"**{percent(entry['share'])}**{also}"


def scale(metrics: dict[str, Any]) -> str:
    """What scores are worth where neither fit nor calibration saw the domains."""
    rows = []
    for place, row in summary(metrics).get("domains", {}).items():
        section, _, rest = place.partition("/")
        name, _, score = rest.rpartition("/")
        if section == "score_scale" and score in {"20", "30", "37", "40"}:
            seen = row["observed"]
            rows.append(
                [
                    name,
                    score,
                    percent(row["expected"]),
                    percent(seen["mean"]),
                    span(seen["interval"]),
                    span(seen["spread"]),
                ]
            )
    if not rows:
        return ""
    heads = ["clean names", "score", "promised", "observed", "95 %", "least to most over seeds"]
    return (
        "\n\nOn registered domains that neither the fit nor the calibration saw, by models fitted "
        "anew:\n\n" + table(heads, rows)
    )


def passed(metrics: dict[str, Any]) -> str:
    """What reputation lets through of names that it could not know of."""
    rows = [
        [label, name, percent(share)]
        for label, fit in metrics.get("holdouts", {}).get("fits", {}).items()
        for name, share in fit["passed_by_reputation"].items()
        if not name.startswith("dga") and not label.startswith("domains")
    ]
    if not rows:
        return ""
    return (
        "\n\nThe same where reputation is made without these feeds or dates, so that none of them "
        "can speak against a domain:\n\n" + table(["hold-out", "malicious names", "passed"], rows)
    )


def holdouts(metrics: dict[str, Any]) -> str:
    """A section for each hold-out, its sets with interval and spread."""
    parts = summary(metrics)
    if not parts:
        return ""
    texts = [_section(metrics, name, places) for name, places in parts.items()]
    return (
        "## What it finds of the truly new\n\nModels of the same recipe, fitted anew without what "
        "they are measured on; a registered domain that was trained on is never counted. Shares "
        "are means over seeds.\n\n" + "\n\n".join(texts)
    )


def _section(metrics: dict[str, Any], name: str, places: dict[str, Any]) -> str:
    title = _TITLES.get(name, f"Without the source {name.removeprefix('source ')}")
    told = _TOLD.get(
        name,
        "Without every malicious name that it tells of, and without the registered domains that it "
        "alone holds; measured on those.",
    )
    wanted = ("finds/", "macro/") if name != "odd" else ("false_positives/", "population/")
    rows = [_row(place, places[place]) for place in sorted(places) if place.startswith(wanted)]
    if name == "domains":
        rows += [_row(place, row) for place, row in places.items() if "population/" in place]
    fits = metrics["holdouts"]["fits"]
    of = [fit for label, fit in fits.items() if belongs(label, name)]
    held = {item for fit in of for item in fit["held_out"]}
    beside = {item for fit in of for item in fit.get("beside", ())}
    if beside:
        told += " The same fits missed what is held out elsewhere here, so that they find less."
    heads = ["set", "names", "suspicious or worse", "95 %", "least to most over seeds",
             "malicious", "own head, 0.1 %"]  # fmt: skip
    return f"### {title}\n\n{told} Held out: {'; '.join(sorted(held))}.\n\n" + table(heads, rows)


def _row(place: str, row: dict[str, Any]) -> list[str]:
    section, _, name = place.partition("/")
    figure = row[SUSPICIOUS]
    own = row.get("own, 0.10%")
    counts = figure.get("families", [])
    families = "-".join(map(str, [counts] if isinstance(counts, int) else counts))
    titles = {"macro": f"mean of {families} families: {name}",
              "population": f"clean names: {name}"}  # fmt: skip
    return [
        titles.get(section, name),
        f"{figure['names']:,}",
        percent(figure["mean"]),
        span(figure["interval"]),
        span(figure["spread"]),
        percent(row[MALICIOUS]["mean"]),
        percent(own["mean"]) if own else "",
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value * 100:g}"
