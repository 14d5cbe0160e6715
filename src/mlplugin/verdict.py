"""The vocabulary of judgements, the same as the plugin's package ``verdict``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a name is, in rising order."""

    BENIGN = "benign"
    SUSPICIOUS = "suspicious"
    MALICIOUS = "malicious"

    @property
    def rank(self) -> int:
        """The place in the order, 0 to 2; the code of this level in columns."""
        return LEVELS.index(self)


class Threat(StrEnum):
    """The class of harm, in the order of the model's columns."""

    DGA = "dga"
    DGA_DICTIONARY = "dga_dictionary"
    MALWARE = "malware"
    PHISHING = "phishing"
    SCAM = "scam"
    TUNNEL = "tunnel"


class Source(StrEnum):
    """The step of the judgement that decided, in the order in which they are asked."""

    OVERRIDE = "override"
    ALLOWLIST = "allowlist"
    DENYLIST = "denylist"
    REPUTATION = "reputation"
    MODEL = "model"
    ANSWER = "answer"
    BEHAVIOUR = "behaviour"


LEVELS = tuple(Level)
THREATS = tuple(Threat)
SOURCES = tuple(Source)


def rounded(score: float) -> float:
    """Give a score as it is shown: three decimals."""
    return round(score * 1000) / 1000


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of an explanation.

    Attributes:
        kind: ``ngram`` | ``suffix`` | ``rest`` | ``reputation`` | ``list`` | ``override`` |
            ``answer`` | ``window``.
        text: what it was, such as ``label:xkq`` or a registered domain.
        weight: log-odds; those of a verdict of the model add up to the logit of its threat.
    """

    kind: str
    text: str
    weight: float

    def to_json(self) -> dict[str, Any]:
        """Give the object of the interface."""
        return {"kind": self.kind, "text": self.text, "weight": self.weight}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement of one canonical name.

    Attributes:
        score: -10 log10 of the share of clean names that score at least this high, 0 to 60.
        model: the version of the model that was asked.
        scores: every threat's score, where asked for.
    """

    qname: str
    registered_domain: str | None
    level: Level
    threat: Threat | None
    score: float
    source: Source
    model: str
    reasons: tuple[Reason, ...] = ()
    scores: Mapping[Threat, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the object of the interface, scores rounded to three decimals."""
        found: dict[str, Any] = {
            "qname": self.qname,
            "registered_domain": self.registered_domain,
            "verdict": self.level.value,
            "threat": None if self.threat is None else self.threat.value,
            "score": rounded(self.score),
            "source": self.source.value,
            "model": self.model,
            "reasons": [reason.to_json() for reason in self.reasons],
        }
        if self.scores is not None:
            scores = self.scores.items()
            found["scores"] = {threat.value: rounded(score) for threat, score in scores}
        return found
