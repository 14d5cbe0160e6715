"""A small file of our own in the form of each public feed, and what is to be read in it."""

# ruff: noqa: E501 - rows of feeds are long

from __future__ import annotations

import gzip
import io
import json
import zipfile
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """The bytes of a feed; names with date and family; how many rows are something else."""

    body: bytes
    rows: dict[str, tuple[str, str]]
    malformed: int = 0
    addresses: int = 0
    passed_over: int = 0
    teaches: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)


def zipped(**files: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return out.getvalue()


def undated(*names: str, family: str = "") -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names, ("", family))


URLHAUS = b"""\
################################################################
# abuse.ch URLhaus Database Dump (CSV - recent URLs only)      #
#                                                              #
# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter
"3001","2026-10-05 10:01:00","https://files.example.org/a.exe","online","2026-10-05 10:01:00","malware_download","exe,Remcos","https://urlhaus.example/3001/","someone"
"3000","2026-10-04 23:59:59","http://192.0.2.55:4444/bin.sh","online","","malware_download","32-bit,elf","https://urlhaus.example/3000/","someone"
"2999","2026-10-04 23:59:58","http://Shop.Example.NET:8080/i.php?q=\xc3\xa9","offline","","malware_download","","https://urlhaus.example/2999/","someone"
"2998","2026-10-04"
"""

THREATFOX = b"""\
################################################################\r
# ThreatFox IOCs: full dump - CSV format                       #\r
# Last updated: 2026-10-09 22:19:04 UTC                        #\r
#\r
# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias","malware_printable","last_seen_utc","confidence_level","is_compromised","reference","tags","anonymous","reporter"\r
"2026-10-09 22:19:04", "12", "c2.example.org", "domain", "botnet_cc", "win.lumma", "None", "Lumma Stealer", "", "100", "False", "", "lumma", "0", "someone"\r
"2026-10-08 04:31:23", "11", "https://gate.example.com/api", "url", "payload_delivery", "unknown", "None", "Unknown malware", "", "75", "False", "", "", "0", "someone"\r
"2026-10-08 04:31:22", "10", "192.0.2.7:443", "ip:port", "botnet_cc", "win.x", "None", "X", "", "75", "False", "", "", "0", "someone"\r
"2026-10-08 04:31:21", "9", "00ff00ff", "md5_hash", "payload", "win.x", "None", "X", "", "75", "False", "", "", "0", "someone"\r
"yesterday", "8", "x.example.org", "domain", "botnet_cc", "win.x", "None", "X"\r
"""

TWEETFEED = b"""\
2026-08-09 00:00:58,one,url,https://login.example.com,#phishing,https://posts.example/1
2026-08-09 00:00:59,one,ip,192.0.2.137,#phishing,https://posts.example/2
2026-08-10 00:00:58,two,domain,prize.example.net,#scam #crypto,https://posts.example/3
2026-08-11 00:00:58,two,domain,beacon.example.org,"#CobaltStrike, #malware",https://posts.example/4
2026-08-11 00:00:59,two,sha256,00ff,#malware,https://posts.example/5
not,a,row
"""

STALKERWARE = b"""\
type,indicator,app
domain,sync.example.org,WatchThem
ipv4,192.0.2.9,WatchThem
domain,api.example.net,OtherApp
domain,short
"""

HSTS = b"""\
// Copyright of the browser.
// The format is told above.
{
  "pinsets": [],
  "entries": [
    // gTLDs
    { "name": "dev", "policy": "public-suffix", "mode": "force-https", "include_subdomains": true },
    { "name": "alpine-club.example", "policy": "bulk-1-year", "mode": "force-https" },
    { "name": "pins.example.org", "policy": "google", "pins": "google" },
    { "policy": "bulk-1-year", "mode": "force-https" }
  ]
}
"""

MAJESTIC = b"""\
GlobalRank,TldRank,Domain,TLD,RefSubNets,RefIPs,IDN_Domain,IDN_TLD,PrevGlobalRank,PrevTldRank,PrevRefSubNets,PrevRefIPs
1,1,example.com,com,5,6,example.com,com,1,1,5,6
2,1,xn--bcher-kva.example,example,5,6,b\xc3\xbccher.example,example,2,1,5,6
"""

PHISHTANK = b"""\
phish_id,url,phish_detail_url,submission_time,verified,verification_time,online,target
77,https://www.bank-login.example.org/a,http://tank.example/77,2026-06-19T15:15:47+00:00,yes,2026-06-19T15:37:31+00:00,yes,"First Bank, Ltd"
78,http://198.51.100.3/x,http://tank.example/78,2026-06-19T15:15:48+00:00,yes,2026-06-19T15:37:31+00:00,yes,Other
"""

MISP = {
    "description": "Ours.",
    "list": ["example.com", "www.example.org", ".sub.example.net", "192.0.2.0/24", 5],
    "matching_attributes": ["hostname"],
    "name": "Example",
    "type": "string",
    "version": 20230130,
}

MALTRAIL = {
    "maltrail-master__trails__static__malware__lumma.txt": (
        "# Copyright (c) ours\n\n# Reference: https://report.example\n\n"
        "gate.example.org\nhttp://panel.example.net:8080\n192.0.2.4:443\n/gate.php\n"
        "compromised.example.com/wp/x.php\nx(1|2)\\.example\\.org\n"
    ),
    "maltrail-master__trails__static__malware__apt_ours.txt": "staff.example.org # seen once\n",
    "maltrail-master__trails__static__malware__ek_ours.txt": "landing.example.org\n",
    "maltrail-master__trails__static__suspicious__parking.txt": "parked.example.org\n",
    "maltrail-master__README.md": "words, and example.org\n",
}

BADERJ = {
    "domain_generation_algorithms-master__kraken__v1__example_domains.txt": "qwzxkv.example.org\n",
    "domain_generation_algorithms-master__suppobox__example_domains1.txt": (
        "gardenriver.example.net\nhousemarket.example.net\n"
    ),
    "domain_generation_algorithms-master__suppobox__words1.txt": "garden\nriver\n",
    "domain_generation_algorithms-master__kraken__dga.py": "print()\n",
}

SAMPLES = {
    "cloudflare-radar": Sample(b"domain\nexample.com\nexample.net\n", undated("example.com", "example.net")),
    "crux": Sample(
        gzip.compress(b"origin,rank\nhttps://www.example.com,1000\nhttps://m.example.net,5000\n"),
        undated("www.example.com", "m.example.net"),
    ),
    "hsts-preload": Sample(HSTS, undated("alpine-club.example"), malformed=1, passed_over=2),
    "majestic": Sample(MAJESTIC, undated("example.com", "xn--bcher-kva.example")),
    "misp-alexa": Sample(
        json.dumps(MISP).encode(),
        undated("example.com", "www.example.org", "sub.example.net"),
        malformed=1,
        addresses=1,
    ),
    "tranco": Sample(
        zipped(**{"top-1m.csv": "1,example.com\r\n2,example.org\r\n,\r\n"}),
        undated("example.com", "example.org"),
        malformed=1,
    ),
    "umbrella": Sample(
        zipped(**{"top-1m.csv": "1,www.example.com\r\n2,com\r\n3,cdn-1.example.net\r\n"}),
        undated("www.example.com", "cdn-1.example.net"),
        passed_over=1,
    ),
    "umbrella-archive": Sample(
        zipped(**{"top-1m.csv": "1,example.com\r\n"}), undated("example.com")
    ),
    "dga-baderj": Sample(
        zipped(**BADERJ),
        undated("qwzxkv.example.org", family="kraken")
        | undated("gardenriver.example.net", "housemarket.example.net", family="suppobox"),
        teaches={"qwzxkv.example.org": "dga", "gardenriver.example.net": "dga_dictionary"},
    ),
    "jarelllama": Sample(
        b"# Title: ours\n# Syntax: Wildcard Domains\n#\nscam.example.org\nshop.example.net # new\n",
        undated("scam.example.org", "shop.example.net"),
    ),
    "maltrail": Sample(
        zipped(**MALTRAIL),
        undated("gate.example.org", "panel.example.net", family="lumma")
        | undated("staff.example.org", family="apt_ours")
        | undated("landing.example.org", family="ek_ours"),
        addresses=1,
        passed_over=3,
        categories={
            "gate.example.org": "malware",
            "staff.example.org": "apt",
            "landing.example.org": "malware-infra",
        },
    ),
    "openphish": Sample(
        b"https://login.example.org/a#frag\nhttp://192.0.2.1/x\nhttps://u:p@mail.example.net/\nwords\n",
        undated("login.example.org", "mail.example.net"),
        malformed=1,
        addresses=1,
    ),
    "phishing-database": Sample(
        b"bait.example.org\nb\xc3\xbccher.example.net\nbad\xff.example\n",
        undated("bait.example.org", "xn--bcher-kva.example.net"),
        malformed=1,
    ),
    "phishtank": Sample(
        gzip.compress(PHISHTANK),
        {"www.bank-login.example.org": ("2026-06-19", "First Bank, Ltd")},
        addresses=1,
    ),
    "polkadot-phishing": Sample(
        json.dumps({"allow": ["fine.example"], "deny": ["airdrop.example.org", 7, "b.example"]}).encode(),
        undated("airdrop.example.org", "b.example", family="crypto"),
        malformed=1,
        passed_over=1,
    ),
    "scamblocklist": Sample(
        b"# hosts\n127.0.0.1 localhost\n0.0.0.0 a.example.org b.example.org # two\n"
        b"::1 ip6-localhost\n0.0.0.0 0.0.0.0\nno-address c.example.org\n",
        undated("a.example.org", "b.example.org"),
        malformed=1,
        passed_over=3,
    ),
    "stalkerware": Sample(
        STALKERWARE,
        {"sync.example.org": ("", "WatchThem"), "api.example.net": ("", "OtherApp")},
        malformed=1,
        addresses=1,
        categories={"sync.example.org": "stalkerware"},
    ),
    "threatfox": Sample(
        zipped(**{"full.csv": THREATFOX}),
        {
            "c2.example.org": ("2026-10-09", "Lumma Stealer"),
            "gate.example.com": ("2026-10-08", ""),
        },
        malformed=1,
        addresses=1,
        passed_over=1,
    ),
    "threatfox-hosts": Sample(
        b"# ThreatFox Host file\r\n127.0.0.1\tc2.example.org\r\n", undated("c2.example.org")
    ),
    "tweetfeed": Sample(
        TWEETFEED,
        {
            "login.example.com": ("2026-08-09", ""),
            "prize.example.net": ("2026-08-10", ""),
            "beacon.example.org": ("2026-08-11", "CobaltStrike"),
        },
        malformed=1,
        addresses=1,
        passed_over=1,
        teaches={
            "login.example.com": "phishing",
            "prize.example.net": "scam",
            "beacon.example.org": "malware",
        },
    ),
    "urlhaus": Sample(
        URLHAUS,
        {"files.example.org": ("2026-10-05", ""), "shop.example.net": ("2026-10-04", "")},
        malformed=1,
        addresses=1,
    ),
    "urlhaus-hosts": Sample(
        b"# URLhaus hostfile\n127.0.0.1\tfiles.example.org\n", undated("files.example.org")
    ),
}  # fmt: skip
# Lists of one publisher have one form.
SAMPLES |= dict.fromkeys(
    (
        *("misp-bank-website", "misp-cisco_top20k", "misp-majestic_million", "misp-tranco10k"),
        "misp-university_domains",
    ),
    SAMPLES["misp-alexa"],
)
