"""A name that is vetted on the screen is blocked by live CoreDNS within seconds, and free again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from mlplugin.bundled.ports import free_port
from tests.dashboard.conftest import Open, Site, settled
from tests.e2e.system import CoreDNS, Service, get_json, until
from tests.e2e.test_policy import rcode

pytestmark = pytest.mark.e2e

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    mlplugin {{
        service {url}
        sensor screen
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""
NAME = "xkqvbzjwqpl3kd.com"
WITHIN = 5.0


@pytest.fixture
def system(tmp_path: Path) -> Iterator[tuple[CoreDNS, Service]]:
    service = Service(tmp_path / "data", tmp_path / "service.log")
    service.start()
    port = free_port()
    server = CoreDNS(tmp_path, COREFILE.format(port=port, url=service.url), port, None)
    server.start()
    yield server, service
    server.stop()
    service.stop()


def seconds_until(server: CoreDNS, wanted: str) -> float:
    start = time.monotonic()
    until(f"it is {wanted}", lambda: rcode(server, f"www.{NAME}.") == wanted, 15)
    return time.monotonic() - start


def press(page: Page, key: str, said: str) -> None:
    page.keyboard.press(key)
    page.wait_for_selector(f"#queue-said:has-text('{said}')")


def test_blocked_by_a_key_and_free_again(
    system: tuple[CoreDNS, Service],
    open_page: Open,
) -> None:
    server, service = system
    for _ in range(5):
        assert rcode(server, f"www.{NAME}.") == "NOERROR", "nothing is blocked by itself"
    until("the query is in the history", lambda: service.stats()["flagged"] >= 5)
    page = open_page(Site(service.port, None), "/vetting")  # type: ignore[arg-type]
    page.wait_for_selector(f"#queue-rows tr.current[data-name='{NAME}']")
    press(page, "x", "Blocked")
    assert seconds_until(server, "NXDOMAIN") < WITHIN
    settled(page)
    assert page.locator(f"#queue-rows tr[data-name='{NAME}']").count() == 0
    record = get_json(f"{service.url}/api/v1/changes")["changes"]
    assert [(one["name"], one["status"], one["who"]) for one in record] == [
        (NAME, "blocked", "127.0.0.1")
    ]
    press(page, "u", "Undone")
    assert seconds_until(server, "NOERROR") < WITHIN
    page.wait_for_selector(f"#queue-rows tr[data-name='{NAME}']")
    assert "unvetted" in page.locator("#queue-record").inner_text()
