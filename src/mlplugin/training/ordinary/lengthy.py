"""Very long names: deep trees, sentences and compounds as labels, and strings of identifiers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from mlplugin.training.ordinary.parts import BASE36, HEX, THINGS, Maker, address, filled, text

_SERVICES = (
    "www", "api", "cdn", "app", "mail", "static", "assets", "img", "internal", "prod", "staging",
    "edge", "cache", "gateway", "proxy", "cluster", "service", "public", "private", "primary",
    "replica", "metrics", "logs", "queue", "worker", "storage", "backup", "media",
)  # fmt: skip
_MORE = (
    "the", "of", "and", "for", "in", "all", "our", "my", "on", "great", "little", "old", "new",
    "best", "national", "international", "association", "society", "institute", "department",
    "committee", "federation", "community", "library", "museum", "festival", "conference",
    "research", "history", "science", "music", "childrens", "regional", "european", "american",
    "heritage",
)  # fmt: skip
_SMALL = (
    "a", "the", "this", "that", "then", "is", "it", "its", "to", "so", "we", "you", "who", "how",
    "why", "what", "are", "can", "have", "with", "from", "by", "at", "very", "too", "not", "if",
    "long", "longer", "longest", "name", "domain", "website", "world", "internet", "ever", "some",
    "more", "most", "every", "thing", "here", "there", "where", "when", "because", "really",
)  # fmt: skip
_COMPOUNDS = (
    (
        (
            "dampf", "schiff", "fahrts", "gesellschafts", "kapitaens", "haupt", "verwaltungs",
            "kraft", "fahrzeug", "haftpflicht", "versicherungs", "rechts", "schutz", "betriebs",
            "werk", "stelle", "bau", "amt", "landes", "bundes", "arbeits", "gemeinschaft",
            "verband", "strassen", "bahn", "hof", "wasser", "wirtschafts", "berufs", "schule",
            "kranken", "haus", "elektrizitaets",
        ),
        ("de", "at", "ch"),
    ),
    (
        (
            "llan", "fair", "pwll", "gwyn", "gyll", "eglwys", "mynydd", "afon", "aber", "caer",
            "coed", "mawr", "fach", "ynys", "pont", "rhyd", "felin", "bryn", "tre", "newydd",
            "cwm",
        ),
        ("co.uk", "wales", "cymru", "org.uk"),
    ),
    (
        (
            "vereniging", "van", "eigenaars", "zorg", "verzekerings", "maatschappij", "gemeente",
            "water", "schap", "arbeids", "voorziening", "studie", "keuze", "kinder", "dag",
            "verblijf", "huis",
        ),
        ("nl", "be"),
    ),
    (
        (
            "lento", "kone", "suihku", "moottori", "apu", "mekaanikko", "ali", "upseeri",
            "oppilas", "tyo", "voima", "toimisto", "kauppa", "keskus", "kirja", "talo", "yhdistys",
            "liitto",
        ),
        ("fi",),
    ),
    (
        (
            "foerening", "skands", "hus", "bygg", "nads", "marknads", "samfund", "forsknings",
            "institut", "uddannelses", "arbejds", "loshed", "sikring", "kommune", "forbund", "bok",
            "handel",
        ),
        ("se", "dk", "no"),
    ),
)  # fmt: skip


def _deep(rng: random.Random, domain: str) -> str:
    return ".".join([*rng.choices(_SERVICES, k=rng.randint(5, 22)), domain])


def _sentence(rng: random.Random, domain: str) -> str:
    # Fewer words without hyphens are what generators make.
    count, joint = rng.choice(((rng.randint(5, 10), "-"), (rng.randint(8, 14), "")))
    words = (rng.choice(rng.choice((_SMALL, _MORE, THINGS))) for _ in range(count))
    label = joint.join(words)[:63].rstrip("-")
    suffix = rng.choice(("com", "org", "org.uk", "de", "net"))
    return rng.choice((f"{label}.{domain}", f"{label}.{suffix}"))


def _saying(rng: random.Random, _: str) -> str:
    words = (rng.choice(rng.choice((_SMALL, _SMALL, _MORE))) for _ in range(rng.randint(9, 15)))
    return f"{''.join(words)[:63]}.{rng.choice(('com', 'org', 'net', 'co.uk'))}"


def _compound(rng: random.Random, _: str) -> str:
    stock, suffixes = rng.choice(_COMPOUNDS)
    label = rng.choice(("", "", "-")).join(rng.choices(stock, k=rng.randint(4, 9)))[:63]
    return f"{label.rstrip('-')}.{rng.choice(suffixes)}"


def _instances(rng: random.Random, domain: str) -> str:
    first, second = rng.choices(_SERVICES, k=2)
    parts = [f"{first}-{second}-{text(rng, HEX, 8, 10)}-{text(rng, BASE36, 5)}"]
    parts += [f"{rng.choice(THINGS)}-{rng.randint(1, 999)}" for _ in range(rng.randint(3, 8))]
    return ".".join([*parts, domain])


def _identifiers(rng: random.Random, domain: str) -> str:
    parts = [
        filled(rng, rng.choice(("{u}", "{h32}", "{h40}", "{n10}", "{x26}")), [domain])
        for _ in range(rng.randint(2, 4))
    ]
    return ".".join([*parts, rng.choice(_SERVICES), domain])


def _proxied(rng: random.Random, domain: str) -> str:
    flat = f"{rng.choice(_SERVICES)}.{domain}".replace("-", "--").replace(".", "-")
    proxy = rng.choice(("translate.goog", "cdn.ampproject.org", f"proxy.{domain}"))
    return f"{flat[:60].rstrip('-')}.{proxy}"


def _telling(rng: random.Random, domain: str) -> str:
    first, second = rng.choices(_SERVICES, k=2)
    return f"{address(rng)}.{text(rng, HEX, 32)}.{first}.{second}.{domain}"


_LONG: tuple[Callable[[random.Random, str], str], ...] = (
    _deep, _sentence, _sentence, _saying, _compound, _compound, _instances, _identifiers,
    _proxied, _telling,
)  # fmt: skip


def long(rng: random.Random, domains: Sequence[str]) -> str:
    """A long name, up to what the DNS can hold."""
    made = rng.choice(_LONG)(rng, rng.choice(domains))
    while len(made) > 250:
        made = made.split(".", 1)[1]
    return made


KINDS: tuple[Maker, ...] = (long,)
