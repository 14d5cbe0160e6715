"""A registry answers as registries do, well and badly; what is shown of it is one object."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from mlplugin.whois import Registrations
from mlplugin.whois.answer import registration, servers
from mlplugin.whois.fetch import Fetcher, Limits, is_public
from tests.support.http_server import serving
from tests.support.rdap import Answer, Registry, bootstrap, domain, registry


@pytest.fixture
def live() -> Iterator[Registry]:
    with registry("example.org", "pages.dev") as found:
        yield found


def scripted(live: Registry, answer: Answer) -> Registrations:
    """One who asks a registry that gives this answer on every domain."""
    live.script = lambda path: Answer(bootstrap(live.origin)) if path == "/dns.json" else answer
    return live.registrations()


def test_answer(live: Registry) -> None:
    found = live.registrations().find("example.org")
    assert found.pop("asked").endswith("Z")
    assert found == {
        "domain": "example.org",
        "registrar": "Example Registrar, Inc.",
        "created": "2026-11-20T10:11:12Z",
        "updated": "2026-11-21T00:00:00Z",
        "expires": "2027-11-20T10:11:12Z",
        "status": ["client transfer prohibited", "client delete prohibited"],
        "nameservers": ["ns1.example.net", "ns2.example.net"],
        "abuse": "abuse@registrar.example",
        "dnssec": True,
        "server": "127.0.0.1",
        "error": None,
    }
    assert live.asked == ["/dns.json", "/rdap/domain/example.org"]


def test_answer_is_kept_for_a_day(live: Registry) -> None:
    registrations = live.registrations()
    first = registrations.find("example.org")
    live.now += 86_000
    assert registrations.find("example.org") == first
    assert len(live.asked) == 2
    live.now += 1_000
    registrations.find("example.org")
    assert live.asked[2:] == ["/dns.json", "/rdap/domain/example.org"]


def test_unknown_domain(live: Registry) -> None:
    registrations = live.registrations()
    assert "nobody has registered it" in registrations.find("other.org")["error"]
    registrations.find("other.org")
    assert len(live.asked) == 2, "what is unknown is remembered too"


def test_domain_under_a_company_is_looked_up_above(live: Registry) -> None:
    assert live.registrations().find("blog.pages.dev")["domain"] == "pages.dev"
    assert live.asked[1:] == ["/rdap/domain/blog.pages.dev", "/rdap/domain/pages.dev"]


def test_registrys_own_suffix_is_nobodys_registration(live: Registry) -> None:
    def script(path: str) -> Answer:
        if path == "/dns.json":
            return Answer(bootstrap(live.origin))
        name = path.rpartition("/")[2]
        return Answer(domain(name, entities=[])) if name == "co.uk" else Answer({}, 404)

    live.script = script
    assert "nobody has registered it" in live.registrations().find("free.co.uk")["error"]


def test_too_many_questions_stop_the_asking(live: Registry) -> None:
    registrations = scripted(live, Answer({}, 429, {"Retry-After": "90"}))
    assert "try again in 90 s" in registrations.find("a.org")["error"]
    live.now += 60
    assert "try again in 30 s" in registrations.find("b.org")["error"]
    assert len(live.asked) == 2, "the registry was let alone"
    live.now += 31
    registrations.find("b.org")
    assert len(live.asked) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(b"<html>busy</html>"), "no JSON"),
        (Answer(b"[" * 100_000), "no JSON"),
        (Answer(b"\xff\xfe"), "no JSON"),
        (Answer({"objectClassName": "entity"}), "something other than a domain"),
        (Answer([1, 2]), "something other than a domain"),
        (Answer(b"x" * 300_000), "larger than 200,000 bytes"),
        (Answer({}, 500), "HTTP 500"),
        (Answer({}, 302, {"Location": "/rdap/domain/a.org"}), "in a circle"),
        (Answer({}, 302, {"Location": "https://127.0.0.1/x"}), "not public"),
        (Answer({}, 302, {"Location": "https://[::ffff:10.0.0.1]/x"}), "not public"),
        (Answer({}, 302, {"Location": "https://example.org:8443/x"}), "port of its own"),
        (Answer({}, 302, {"Location": "http://example.org/x"}), "not reached over https"),
        (Answer({}, 302, {"Location": "https://user@example.org/x"}), "not reached over https"),
        (Answer({}, 302, {"Location": "file:///etc/passwd"}), "not reached over https"),
        (Answer({}, 302), "in a circle"),
    ],
)
def test_bad_answers(live: Registry, answer: Answer, said: str, monkeypatch: Any) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    error = scripted(live, answer).find("a.org")["error"]
    assert said in error
    assert "\n" not in error


def test_redirect_to_a_trusted_place_from_elsewhere_is_refused(live: Registry) -> None:
    with registry() as other:
        target = {"Location": f"http://{other.origin}/rdap/domain/a.org"}
        error = scripted(live, Answer({}, 302, target)).find("a.org")["error"]
    assert "https" in error
    assert other.asked == []


def test_silent_server(live: Registry) -> None:
    never = threading.Event()
    live.script = lambda path: (
        Answer(bootstrap(live.origin)) if path == "/dns.json" else Answer({}, after=never)
    )
    hasty = live.registrations(Limits(seconds=0.3))
    assert "no answer within 0.3 s" in hasty.find("a.org")["error"]
    never.set()


def test_one_deadline_for_all_that_a_domain_takes(live: Registry) -> None:
    def slow(path: str) -> Answer:
        live.took += 3.0
        return Answer(bootstrap(live.origin)) if path == "/dns.json" else Answer({}, 404)

    live.script = slow
    error = live.registrations(Limits(seconds=7.0)).find("a.b.c.d.org")["error"]
    assert error.endswith("no answer within 7 s: try again later")
    assert live.asked == ["/dns.json", "/rdap/domain/a.b.c.d.org", "/rdap/domain/b.c.d.org"]


def test_no_list_of_registries_is_not_asked_for_again_at_once(live: Registry) -> None:
    live.script = lambda _path: Answer({}, 500)
    registrations = live.registrations()
    for name in ("a.org", "b.org"):
        error = registrations.find(name)["error"]
        assert error == "IANA's list of registries cannot be had: HTTP 500"
    assert live.asked == ["/dns.json"]
    live.now += 21
    registrations.find("c.org")
    assert live.asked == ["/dns.json", "/dns.json"]


def test_two_domains_at_once(live: Registry) -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()

    def script(path: str) -> Answer:
        if path == "/dns.json":
            return Answer(bootstrap(live.origin))
        asked.release()
        return Answer({}, 404, after=go_on)

    live.script = script
    registrations = live.registrations()
    threads = [
        threading.Thread(target=registrations.find, args=(name,)) for name in ("a.org", "b.org")
    ]
    for thread in threads:
        thread.start()
    try:
        assert all(asked.acquire(timeout=20) for _ in threads)
        assert "too many questions at once" in registrations.find("c.org")["error"]
    finally:
        go_on.set()
        for thread in threads:
            thread.join(20)


def test_no_network() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    found = Registrations(Fetcher(resolve=nowhere)).find("example.org")
    assert "no network" in found["error"]
    assert found["registrar"] is None
    assert found["status"] == []


@pytest.mark.parametrize(
    ("user", "sent"),
    [("ann:p%40ss@", "Basic YW5uOnBAc3M="), ("ann@", "Basic YW5uOg=="), ("", None)],
)
def test_proxy_is_told_who_asks(
    user: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            told.append(self.headers.get("Proxy-Authorization"))
            self.send_error(407)

        def log_message(self, *_arguments: Any) -> None:
            pass

    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(Proxy) as port:
        monkeypatch.setenv("https_proxy", f"http://{user}127.0.0.1:{port}")
        error = Registrations(Fetcher()).find("example.org")["error"]
    assert "wants other credentials (407)" in error
    assert told == [sent]


def test_host_with_a_private_address_is_not_asked() -> None:
    asked: list[str] = []

    def inside(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["192.0.43.8", "10.0.0.1"]

    error = Registrations(Fetcher(resolve=inside)).find("example.org")["error"]
    assert "not public" in error
    assert asked == ["data.iana.org"]


def test_old_list_of_registries_is_better_than_none(live: Registry) -> None:
    registrations = live.registrations()
    registrations.find("example.org")
    usual = live.script
    live.script = lambda path: Answer({}, 500) if path == "/dns.json" else usual(path)
    live.now += 90_000
    assert registrations.find("example.org")["error"] is None
    registrations.find("other.org")
    assert live.asked.count("/dns.json") == 2, "and is not asked for again for each domain"


@pytest.mark.parametrize("name", ["com", "a\\.b.org", "\\000.org"])
def test_what_nobody_can_register_is_not_asked_for(live: Registry, name: str) -> None:
    assert live.registrations().find(name)["error"]
    assert live.asked == []


def test_suffix_without_rdap(live: Registry) -> None:
    error = live.registrations().find("example.zz")["error"]
    assert error == "the registry of .zz offers no RDAP"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("64:ff9b::808:808", True),
        ("10.1.2.3", False), ("127.0.0.1", False), ("169.254.1.1", False), ("0.0.0.0", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("192.0.2.1", False), ("::1", False),
        ("fe80::1%eth0", False), ("fc00::1", False), ("::ffff:192.168.0.1", False),
        ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("ff02::1", False),
        ("fec0::1", False), ("::127.0.0.1", False), ("64:ff9b:1::a00:1", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "changed",
    [
        {"events": "never"}, {"events": [1, {"eventAction": []}]}, {"entities": {"a": 1}},
        {"entities": [{"roles": ["registrar"], "vcardArray": ["vcard"]}]},
        {"entities": [{"roles": ["registrar"], "vcardArray": ["vcard", [["fn"], 3, ["fn", 1]]]}]},
        {"status": {"a": 1}}, {"nameservers": [None, {"ldhName": 5}]}, {"secureDNS": []},
        {"events": [{"eventAction": "registration", "eventDate": "9999-99-99"}]},
    ],
)  # fmt: skip
def test_odd_documents_lose_only_their_odd_parts(changed: dict[str, Any]) -> None:
    found = registration(domain("example.org", **changed))
    assert set(found) == {
        "registrar", "created", "updated", "expires", "status", "nameservers", "abuse", "dnssec",
    }  # fmt: skip


def test_a_time_that_a_registry_does_not_know() -> None:
    events = [{"eventAction": "registration", "eventDate": "0001-01-01T00:00:00Z"}]
    assert registration(domain("example.org", events=events))["created"] is None


def test_texts_are_one_line_and_short() -> None:
    found = registration(domain("example.org", status=["a\x1b[31m\n" + "b" * 5_000, "c"] * 50))
    assert len(found["status"]) == 20
    assert all(len(text) <= 200 and text.isprintable() for text in found["status"])


@pytest.mark.parametrize("given", [None, [], {}, {"services": []}, {"services": "x"}])
def test_no_list_of_registries(given: Any) -> None:
    with pytest.raises(ValueError, match="RDAP"):
        servers(given)


def test_list_of_registries_prefers_https() -> None:
    given = {"services": [[["ORG"], ["http://a.example/", "https://b.example/"]], [1], ["x", []]]}
    assert servers(given) == {"org": "https://b.example/"}
