"""Odd names that are everyday: look-ups that carry hashes, hosts of clouds, names in any script.

They are what makes a naive detector unusable, and public lists hardly hold them. Every kind is
a rule with random parts, over service zones that are public knowledge.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlplugin.training.ordinary import (
    cloud,
    devices,
    domains,
    hosts,
    lengthy,
    lookups,
    mail,
    scripts,
    web,
)
from mlplugin.training.ordinary.parts import Maker

KINDS: tuple[Maker, ...] = (
    *lookups.KINDS,
    *cloud.KINDS,
    *web.KINDS,
    *mail.KINDS,
    *hosts.KINDS,
    *devices.KINDS,
    *domains.KINDS,
    *lengthy.KINDS,
    *scripts.KINDS,
    # Twice what crooks use as much as everybody else.
    cloud.project,
    cloud.project,
    hosts.homes,
    domains.pinyin,
)


def names(seed: int, count: int, domains: Sequence[str]) -> list[str]:
    """About ``count`` distinct names, the same share of each kind; ``domains`` are good ones."""
    made: set[str] = set()
    for kind, make in enumerate(KINDS):
        rng = random.Random(f"{seed}/{kind}")  # noqa: S311 - nothing here is secret
        made.update(make(rng, domains) for _ in range(count // len(KINDS)))
    return sorted(made)
