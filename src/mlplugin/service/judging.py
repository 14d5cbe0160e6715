"""Verdicts for those who ask: overrides first, then the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mlplugin.errors import InvalidNameError
from mlplugin.model import Model
from mlplugin.qname import canonical
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.overrides import Address, Overrides, overruled
from mlplugin.service.vetting import Vetting
from mlplugin.verdict import Level, Source, Verdict

MOST_NAMES = 10_000
# The highest probability of what is not malicious, in the original's two decimals.
ALMOST = 0.49


class Judging:
    """Judges names as the plugin does, as far as lists in a Corefile do not come into it."""

    def __init__(self, models: ModelInUse, vetting: Vetting) -> None:
        self._models = models
        self._vetting = vetting

    def classify(
        self, names: Sequence[str], *, explain: bool = False, scores: bool = False
    ) -> list[dict[str, Any]]:
        """Give a verdict object for every name, in order; an error object for what is no name.

        Args:
            names: as people write them.
            explain: whether to give the reasons.
            scores: whether to give every threat's score.
        """
        answers: list[dict[str, Any] | None] = [None] * len(names)
        places: list[int] = []
        good: list[str] = []
        for at, name in enumerate(names):
            try:
                good.append(canonical(name))
                places.append(at)
            except InvalidNameError as fault:
                answers[at] = {"qname": escaped(name), "error": str(fault)}
        overrides, model = self._vetting.current(), self._models.model
        explainer = model if explain else None
        for at, verdict in zip(places, model.judge_many(good, scores=scores), strict=True):
            answers[at] = _finished(verdict, overrides, None, explainer).to_json()
        return [answer for answer in answers if answer is not None]

    def opinion(self, name: str) -> dict[str, Any]:
        """Give what the model thinks of a name, whatever people decided. Raises InvalidNameError.

        `letters` is what each character of the name adds to the logit of the threat that leads;
        null where something else than the network decided.
        """
        model = self._models.model
        verdict = model.judge_many([canonical(name)], scores=True)[0]
        verdict = replace(verdict, reasons=tuple(model.explain(verdict.qname)))
        limits = model.thresholds
        return {
            "verdict": verdict.to_json(),
            "letters": model.letters(verdict.qname),
            "thresholds": {"suspicious": limits.suspicious, "malicious": limits.malicious},
        }

    def judge(self, name: str, client: Address | None) -> Verdict:
        """Judge one name for a client. Raises InvalidNameError."""
        verdict = self._models.model.judge(name)
        return _finished(verdict, self._vetting.current(), client, None)

    def probability(self, name: str, client: Address | None) -> str:
        """Answer as the original did: `0.50` and more exactly where the verdict is malicious.

        It rises with the score; a person's decision is certain.
        """
        verdict = self.judge(name, client)
        malicious = verdict.level is Level.MALICIOUS
        if verdict.source is Source.OVERRIDE:
            return "1.00" if malicious else "0.00"
        share = verdict.score / 60.0
        return f"{0.5 + share / 2 if malicious else min(share, ALMOST):.2f}"


def _finished(
    verdict: Verdict, overrides: Overrides, client: Address | None, explainer: Model | None
) -> Verdict:
    """What a person decided goes first; the model that judged explains, if it is asked to."""
    if overrides:
        override = overrides.match(verdict.qname, client, datetime.now(UTC))
        if override is not None:
            decided = overruled(verdict, override)
            return decided if explainer is not None else replace(decided, reasons=())
    if explainer is not None:
        return replace(verdict, reasons=tuple(explainer.explain(verdict.qname)))
    return verdict


def escaped(text: str) -> str:
    """What was given in place of a name, with what could steer a terminal escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )
