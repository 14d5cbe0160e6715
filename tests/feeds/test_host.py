"""Host names out of what feeds write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import InvalidNameError
from mlplugin.feeds.host import AddressError, NotPublicError, host_of
from mlplugin.qname import canonical


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.org", "example.org"),
        (" Example.ORG. ", "example.org"),
        ("*.example.org", "example.org"),
        (".example.org", "example.org"),
        ("example.org:8443", "example.org"),
        ("example.org/path", "example.org"),
        ("https://user:word@login.example.org:1/a?b=c#d", "login.example.org"),
        ("hxxp://a[.]example[.]org/x", "a.example.org"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("https://BÜCHER.example/", "xn--bcher-kva.example"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert host_of(text) == name


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "192.0.2.1:80", "http://192.0.2.1/x", "http://[2001:db8::1]:80/", "2001:db8::1",
     "999.0.2.1", "fe80::1%eth0", "1.2"],
)  # fmt: skip
def test_addresses(text: str) -> None:
    with pytest.raises(AddressError):
        host_of(text)


@pytest.mark.parametrize("text", ["localhost", "localhost.localdomain", "com", "https://intranet/"])
def test_names_that_are_not_public(text: str) -> None:
    with pytest.raises(NotPublicError):
        host_of(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a..example", "a b.example", "http://", "http://[::/", "exa%41mple.org", "a!.example",
     "x" * 64 + ".example", "a." * 127 + "example", "bad\udcff.example",
     "https://[x]/", "a\x00.example"],
)  # fmt: skip
def test_no_names(text: str) -> None:
    with pytest.raises(InvalidNameError):
        host_of(text)


@given(st.text(max_size=60))
def test_anything_gives_a_canonical_name_or_an_error(text: str) -> None:
    try:
        name = host_of(text)
    except InvalidNameError:
        return
    assert canonical(name) == name
    assert "." in name
    assert not set(name) & set("\t\n\\ ")
