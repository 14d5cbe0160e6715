"""Look-ups that carry addresses, hashes and names: block lists, antivirus, certificates."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlplugin.training.ordinary.parts import (
    BASE32,
    BASE36,
    HEX,
    Maker,
    address,
    from_patterns,
    text,
)

_DNSBL = (
    "zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "dnsbl.sorbs.net",
    "cbl.abuseat.org", "psbl.surriel.com", "bl.mailspike.net", "dnsbl-1.uceprotect.net",
    "list.dnswl.org", "ix.dnsbl.manitu.net", "bl.blocklist.de", "rbl.interserver.net",
    "sbl.spamhaus.org", "xbl.spamhaus.org", "pbl.spamhaus.org", "dnsbl-2.uceprotect.net",
    "dnsbl-3.uceprotect.net", "truncate.gbudb.net", "db.wpbl.info", "ubl.unsubscore.com",
    "dnsbl.dronebl.org", "tor.dan.me.uk", "spam.dnsbl.anonmails.de", "all.s5h.net",
    "rbl.efnetrbl.org", "bl.score.senderscore.com", "sip.invaluement.com", "dyna.spamrats.com",
    "noptr.spamrats.com", "spam.spamrats.com", "hostkarma.junkemailfilter.com", "z.mailspike.net",
    "rep.mailspike.net", "backscatter.spameatingmonkey.net", "bl.spameatingmonkey.net",
    "dnsbl.spfbl.net", "query.senderbase.org", "origin.asn.cymru.com", "peer.asn.cymru.com",
    "sa-trusted.bondedsender.org", "iadb.isipp.com", "wl.mailspike.net", "bogons.cymru.com",
    "bl.nordspam.com", "bl.0spam.org", "rbl.rbldns.ru", "bip.virusfree.cz", "0spam.fusionzero.com",
)  # fmt: skip
_NAME_LISTS = (
    "multi.surbl.org", "dbl.spamhaus.org", "multi.uribl.com", "fresh.fmb.la", "black.uribl.com",
    "uri.invaluement.com", "nsrhbl.abusix.zone", "dnsbl.invaluement.com", "rhsbl.sorbs.net",
    "uribl.spameatingmonkey.net", "bl.fmb.la", "dbl.nordspam.com", "rhsbl.rbl.polspam.pl",
    "urired.spameatingmonkey.net", "grey.uribl.com", "nomail.rhsbl.sorbs.net",
)  # fmt: skip
_HASH_LOOKUPS = (
    "malware.hash.cymru.com", "avqs.mcafee.com", "avts.mcafee.com", "sophosxl.net",
    "cloud.sophosxl.net", "hash.cymru.com", "gti.mcafee.com", "ebl.msbl.org",
    "threatprotect.qualys.eu", "lookup.avg.com", "ns.senderbase.org", "url.zvelo.com",
    "hashes.abusix.zone", "hbl.spamhaus.org", "c.eset.com", "e5.sk", "rp.eset.systems",
    "lr.trendmicro.com", "icrc.trendmicro.com", "ers.trendmicro.com", "p.f-secure.com",
    "orsp.f-secure.com", "sw.symcd.com", "ent-shasta-rrs.symantec.com", "nimbus.bitdefender.net",
    "v1.bdnsrt.org", "ksn-file.kaspersky-labs.com", "brightcloud.com", "dsp.sentinelone.net",
    "tmufe.trendmicro.com", "ct.cisco.com", "cloudlookup.webroot.com", "ff.avast.com",
)  # fmt: skip


def dnsbl(rng: random.Random, domains: Sequence[str]) -> str:
    """An address, often reversed IPv6 or with a customer's key, or a name, in a block list."""
    form = rng.random()
    if form < 0.3:
        return f"{rng.choice(domains)}.{rng.choice(_NAME_LISTS)}"
    if form < 0.4:
        key = text(rng, BASE36, 26)
        zone = rng.choice(("zen.dq.spamhaus.net", "dbl.dq.spamhaus.net", "zrd.dq.spamhaus.net"))
        return f"{address(rng)}.{key}.{zone}"
    if form < 0.5:
        return f"{'.'.join(text(rng, HEX, 32))}.{rng.choice(_DNSBL)}"
    if form < 0.55:
        return f"{address(rng)}.{text(rng, HEX, 32)}.combined.mail.abusix.zone"
    return f"{address(rng)}.{rng.choice(_DNSBL)}"


def hash_lookup(rng: random.Random, domains: Sequence[str]) -> str:
    """What antivirus software asks about a file, a page or a sender."""
    parts = ".".join(text(rng, HEX, 1, 8) for _ in range(rng.randint(3, 9)))
    question = rng.choice(
        (
            text(rng, HEX, 16, 40),
            f"{text(rng, HEX, 8, 20)}.{text(rng, HEX, 4, 12)}",
            text(rng, BASE32, 26, 56),
            f"{rng.choice(domains)}.{text(rng, HEX, 8)}",
            f"{parts}.{text(rng, BASE36, 20, 28)}",
            f"{parts}.{rng.choice('aisuf')}.{rng.randint(0, 30):02}.{rng.choice('sux')}",
            f"{text(rng, HEX, 1, 2)}-0.{text(rng, HEX, 2, 8)}.{parts}",
        )
    )
    return f"{question}.{rng.choice(_HASH_LOOKUPS)}"


checks = from_patterns(
    "_{h32}.{d}", "_{h32}.www.{d}", "_{h32}.{l10}.acm-validations.aws", "_{x40}.{d}",
    "{h32}.{h32}.comodoca.com", "{h32}.{h32}.{x10-20}.sectigo.com", "{h32}.{d}",
    "_{x32}.{d}.dcv.digicert.com", "{x32}.dcv.cloudflare.com", "{d}.{h16}.dcv.cloudflare.com",
    "{x10}.authorize.certificatemanager.goog", "{u}.auth.acme-dns.io", "{u}.acme.{d}",
    "{x12-16}.dv.googlehosted.com", "gv-{x14}.dv.googlehosted.com", "zb{n8}.{d}",
    "google{h16}.{d}", "_github-pages-challenge-{w}.{d}", "_{x20}.domainverify.{d}",
    "{h32}._pki-validation.{d}", "asvdns-{u}.{d}", "cpanel-dcv-test-record.{d}",
    "_cf-custom-hostname.{d}", "ms{n8}.{d}", "verify.bing.com.{h32}.{d}",
)  # fmt: skip

KINDS: tuple[Maker, ...] = (dnsbl, hash_lookup, checks)
