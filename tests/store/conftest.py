"""Every store that there is, under one suite."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlplugin.store import Options, open_store
from mlplugin.store.port import Store
from tests.support.search_servers import ALL, USUAL, SearchServer, running

Open = Callable[[], Store]
DUCKDB = "duckdb"


class Servers:
    """Search servers, each started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, SearchServer] = {}
        self._failed: dict[str, str] = {}

    def __getitem__(self, name: str) -> SearchServer:
        if name in self._failed:  # a start that fails takes minutes, and there are many tests
            raise AssertionError(f"{name} did not come up before: {self._failed[name]}")
        if name not in self._running:
            try:
                self._running[name] = self._stack.enter_context(running(name))
            except Exception as fault:
                self._failed[name] = str(fault)
                raise
        return self._running[name]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(autouse=True)
def nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is found at once, in place of within a second."""
    monkeypatch.setattr("mlplugin.store.elastic.freshness.SECONDS", 0.0)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    found = Servers()
    yield found
    found.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = ALL if metafunc.config.getoption("--all-servers") else USUAL
    if "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", [DUCKDB, *names], scope="session")
    elif "server_name" in metafunc.fixturenames:
        metafunc.parametrize("server_name", names, scope="session")


@pytest.fixture
def server(server_name: str, servers: Servers) -> SearchServer:
    return servers[server_name]


@pytest.fixture
def index(server: SearchServer) -> Iterator[str]:
    """A prefix that no other test has; all below it goes at the end."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    yield prefix
    clean(server, prefix)


def clean(server: SearchServer, index: str) -> None:
    """Take away what a test made."""
    if names := ",".join(server.ask("GET", f"/{index}-*")):
        server.ask("DELETE", f"/{names}")
    for kind in ("_template", "_index_template"):
        if kind == "_index_template" and server.version < (7, 8) and server.engine[0] == "e":
            continue
        found = server.ask("GET", f"/{kind}")
        names = found if kind == "_template" else [one["name"] for one in found["index_templates"]]
        for name in names:
            if name.startswith(f"{index}-"):
                server.ask("DELETE", f"/{kind}/{name}")


class Opening:
    """Opens one store again and again; the last one is closed at the end."""

    def __init__(self, kind: str, servers: Servers, data: Path) -> None:
        self._server = None if kind == DUCKDB else servers[kind]
        self._data = data
        self._index = f"t{uuid.uuid4().hex[:12]}"
        self._last: Store | None = None

    def __call__(self) -> Store:
        url = None if self._server is None else self._server.url
        self._last = open_store(url, self._data, Options(index=self._index))
        return self._last

    def close(self) -> None:
        if self._last is not None:
            self._last.close()
        if self._server is not None:
            clean(self._server, self._index)


@pytest.fixture
def open_one(store_kind: str, servers: Servers, tmp_path: Path) -> Iterator[Open]:
    """Opens the store of this test, the same one each time."""
    opening = Opening(store_kind, servers, tmp_path / "data")
    yield opening
    opening.close()


@pytest.fixture
def store(open_one: Open) -> Store:
    return open_one()


@pytest.fixture(scope="module")
def read_store(
    store_kind: str, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store that tests of one module share, each only reading."""
    opening = Opening(store_kind, servers, tmp_path_factory.mktemp("read") / "data")
    yield opening()
    opening.close()
