"""What a verdict rests on: the letters of the name by what they weigh, and the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts.text import plain

# A letter that weighs so much or more is drawn at full height, in log-odds; more than that
# stretches the scale.
FULL = 1.0
# How many shades a letter may have on either side.
SHADES = 4
FAINT = 0.04
PLACES = {"label": "label", "subdomain": "subdomain", "suffix": "suffix"}


def drawn(qname: str, weights: Sequence[float], towards: str) -> Element:
    """Draw a name with a bar over each letter that speaks for the threat and under one against.

    Args:
        weights: of each character, in log-odds.
        towards: the threat's name, for the words.
    """
    scale = max(FULL, *map(abs, weights)) if weights else FULL
    letters = [_letter(char, weight, scale) for char, weight in zip(qname, weights, strict=True)]
    said = f"{plain(qname)}: {strongest(qname, weights, towards)}"
    return html.Div(
        [
            html.Div(letters, className="letters", role="img", **{"aria-label": said}),
            html.P(
                [
                    html.Span("▲", className="towards"),
                    f" speaks for {towards} · ",
                    html.Span("▼", className="against"),
                    f" against it · a full bar is {scale:.1f} in log-odds",
                ],
                className="legend",
            ),
        ],
        className="drawn",
    )


def _letter(char: str, weight: float, scale: float) -> Element:
    share = min(abs(weight) / scale, 1.0)
    shade = 0 if share < FAINT else max(1, round(share * SHADES))
    side = "towards" if weight > 0 else "against"
    return html.Span(
        [
            _bar(share if weight > 0 else 0.0, "up"),
            html.B(plain(char)),
            _bar(share if weight < 0 else 0.0, "down"),
        ],
        className=f"letter {side} s{shade}" if shade else "letter",
        title=f"{plain(char)} {signed(weight)}",
    )


def _bar(share: float, side: str) -> Element:
    """Draw a bar that stands on the letter, or hangs under it."""
    tall = round(share * 100) if share >= FAINT else 0
    above = 100 - tall if side == "up" else 0
    return html.Svg(html.Rect(width="100%", y=f"{above}%", height=f"{tall}%"), className=side)


def strongest(qname: str, weights: Sequence[float], towards: str) -> str:
    """Say which stretch of letters weighs most in either direction."""
    parts = []
    for word, sign in ((f"for {towards}", 1), ("against it", -1)):
        begin, end, weight = _stretch([sign * one for one in weights])
        if weight > FAINT:
            parts.append(f"most {word}: “{plain(qname[begin:end])}” {signed(sign * weight)}")
    return "; ".join(parts) or "no letter weighs much"


def _stretch(weights: Sequence[float]) -> tuple[int, int, float]:
    """The run of letters with the greatest sum."""
    best, at, total = (0, 0, 0.0), 0, 0.0
    for place, weight in enumerate(weights):
        if total <= 0:
            at, total = place, 0.0
        total += weight
        if total > best[2]:
            best = (at, place + 1, total)
    return best


def signed(weight: float) -> str:
    """Write a weight with its sign."""
    return f"{'+' if weight > 0 else '−' if weight < 0 else ''}{abs(weight):.2f}"


def listed(reasons: Sequence[Mapping[str, Any]]) -> Element:
    """List reasons, each with its weight in figures and as a bar."""
    most = max([abs(float(reason["weight"])) for reason in reasons], default=0.0) or 1.0
    rows = [_row(reason, most) for reason in reasons]
    head = html.Thead(html.Tr([
        html.Th("what", scope="col"), html.Th("where", scope="col"),
        html.Th("log-odds", scope="col", className="figure"),
        html.Th(html.Span("as a bar", className="unseen"), scope="col"),
    ]))  # fmt: skip
    return html.Table([head, html.Tbody(rows)], className="reasons")


def _row(reason: Mapping[str, Any], most: float) -> Element:
    what, where = in_words(reason)
    weight = float(reason["weight"])
    side = "towards" if weight > 0 else "against"
    part = abs(weight) / most * 50
    bar = html.Svg(
        html.Rect(className=side, x="50%" if weight > 0 else f"{50 - part:.1f}%",
                  width=f"{part:.1f}%", height="100%"),
        className="balance",
        **{"aria-hidden": "true"},
    )  # fmt: skip
    shown = html.Code(plain(what)) if reason["kind"] in {"ngram", "suffix", "window"} else what
    figure = signed(weight) if weight else "decides"
    return html.Tr([
        html.Td(shown), html.Td(where, className="where"),
        html.Td(figure, className="figure"), html.Td(bar if weight else ""),
    ])  # fmt: skip


def in_words(reason: Mapping[str, Any]) -> tuple[str, str]:
    """Give what a reason is about, and where that stands or what it means."""
    kind, text = str(reason["kind"]), str(reason["text"])
    if kind == "ngram":
        place, _, gram = text.partition(":")
        bare = gram.removeprefix("^").removesuffix("$")
        if place == "window":
            return bare, "second look"
        return bare, _edges(gram, PLACES.get(place, place))
    return {
        "suffix": (f".{text}", "public suffix"),
        "rest": ("everything else", "sum of all other parts"),
        "reputation": (plain(text), "held by several popularity lists for years"),
        "list": (plain(text), "a list, or a name that is not public"),
        "override": (plain(text), "a person decided"),
        "answer": (plain(text), "in the answer"),
    }.get(kind, (plain(text), plain(kind)))


def _edges(gram: str, place: str) -> str:
    begins, ends = gram.startswith("^"), gram.endswith("$")
    if begins and ends:
        return f"the whole {place}"
    if begins:
        return f"begins the {place}"
    return f"ends the {place}" if ends else f"in the {place}"


def scores(found: Mapping[str, float], own: float, suspicious: float, malicious: float) -> Element:
    """Draw every threat's score on the scale from 0 to 60, with the thresholds.

    Args:
        found: of each threat.
        own: of the verdict.
        suspicious: from where on a name is that.
        malicious: from where on a name is that.
    """
    limits = [
        html.Line(x1=f"{limit / 0.6:.1f}%", x2=f"{limit / 0.6:.1f}%", y2="100%")
        for limit in (suspicious, malicious)
    ]
    rows = []
    for threat, score in sorted(found.items(), key=lambda entry: -entry[1]):
        bar = html.Rect(
            width=f"{min(score, 60) / 0.6:.1f}%", height="100%",
            className=_band(score, suspicious, malicious),
        )  # fmt: skip
        said = html.Span(f"{score:.1f}", className="figure")
        gauge = html.Svg([bar, *limits], className="gauge", **{"aria-hidden": "true"})
        label = html.Span(plain(threat), className="label")
        rows.append(html.Div([label, gauge, said], className="gauge-row"))
    note = (
        f"Each threat by itself, up to 60: how few clean names score so high for it. Lines at "
        f"suspicious ({suspicious:g}) and malicious ({malicious:g})."
    )
    threat = max(found, key=found.__getitem__, default="")
    if threat and found[threat] > own:
        note += (
            f" The verdict's score, {own:.1f}, is lower than that of {plain(threat)}, "
            f"{found[threat]:.1f}: it says how few clean names score so high for any of the "
            f"{len(found)} threats, and those are more; a rare threat counts for less in it."
        )
    else:
        note += f" The verdict's score, {own:.1f}, counts all of them together."
    return html.Div([*rows, html.P(note, className="note")], className="gauges")


def _band(score: float, suspicious: float, malicious: float) -> str:
    if score >= malicious:
        return "malicious"
    return "suspicious" if score >= suspicious else "benign"
