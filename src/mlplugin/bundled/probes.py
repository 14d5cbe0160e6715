"""Harmless names that the model flags, one set for each threat.

Their registered domains carry a long random part, so that nobody owns them. Candidates are
drawn in the manner of each threat and those that the model is surest of are taken, so
that the probes stay good ones when the model changes.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass

from mlplugin.model import Model
from mlplugin.verdict import Level, Threat, Verdict


def _words(text: str) -> list[str]:
    return text.split()


CANDIDATES = 2000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
SUFFIXES = ("com", "net", "org", "info", "biz", "ru", "cn", "top", "xyz", "icu", "site", "cc")
# Where anyone can have a name: dynamic DNS and web hosts, each entry a public suffix.
DYNAMIC = (
    "no-ip.biz", "no-ip.info", "zapto.org", "duckdns.org", "hopto.org", "dynu.net", "live",
    "xyz", "icu", "top", "su", "ru", "org",
)  # fmt: skip
HOSTED = (
    "pages.dev", "web.app", "vercel.app", "netlify.app", "github.io", "my.id", "vip", "ink",
    "claims", "cc", "top", "xyz", "shop", "com", "live", "site", "online",
)  # fmt: skip
WORDS = _words(
    "against answer because believe brought captain century chapter circle company corner "
    "country course crowd desire doctor during either enough escape evening expect family "
    "figure follow forest forward friend further garden gentle glass ground guess happen "
    "history husband journey language leader listen manner market matter measure middle "
    "minute mother motion nation nothing number office outside people perhaps picture pleasure "
    "position possible present probable problem question rather reason receive remember "
    "require return school season severe should simple stranger strength student summer "
    "surprise through together trouble understand various weather welcome whether window winter"
)
LURES = _words(
    "account alert appleid auth bank billing confirm customer delivery device help icloud id "
    "login mail microsoft netflix office365 online parcel password pay paypal post recover "
    "safe secure security service signin support tracking unlock update verify wallet webmail"
)
BAITS = _words(
    "airdrop bitcoin bonus casino cash cheap claim coin crypto deal discount double earn eth "
    "forex free gift giveaway invest loan lottery lucky miner outlet profit prize reward sale "
    "shop stake store token trade usdt win"
)
CARRIERS = _words(
    "api bot c2 cdn cloud config data dl download exe file gate get host img load local net "
    "panel payload php proxy server setup soft srv static stat svc sys update upd web win win32"
)


@dataclass(frozen=True)
class Probe:
    """A name to ask for and the verdict that it must get."""

    qname: str
    threat: Threat
    verdict: Verdict


def probes(model: Model, seed: int | None = None, each: int = 2) -> dict[Threat, list[Probe]]:
    """Give up to `each` probes for every threat, the surest first; none where the model has none.

    `seed` None draws other names every time, so that no cache knows them.
    """
    dice = random.Random(seed)  # noqa: S311 - nothing is secret about a probe
    found: dict[Threat, list[Probe]] = {}
    for threat, draw in GENERATORS.items():
        verdicts = model.judge_many([draw(dice) for _ in range(CANDIDATES)])
        fitting = [
            verdict
            for verdict in verdicts
            if verdict.threat == threat and verdict.level != Level.BENIGN
        ]
        fitting.sort(key=lambda verdict: (-verdict.score, verdict.qname))
        found[threat] = [Probe(verdict.qname, threat, verdict) for verdict in fitting[:each]]
    return found


def _text(dice: random.Random, alphabet: str, shortest: int, longest: int) -> str:
    return "".join(dice.choices(alphabet, k=dice.randint(shortest, longest)))


def _suffix(dice: random.Random) -> str:
    return dice.choice(SUFFIXES)


def _dga(dice: random.Random) -> str:
    alphabet = dice.choice((LETTERS, LETTERS + DIGITS))
    return f"{_text(dice, alphabet, 14, 26)}.{_suffix(dice)}"


def _dga_dictionary(dice: random.Random) -> str:
    return "".join(dice.sample(WORDS, dice.randint(3, 4))) + "." + _suffix(dice)


def _phishing(dice: random.Random) -> str:
    words = "-".join(dice.sample(LURES, dice.randint(2, 4)))
    tail = _text(dice, LETTERS + DIGITS, 6, 10)
    if dice.random() < 0.5:
        return f"{words}-{tail}.{dice.choice(HOSTED)}"
    return f"{dice.choice(LURES)}.{words}.{dice.choice(LURES)}-{tail}.{dice.choice(HOSTED)}"


def _scam(dice: random.Random) -> str:
    glue = dice.choice(("", "-"))
    words = glue.join(dice.sample(BAITS, dice.randint(1, 4)))
    return f"{words}{glue}{_text(dice, LETTERS, 3, 6)}.{dice.choice(HOSTED)}"


def _malware(dice: random.Random) -> str:
    glue = dice.choice(("", "-"))
    words = glue.join(dice.sample(CARRIERS, dice.randint(1, 3)))
    name = f"{words}{glue}{_text(dice, LETTERS + DIGITS, 5, 9)}.{dice.choice(DYNAMIC)}"
    return dice.choice((name, f"{dice.choice(CARRIERS)}{dice.randint(1, 99)}.{name}"))


def _tunnel(dice: random.Random) -> str:
    def label() -> str:
        octets = dice.randbytes(dice.randint(25, 38))
        if dice.random() < 0.5:
            return octets.hex()[:63]
        return base64.b32encode(octets).decode().lower().rstrip("=")[:63]

    labels = [label() for _ in range(dice.randint(1, 3))]
    return ".".join((*labels, f"t.{_text(dice, LETTERS, 8, 12)}", _suffix(dice)))


GENERATORS: dict[Threat, Callable[[random.Random], str]] = {
    Threat.DGA: _dga,
    Threat.DGA_DICTIONARY: _dga_dictionary,
    Threat.MALWARE: _malware,
    Threat.PHISHING: _phishing,
    Threat.SCAM: _scam,
    Threat.TUNNEL: _tunnel,
}
