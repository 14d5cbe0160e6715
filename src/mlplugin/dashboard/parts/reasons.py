"""What a name is judged to be, by whom, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlplugin.dashboard import html
from mlplugin.dashboard.parts import letters, text
from mlplugin.service.service import Service

SOURCES = {
    "override": "a person decided",
    "allowlist": "an allowlist",
    "denylist": "a denylist",
    "reputation": "known for years to several popularity lists",
    "model": "the model",
    "answer": "the answer",
    "behaviour": "the client's behaviour",
}


def judged(
    name: str, opinion: Mapping[str, Any], service: Service, kept: Mapping[str, str]
) -> list[Any]:
    """Say what a name is judged to be now, by whom, and what the model alone would say."""
    (verdict,) = service.judging.classify([name])
    own = opinion["verdict"]
    said: list[Any] = [
        text.verdict(verdict["verdict"], verdict["threat"]),
        html.Span(["by ", SOURCES.get(verdict["source"], text.plain(verdict["source"]))]),
    ]
    if verdict["source"] != own["source"]:
        said.append(html.Span(["the model alone: ", text.verdict(own["verdict"], own["threat"])]))
    said.append(html.Span(_score(own), className="note"))
    domain = own["registered_domain"]
    if domain and domain != name:
        said.append(html.Span(["under ", text.name(domain, **kept)]))
    return said


def _score(verdict: Mapping[str, Any]) -> str:
    """Say what a score means, in names."""
    score = float(verdict["score"])
    if score <= 0:
        return f"score {score:.1f}, model {text.plain(verdict['model'])}"
    return (
        f"score {score:.1f}: {text.as_high(score)} as high · model {text.plain(verdict['model'])}"
    )


def why(name: str, opinion: Mapping[str, Any]) -> list[Any]:
    """Show why the model thinks what it does: letters, reasons, and the score of each threat."""
    own, weights = opinion["verdict"], opinion["letters"]
    reasons = letters.listed(own["reasons"])
    if weights is None:
        words = [letters.in_words(reason) for reason in own["reasons"]]
        said = "; ".join(f"{what}: {where}" for what, where in words)
        return [html.P(f"The model was not asked: {said}." if said else "", className="note")]
    towards = leading(own)
    limits = opinion["thresholds"]
    gauges = letters.scores(
        own["scores"], float(own["score"]), limits["suspicious"], limits["malicious"]
    )
    return [
        letters.drawn(name, weights, towards),
        html.Div(
            [
                html.Div([html.H2("Strongest reasons"), reasons], className="reasons-part"),
                html.Div([html.H2("Score of each threat"), gauges], className="gauges-part"),
            ],
            className="why",
        ),
    ]


def leading(verdict: Mapping[str, Any]) -> str:
    """Give the threat that a verdict of the model speaks of, or comes nearest to."""
    scores = verdict.get("scores") or {}
    return str(verdict["threat"] or max(scores, key=scores.__getitem__, default="a threat"))
