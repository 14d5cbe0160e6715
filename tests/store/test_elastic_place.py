"""Where a cluster is: what a URL may hold, where secrets go, and where they never go."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mlplugin.errors import StoreError
from mlplugin.store.elastic import Options, Place

SECRET = "correct horse"


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        (f"https://ann:{SECRET}@192.0.2.1", Options(), "no password belongs into a URL"),
        ("https://192.0.2.1:9200/?pretty", Options(), "behind ? or #"),
        ("https://192.0.2.1:9200/#x", Options(), "behind ? or #"),
        ("https://", Options(), "is no host"),
        ("https://192.0.2.1:99999", Options(), "is no host"),
        ("https://192.0.2.1,", Options(), "is no host"),
        ("https://192.0.2.1", Options(index="Upper"), "no prefix of index names"),
        ("https://192.0.2.1", Options(index="*"), "no prefix of index names"),
        ("https://ann@192.0.2.1", Options(), "a user and no password"),
        ("https://192.0.2.1", Options(password=SECRET), "a password and no user"),
        ("https://ann@192.0.2.1", Options(password=SECRET, api_key=SECRET), "one must be enough"),
        ("http://ann@192.0.2.1", Options(password=SECRET), "without TLS"),
        ("http://192.0.2.1", Options(api_key=SECRET), "without TLS"),
        ("http://127.0.0.1,192.0.2.1", Options(token=SECRET), "without TLS"),
        ("https://192.0.2.1", Options(token="two\nlines"), "printable"),
        ("https://192.0.2.1", Options(ca_file=Path("/no/such/ca.pem")), "there is no such file"),
    ],
)
def test_what_is_refused(url: str, options: Options, says: str) -> None:
    with pytest.raises(StoreError) as caught:
        Place.read(url, options)
    text = str(caught.value)
    assert says in text
    assert SECRET not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("url", "options", "header"),
    [
        ("https://192.0.2.1", Options(), None),
        ("https://192.0.2.1", Options(api_key="a2V5"), "ApiKey a2V5"),
        ("https://192.0.2.1", Options(token="t.o.k"), "Bearer t.o.k"),
        ("http://127.0.0.1", Options(token="t.o.k"), "Bearer t.o.k"),
        ("http://localhost", Options(token="t.o.k"), "Bearer t.o.k"),
        ("http://[::1]:9200", Options(token="t.o.k"), "Bearer t.o.k"),
        ("http://192.0.2.1", Options(token="t.o.k", plain_secrets=True), "Bearer t.o.k"),
        (
            "https://an%40n@192.0.2.1",
            Options(password=SECRET),
            "Basic " + base64.b64encode(f"an@n:{SECRET}".encode()).decode(),
        ),
        (
            "https://192.0.2.1",
            Options(user="bob", password=SECRET),
            "Basic " + base64.b64encode(f"bob:{SECRET}".encode()).decode(),
        ),
    ],
)
def test_credentials(url: str, options: Options, header: str | None) -> None:
    place = Place.read(url, options)
    assert place.headers.get("authorization") == header
    assert SECRET not in repr(place) + repr(options)
    assert "authorization" not in repr(place)


def test_nodes() -> None:
    place = Place.read("https://ann@192.0.2.1:9201,[2001:db8::1],search.example.org/es/", Options(
        password=SECRET
    ))  # fmt: skip
    found = [(node.host, node.port, node.path_prefix) for node in place.nodes]
    assert found == [
        ("192.0.2.1", 9201, "/es"),
        ("2001:db8::1", 9200, "/es"),
        ("search.example.org", 9200, "/es"),
    ]
    assert place.shown == "https://192.0.2.1:9201,[2001:db8::1],search.example.org/es"


def test_bodies_are_packed_on_a_real_network_only() -> None:
    near, far = Place.read("http://127.0.0.1,192.0.2.1", Options()).nodes
    assert (near.http_compress, far.http_compress) == (False, True)
