"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long one example takes says more of a shared machine than of the code.
settings.register_profile("mlplugin", deadline=None)
settings.load_profile("mlplugin")

# Folders whose tests run on real processes, sockets and ports.
REAL = ("tests/bundled/", "tests/replay/", "tests/api/", "tests/store/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what runs on real processes and ports try once more; the summary shows that it did.

    Another program may take a free port before the test does, and a starved machine drops
    datagrams. A fault of ours fails twice.
    """
    for item in items:
        if item.get_closest_marker("e2e") or item.nodeid.startswith(REAL):
            item.add_marker(pytest.mark.flaky(reruns=1))
