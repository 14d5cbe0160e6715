"""Lists are read as the plugin reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.errors import UsageError
from mlplugin.service.lists import Lists

# The lines of the plugin's own test of formats, and what each of them lists.
LINES = [
    ("", []),
    ("  # comment", []),
    ("! comment", []),
    ("[Adblock Plus 2.0]", []),
    ("\ufeffexample.org", ["example.org"]),
    ("Example.ORG.", ["example.org"]),
    ("*.example.org", ["example.org"]),
    (".example.org # why", ["example.org"]),
    ("bücher.example", ["xn--bcher-kva.example"]),
    ("0.0.0.0 a.example b.example # two", ["a.example", "b.example"]),
    ("::1 localhost ip6-localhost", []),
    ("127.0.0.1 localhost.localdomain", []),
    ("||ads.example^", ["ads.example"]),
    ("||ads.example^$important", ["ads.example"]),
    ("||*.ads.example^|", ["ads.example"]),
    ("192.0.2.0/24", []),
    ("||192.0.2.1^", []),
]
FAULTS = ["||ads.example/path^", "||ads.example^$script", "@@ads.example", "a b", "http://a.example/",
          "a..b", "x" * 64 + ".example"]  # fmt: skip


@pytest.mark.parametrize(("line", "names"), LINES)
def test_a_line(line: str, names: list[str]) -> None:
    lists = Lists()
    assert lists.take([line, "other.example"], allowed=False, what="list") == 0
    assert len(lists) == len(names) + 1
    for name in names:
        assert lists.match(name) is False
        assert lists.match(f"www.{name}") is False


@pytest.mark.parametrize("line", FAULTS)
def test_a_line_that_is_not_understood(line: str) -> None:
    assert Lists().take([line, "other.example"], allowed=False, what="list") == 1
    with pytest.raises(UsageError, match="deny: line 2: this is no list: 1 lines"):
        Lists().take(["", line], allowed=False, what="deny")


def test_the_longest_wins_and_allowed_wins_a_tie() -> None:
    lists = Lists()
    lists.take(["a.example", "b.a.example", "@@||c.example^"], allowed=False, what="deny")
    lists.take(["b.a.example", "x.c.example"], allowed=True, what="allow")
    assert lists
    assert lists.match("a.example") is False
    assert lists.match("www.b.a.example") is True
    assert lists.match("c.example") is True
    assert lists.match("example") is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Lists().read(tmp_path / "none.txt", allowed=False)
    place = tmp_path / "bytes.txt"
    place.write_bytes(b"\xff\xfe\x00 \x80\n")
    with pytest.raises(UsageError, match="this is no list"):
        Lists().read(place, allowed=False)
