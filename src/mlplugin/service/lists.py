"""Lists of names as the plugin reads them: one name a line, hosts files, adblock's ``||name^``.

Addresses in them say something about answers, which are not judged again, and are passed over.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from mlplugin.errors import InvalidNameError, UsageError
from mlplugin.qname import canonical
from mlplugin.service.overrides import lineage

_PLAIN = re.compile(r"(?=.{1,253}\Z)[\w-]{1,63}(?:\.[\w-]{1,63})*", re.A)
# Options of adblock that do not narrow a rule to what DNS cannot see.
_OPTIONS = frozenset({"", "all", "important", "document", "doc"})
_MACHINE = "localhost.localdomain"


class Lists:
    """Names that are allowed or denied, each with all below it."""

    def __init__(self) -> None:
        self._allowed: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def __len__(self) -> int:
        return len(self._allowed)

    def add(self, name: str, *, allowed: bool) -> None:
        """List a canonical name; on both sides it is allowed."""
        self._allowed[name] = allowed or self._allowed.get(name, False)

    def match(self, qname: str) -> bool | None:
        """Whether a canonical name is allowed; None where nothing is said. The longest wins."""
        for name in lineage(qname):
            found = self._allowed.get(name)
            if found is not None:
                return found
        return None

    def read(self, path: Path, *, allowed: bool) -> int:
        """Add a file; how many lines were not understood.

        Raises UsageError where it cannot be read, or is no list.
        """
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as fault:
            raise UsageError(f"list {path} cannot be read: {fault.strerror}") from None
        return self.take(text.splitlines(), allowed=allowed, what=f"list {path}")

    def take(self, lines: Iterable[str], *, allowed: bool, what: str) -> int:
        """Add lines; how many were not understood. Raises UsageError if those are the majority."""
        understood, wrong, first = 0, 0, 0
        for number, line in enumerate(lines, 1):
            found = _parsed(line)
            if found is None:
                wrong += 1
                first = first or number
                continue
            names, exception = found
            understood += 1 if names else 0
            for name in names:
                self.add(name, allowed=allowed or exception)
        if wrong > understood:
            raise UsageError(
                f"{what}: line {first}: this is no list: {wrong} lines were not understood, "
                f"{understood} were; it takes names, hosts files and adblock ||name^ lists"
            )
        return wrong


Line = tuple[list[str], bool]


def _parsed(line: str) -> Line | None:
    """The names of a line and whether it is an exception; None where it is not understood."""
    line = line.removeprefix("\ufeff").strip()
    if not line or line[0] in "#!" or (line[0] == "[" and line[-1] == "]"):
        return [], False
    if line.startswith(("||", "@@")):
        return _adblock(line)
    words = line.split()
    for at, word in enumerate(words):
        if word.startswith("#"):
            words = words[:at]
            break
    if len(words) > 1:
        return _hosts(words)
    if _is_network(words[0]):
        return [], False
    name = _name(words[0].removeprefix("*").removeprefix("."))
    return None if name is None else ([name], False)


def _adblock(line: str) -> Line | None:
    exception = line.startswith("@@")
    line = line.removeprefix("@@")
    if not line.startswith("||"):
        return None
    pattern, _, options = line.removeprefix("||").partition("$")
    if not _OPTIONS.issuperset(options.split(",")):
        return None
    pattern = pattern.removesuffix("|").removesuffix("^")
    if _is_network(pattern):
        return [], exception
    name = _name(pattern.removeprefix("*."))
    return None if name is None else ([name], exception)


def _hosts(words: list[str]) -> Line | None:
    """An address and its names; those of the machine itself have one label and are left out."""
    if not _is_network(words[0]):
        return None
    names = []
    for word in words[1:]:
        if _is_network(word):
            continue
        name = _name(word)
        if name is None:
            return None
        if "." in name and name != _MACHINE:
            names.append(name)
    return names, False


def _name(text: str) -> str | None:
    try:
        name = canonical(text)
    except InvalidNameError:
        return None
    return name if _PLAIN.fullmatch(name) else None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
