"""Addresses of pages, and what they say."""

from __future__ import annotations

import pytest

from mlplugin.dashboard import links
from mlplugin.errors import UsageError


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        (" ", "/"),
        (" example.org ", "/domain/example.org"),
        (" exam-ple ", "/queries?qname=%2Aexam-ple%2A"),
        ("https://user@example.org:8443/path?x=1", "/domain/example.org"),
        ("http://[2001:db8::1]/", "/client/2001:db8::1"),
        ("http://[", "/domain/http%3A%2F%2F%5B"),
        ("example.org:8080", "/domain/example.org"),
        ("//elsewhere.example", "/domain/%2F%2Felsewhere.example"),
        ("a\r\nb", "/domain/a%0D%0Ab"),
        ("*.example.org", "/queries?qname=%2A.example.org"),
        ("192.0.2.1", "/client/192.0.2.1"),
        ("192.0.2.1/32", "/client/192.0.2.1"),
        ("192.0.2.7/24", "/queries?client=192.0.2.0%2F24"),
        ("2001:db8::1", "/client/2001:db8::1"),
    ],
)
def test_what_is_looked_for_has_an_address(wanted: str, address: str) -> None:
    assert links.to_sought(wanted) == address


def test_an_address_says_so_much_at_most() -> None:
    much = [f"a{number}=1" for number in range(links.MOST_SAID + 1)]
    assert len(links.read("&".join(much[1:]))) == links.MOST_SAID
    with pytest.raises(UsageError, match="more than 50 things"):
        links.read("&".join(much))
