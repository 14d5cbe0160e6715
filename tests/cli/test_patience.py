"""The commands come again where the service has no room for one more just now."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from mlplugin.cli import client as module
from mlplugin.cli.client import Client
from mlplugin.errors import StoreError
from tests.support.http_server import serving


class Full(BaseHTTPRequestHandler):
    """Has no room for the first so many."""

    refused = 0
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        has_room = self.asked > self.refused
        body = b'{"status": "ok"}' if has_room else b'{"detail": "no room"}'
        self.send_response(200 if has_room else 429)
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.mark.parametrize(("refused", "is_answered"), [(2, True), (100, False)])
def test_no_room(refused: int, is_answered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    monkeypatch.setattr(Full, "refused", refused)
    monkeypatch.setattr(Full, "asked", 0)
    with serving(Full) as port:
        client = Client(f"http://127.0.0.1:{port}")
        if is_answered:
            assert client.request("/healthz") == {"status": "ok"}
        else:
            with pytest.raises(StoreError, match="no room"):
                client.request("/healthz")
    assert waited == [7] * min(refused, module.MOST_TRIES)
