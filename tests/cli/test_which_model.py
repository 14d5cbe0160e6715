"""A model that is named: by its directory, its version, or as the shadow."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mlplugin.api import create_app
from mlplugin.api.access import Access
from mlplugin.api.server import Server
from mlplugin.cli import main, which_model
from mlplugin.cli.client import service_token
from mlplugin.cli.which_model import data_directory, directory_of, with_shadow
from mlplugin.errors import PortError, UsageError
from mlplugin.model import load, shipped
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.store import open_store
from tests.support.http_server import serving as http_server
from tests.support.threads import running

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    found = Registry(tmp_path / "data")
    (found.folder / "1.0").mkdir(parents=True)
    return found


def test_a_directory_goes_before_a_version(registry: Registry) -> None:
    assert directory_of("1.0", registry) == registry.folder / "1.0"
    assert directory_of(shipped().name, registry) == shipped()
    Path("1.0").mkdir()
    assert directory_of("1.0", registry) == Path("1.0")


def test_the_shadow(registry: Registry) -> None:
    registry.shadow_link.symlink_to("1.0")
    assert with_shadow("shadow", registry, "--model").samefile(registry.folder / "1.0")
    assert with_shadow("1.0", registry, "--model") == registry.folder / "1.0"
    with pytest.raises(UsageError, match="no such version"):
        directory_of("shadow", registry)
    Path("shadow").mkdir()
    assert with_shadow("shadow", registry, "--model") == Path("shadow")


def test_a_shadow_that_leads_in_a_circle_is_none(registry: Registry) -> None:
    registry.shadow_link.symlink_to("shadow")
    with pytest.raises(UsageError, match="no model is the shadow in"):
        with_shadow("shadow", registry, "--model")


@pytest.mark.parametrize("name", ["9.9", "current", "no such name"])
def test_what_is_not_there(name: str, registry: Registry) -> None:
    with pytest.raises(UsageError, match=f"^--model {name}: .*{registry.folder}: .*--data DIR"):
        directory_of(name, registry, "--model")


def test_a_path_is_no_version(registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"^\./1\.0: there is no such directory$"):
        directory_of("./1.0", registry)


@contextmanager
def serving(data: Path, registry: Registry | None, token: str | None = None) -> Iterator[str]:
    """The URL of a service on a data directory."""
    data.mkdir(parents=True, exist_ok=True)
    service = assemble(open_store(None, data), load(), registry=registry)
    server = Server(create_app(service, Access(token)), "127.0.0.1", 0)
    try:
        with running(server.run, server.stop):
            yield f"http://127.0.0.1:{server.port}"
    finally:
        service.close()


def test_the_models_of_the_service_that_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model promoted anywhere else would be in use nowhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    own, data = tmp_path / "home" / "mlplugin", tmp_path / "data"
    with serving(data, Registry(data)) as url:
        assert data_directory(None, url) == data
        assert f"the service at {url} has its models in {data}" in capsys.readouterr().err
        assert data_directory(Path("named"), url) == Path("named")
        assert data_directory(None, "http://service.example.org:5000") == own, "that is not here"
        assert main(["hindsight", "--service", url]) == 0
        assert f"has its models in {data}" in capsys.readouterr().err
    with serving(data, None) as url:
        assert data_directory(None, url) == own, "it has one model for good"
    assert data_directory(None, NOBODY) == own
    with serving(own, Registry(own)) as url:
        assert data_directory(None, url) == own
    assert capsys.readouterr().err == ""


def test_a_service_that_does_not_say_which_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("MLPLUGIN_SERVICE_TOKEN", raising=False)
    own = tmp_path / "mlplugin"
    with serving(tmp_path / "data", Registry(tmp_path / "data"), "s" * 32) as url:
        assert data_directory(None, url) == own
        told = capsys.readouterr().err
        assert f"{url} wants a token: set MLPLUGIN_SERVICE_TOKEN" in told
        assert f"what is meant are the models in {own}" in told
        monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", "wrong")
        assert main(["queries", "--service", url]) == 3
        assert f"{url} does not know this token" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [b"[]", b'{"models": []}', b'{"data": 5}'])
def test_what_says_nothing_of_its_models(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with http_server(answering(answer)) as port:
        assert data_directory(None, f"http://127.0.0.1:{port}") == tmp_path / "mlplugin"


def test_models_that_are_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those of a service in a container, or of another user."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    gone = tmp_path / "gone"
    with http_server(answering(json.dumps({"data": str(gone)}).encode())) as port:
        assert data_directory(None, f"http://127.0.0.1:{port}") == tmp_path / "mlplugin"
        told = capsys.readouterr().err
        assert f"has its models in {gone}, which this user cannot read here" in told
        assert f"what is meant are the models in {tmp_path / 'mlplugin'}" in told


def test_a_service_that_is_slow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(which_model, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert data_directory(None, url) == tmp_path / "mlplugin"
    assert "timed out" in capsys.readouterr().err
    with pytest.raises(PortError, match="is no URL of a service"):
        data_directory(None, "http://[::1")


def test_a_token_that_can_be_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", "t\u00f6ken")
    assert main(["queries", "--service", NOBODY]) == 2
    assert "MLPLUGIN_SERVICE_TOKEN has characters that no token has" in capsys.readouterr().err
    monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", "token\n")
    assert service_token() == "token"


def test_models_of_the_service_that_is_named_or_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    with serving(data, Registry(data)) as url:
        told = f"the service at {url} has its models in {data}"
        for arguments in (
            ["--service", url],
            ["list", "--service", url],
            ["--service", url, "list"],
        ):
            assert main(["models", *arguments]) == 0
            assert told in capsys.readouterr().err
        config = tmp_path / "mlplugin.toml"
        config.write_text(f'[service]\nhttp = "{url.removeprefix("http://")}"\n')
        monkeypatch.setenv("MLPLUGIN_CONFIG", str(config))
        for arguments in ([], ["list"], ["rollback"]):
            main(["models", *arguments])
            assert told in capsys.readouterr().err
        assert main(["models", "--models", str(shipped().parent), "--format", "csv", "list"]) == 0
        found = capsys.readouterr()
        assert found.out.startswith("version,")
        assert told not in found.err


class Answering(BaseHTTPRequestHandler):
    """Answers the same to all."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_arguments: object) -> None:
        pass


def answering(body: bytes) -> type[BaseHTTPRequestHandler]:
    return type("Answering", (Answering,), {"body": body})
