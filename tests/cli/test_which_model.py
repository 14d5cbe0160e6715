"""A model that is named: by its directory, its version, or as the shadow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlplugin.api import create_app
from mlplugin.api.access import Access
from mlplugin.api.server import Server
from mlplugin.cli import main
from mlplugin.cli.which_model import data_directory, directory_of, with_shadow
from mlplugin.errors import UsageError
from mlplugin.model import load, shipped
from mlplugin.service.registry import Registry
from mlplugin.service.service import assemble
from mlplugin.store import open_store
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
