"""Names that are made up, on which a model must not forget what it knows.

The names that the shipped model was trained on do not ship with it. These stand in for them: of
every threat the kind of names that it finds, and of odd ordinary names the kind that it lets be.
No name is anybody's on purpose.
"""

# ruff: noqa: S311 - nothing here is secret, and the same seed must give the same names

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlplugin.training import invented, ordinary
from mlplugin.training.datasets import BENIGN, THREATS
from mlplugin.training.ordinary.parts import BASE32, HEX, THINGS, Maker, text

_SUFFIXES = ("com", "net", "org", "info", "biz", "ru", "top", "xyz", "de", "online", "site", "cc")
_COMMON = (30, 12, 10, 6, 4, 5, 6, 6, 3, 3, 3, 2)
_WORDS = (
    "able", "above", "action", "actor", "address", "advance", "afternoon", "against", "answer",
    "anger", "apple", "army", "arrive", "autumn", "balance", "basket", "battle", "beauty",
    "become", "behind", "believe", "bitter", "branch", "bread", "breath", "bright", "broken",
    "brother", "butter", "button", "captain", "careful", "carry", "castle", "cause", "centre",
    "chance", "change", "cheese", "chief", "choose", "circle", "class", "clothes", "collar",
    "colour", "comfort", "common", "company", "complete", "control", "copper", "corner", "cotton",
    "country", "course", "cover", "crime", "cruel", "current", "damage", "danger", "daughter",
    "decide", "degree", "delight", "desire", "destroy", "differ", "difficult", "dinner",
    "discover", "distance", "double", "doubt", "dress", "early", "earth", "effect", "effort",
    "electric", "empty", "engine", "enough", "equal", "escape", "evening", "event", "example",
    "exercise", "expect", "express", "family", "famous", "father", "feather", "fellow", "fight",
    "figure", "finger", "finish", "flight", "follow", "foreign", "forward", "fresh", "friend",
    "front", "gather", "general", "gentle", "gentleman", "glass", "govern", "green", "ground",
    "group", "hammer", "happen", "health", "heaven", "heavy", "history", "hospital", "however",
    "hunger", "husband", "include", "increase", "insect", "invent", "island", "journey", "judge",
    "kettle", "knock", "labor", "language", "laughter", "leader", "leather", "likely", "listen",
    "little", "machine", "manner", "market", "matter", "measure", "medical", "meeting", "member",
    "middle", "military", "minute", "modern", "morning", "mother", "motion", "muscle", "narrow",
    "nation", "nature", "necessary", "needle", "neither", "nothing", "number", "object",
    "october", "office", "often", "orange", "order", "outside", "partial", "party", "pencil",
    "people", "perfect", "perhaps", "period", "person", "picture", "plant", "pleasant",
    "position", "possible", "potato", "power", "prepare", "present", "pretty", "probable",
    "produce", "promise", "property", "prove", "provide", "public", "quarter", "question",
    "rather", "ready", "reason", "receive", "record", "regard", "remember", "require", "result",
    "safety", "school", "season", "second", "separate", "settle", "severe", "shadow", "shake",
    "silence", "simple", "single", "sister", "smoke", "soldier", "special", "spring", "square",
    "station", "store", "strange", "straight", "stranger", "stream", "strength", "student",
    "subject", "succeed", "sudden", "suffer", "support", "surprise", "sweet", "system", "thick",
    "thought", "through", "thrown", "tomorrow", "together", "toward", "trade", "travel",
    "trouble", "twelve", "understand", "unity", "usual", "valley", "variety", "various", "view",
    "visit", "weather", "weight", "welcome", "whether", "window", "winter", "within", "without",
    "wonder", "written", "yellow", "yesterday",
)  # fmt: skip
_ASKED = (
    "login", "signin", "verify", "secure", "account", "update", "support", "wallet", "bank",
    "billing", "confirm", "unlock", "alert", "service", "webmail", "auth", "recover", "invoice",
)  # fmt: skip
_OFFERED = (
    "airdrop", "claim", "bonus", "reward", "crypto", "coin", "token", "staking", "swap", "invest",
    "earn", "gift", "prize", "trading", "profit", "promo", "presale", "defi", "mint",
)  # fmt: skip
_BROUGHT = (
    "update", "cdn", "api", "file", "download", "panel", "gate", "host", "data", "node", "stat",
    "soft", "cloud", "drv", "win", "sys", "load", "check", "sync",
)  # fmt: skip
_CHEAP = ("top", "xyz", "online", "site", "shop", "click", "icu", "vip", "cc", "live", "info", "ru")
_SHARED = ("pages.dev", "web.app", "duckdns.org", "vercel.app", "weebly.com", "netlify.app")
_ZONES = ("tun", "t", "ns", "d", "dns", "x", "c")


@dataclass(frozen=True)
class Rehearsal:
    """Names with what they are: -1 for benign, else the threat."""

    texts: list[str]
    target: NDArray[np.int8]


def rehearsal(seed: int, each: int, domains: Sequence[str]) -> Rehearsal:
    """About ``each`` names of each kind; ``domains`` are good ones."""
    rng = random.Random(seed)
    stock = invented.Words([*_WORDS, *THINGS], _SUFFIXES, _COMMON)
    of_family = 20
    families, heads = invented.families(seed, max(2 * each // of_family, 2), of_family, stock)
    made = dict(zip(families, heads, strict=True))
    for threat, make in _MAKERS.items():
        head = THREATS.index(threat)
        made |= {make(rng): head for _ in range(each)}
    good = list(domains) or _plain(rng)
    made |= dict.fromkeys(ordinary.names(seed, 2 * each, good), BENIGN)
    made |= dict.fromkeys(kin(rng, 2 * each, good), BENIGN)
    texts = sorted(made)
    return Rehearsal(texts, np.array([made[text] for text in texts], np.int8))


def kin(rng: random.Random, count: int, domains: Sequence[str]) -> list[str]:
    """New names like known ones: the front of one registered domain's label, the end of another's.

    What the model makes of them tells more of its false alarms than names that it may know.
    """
    pairs = [(label, suffix) for label, _, suffix in (d.partition(".") for d in domains) if suffix]
    long = [pair for pair in pairs if len(pair[0]) >= 4]
    found: set[str] = set()
    for _ in range(count if long else 0):
        (front, one), (end, other) = rng.choice(long), rng.choice(long)
        label = front[: rng.randint(2, len(front) - 2)] + end[rng.randint(2, len(end) - 2) :]
        label = label[:63].strip("-")
        if len(label) > 3 and label.isascii() and "\\" not in label:
            found.add(f"{label}.{rng.choice((one, other))}")
    return sorted(found)


def _plain(rng: random.Random) -> list[str]:
    """Domains of two words, where no good ones are known."""
    return [f"{rng.choice(THINGS)}{rng.choice(THINGS)}.com" for _ in range(200)]


def _lure(asked: Sequence[str]) -> Maker:
    def make(rng: random.Random, _domains: Sequence[str] = ()) -> str:
        brand = rng.choice(_WORDS) if rng.random() < 0.5 else text(rng, BASE32[:26], 4, 7)
        parts = [brand, *rng.sample(asked, rng.randint(1, 2))]
        rng.shuffle(parts)
        label = rng.choice(("-", "-", "")).join(parts)
        if rng.random() < 0.3:
            label += text(rng, "0123456789", 1, 4)
        if rng.random() < 0.2:
            return f"{label}.{rng.choice(_SHARED)}"
        if rng.random() < 0.3:
            return f"{rng.choice(asked)}.{label}.{rng.choice(_CHEAP)}"
        return f"{label}.{rng.choice(_CHEAP)}"

    return make


def _tunnel(rng: random.Random) -> str:
    letters = rng.choice((BASE32, HEX))
    labels = [text(rng, letters, 30, 63) for _ in range(rng.randint(1, 3))]
    return ".".join([*labels, rng.choice(_ZONES), f"{text(rng, BASE32[:26], 4, 8)}.com"])


_MAKERS = {
    "malware": lambda rng: _lure(_BROUGHT)(rng, ()),
    "phishing": lambda rng: _lure(_ASKED)(rng, ()),
    "scam": lambda rng: _lure(_OFFERED)(rng, ()),
    "tunnel": _tunnel,
}
