"""Domain names in canonical form, the one that everything here works on.

Lower case, A-labels, no trailing dot, the root written ``.``. The bytes 0x21 to 0x7e of
a label stand for themselves, save ``.`` and a backslash, which have one before them;
every other byte is ``\\DDD``, decimal (RFC 1035, 5.1). At most 255 octets on the wire,
63 a label.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import idna

from mlplugin.errors import InvalidNameError

ROOT = "."
LONGEST_WIRE = 255
LONGEST_LABEL = 63

# The text of each byte of a label.
_TEXT = [chr(byte) if 0x21 <= byte <= 0x7E else f"\\{byte:03d}" for byte in range(256)]
_TEXT[ord(".")] = "\\."
_TEXT[ord("\\")] = "\\\\"
for _upper in range(ord("A"), ord("Z") + 1):
    _TEXT[_upper] = chr(_upper).lower()


def canonical(text: str) -> str:
    """Read a name as people and tools write it, and give its canonical form.

    Takes either case, a trailing dot, ``\\DDD`` and ``\\X`` escapes, and other scripts, which
    become A-labels by the mapping of UTS 46. A label of other scripts cannot hold escapes.

    Raises:
        InvalidNameError: if it is no name that DNS can carry, or has a space or a control
            character that is not escaped.
    """
    if not text.isascii():
        text = _mapped(text)
    if text == ROOT:
        return ROOT
    if not text:
        raise InvalidNameError("the name is empty")
    return from_wire(_labels(text))


def from_wire(labels: Iterable[bytes]) -> str:
    """Give the canonical form of a name from the octets of its labels.

    An empty label at the end is the root and is left out.

    Raises:
        InvalidNameError: if a label is empty or too long, or the whole name is too long.
    """
    parts = list(labels)
    if parts and not parts[-1]:
        parts.pop()
    octets = 1
    for label in parts:
        if not label:
            raise InvalidNameError("an empty label: two dots in a row, or one at the start")
        if len(label) > LONGEST_LABEL:
            raise InvalidNameError(f"a label of {len(label)} octets: {LONGEST_LABEL} is the most")
        octets += 1 + len(label)
    if octets > LONGEST_WIRE:
        raise InvalidNameError(
            f"{octets} octets: {LONGEST_WIRE} is the most, the length of every label counted in"
        )
    return ".".join(["".join([_TEXT[byte] for byte in label]) for label in parts]) or ROOT


def escaped(text: str) -> str:
    """Give any text so that it can be shown: printable ASCII, else ``\\DDD`` of its UTF-8."""
    octets = text.encode("utf-8", "surrogateescape" if _is_escaped_bytes(text) else "replace")
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03d}" for byte in octets)


def split_labels(name: str) -> list[str]:
    """Give the labels of a canonical name as they stand in it; none for the root."""
    if name == ROOT:
        return []
    if "\\" not in name:
        return name.split(".")
    labels, start, at = [], 0, 0
    while at < len(name):
        if name[at] == "\\":
            at += 1
        elif name[at] == ".":
            labels.append(name[start:at])
            start = at + 1
        at += 1
    return [*labels, name[start:]]


def _is_escaped_bytes(text: str) -> bool:
    """Whether all lone surrogates stand for undecodable bytes, as file systems and pipes give."""
    return all("\udc80" <= char <= "\udcff" for char in text if "\ud800" <= char <= "\udfff")


def _mapped(text: str) -> str:
    """Map other scripts to ASCII, label by label, leniently: DNS carries more than IDNA allows."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidNameError("bytes that are no UTF-8")
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise InvalidNameError(
            f"a character that no name can have: {escaped(str(error))}"
        ) from error
    if mapped.count("\\") != text.count("\\"):
        raise InvalidNameError("a character that turns into a backslash")
    mapped = unicodedata.normalize("NFC", mapped)
    return ".".join([_a_label(label) for label in mapped.split(".")])


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    if "\\" in label:
        raise InvalidNameError("a label with both an escape and another script")
    return "xn--" + label.encode("punycode").decode("ascii")


def _labels(text: str) -> list[bytes]:
    """Split ASCII text at its dots and take its escapes away."""
    labels = [bytearray()]
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == ".":
            labels.append(bytearray())
            continue
        if char == "\\":
            if text[at : at + 1].isdigit():
                labels[-1].append(_decimal(text[at : at + 3]))
                at += 3
                continue
            if at == len(text):
                raise InvalidNameError("a backslash at the end: escape it with another")
            char = text[at]
            at += 1
        elif not "\x21" <= char <= "\x7e":
            kind = "a space" if char == " " else f"the control character {ord(char)}"
            raise InvalidNameError(f"{kind} inside the name: write it \\{ord(char):03d}")
        labels[-1].append(ord(char))
    return [bytes(label) for label in labels]


def _decimal(digits: str) -> int:
    if len(digits) < 3 or not digits.isdigit() or int(digits) > 255:
        raise InvalidNameError(f"the escape \\{digits}: three digits from 000 to 255 are wanted")
    return int(digits)
