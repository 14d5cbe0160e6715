"""The exact parts of a logit: the network is piecewise linear."""

from __future__ import annotations

import math
from dataclasses import replace

from mlplugin.model.scoring import Regions, Scored, Scorer
from mlplugin.model.settings import REGIONS
from mlplugin.model.split import Parts
from mlplugin.verdict import Reason

LISTED = 8


def decompose(parts: Parts, scorer: Scorer, regions: Regions, found: Scored) -> list[Reason]:
    """Split the logit of the threat that leads into its strongest parts and the rest.

    Args:
        parts: of the name.
        scorer: that scored it.
        regions: of this one name.
        found: what the scorer made of it.
    """
    strongest = every(parts, scorer, regions, found)[:LISTED]
    left = float(found.logits[0, int(found.lead[0])])
    left -= math.fsum(reason.weight for reason in strongest)
    return [*strongest, Reason("rest", "rest", left)]


def every(parts: Parts, scorer: Scorer, regions: Regions, found: Scored) -> list[Reason]:
    """Give all parts of that logit but its constant, strongest first; see ``decompose``."""
    reasons = _first_look(parts, scorer, regions, found)
    if found.again[0]:
        lead = int(found.lead[0])
        reasons = [replace(part, weight=part.weight * (1 - scorer.share)) for part in reasons]
        qname = ".".join(part for part in parts if part)
        windows = scorer.look.windows(qname, *regions[:3], lead)
        reasons += [
            Reason("ngram", f"window:{under}", weight * scorer.share)
            for under, weight in windows.items()
        ]
    reasons.sort(key=lambda reason: (-abs(reason.weight), reason.text))
    return reasons


def _first_look(parts: Parts, scorer: Scorer, regions: Regions, found: Scored) -> list[Reason]:
    lead, active = int(found.lead[0]), found.activations.before[0] > 0
    reasons = []
    for region, text in enumerate(parts):
        if text:
            weights = scorer.network.gram_weights(text, region, lead, active)
            reasons += [
                Reason("ngram", f"{REGIONS[region]}:{gram}", weight)
                for gram, weight in weights.items()
            ]
    if regions.rule[0] >= 0:
        reasons.append(Reason("suffix", parts.suffix, float(found.activations.suffix[0, lead])))
    return reasons
