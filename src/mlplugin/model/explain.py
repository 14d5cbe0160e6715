"""The exact parts of a logit: the network is piecewise linear."""

from __future__ import annotations

import math

from mlplugin.model.network import Activations, Network
from mlplugin.model.settings import REGIONS
from mlplugin.model.split import Parts
from mlplugin.verdict import Reason

LISTED = 8


def decompose(
    parts: Parts, threat: int, found: Activations, network: Network, *, matched: bool
) -> list[Reason]:
    """Split the logit of a threat into its strongest parts and the rest.

    Args:
        parts: of the name.
        threat: the column of the logit.
        found: what the network computed of this one name.
        network: that computed it.
        matched: whether a suffix rule matched.
    """
    active = found.before[0] > 0
    reasons = []
    for region, text in enumerate(parts):
        if text:
            weights = network.gram_weights(text, region, threat, active)
            reasons += [
                Reason("ngram", f"{REGIONS[region]}:{gram}", weight)
                for gram, weight in weights.items()
            ]
    if matched:
        reasons.append(Reason("suffix", parts.suffix, float(found.suffix[0, threat])))
    reasons.sort(key=lambda reason: (-abs(reason.weight), reason.text))
    strongest = reasons[:LISTED]
    left = float(found.logits[0, threat]) - math.fsum(reason.weight for reason in strongest)
    return [*strongest, Reason("rest", "rest", left)]
