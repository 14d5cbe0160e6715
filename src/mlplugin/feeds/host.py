"""The host name in what feeds write: URLs, wildcards, ports, defanged dots."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse

from mlplugin.errors import InvalidNameError
from mlplugin.qname import canonical

LONGEST = 253
# Names as they mostly are; the last label is never a number, or it would be an address.
_PLAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{0,62}")
_PORT = re.compile(r":\d{1,5}$")
LOCAL = frozenset({"localhost.localdomain", "local.localdomain"})


class NotPublicError(InvalidNameError):
    """A name of one label, or one that means this machine: nothing to learn from."""


class AddressError(InvalidNameError):
    """An address in place of a name."""


def host_of(text: str) -> str:
    """Give the canonical name of the host that a text names.

    >>> host_of("hxxps://user@Login[.]Example.ORG:8443/path?x=1")
    'login.example.org'

    Raises:
        AddressError: if it is an address.
        NotPublicError: if it has one label, or means this machine.
        InvalidNameError: if it is no host name.
    """
    if len(text) <= LONGEST and _PLAIN.fullmatch(text) and text not in LOCAL:
        return text
    name = _host(text.strip())
    if _is_address(name):
        raise AddressError("an address")
    name = canonical(name.removeprefix("*.").removeprefix("."))
    if "." not in name.strip(".") or name in LOCAL:
        raise NotPublicError("a name of one label, or of this machine")
    if len(name) > LONGEST or not _PLAIN.fullmatch(name):
        raise InvalidNameError("no host name")
    return name


def _host(text: str) -> str:
    """The host of a URL, or the text without port and path."""
    text = text.replace("[.]", ".").replace("(.)", ".")
    if text[:4].lower() == "hxxp":
        text = "http" + text[4:]
    if "/" not in text and "@" not in text:
        return text if text.count(":") > 1 else _PORT.sub("", text)
    try:
        host = urllib.parse.urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError as error:
        raise InvalidNameError("no URL") from error
    return host or ""


def _is_address(text: str) -> bool:
    bare = text.strip("[]").partition("%")[0]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        # 192.0.2.999 and 0x7f.1 are no addresses that Python knows, and no names either.
        last = bare.rstrip(".").rpartition(".")[2]
        return last.isdecimal() and not bare.strip("0123456789.")
    return True
