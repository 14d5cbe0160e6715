"""Odd names that are everyday: look-ups that carry hashes, hosts of clouds, service records.

They are what makes a naive detector unusable, and public lists hardly hold them.
"""

# ruff: noqa: S311 - nothing here is secret, and the same seed must give the same names

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Sequence

_HEX = "0123456789abcdef"
_BASE36 = string.ascii_lowercase + string.digits
_REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3",
    "eu-central-1", "eu-north-1", "ap-south-1", "ap-northeast-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "sa-east-1", "me-south-1", "af-south-1",
)  # fmt: skip
_AZURE = ("eastus", "westus", "westeurope", "northeurope", "southeastasia", "uksouth", "centralus")
_DNSBL = (
    "zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "dnsbl.sorbs.net",
    "cbl.abuseat.org", "psbl.surriel.com", "bl.mailspike.net", "dnsbl-1.uceprotect.net",
    "list.dnswl.org", "ix.dnsbl.manitu.net", "bl.blocklist.de", "rbl.interserver.net",
)  # fmt: skip
_NAME_LISTS = ("multi.surbl.org", "dbl.spamhaus.org", "multi.uribl.com", "fresh.fmb.la")
_HASH_LOOKUPS = (
    "malware.hash.cymru.com", "avqs.mcafee.com", "avts.mcafee.com", "sophosxl.net",
    "cloud.sophosxl.net", "hash.cymru.com", "gti.mcafee.com", "ebl.msbl.org",
    "threatprotect.qualys.eu", "lookup.avg.com", "ns.senderbase.org", "url.zvelo.com",
)  # fmt: skip
_CLOUD = (
    "azurewebsites.net", "blob.core.windows.net", "table.core.windows.net", "azureedge.net",
    "trafficmanager.net", "cloudapp.azure.com", "servicebus.windows.net", "vault.azure.net",
    "database.windows.net", "azurefd.net", "herokuapp.com", "appspot.com", "run.app",
    "firebaseio.com", "web.app", "cloudfunctions.net", "netlify.app", "vercel.app",
    "fastly.net", "global.ssl.fastly.net", "b-cdn.net", "kxcdn.com", "llnwi.net", "cdn77.org",
    "edgekey.net", "edgesuite.net", "akadns.net", "cdn.cloudflare.net", "hwcdn.net",
)  # fmt: skip
_PINYIN = tuple(
    "zhong guo wang dian shang hai bei jing tian tao bao ming xin da xiao hua yun long feng jia "  # noqa: SIM905
    "you le mei shi jie tong cheng gou wu che fang chan jin rong tou zi bo yi er san si liu qi "
    "ba".split()
)
Maker = Callable[[random.Random, Sequence[str]], str]


def names(seed: int, count: int, domains: Sequence[str]) -> list[str]:
    """About ``count`` distinct names, the same share of each kind; ``domains`` are good ones."""
    made: set[str] = set()
    for kind, make in enumerate(_KINDS):
        rng = random.Random(f"{seed}/{kind}")
        made.update(make(rng, domains) for _ in range(count // len(_KINDS)))
    return sorted(made)


def _text(rng: random.Random, letters: str, low: int, high: int) -> str:
    return "".join(rng.choices(letters, k=rng.randint(low, high)))


def _address(rng: random.Random, separator: str = ".") -> str:
    return separator.join(str(rng.randint(0, 255)) for _ in range(4))


def _dnsbl(rng: random.Random, domains: Sequence[str]) -> str:
    if rng.random() < 0.3:
        return f"{rng.choice(domains)}.{rng.choice(_NAME_LISTS)}"
    return f"{_address(rng)}.{rng.choice(_DNSBL)}"


def _hash_lookup(rng: random.Random, _: Sequence[str]) -> str:
    zone = rng.choice(_HASH_LOOKUPS)
    form = rng.randrange(4)
    if form == 0:
        return f"{_text(rng, _HEX, 16, 40)}.{zone}"
    if form == 1:
        return f"{_text(rng, _HEX, 8, 20)}.{_text(rng, _HEX, 4, 12)}.{zone}"
    digits = ".".join(_text(rng, _HEX, 1, 8) for _ in range(rng.randint(3, 9)))
    if form == 2:
        return f"{digits}.{_text(rng, _BASE36, 20, 28)}.{zone}"
    return f"{digits}.i.{rng.randint(0, 30):02}.s.{zone}"


def _aws(rng: random.Random, _: Sequence[str]) -> str:
    region = rng.choice(_REGIONS)
    form = rng.randrange(5)
    if form == 0:
        return f"ec2-{_address(rng, '-')}.{region}.compute.amazonaws.com"
    if form == 1:
        return f"{_text(rng, _HEX, 12, 32)}.{region}.elb.amazonaws.com"
    if form == 2:
        return f"{_text(rng, _BASE36, 10, 10)}.execute-api.{region}.amazonaws.com"
    if form == 3:
        return f"{_text(rng, _BASE36, 6, 20)}.s3.dualstack.{region}.amazonaws.com"
    return f"d{_text(rng, _BASE36, 11, 13)}.cloudfront.net"


def _cloud(rng: random.Random, domains: Sequence[str]) -> str:
    word = rng.choice(domains).split(".")[0]
    zone = rng.choice(_CLOUD)
    form = rng.randrange(5)
    if form == 0:
        return f"{word}-{rng.choice(_AZURE)}-{_text(rng, _HEX, 4, 8)}.{zone}"
    if form == 1:
        return f"{_text(rng, _BASE36, 6, 16)}.{zone}"
    if form == 2:
        return f"{word}.{zone}"
    if form == 3:
        return f"{rng.choice(domains)}.{zone}"
    return f"{word}-{_text(rng, _HEX, 6, 12)}-{_text(rng, _BASE36, 4, 6)}.{zone}"


def _edge(rng: random.Random, domains: Sequence[str]) -> str:
    number = rng.randint(1, 29999)
    form = rng.randrange(5)
    if form == 0:
        return f"e{number}.{rng.choice('abdgx')}.akamaiedge.net"
    if form == 1:
        return f"a{number}.dsc{rng.choice('abdgrwx')}.akamai.net"
    if form == 2:
        return f"r{rng.randint(1, 9)}---sn-{_text(rng, _BASE36, 6, 12)}.googlevideo.com"
    if form == 3:
        code = _text(rng, string.ascii_lowercase, 3, 3)
        return (
            f"{code}{rng.randint(1, 40):02}s{rng.randint(1, 60)}-in-f{rng.randint(1, 30)}.1e100.net"
        )
    return f"{rng.choice(domains)}.edgekey.net"


def _service(rng: random.Random, domains: Sequence[str]) -> str:
    domain = rng.choice(domains)
    start = rng.choice(
        (
            "_dmarc", "_acme-challenge", "_sip._tls", "_sipfederationtls._tcp", "_ldap._tcp",
            "_kerberos._udp", "_443._tcp", "_25._tcp.mx", "_imaps._tcp", "_autodiscover._tcp",
            "_mta-sts", "_domainconnect", "selector1._domainkey", "google._domainkey",
            "_ldap._tcp.dc._msdcs", "_xmpp-server._tcp", "_caldavs._tcp", "_github-challenge",
        )
    )  # fmt: skip
    if rng.random() < 0.25:
        start = f"{_text(rng, _BASE36, 16, 32)}._domainkey"
    return f"{start}.{domain}"


def _hosts(rng: random.Random, domains: Sequence[str]) -> str:
    domain = rng.choice(domains)
    form = rng.randrange(6)
    if form == 0:
        return f"{uuid.UUID(int=rng.getrandbits(128))}.{domain}"
    if form == 1:
        return f"{_text(rng, _HEX, 8, 32)}.{domain}"
    if form == 2:
        return (
            f"{_text(rng, _BASE36, 8, 20)}.{rng.choice(('cdn', 'api', 'edge', 'track'))}.{domain}"
        )
    if form == 3:
        return f"ip-{_address(rng, '-')}.{rng.choice(_REGIONS)}.{domain}"
    if form == 4:
        return f"{_address(rng, '-')}.{rng.choice(('dyn', 'static', 'pool', 'rev'))}.{domain}"
    kind = rng.choice(("srv", "node", "prod", "mx", "ns", "web", "pc"))
    return f"{kind}{rng.randint(1, 999)}.{domain}"


def _chinese(rng: random.Random, _: Sequence[str]) -> str:
    suffix = rng.choice(("com", "com", "cn", "com.cn", "net"))
    form = rng.randrange(3)
    if form == 0:
        return f"{''.join(rng.choices(_PINYIN, k=rng.randint(2, 3)))}.{suffix}"
    if form == 1:
        return f"{_text(rng, string.digits, 3, 5)}.{suffix}"
    return f"{_text(rng, string.digits, 2, 4)}{''.join(rng.choices(_PINYIN, k=2))}.{suffix}"


_KINDS: tuple[Maker, ...] = (
    _dnsbl, _hash_lookup, _aws, _cloud, _edge, _service, _hosts, _hosts, _chinese,
)  # fmt: skip
