"""Downloads are whole, bounded and polite, or they are nothing."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from mlplugin import __version__
from mlplugin.feeds.fault import FeedError
from mlplugin.feeds.http import Limits, Request, Stamp, download
from tests.e2e.system import until
from tests.feeds.conftest import QUICK, Answer, Site

BODY = b"example.org\n" * 100


def refused(url: str, folder: Path, limits: Limits = QUICK, **headers: str) -> str:
    """The message of a download that fails and leaves nothing."""
    with pytest.raises(FeedError) as caught:
        download(Request(url, headers), folder / "feed", limits, sleep=lambda _: None)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def test_a_file_comes_whole(site: Site, tmp_path: Path) -> None:
    headers = {"ETag": '"a"', "Last-Modified": "Mon, 05 Oct 2026 10:00:00 GMT"}
    url = site.serve("/list", Answer(BODY, headers=headers))
    came: list[int] = []
    got = download(Request(url), tmp_path / "feed", QUICK, came.append)
    assert got is not None
    assert (tmp_path / "feed").read_bytes() == BODY
    assert got.stamp == Stamp('"a"', "Mon, 05 Oct 2026 10:00:00 GMT")
    assert (got.sha256, got.size) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert sum(came) == len(BODY)
    ((_, sent),) = site.asked
    assert sent["User-Agent"].startswith(f"mlplugin/{__version__} (+https://")


def test_what_did_not_change_does_not_come_again(site: Site, tmp_path: Path) -> None:
    url = site.serve("/list", Answer(BODY, headers={"ETag": '"a"'}))
    known = Stamp('"a"', "Mon, 05 Oct 2026 10:00:00 GMT")
    assert download(Request(url, known=known), tmp_path / "feed", QUICK) is None
    assert not (tmp_path / "feed").exists()
    assert site.asked[0][1]["If-Modified-Since"] == known.last_modified
    got = download(Request(url, known=Stamp('"old"')), tmp_path / "feed", QUICK)
    assert got is not None


def test_a_compressed_transfer(site: Site, tmp_path: Path) -> None:
    packed = {"Content-Encoding": "gzip"}
    url = site.serve("/list", Answer(gzip.compress(BODY), headers=packed))
    assert download(Request(url), tmp_path / "feed", QUICK) is not None
    assert (tmp_path / "feed").read_bytes() == BODY
    site.serve("/list", Answer(gzip.compress(BODY)))  # a file that is gzip itself stays so
    assert download(Request(url), tmp_path / "feed", QUICK) is not None
    assert gzip.decompress((tmp_path / "feed").read_bytes()) == BODY


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=401), "HTTP 401: it wants a key"),
        (Answer(status=403), "HTTP 403: it lets nobody in without a key"),
        (Answer(status=404), "HTTP 404: it has moved or is gone"),
        (Answer(status=418), "HTTP 418: it refuses"),
        (Answer(status=429), "HTTP 429: it was asked too often"),
        (Answer(status=500), "HTTP 500: it is out of order"),
        (Answer(BODY, cut=10), "broke off after 1,190 of 1,200 bytes"),
        (Answer(BODY, cut=10, chunked=True), "broke off"),
        (Answer(BODY, headers={"Content-Encoding": "br"}), "the encoding 'br'"),
        (Answer(BODY, headers={"Content-Encoding": "gzip"}), "transfer is damaged"),
        (
            Answer(gzip.compress(BODY)[:-12], headers={"Content-Encoding": "gzip"}),
            "transfer is cut short",
        ),
        (Answer(b"x" * (QUICK.most_bytes + 1)), "larger than 1,048,576 bytes; --max-bytes"),
        (Answer(b"x" * (QUICK.most_bytes + 1), chunked=True), "larger than 1,048,576 bytes"),
        (
            Answer(gzip.compress(b"x" * (5 << 20)), headers={"Content-Encoding": "gzip"}),
            "unpacks to more than 4,194,304 bytes",
        ),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "not https|in a circle"),
        (Answer(status=302, headers={"Location": "http://192.0.2.1/x"}), "192.0.2.1, which is not"),
        (Answer(status=302, headers={"Location": "/list?x"}), "redirect"),
        (Answer(status=301), "redirects in a circle or to nowhere"),
    ],
)
def test_faults(answer: Answer, says: str, site: Site, tmp_path: Path) -> None:
    url = site.serve("/list", answer)
    assert re.search(says, refused(url, tmp_path))


def test_a_dead_server(site: Site, tmp_path: Path) -> None:
    url = site.serve("/list", Answer(silent=True))
    limits = replace(QUICK, timeout=0.5)
    assert refused(url, tmp_path, limits) == "no answer within 0.5 s"
    # A busy machine may have the server read what was asked after nobody waits for it any more.
    until("both tries are heard of", lambda: len(site.asked) == 2)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as held:  # and does not listen
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/list"
        assert "cannot connect" in refused(url, tmp_path, replace(QUICK, timeout=0.2))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_passes(status: int, site: Site, tmp_path: Path) -> None:
    url = site.serve(
        "/list",
        Answer(status=status, headers={"Retry-After": "7"}),
        Answer(status=status),
        Answer(status=status, headers={"Retry-After": "86400"}),
        Answer(BODY),
    )
    waited: list[float] = []
    limits = replace(QUICK, tries=4, pause=1.5)
    got = download(Request(url), tmp_path / "feed", limits, sleep=waited.append)
    assert got is not None
    assert waited == [7.0, 3.0, 60.0]


def test_a_lasting_fault_is_not_tried_again(site: Site, tmp_path: Path) -> None:
    refused(site.serve("/list", Answer(status=404)), tmp_path)
    assert len(site.asked) == 1


def test_redirects_are_followed_without_the_key(site: Site, tmp_path: Path) -> None:
    site.serve("/there", Answer(BODY))
    url = site.serve("/list", Answer(status=302, headers={"Location": "/there"}))
    request = Request(url, {"Authorization": "Bearer geheim"})
    assert download(request, tmp_path / "feed", QUICK) is not None
    first, second = site.asked
    assert first[1]["Authorization"] == "Bearer geheim"
    assert "Authorization" not in second[1]


def test_redirects_end(site: Site, tmp_path: Path) -> None:
    for place in range(9):
        target = {"Location": f"/{place + 1}"}
        site.serve(f"/{place}", Answer(status=302, headers=target))
    assert refused(f"{site.url}/0", tmp_path) == "more than 5 redirects"
    assert len(site.asked) == 6


@pytest.mark.parametrize(
    "url", ["http://example.org/list", "ftp://example.org/list", "file:///etc/passwd", "data://x"]
)
def test_only_https(url: str, tmp_path: Path) -> None:
    assert "not https" in refused(url, tmp_path)


def test_a_url_that_is_none(tmp_path: Path) -> None:
    assert "not valid" in refused("https://exa mple.org/a\tb", tmp_path)
