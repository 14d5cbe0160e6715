"""`serve` as a process: how it starts, what stops it from starting, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.store.duckdb_store import FILE, DuckDBStore
from tests.e2e.system import Service, mlplugin, post_json, until
from tests.support.events import event, ndjson


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path / "data", tmp_path / "service.log")


def ask(service: Service, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    """Send one request; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    with contextlib.closing(connection):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        with connection.getresponse() as answer:
            return answer.status


def post(service: Service, body: bytes) -> int:
    """Send a batch; the status."""
    path = "/api/v1/events?sensor=edge"
    return ask(service, "POST", path, body, Content_Type="application/x-ndjson")


def send(service: Service, count: int, start: int = 0) -> int:
    """Send events; the status."""
    return post(service, ndjson(event(n) for n in range(start, start + count)))


def test_a_clean_end(service: Service, tmp_path: Path) -> None:
    service.start()
    assert send(service, 100) == 200
    assert service.stop(signal.SIGTERM) == 0
    assert "Traceback" not in service.output()
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE], "no log is left"
    store = DuckDBStore(tmp_path / "data", read_only=True)
    assert store.size().rows == 100
    store.close()


def test_what_python_compiles_is_for_everyone(service: Service, tmp_path: Path) -> None:
    """What the service makes is its own; but where it runs first, others must not compile anew."""
    compiled = tmp_path / "compiled"
    service.environment = {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    service.start()
    service.stop()
    found = list(compiled.rglob("*"))
    closed = [path for path in found if not path.stat().st_mode & 0o004]
    assert len(found) > 300
    # A few are imported where they are needed, which is later.
    assert len(closed) < len(found) / 20, closed
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_nothing_is_made_where_it_cannot_listen(tmp_path: Path) -> None:
    """An empty history would be taken for the one that is meant, later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = ["--http", f"127.0.0.1:{taken.getsockname()[1]}", "--data", str(tmp_path / "data")]
        done = mlplugin("serve", *where)
    assert done.returncode == 3
    assert "is in use: stop what listens there" in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_interrupted_end(service: Service) -> None:
    service.start()
    assert service.stop(signal.SIGINT) == 130
    assert "Traceback" not in service.output()


def test_it_ends_in_mid_load_and_keeps_what_it_said(service: Service, tmp_path: Path) -> None:
    service.start()
    acknowledged = []
    running = threading.Event()
    running.set()

    def load() -> None:
        start = 0
        while running.is_set():
            try:
                if send(service, 500, start) == 200:
                    acknowledged.append(500)
                start += 500
            except (OSError, http.client.HTTPException):
                return

    thread = threading.Thread(target=load)
    thread.start()
    until("events flow", lambda: len(acknowledged) > 5)
    assert service.stop(signal.SIGTERM) == 0
    running.clear()
    thread.join()
    store = DuckDBStore(tmp_path / "data", read_only=True)
    assert store.size().rows >= sum(acknowledged)
    store.close()


def test_acknowledged_events_survive_sigkill(service: Service) -> None:
    service.start()
    for start in range(0, 2000, 200):
        assert send(service, 200, start) == 200
    service.stop(signal.SIGKILL)
    service.start()
    assert service.stats()["queries"] == 2000
    assert send(service, 2000) == 200
    assert service.stats()["queries"] == 2000
    service.stop()


def refusal(*arguments: str, code: int, **environment: str) -> str:
    done = mlplugin("serve", *arguments, env={**os.environ, **environment})
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mlplugin: ")
    assert "Traceback" not in done.stderr
    return str(last)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        where = f"127.0.0.1:{held.getsockname()[1]}"
        said = refusal("--http", where, "--data", str(tmp_path / "data"), code=3)
    assert where in said
    assert "--http" in said


def test_a_store_in_use(service: Service, tmp_path: Path) -> None:
    service.start()
    where = f"127.0.0.1:{free_port()}"
    said = refusal("--http", where, "--data", str(tmp_path / "data"), code=3)
    assert f"in use by process {service.pid}" in said
    service.stop()


@pytest.mark.parametrize("store", ["redis://localhost", "elasticsearch://localhost:9200"])
def test_stores_that_there_are_not(store: str, tmp_path: Path) -> None:
    where = f"127.0.0.1:{free_port()}"
    said = refusal("--http", where, "--data", str(tmp_path), "--store", store, code=3)
    assert "--store" in said


def test_open_to_others_only_with_a_token(tmp_path: Path) -> None:
    where = f"0.0.0.0:{free_port()}"
    said = refusal("--http", where, "--data", str(tmp_path), code=2)
    assert "token" in said
    assert f"`mlplugin password --data {tmp_path}`" in said, (
        "the password is kept where the data is"
    )
    short = tmp_path / "token"
    short.write_text("short\n")
    common = ("--http", where, "--data", str(tmp_path), "--token-file")
    assert "16 or more" in refusal(*common, str(short), code=2)
    assert "cannot be read" in refusal(*common, str(tmp_path / "none"), code=2)


def test_a_trusted_proxy_is_an_address(tmp_path: Path) -> None:
    common = ("--http", f"127.0.0.1:{free_port()}", "--data", str(tmp_path), "--trusted-proxy")
    for text in ("localhost", "*", "192.0.2.0/24"):
        assert "is no address" in refusal(*common, text, code=2)


def test_a_proxy_that_brings_others_wants_a_password(tmp_path: Path) -> None:
    common = ("--http", f"127.0.0.1:{free_port()}", "--data", str(tmp_path))
    said = refusal(*common, "--trusted-proxy", "127.0.0.1", code=2)
    assert "by the proxy: set a password" in said


def test_a_token_from_the_environment(service: Service) -> None:
    service.environment["MLPLUGIN_SERVICE_TOKEN"] = "correct horse battery"
    super(Service, service).start()

    def status(path: str, **headers: str) -> int:
        try:
            return ask(service, "GET", path, **headers)
        except OSError:
            assert service.alive(), service.output()
            return 0

    until("it is there", lambda: status("/healthz") == 200)
    assert status("/readyz") == 401
    assert status("/readyz", Authorization="Bearer correct horse battery") == 200
    assert "horse" not in service.output()
    service.stop()


def test_wrong_sizes_and_models(tmp_path: Path) -> None:
    common = ("--data", str(tmp_path), "--http", f"127.0.0.1:{free_port()}")
    assert "--max-bytes" in refusal(*common, "--max-bytes", "lots", code=2)
    assert "none" in refusal(*common, "--model", str(tmp_path / "none"), code=3)


def test_retention_by_size_on_a_running_service(service: Service) -> None:
    service.command += ["--max-bytes", "1MB", "--retention-days", "36500"]
    service.start()
    numbers = iter(range(0, 10_000_000, 20_000))

    def grown() -> bool:
        start = next(numbers)
        body = ndjson(
            event(n, qname=f"n{n * 7919 % 999983}.example.org", duration=n * 31 % 65521)
            for n in range(start, start + 20_000)
        )
        assert post(service, body) == 200
        return start >= 400_000

    until("enough was sent", grown)
    # The look every minute is long for a test: a restart looks at once.
    service.stop()
    service.start()
    until("the oldest are gone", lambda: service.stats()["queries"] < 420_000)
    answer = post_json(f"{service.url}/api/v1/classify", {"names": ["example.org"]})
    assert answer["verdicts"]
    service.stop()
