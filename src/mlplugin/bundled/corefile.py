"""The Corefile that `mlplugin up` writes, and the resolvers it forwards to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.ports import Endpoint, parse_endpoint
from mlplugin.errors import ConfigError, UsageError
from mlplugin.verdict import Level, Threat

ACTIONS = ("observe", "nxdomain", "nodata", "refuse", "drop", "sinkhole")
RESOLV_CONF = Path("/etc/resolv.conf")
FORWARD_TARGET = re.compile(r"(?:(dns|tls)://)?([^/%]+?)(%[\w.-]+)?")


@dataclass(frozen=True)
class Layout:
    """What a Corefile for `up` is made of. `rules` are checked `on` lines without the `on`.

    With `model_or_builtin` there need not be anything at `model` yet, at `shadow` never.
    """

    dns: Endpoint
    service: str
    spool: Path
    ready: Endpoint
    metrics: Endpoint
    forward: tuple[str, ...]
    rules: tuple[str, ...] = ()
    model: Path | None = None
    model_or_builtin: bool = False
    shadow: Path | None = None

    def text(self) -> str:
        """The Corefile.

        PROXY protocol headers are taken from this machine alone, so that `replay` can carry
        a capture's client addresses; everyone else's address is the one they send from.
        """
        rules = "".join(f"        on {rule}\n" for rule in self.rules)
        lasting = " or builtin" if self.model_or_builtin else ""
        model = f"        model {quoted(self.model)}{lasting}\n" if self.model else ""
        shadow = f"        shadow {quoted(self.shadow)}\n" if self.shadow else ""
        return f"""\
# Written by `mlplugin up` at every start. To change it, copy it and use `--corefile`.
.:{self.dns.port} {{
    bind {self.dns.host}
    proxyproto {{
        allow 127.0.0.1/32 ::1/128
    }}
    errors
    ready {self.ready}
    prometheus {self.metrics}
    mlplugin {{
{model}{shadow}{rules}        service {self.service}
        spool {quoted(self.spool)}
    }}
    cache
    forward . {" ".join(self.forward)} {{
        policy sequential
    }}
}}
"""


def quoted(path: Path) -> str:
    """Write a path as one Corefile word.

    Raises ConfigError for the characters that a Corefile cannot hold.
    """
    text = str(path)
    if any(mark in text for mark in '"\n{}$'):
        raise ConfigError(f"{text}: a Corefile cannot hold this path, choose one with --data")
    return f'"{text}"' if re.search(r"\s|#", text) else text


def check_rule(text: str) -> str:
    """Give an `on` rule as the Corefile has it: a verdict or threat, and an action.

    Raises UsageError.
    """
    subjects = [str(value) for value in (*Level, *Threat) if str(value) != str(Level.BENIGN)]
    words = text.split()
    if len(words) < 2 or words[0] not in subjects:
        raise UsageError(
            f'--on "{text}": write VERDICT|THREAT ACTION, where the first is '
            f"{', '.join(subjects)}, and the second is {', '.join(ACTIONS)}"
        )
    if words[1] not in ACTIONS:
        raise UsageError(f'--on "{text}": the action is one of {", ".join(ACTIONS)}')
    addresses = words[2:]
    if addresses and (words[1] != "sinkhole" or len(addresses) > 2):
        raise UsageError(f'--on "{text}": only sinkhole takes addresses, one IPv4 and one IPv6')
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise UsageError(f'--on "{text}": {address} is no IP address') from None
    return " ".join(words)


def uncovered(rules: Sequence[str]) -> str | None:
    """Say that rules act on suspicious names and forget malicious ones; None where they do not."""
    said = {words[0]: words[1] for words in map(str.split, rules)}
    if said.get(str(Level.SUSPICIOUS), ACTIONS[0]) == ACTIONS[0] or str(Level.MALICIOUS) in said:
        return None
    return (
        "--on 'suspicious …' says nothing of malicious names, which are only reported: add "
        "--on 'malicious nxdomain'"
    )


def forward_targets(given: Sequence[str], dns: Endpoint) -> tuple[str, ...]:
    """Where queries go: the targets given, or the machine's resolvers but not `dns` itself.

    Raises UsageError for a target that is none or `dns` itself, ConfigError if nothing is left.
    """
    if given:
        wanted = tuple(check_target(target) for target in given)
        if own := [target for target in wanted if _is(target, dns)]:
            raise UsageError(
                f"--forward {own[0]} is where this server listens, so that it would ask itself: "
                "name the resolver that it is to ask"
            )
        return wanted
    targets = tuple(target for target in system_resolvers() if not _is(target, dns))
    if not targets:
        raise ConfigError(
            f"{RESOLV_CONF} names no resolver to forward to: give one with --forward 192.0.2.53"
        )
    return targets


def check_target(target: str) -> str:
    """Give a forward target as CoreDNS takes it. Raises UsageError if it is none."""
    match = FORWARD_TARGET.fullmatch(target.strip())
    if match is None or not _host_is_address(match[2]):
        raise UsageError(
            f"--forward {target!r}: write 192.0.2.53, 192.0.2.53:5353, [2001:db8::53]:53 "
            "or tls://192.0.2.53"
        )
    return target.strip()


def _host_is_address(text: str) -> bool:
    bracketed = re.fullmatch(r"\[([^]]+)\](?::\d+)?", text)
    plain = re.fullmatch(r"([\d.]+)(?::\d+)?", text)
    host = bracketed[1] if bracketed else plain[1] if plain else text
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def system_resolvers(lines: Iterable[str] | None = None) -> list[str]:
    """The `nameserver` addresses of resolv.conf, at most three as in the C library."""
    if lines is None:
        try:
            lines = RESOLV_CONF.read_text(errors="replace").splitlines()
        except OSError:
            return []
    words = [line.split() for line in lines]
    found = [row[1] for row in words if len(row) > 1 and row[0] == "nameserver"]
    return [address for address in found if _host_is_address(address.partition("%")[0])][:3]


def _is(target: str, dns: Endpoint) -> bool:
    """Whether forwarding to a resolver would ask ourselves, round and round."""
    scheme, _, place = target.rpartition("://")
    try:
        there = parse_endpoint(place.partition("%")[0], 53)
    except UsageError as fault:
        raise UsageError(f"--forward {target}: {fault}") from None
    if scheme == "tls" or there.port != dns.port:
        return False
    address, own = ipaddress.ip_address(there.host), ipaddress.ip_address(dns.host)
    ours = own.is_unspecified or own.is_loopback
    return (
        address == own
        or (own.is_unspecified and address.is_loopback)
        or (address.is_unspecified and ours)
    )
