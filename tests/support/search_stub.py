"""What answers as a search server does, or as none should, for what real ones rarely do."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving

# Method, path and body, to a status and a body; text goes out as it is.
Script = Callable[[str, str, bytes], tuple[int, Any]]


@dataclass
class Stub:
    """What runs, and what it was asked."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def answering(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """A server on loopback that answers by a script."""
    stub = Stub("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stub.asked.append((self.command, self.path))
            stub.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, content = script(self.command, self.path, body)
            text = (
                content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
            )
            kind = "text/html" if isinstance(content, str) else "application/json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815 - as the base has it

        def log_message(self, *_arguments: Any) -> None:
            pass

    with serving(Handler, tls) as port:
        stub.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        yield stub


VERSION = {"version": {"number": "8.19.21"}, "tagline": "You Know, for Search"}
BLOCK = "cluster_block_exception"


def error(kind: str, reason: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"type": kind, "reason": reason}}
