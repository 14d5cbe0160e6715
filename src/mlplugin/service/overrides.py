"""Which decision of a person holds for a name and a client; the plugin's rules, in Python.

Of several that match, the more specific client wins (an address, then a longer prefix, then
everyone), then the more specific name (`scope: name` before the longest `subdomains`), then
the newest. One that has expired does not match. `testdata/golden/overrides.json` holds both
languages to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from mlplugin.errors import UsageError
from mlplugin.store.port import Network, Override
from mlplugin.verdict import Level, Reason, Source, Verdict

Address = IPv4Address | IPv6Address

BENIGN, BLOCKED, HONEYPOT = "benign", "blocked", "honeypot"
STATUSES = (BENIGN, BLOCKED, HONEYPOT)
NAME, SUBDOMAINS = "name", "subdomains"
# The score of what a person has condemned.
HIGHEST_SCORE = 60.0


def parse_client(text: str) -> Network:
    """Read an address or a subnet; IPv4 written as IPv6 becomes IPv4, bits behind the prefix 0.

    Raises UsageError.
    """
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise UsageError(
            f"client {text[:60]!r} is no address and no subnet: write 192.0.2.1 or 192.0.2.0/24"
        ) from None
    if isinstance(network, IPv6Network):
        if network.network_address.scope_id:
            raise UsageError(f"client {text[:60]!r}: leave the zone out")
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return ip_network((mapped, network.prefixlen - 96), strict=False)
    return network


def parse_address(text: str) -> Address:
    """Read one address, IPv4 written as IPv6 as IPv4. Raises UsageError."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise UsageError(f"{text[:60]!r} is no IP address") from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Overrides:
    """All decisions of one moment; they never change."""

    def __init__(self, overrides: Iterable[Override]) -> None:
        self._by_name: dict[str, list[Override]] = {}
        for override in overrides:
            self._by_name.setdefault(override.name, []).append(override)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def match(self, qname: str, client: Address | None, at: datetime) -> Override | None:
        """Give the one that holds for a canonical name and a client; None for no client known."""
        best: tuple[tuple[int, bool, int, datetime], Override] | None = None
        for name in lineage(qname):
            for override in self._by_name.get(name, ()):
                if not _holds(override, qname, client, at):
                    continue
                rank = _rank(override)
                if best is None or rank > best[0]:
                    best = (rank, override)
        return best[1] if best else None


def lineage(qname: str) -> Iterator[str]:
    """Give the name and each name above it, the root left out unless it is asked for."""
    yield qname
    at = 0
    while at < len(qname):
        if qname[at] == "\\":
            at += 2  # the character behind is part of a label, be it a dot
            continue
        if qname[at] == "." and at + 1 < len(qname):
            yield qname[at + 1 :]
        at += 1


def _holds(override: Override, qname: str, client: Address | None, at: datetime) -> bool:
    if override.scope == NAME and override.name != qname:
        return False
    if override.client is not None and (client is None or client not in override.client):
        return False
    return override.expires is None or at < override.expires


def _rank(override: Override) -> tuple[int, bool, int, datetime]:
    bits = -1 if override.client is None else override.client.prefixlen
    return bits, override.scope == NAME, len(override.name), override.created


def overruled(verdict: Verdict, override: Override) -> Verdict:
    """Give the verdict that a decision makes of the model's."""
    condemned = override.status != BENIGN
    said = f"{override.status}: {override.reason}" if override.reason else override.status
    return Verdict(
        qname=verdict.qname,
        registered_domain=verdict.registered_domain,
        level=Level.MALICIOUS if condemned else Level.BENIGN,
        threat=None,
        score=HIGHEST_SCORE if condemned else 0.0,
        source=Source.OVERRIDE,
        model=verdict.model,
        reasons=(Reason("override", said, 0.0),),
        scores=verdict.scores,
    )
