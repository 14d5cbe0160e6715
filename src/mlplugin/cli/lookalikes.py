"""Texts that DNS could carry as names, and that people give when they mean something else.

Every byte may stand in a name, so that a URL is one too; a verdict on it would be none on its
host. A name that really looks so can be given with an escape: ``example.org\\:53``.
"""

from __future__ import annotations

import ipaddress
import re

from mlplugin.qname import escaped

LONGEST = 4096  # nobody reads on to the end of more
# What none of them is without; nearly no name has any of it.
_CLUE = re.compile(r"[:/@?#\[|]|\A[\d.]+(?:\s|\Z)")
# A host name of the usual kind: two labels or more, none with an underscore first, as services
# have it, and the last with a letter first.
_HOST = r"(?:[^\W_][\w-]*\.)+[^\W\d_][\w-]*\.?"
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//(?:[^/@?#]*@)?(\[[^]]*\]|[^/:?#]*)", re.I)
_PATH = re.compile(rf"({_HOST})(?::\d+)?[/?#]")
_PORT = re.compile(r"(\[[^]]*\]|[^:/@]+):\d{1,5}")
_MAIL = re.compile(rf"(?:mailto:)?[^@\s]+@({_HOST})", re.I)
_HOSTS = re.compile(r"(?:[\d.]++|[\da-f]*+:[\da-f:.]*+(?:%\w++)?)\s++([^\s#]++)(?:\s.*)?", re.I)
_RULE = re.compile(rf"(?:@@)?\|\|({_HOST})\^?(?:\$.*)?", re.I)
_DEFANGED = re.compile(r"\[\.\]|\[:\]|\[dot\]", re.I)


def mistaken(text: str) -> str | None:
    """Say what a text looks like, if not like a name, and what to give in its place."""
    if len(text) > LONGEST or _CLUE.search(text) is None or "\\" in text:
        return None
    if _DEFANGED.search(text):
        plain = _DEFANGED.sub(lambda found: ":" if ":" in found[0] else ".", text)
        return f"looks like a name that was made harmless: give it as it is, {escaped(plain)}"
    if said := _no_single_name(text):
        return said
    for kind, found in (
        ("a URL", _URL.match(text) or _PATH.match(text)),
        ("a host with a port", _PORT.fullmatch(text)),
    ):
        if found:
            return f"looks like {kind}{_instead(found[1])}"
    if found := _MAIL.fullmatch(text):
        return f"looks like an e-mail address: give the domain alone, {escaped(found[1])}"
    return None


def _no_single_name(text: str) -> str | None:
    if found := _HOSTS.fullmatch(text):
        return f"looks like a line of a hosts file: give the names alone, {escaped(found[1])}"
    if found := _RULE.fullmatch(text):
        return f"looks like a rule of an ad blocker: give the name alone, {escaped(found[1])}"
    if _is_address(text):
        return "looks like an IP address: only names are judged, give the name that led to it"
    return None


def _instead(host: str) -> str:
    if not host or _is_address(host):
        return " without a name: only names are judged"
    return f": give the name alone, {escaped(host)}"


def _is_address(text: str) -> bool:
    """Whether it is an IP address, with a zone, in brackets, or a network."""
    try:
        ipaddress.ip_interface(text.strip("[]").removesuffix("."))
    except ValueError:
        return False
    return True
