"""A web server on loopback that answers as feeds do, faults included."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

from mlplugin.feeds.http import Limits
from tests.support.http_server import serving

# Fast, and never more than one further try.
QUICK = Limits(timeout=5.0, whole=30.0, most_bytes=1 << 20, most_unpacked=4 << 20, tries=2, pause=0)


@dataclass(frozen=True)
class Answer:
    """What the server says once; `cut` leaves out so many bytes that it announced."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    silent: bool = False
    chunked: bool = False


class Site:
    """Answers by path; the last of several is repeated. Keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        answers = self.answers.get(handler.path.partition("?")[0], [Answer(status=404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer.silent:
            self.released.wait(30)
            return
        etag = answer.headers.get("ETag")
        same = etag is not None and handler.headers.get("If-None-Match") == etag
        handler.send_response(304 if same else answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if same:
            handler.end_headers()
            return
        if answer.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"%x\r\n" % len(answer.body) + answer.body[: -answer.cut or None])
            return
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(answer.body[: len(answer.body) - answer.cut])


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers.items())))
            self.close_connection = True
            site.reply(self)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as site.port:
        yield site
        site.released.set()
