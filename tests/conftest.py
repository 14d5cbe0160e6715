"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.e2e import system
from tests.support.leftovers import (  # noqa: F401 - hooks
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
)

# How long one example takes says more of a shared machine than of the code.
settings.register_profile("mlplugin", deadline=None)
settings.load_profile("mlplugin")

# Folders whose tests run on real processes, sockets and ports.
REAL = tuple(
    f"tests/{folder}/"
    for folder in ("api", "bench", "bundled", "cli", "dashboard", "quality", "replay", "store")
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the stores be proven on every server that they are made for."""
    parser.addoption(
        "--all-servers",
        action="store_true",
        help="run what needs a search server on all seven versions in place of three",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what runs on real processes and ports try twice more; the summary shows that it did.

    Another program may take a free port before the test does, and a starved machine drops
    datagrams. A fault of ours fails each time.
    """
    for item in items:
        if item.get_closest_marker("e2e") or item.nodeid.startswith(REAL):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """End what a test started and, because it failed half way, did not stop."""
    before = len(system.STARTED)
    yield
    for process in reversed(system.STARTED[before:]):
        process.kill()
    del system.STARTED[before:]


@pytest.fixture(autouse=True)
def nothing_is_hidden_later() -> Iterator[None]:
    """Take back the mask of `serve`, which hides what it makes, where a test called it here."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
