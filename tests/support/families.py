"""Families of generated names for tests."""

from __future__ import annotations

import random


def syllables(seed: int, count: int) -> list[str]:
    """Names of three or four syllables of a stock of 24: the shipped model hardly finds them."""
    rng = random.Random(seed)
    stock = [
        rng.choice("bcdfghjklmnprstvz") + rng.choice("aeiou") + rng.choice(("", "n", "r", "l", "s"))
        for _ in range(24)
    ]
    made: dict[str, None] = {}
    while len(made) < count:
        label = "".join(rng.choices(stock, k=rng.randint(3, 4)))
        made[f"{label}.{rng.choice(('com', 'net', 'org', 'info'))}"] = None
    return list(made)
