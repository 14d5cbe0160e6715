"""A registry on loopback: IANA's list, and a domain for every name it is scripted to know."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from mlplugin.whois import Registrations
from mlplugin.whois.fetch import Fetcher, Limits
from tests.support.http_server import serving

QUICK = Limits(seconds=5.0, most_bytes=200_000)


def domain(name: str, **changed: Any) -> dict[str, Any]:
    """A domain as registries write it (RFC 9083, 5.3)."""
    return {
        "objectClassName": "domain",
        "handle": "D1-LROR",
        "ldhName": name.upper(),
        "status": ["client transfer prohibited", "client delete prohibited"],
        "events": [
            {"eventAction": "registration", "eventDate": "2026-11-20T10:11:12.345Z"},
            {"eventAction": "expiration", "eventDate": "2027-11-20T11:11:12+01:00"},
            {"eventAction": "last changed", "eventDate": "2026-11-21T00:00:00Z"},
            {"eventAction": "last update of RDAP database", "eventDate": "2026-11-25T00:00:00Z"},
        ],
        "entities": [
            {
                "objectClassName": "entity",
                "handle": "292",
                "roles": ["registrar"],
                "publicIds": [{"type": "IANA Registrar ID", "identifier": "292"}],
                "vcardArray": [
                    "vcard",
                    [
                        ["version", {}, "text", "4.0"],
                        ["fn", {}, "text", "Example Registrar, Inc."],
                    ],
                ],
                "entities": [
                    {
                        "objectClassName": "entity",
                        "roles": ["abuse"],
                        "vcardArray": [
                            "vcard",
                            [
                                ["version", {}, "text", "4.0"],
                                ["tel", {"type": "voice"}, "uri", "tel:+1.5550100"],
                                ["email", {}, "text", "abuse@registrar.example"],
                            ],
                        ],
                    }
                ],
            }
        ],
        "nameservers": [
            {"objectClassName": "nameserver", "ldhName": "NS1.EXAMPLE.NET."},
            {"objectClassName": "nameserver", "ldhName": "ns2.example.net"},
        ],
        "secureDNS": {"delegationSigned": True},
        "rdapConformance": ["rdap_level_0"],
        **changed,
    }


@dataclass
class Answer:
    """What a server sends: a document, or bytes as they are; nothing until `after` is set."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: threading.Event | None = None

    @property
    def body(self) -> bytes:
        return (
            self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
        )


def offline() -> Registrations:
    """One who has no network, so that no test asks a registry of the world."""

    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    return Registrations(Fetcher(resolve=nowhere))


Script = Callable[[str], Answer]


@dataclass
class Registry:
    """What runs: the paths that it was asked for, and one who asks it.

    Attributes:
        now: the time by which answers get old.
        took: the time that questions take.
    """

    port: int
    script: Script
    asked: list[str] = field(default_factory=list)
    now: float = 0.0
    took: float = 0.0

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self.port}"

    def registrations(self, limits: Limits = QUICK, **options: Any) -> Registrations:
        fetcher = Fetcher(limits, trusted=frozenset({self.origin}), **options)
        return Registrations(
            fetcher,
            f"http://{self.origin}/dns.json",
            clock=lambda: self.now,
            stopwatch=lambda: self.took,
        )


def bootstrap(origin: str, *suffixes: str) -> dict[str, Any]:
    """IANA's list (RFC 9224)."""
    return {
        "version": "1.0",
        "publication": "2026-11-20T00:00:00Z",
        "services": [
            [["nowhere"], ["https://rdap.nowhere.example/"]],
            [list(suffixes or ("org", "dev", "uk")), [f"http://{origin}/rdap/"]],
        ],
    }


@contextmanager
def registry(*known: str) -> Iterator[Registry]:
    """A registry that knows some domains; a test may give it another script."""

    def usual(path: str) -> Answer:
        if path == "/dns.json":
            return Answer(bootstrap(found.origin))
        name = path.rpartition("/")[2]
        return Answer(domain(name)) if name in known else Answer({"errorCode": 404}, 404)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            answer = found.script(self.path)
            if answer.after is not None:
                answer.after.wait(30)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with serving(Handler) as port:
        found = Registry(port, usual)
        yield found
