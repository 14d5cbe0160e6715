"""A real Chromium: found, or installed where that is possible."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = (
    "no Chromium: the dashboard's tests drive a real one. Install it (Debian: `apt-get install "
    "chromium`), or name it in CHROMIUM"
)
INSTALL_SECONDS = 600


def chromium() -> str:
    """Give the path of a Chromium; install Debian's where this is allowed."""
    found = _found()
    if found is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-qy", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(
                command, env=environment, check=False, timeout=INSTALL_SECONDS,
                stdin=subprocess.DEVNULL, capture_output=True,
            )  # fmt: skip
        found = _found()
    if found is None:
        raise AssertionError(MISSING)
    return found


def _found() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Start it, without a window; the end of the context ends it."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield found
        found.close()


@dataclass
class Watch:
    """What a page does that it should not: errors in the console, requests that leave."""

    home: str
    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Watch a page from now on."""
        page.on("console", self._said)
        page.on("pageerror", lambda fault: self.faults.append(f"error: {fault}"))
        page.on("request", self._asked)
        page.on("dialog", self._opened)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self.home:
            self.faults.append(f"left the machine: {request.url}")

    def _opened(self, dialog: Any) -> None:
        self.faults.append(f"a script of data ran: {dialog.message}")
        dialog.dismiss()
