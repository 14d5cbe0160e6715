"""Registered domains that look made up: pinyin, digits, initials, companies, very long names."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

from mlplugin.training.ordinary.parts import (
    BASE36,
    COUNTRIES,
    THINGS,
    Maker,
    digits,
    filled,
    label_of,
    text,
)

_PINYIN = tuple(
    "zhong guo wang dian shang hai bei jing tian tao bao ming xin da xiao hua yun long feng jia "  # noqa: SIM905
    "you le mei shi jie tong cheng gou wu che fang chan jin rong tou zi bo yi er san si liu qi "
    "ba jiu shu xue sheng huo qiang zhao lian wei lin shan dong nan xi guang zhou shen zhen hang "
    "su chun qing yang hong lan bai hei cai piao lv you ke jian kang yao pin dian ying yin yue "
    "kuai bang ren min zheng fu she qu zhi neng dao hang xun kan ai hui tu pian ruan jian".split()
)
_INITIALS = "abcdefghijklmnopqrstuvwxyzbcdfgklmnprst"
_TRADES = (
    "group", "tech", "bank", "media", "soft", "net", "online", "shop", "bau", "cloud", "lab",
    "labs", "digital", "systems", "solutions", "consult",
    "logistics", "energy", "pharma", "motors", "auto", "travel", "news", "tv", "fm", "radio", "js",
    "db", "api", "cdn", "io", "hub", "law", "med",
    "insurance", "capital", "holding", "industries", "services", "data", "info", "web", "host",
    "hosting", "store", "foods", "trade", "steel",
)  # fmt: skip
_SURNAMES = (
    "mueller", "schmidt", "schneider", "hoffmann", "wagner", "becker", "krueger", "zimmermann",
    "lehmann", "koehler", "dubois", "lefevre", "moreau", "garnier",
    "rousseau", "rossi", "bianchi", "ferrari", "colombo", "ricci", "garcia", "fernandez",
    "gonzalez", "jimenez", "dejong", "vandijk", "bakker", "jansen",
    "peeters", "kowalski", "nowak", "wisniewski", "novak", "svoboda", "dvorak", "horvath", "nagy",
    "johansson", "lindqvist", "nilsson", "hansen", "larsen",
    "virtanen", "korhonen", "silva", "pereira", "oliveira", "papadopoulos", "ivanov", "petrov",
    "shevchenko", "yilmaz", "kaya", "tanaka", "suzuki",
    "nguyen", "oconnor", "macdonald", "thompson", "williams", "baxter", "whitfield", "ramirez",
    "delacruz", "ionescu", "popescu", "jovanovic", "kovac",
)  # fmt: skip
_CRAFTS = (
    "bau", "elektro", "sanitaer", "dachdecker", "tischlerei", "steuerberatung", "rechtsanwaelte",
    "zahnarzt", "immobilien", "metallbau", "gartenbau", "spedition", "autohaus", "apotheke",
    "physiotherapie",
    "plomberie", "menuiserie", "avocats", "immobilier", "boulangerie", "transports", "assurances",
    "idraulica", "serramenti", "costruzioni", "ristorante", "abogados", "inmobiliaria", "talleres",
    "clinica",
    "makelaardij", "installatietechniek", "advocaten", "tandarts", "schilderwerken", "budownictwo",
    "kancelaria", "stavby", "autoservis", "bygg", "rakennus", "advocacia", "contabilidade", "kft",
    "insaat",
    "plumbing", "roofing", "dental", "accountants", "solicitors", "engineering", "construction",
    "heating", "landscaping", "joinery", "veterinary", "estates", "upholstery", "scaffolding",
    "flooring",
)  # fmt: skip
_FORMS = (
    "gmbh", "kg", "ag", "partner", "co", "sarl", "srl", "sl", "bv", "sro", "ab", "oy", "ltda",
    "ltd", "und-sohn", "et-fils", "e-figli", "y-asociados", "en-zonen", "group", "team",
)  # fmt: skip
_NEW = (
    "xyz", "app", "dev", "io", "ai", "shop", "online", "site", "store", "tech", "cloud", "club",
    "live", "news", "blog", "agency", "studio", "design", "digital", "world", "life", "today",
    "group", "gmbh", "berlin", "hamburg", "koeln", "wien",
    "paris", "amsterdam", "london", "nyc", "tokyo", "swiss", "bzh", "cat", "eus", "gal", "scot",
    "wales", "art", "music", "film", "photo", "photography", "bike", "coffee", "pizza",
    "restaurant", "recipes", "hotel", "travel", "tours", "health",
    "clinic", "dental", "doctor", "fitness", "yoga", "academy", "school", "education",
    "university", "law", "legal", "tax", "finance", "fund", "capital", "insure", "bank", "energy",
    "solar", "green", "eco", "earth", "farm", "garden", "wine",
    "beer", "fashion", "shoes", "jewelry", "toys", "games", "gg", "fun", "space", "zone", "wiki",
    "page", "link", "click", "email", "network", "systems", "software", "tools", "codes", "build",
    "works", "company", "team", "support", "ngo", "foundation",
    "me", "tv", "fm", "cc", "co", "to", "sh", "so", "ly", "im", "is", "gl", "pw", "ws", "su", "la",
    "vip", "top", "icu", "mobi", "biz", "info", "pro", "name", "aero", "museum", "post", "travel",
    "asia",
)  # fmt: skip

_IMITATED = (
    "metamask.io", "pancakeswap.finance", "uniswap.org", "walletconnect.com", "coinbase.com",
    "binance.com", "kraken.com", "trezor.io", "ledger.com", "phantom.app", "opensea.io",
    "rabby.io", "keplr.app", "argent.xyz", "zerion.io", "zapper.xyz", "debank.com", "balancer.fi",
    "dydx.exchange", "gmx.io", "traderjoexyz.com", "quickswap.exchange", "spookyswap.fi",
    "orca.so", "sushi.com", "1inch.io", "paraswap.io", "thorchain.org", "osmosis.zone",
    "rocketpool.net", "yearn.fi", "stargate.finance", "venus.io", "beefy.com", "looksrare.org",
    "xverse.app", "unisat.io", "magiceden.io", "tensor.trade", "backpack.app", "solflare.com",
    "trustwallet.com", "exodus.com", "safepal.com", "atomicwallet.io", "coinomi.com",
    "myetherwallet.com", "electrum.org", "mycelium.com", "token.im", "cakewallet.com",
    "bitget.com", "mexc.com", "bitvavo.com", "bitso.com", "luno.com", "swissborg.com",
    "paypal.com", "wise.com", "revolut.com", "klarna.com", "venmo.com", "cash.app", "zellepay.com",
    "usps.com", "ups.com", "dhl.com", "fedex.com", "dpd.com", "gls-group.com", "evri.com",
    "spotify.com", "roblox.com", "steamcommunity.com", "discord.com",
    "docusign.com", "wetransfer.com", "sharefile.com", "box.com", "booking.com", "airbnb.com",
)  # fmt: skip


def pinyin(rng: random.Random, _: Sequence[str]) -> str:
    """Chinese syllables, often with digits."""
    suffix = rng.choice(("com", "com", "cn", "com.cn", "net", "net.cn", "cc", "org.cn", "top"))
    form = rng.randrange(6)
    syllables = "".join(rng.choices(_PINYIN, k=rng.randint(3, 4)))  # lists hold shorter ones
    if form == 0:
        return f"{syllables}{rng.randint(1, 999)}.{suffix}"
    if form == 1:
        return f"{rng.randint(10, 9999)}{''.join(rng.choices(_PINYIN, k=2))}.{suffix}"
    if form == 2:
        firsts = (syllable[0] for syllable in rng.choices(_PINYIN, k=rng.randint(4, 6)))
        firm = rng.choice(("", "", "", "kj", "wl", "jt", "gs", "yxgs"))  # technology, limited ...
        return f"{''.join(firsts)}{firm}.{suffix}"
    if form == 3:
        host = rng.choice(("www", "m", "img", "bbs", "news", "static", "pic"))
        return f"{host}.{syllables}.{suffix}"
    if form == 4:
        return f"{text(rng, 'abcdefghijklmnopqrstuvwxyz', 1, 2)}{syllables}.{suffix}"
    return f"{syllables}.{suffix}"


def numeric(rng: random.Random, _: Sequence[str]) -> str:
    """Digits alone, or with a letter or two, a word, a year."""
    suffix = rng.choice(("com", "com", "cn", "com.cn", "net", "cc", "org", "vip", "de"))
    form = rng.randrange(5)
    host = rng.choice(("", "", "www.", "m.", "img1."))
    if form == 0:
        return f"{host}{digits(rng, 4, 6)}.{suffix}"
    if form == 1:
        return f"{host}{rng.choice(string.ascii_lowercase)}{digits(rng, 3, 5)}.{suffix}"
    if form == 2:
        return f"{host}{digits(rng, 2, 4)}{text(rng, string.ascii_lowercase, 1, 3)}.{suffix}"
    if form == 3:
        return f"{host}{digits(rng, 1, 3)}{rng.choice(THINGS)}{rng.choice(('', *_TRADES))}.{suffix}"
    return f"{host}{rng.choice(THINGS)}{rng.choice(('20', '19'))}{rng.randint(10, 99)}.{suffix}"


def initials(rng: random.Random, _: Sequence[str]) -> str:
    """Abbreviations, alone or before what the company does; lists hold the very short ones."""
    suffix = rng.choice(("com", "com", "org", "net", "gov", "edu", "co.uk", *COUNTRIES))
    letters = text(rng, _INITIALS, 2, 4)
    form = rng.randrange(6)
    host = rng.choice(("", "", "www.", "mail.", "cdn.", "portal."))
    if form < 2:
        return f"{host}{letters}{text(rng, _INITIALS, 2)}.{suffix}"
    if form == 2:
        return f"{host}{letters}{rng.choice(_TRADES)}.{suffix}"
    if form == 3:
        return f"{host}{letters}-{rng.choice(_TRADES)}.{suffix}"
    if form == 4:
        return f"{host}{rng.choice(THINGS)}{letters[:3]}.{suffix}"
    return f"{host}{letters}{digits(rng, 1, 2)}.{suffix}"


def short(rng: random.Random, _: Sequence[str]) -> str:
    """Two or three letters and digits; lists hold those without a digit."""
    parts = [text(rng, BASE36, 1, 2), text(rng, string.digits, 1)]
    rng.shuffle(parts)
    label = "".join(parts)
    suffix = rng.choice(("com", "co", "io", "me", "ly", "to", "net", "gg", "sh", "cc", *COUNTRIES))
    host = rng.choice(("", "", "", "www.", "s.", "i.", "a.", "cdn.", "go."))
    return f"{host}{label}.{suffix}"


def company(rng: random.Random, _: Sequence[str]) -> str:
    """A small firm: a surname, a trade and a legal form, with hyphens or without."""
    parts = [rng.choice(_SURNAMES), rng.choice(_CRAFTS)]
    form = rng.randrange(5)
    if form == 0:
        parts.reverse()
    elif form == 1:
        parts.append(rng.choice(_FORMS))
    elif form == 2:
        parts.insert(1, rng.choice(_SURNAMES))
    elif form == 3:
        parts = [parts[0], rng.choice(_FORMS)]
    suffix = rng.choice(("com", "net", "co.uk", "com.br", "com.tr", *COUNTRIES))
    host = rng.choice(("", "", "www.", "mail.", "webmail.", "shop."))
    return f"{host}{rng.choice(('-', '-', '')).join(parts)}.{suffix}"


def new_suffix(rng: random.Random, domains: Sequence[str]) -> str:
    """A plain name under a newer or a fashionable suffix."""
    suffix = rng.choice(_NEW)
    form = rng.randrange(6)
    host = rng.choice(("", "", "www.", "api.", "app.", "docs.", "blog."))
    if form == 0:
        return f"{host}{label_of(rng, domains)}.{suffix}"
    if form == 1:
        return f"{host}{rng.choice(THINGS)}.{suffix}"
    if form == 2:
        return f"{host}{label_of(rng, domains)}-{rng.choice(_TRADES)}.{suffix}"
    if form == 3:
        return f"{host}{rng.choice(_SURNAMES)}.{suffix}"
    if form == 4:
        verb = rng.choice(("get", "try", "use", "my", "join", "hey", "go"))
        return f"{host}{verb}{rng.choice(THINGS)}.{suffix}"
    return f"{host}{rng.choice(THINGS)}-{rng.choice(_TRADES)}.{suffix}"


def imitated(rng: random.Random, domains: Sequence[str]) -> str:
    """A host of a service that crooks like to imitate: its own names must not look like theirs."""
    host = rng.choice(("www", "docs", "api", "blog", "support", "help", "info", "cdn", "m", "{l2}"))
    return f"{filled(rng, host, domains)}.{rng.choice(_IMITATED)}"


KINDS: tuple[Maker, ...] = (pinyin, numeric, initials, short, company, new_suffix, imitated)
