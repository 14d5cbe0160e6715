"""Hosts of networks: reverse names, servers, tunnels and clocks, universities, mirrors, homes."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlplugin.training.ordinary.parts import COUNTRIES, HEX, Maker, address, from_patterns, text

_TOWNS = (
    "bergen", "leiden", "graz", "padova", "lyon", "sevilla", "coimbra", "krakow", "brno", "szeged",
    "lund", "turku", "aarhus", "tartu", "riga",
    "zagreb", "ljubljana", "patras", "izmir", "haifa", "cairo", "nairobi", "durban", "lagos",
    "delhi", "pune", "kyoto", "osaka", "sendai", "busan",
    "taipei", "hanoi", "manila", "perth", "otago", "laval", "regina", "toledo", "austin", "boise",
    "quito", "bogota", "cuenca", "cordoba", "recife",
    "bremen", "kassel", "ulm", "jena", "rostock", "siegen", "liege", "gent", "delft", "nantes",
    "rennes", "bari", "pisa", "siena", "bilbao", "porto",
)  # fmt: skip
_ACADEMIC = (
    "ac.uk", "ac.jp", "ac.at", "ac.nz", "ac.in", "ac.kr", "edu", "edu.au", "edu.cn", "edu.br",
    "edu.tr", "edu.pl", "edu.tw", "edu.mx", "edu.co",
)  # fmt: skip
_FACULTIES = (
    "cs", "math", "physics", "lib", "med", "chem", "inf", "phil", "law", "eng", "ee", "bio",
    "stud", "vpn", "moodle", "webmail", "idp", "www", "hpc", "nic",
)  # fmt: skip

reverse = from_patterns(
    "{-}.dyn.{d}", "{-}.static.{d}", "{-}.pool.{d}", "{-}.rev.{d}", "ip-{-}.{d}",
    "host-{-}.{d}", "{a}.static.{d}", "{a}.dynamic.{d}", "{a}.in-addr.{d}",
    "cpe-{-}.{l4-8}.res.{d}", "c-{-}.hsd1.{l2}.{d}", "pool-{-}.{l4-6}.fios.{d}",
    "adsl-{-}.dsl.{l5}.{d}", "dsl{n3}-{n3}.{d}", "ppp-{-}.home.{d}",
    "p{h8}.dip0.{d}", "p{h16}.dip0.t-ipconnect.de", "ip{h8}.dynamic.{d}", "dyn-{-}.{l3}.{d}",
    "client-{-}.{c}.{d}", "customer-{-}.{d}", "{n3}-{n3}-{n2}.adsl.{d}",
    "static-{-}.{l4}.{d}", "unn-{-}.{d}", "h-{-}.{h4}.bahnhof.{d}",
    "bras-base-{l4}pq{n4}w-grc-{n2}-{-}.dsl.{d}", "{h12}.cm.{d}", "cable-{-}.{d}",
    "fttx-{-}.{d}",
    "mobile-{-}.mycingular.net", "s{h16}.cg.{d}", "d{h2}-{h2}-{h2}-{h2}.{d}",
    "{l3}{n2}-{n1}-{-}.fbx.proxad.net", "lfbn-{l3}-{n1}-{n3}-{n3}.w{n2}-{n3}.abo.{d}",
    "{h4}-{h4}-{h4}-{h4}.ipv6.{d}", "2a02-{h4}-{h4}-{h4}-{h4}-{h4}-{h4}.ip6.{d}",
    "dynamic-{n3}-{n3}-{n3}-{n3}.{n3}.{n3}.pool.{d}", "x{h8}.dyn.{d}",
    "node-{x4}.pool-{-}.dynamic.{d}",
    "vps{n6}.ovh.net", "vps-{h8}.vps.ovh.net", "ns{n6-7}.ip-{-}.{c}",
    "static.{a}.clients.your-server.de", "li{n3-4}-{n2-3}.members.linode.com",
    "{-}.ip.linodeusercontent.com",
    "srv{n6}.hstgr.cloud", "{-}.vultrusercontent.com", "ecs-{-}.compute.hwclouds-dns.com",
    "vm{n5}.{d}", "s{n3-5}.{d}", "{h8}.setaptr.net", "ae-{n1}.r{n2}.{l6}{n2}.{c}.bb.{d}",
    "xe-{n1}-{n1}-{n1}.cr{n1}-{l3}{n1}.{d}",
)  # fmt: skip

servers = from_patterns(
    "{u}.{d}", "{h8-32}.{d}", "{x8-20}.cdn.{d}", "{x8-20}.api.{d}", "{x8-20}.edge.{d}",
    "ip-{-}.{r}.{d}", "srv{n1-3}.{d}", "node{n1-3}.{d}", "ns{n1-2}.{d}", "dns{n1}.{d}",
    "web{n1-3}.{d}",
    "pc{n1-3}.{d}", "desktop-{x7}.{d}", "laptop-{x8}.{d}", "win-{x11}.{d}",
    "{l3}-{l3}-{l2}{n2}.{d}", "{l2}{n2}-{l3}{n3}.{d}", "db-{n2}.{l3}.{d}", "k8s-{x5}.{d}",
    "{w}-{h8-10}-{x5}.{d}", "esx{n2}.{d}",
    "fw-{l3}.{d}", "sw{n2}-{l2}.{d}", "ilo-{x10}.{d}", "prod-{l3}-{n2}.{d}", "i-{h17}.{d}",
    "{w}-{n1-2}.{r}.{d}", "{x6}.prod.{d}", "{l4}{n4}.corp.{d}", "{l1}{n5-6}.{d}",
    "build-{h7}.ci.{d}", "pr-{n3-4}.{d}", "{h40}.preview.{d}",
    "registry-{n1}.{d}", "git-{l3}.{d}", "backup{n2}.{d}", "nas-{l4}.{d}", "cam{n2}.{d}",
    "printer-{n3}.{d}", "voip{n1}.{d}", "sbc-{l3}{n1}.{d}", "{n4}.voip.{d}", "a.ns-{l3}.{d}",
    "pdns{n1}.{d}", "ns-{n3-4}.awsdns-{n2}.com", "ns-{n3-4}.awsdns-{n2}.co.uk",
    "ns{n1}-{n2}.azure-dns.com", "{l3-6}.ns.cloudflare.com", "dns{n1}.p{n2}.nsone.net",
    "{w}.dnsimple.{d}", "{l1}.{l3}-servers.{d}", "ns{n2}.domaincontrol.com",
    "{h8}.{d}.cust.{d}", "{x20}.{r}.{d}", "{w}.internal.{d}", "{u}.{r}.{d}",
)  # fmt: skip

tunnels = from_patterns(
    "vpn{n1-2}.{d}", "vpn-{l3}.{d}", "sslvpn.{d}", "remote.{d}", "gp-{l3}.{d}", "ra{n1}.{d}",
    "anyconnect.{d}", "gateway-{l3}.gpcloudservice.com", "{w}-{l2}{n1}.gpcloudservice.com",
    "{l2}{n1-4}.{w}vpn.com", "{l2}-{l3}.{w}vpn.com", "{l2}-{l3}-wg-{n3}.{d}",
    "{c}{n3-4}.nordvpn.com", "{c}-{l3}-v{n3}.prod.surfshark.com", "stun{n1}.{d}", "stun.{d}",
    "stun.l.{d}", "turn-{l2}{n1}.{d}", "turn{n1}.{d}", "stun-{l3}-{n1}.{d}", "global.stun.{d}",
    "{n1}.{w}.pool.ntp.org", "{n1}.{c}.pool.ntp.org", "{n1}.vendor-{w}.pool.ntp.org",
    "ntp{n1}.{d}", "time{n1}.{d}", "ntp-{n1}.{l3}.{d}", "clock.{d}", "ntp.{l3}.{d}",
    "tick.{d}", "tock.{d}", "sip{n1}.{d}", "sip-{l3}.{d}", "edge-{l3}.{d}", "ts-{h8}.{d}",
    "derp{n1-2}.tailscale.com", "{w}.tail{h5}.ts.net", "{l6}-{l6}.ts.net", "n{h8}.{d}",
    "captive.{d}", "captiveportal.{d}", "wifi.{d}", "guest-{l3}.{d}", "portal-{l3}.{d}",
    "hotspot.{d}", "wlan-{l3}.{d}", "splash-{n2}.{d}", "n{n2-3}.network-auth.com",
    "connectivitycheck.{d}", "detectportal.{d}", "nmcheck.{d}", "probe-{x8}.{d}",
    "{x16}.test-ipv6.{d}", "ipv4.{x12}.probe.{d}",
)  # fmt: skip

mirrors = from_patterns(
    "mirror.{d}", "mirrors.{d}", "mirror{n1-2}.{d}", "ftp.{d}", "ftp{n1}.{c}.{d}",
    "archive.{d}", "packages.{d}", "repo.{d}", "deb.{d}", "rpm.{d}", "yum.{d}", "apt.{d}",
    "dl{n1}.{d}", "dl-{l3}.{d}", "pkg.{d}", "{c}.archive.ubuntu.com", "ftp.{c}.debian.org",
    "mirror.{c}.{d}",
    "mirrors.{w}.{c}", "mirror.{w}.net", "linux.{d}", "cran.{d}", "ctan.{d}", "rsync.{d}",
    "{w}.mirrorservice.{d}", "releases-{h6}.{d}", "nexus.{d}", "artifactory.{d}", "npm.{d}",
    "pypi.{d}", "maven.{d}", "registry.{d}", "registry-{l2}.{d}", "cdn{n2}-{c}.{d}",
    "download{n1}.{d}", "{x8}.dl.{d}",
)  # fmt: skip

homes = from_patterns(
    "{w}.ddns.net", "{w}{n2}.ddns.net", "{w}-nas.synology.me", "{w}.synology.me",
    "{w}.diskstation.me", "{w}{n2}.myds.me", "{x16}.myfritz.net", "{x15}.myfritz.net",
    "{w}.mynetgear.com", "{w}.asuscomm.com", "{h32}.asuscomm.com", "{w}.dyndns.org",
    "{w}-home.dyndns.org", "{w}.homeip.net", "{w}.dynu.net",
    "{w}.freeddns.org", "{w}.no-ip.org", "{w}.hopto.org", "{w}.zapto.org", "{w}.duckdns.org",
    "{w}ha.duckdns.org", "{x32}.ui.nabu.casa", "{-}.{h32}.plex.direct",
    "{n3}-{n3}-{n1}-{n2}.{h32}.plex.direct", "{w}.myqnapcloud.com", "{l2}-{w}.myqnapcloud.com",
    "{w}.direct.quickconnect.to", "{w}.de3.quickconnect.to", "{x8}.sn.mynetname.net",
    "{h12}.sn.mynetname.net",
    "{w}.spdns.de", "{w}.dnshome.de", "{w}.tplinkdns.com", "{w}.dlinkddns.com",
    "{w}.webhop.net", "{w}.selfip.com", "{w}.goip.de", "{w}.dnsalias.com", "{w}.homelinux.org",
    "{w}.homeunix.com", "r{x9}.keenetic.pro", "{w}.keenetic.link", "{h24}.keenetic.io",
    "{w}.netbird.cloud", "{w}.loginto.me", "{h16}.wd2go.com", "device{n7}-{h8}.wd2go.com",
    "{x20}.remotewd.com", "{n10}.dyn.{d}", "{w}.remote.{d}",
)  # fmt: skip


def university(rng: random.Random, _: Sequence[str]) -> str:
    """A host of a university."""
    town, faculty = rng.choice(_TOWNS), rng.choice(_FACULTIES)
    form = rng.randrange(5)
    if form == 0:
        return f"{faculty}.{town}.{rng.choice(_ACADEMIC)}"
    if form == 1:
        kind = rng.choice(("uni", "tu", "fh", "hs", "univ", "th"))
        return f"{faculty}.{kind}-{town}.{rng.choice(('de', 'fr', 'at', 'pl'))}"
    if form == 2:
        return f"{faculty}{rng.randint(1, 60):02}.{faculty}.{town}.{rng.choice(_ACADEMIC)}"
    if form == 3:
        prefix = rng.choice(("uni", "univ", "unive", "u", "tu", "college"))
        return f"{faculty}.{prefix}{town}.{rng.choice(('edu', 'it', 'es', 'cz', 'lt', 'ro'))}"
    initials = text(rng, "acdefhimnprstuvw", 2, 4)
    return f"{faculty}.{initials}.{rng.choice((*_ACADEMIC, *COUNTRIES))}"


def mapped(rng: random.Random, domains: Sequence[str]) -> str:
    """An address as hexadecimal digits, or with a network's own letters around it."""
    number = f"{rng.getrandbits(32):08x}"
    form = rng.randrange(4)
    domain = rng.choice(domains)
    if form == 0:
        net = rng.choice(("cst", "dyn", "virtua", "kabel", "cust", "skybroadband"))
        return f"{number}.{net}.{domain}"
    if form == 1:
        return f"{rng.choice(('host', 'ip', 'user', 'd', 'ipv6', 'net'))}{number}.{domain}"
    if form == 2:
        whole = address(rng, "-").split("-")
        return f"{'x'.join(whole)}.{rng.choice(('ap', 'pp', 'static', 'fixed'))}.{domain}"
    return f"{text(rng, HEX, 4)}-{text(rng, HEX, 4)}-{number}.{rng.choice(('v6', 'res'))}.{domain}"


KINDS: tuple[Maker, ...] = (reverse, servers, tunnels, mirrors, homes, university, mapped)
