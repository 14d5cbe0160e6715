"""Names and types as text: presentation form, what Zeek writes, plain lists."""

from __future__ import annotations

import re

import dns.rdatatype
from dns.exception import DNSException

from mlplugin.errors import MlpluginError
from mlplugin.qname import canonical
from mlplugin.replay.query import SkippedError

ESCAPE = re.compile(rb"\\(?:(\d\d\d)|(.))", re.S)
ZEEK_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(\\))")


def labels_of(text: str) -> list[bytes]:
    """Read a name as DNS tools write it (`\\DDD`, `\\.`); other scripts become A-labels.

    Raises SkippedError if it is no name.
    """
    if text == ".":
        return []
    if not text.isascii():
        try:
            text = canonical(text)
        except MlpluginError:
            raise SkippedError("a name that is no valid domain name") from None
    text = text[:-1] if text.endswith(".") and not text.endswith("\\.") else text
    if "\\" not in text:
        return text.encode().split(b".")
    return _unescaped(text.encode())


def _unescaped(text: bytes) -> list[bytes]:
    labels, current, at = [], bytearray(), 0
    while at < len(text):
        if text[at] == 0x2E:
            labels.append(bytes(current))
            current.clear()
            at += 1
            continue
        match = ESCAPE.match(text, at)
        if match is None and text[at] == 0x5C:
            raise SkippedError("a name that ends in a backslash")
        if match is None:
            current.append(text[at])
            at += 1
            continue
        value = int(match[1]) if match[1] else match[2][0]
        if value > 255:
            raise SkippedError("an escape over \\255")
        current.append(value)
        at = match.end()
    return [*labels, bytes(current)]


def zeek_labels(text: str) -> list[bytes]:
    """Read a name as Zeek logs it: octets outside printable ASCII as `\\xHH`.

    A dot inside a label cannot be told from one between labels: Zeek does not mark it.
    """
    octets = text.encode("utf-8", "surrogateescape")
    if b"\\" in octets:
        octets = ZEEK_ESCAPE.sub(
            lambda match: bytes((int(match[1], 16),)) if match[1] else b"\\", octets
        )
    if octets in {b"", b"."}:
        return []
    return octets.removesuffix(b".").split(b".")


def qtype_of(text: str) -> int | None:
    """Give the number of a query type such as `AAAA` or `TYPE65`, None if it is none."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text):
        return None
    try:
        return int(dns.rdatatype.from_text(text))
    except (DNSException, ValueError):
        return None
