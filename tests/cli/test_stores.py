"""What is configured of a cluster: its options, and its secrets from files or the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.cli.main import main
from mlplugin.cli.serve import serve
from mlplugin.cli.stores import cluster_options
from mlplugin.errors import ConfigError

URL = "https://192.0.2.1:9200"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mlplugin.toml"
    path.write_text('[store]\nuser = "ann"\npassword_file = "password"\nindex = "dns"\n')
    (tmp_path / "password").write_text("correct horse\n")
    monkeypatch.setenv("MLPLUGIN_CONFIG", str(path))
    return path


def test_a_configuration_and_its_file_with_a_password(path: Path) -> None:
    options = cluster_options(URL)
    assert options is not None
    assert (options.user, options.password, options.index) == ("ann", "correct horse", "dns")
    assert "correct" not in repr(options)


def test_the_embedded_store_reads_no_secret(path: Path) -> None:
    path.with_name("password").unlink()
    assert cluster_options(None) is None
    assert cluster_options("duckdb:///data") is None
    with pytest.raises(ConfigError, match="cannot be read"):
        cluster_options(URL)


def test_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPLUGIN_STORE_API_KEY", "a2V5")
    options = cluster_options(URL)
    assert options is not None
    assert options.api_key == "a2V5"


def test_a_secret_that_is_said_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPLUGIN_STORE_PASSWORD", "another")
    with pytest.raises(ConfigError, match="one must be enough"):
        cluster_options(URL)


def test_an_empty_file(path: Path) -> None:
    path.with_name("password").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        cluster_options(URL)


def test_secrets_have_no_place_in_a_configuration(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text('[store]\npassword = "correct horse"\n')
    assert main(["store", "check"]) == 2
    said = capsys.readouterr().err
    assert "store.password is not known" in said
    assert "correct" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["copy", URL, "http://192.0.2.2:9200"], "one set of credentials"),
        (["copy", "duckdb:///a", "duckdb:///a"], "one store twice"),
        (["prune"], "say what is to go"),
        (["prune", "--to-bytes", "much"], "is no size"),
        (["check", "--role"], "there is no history"),
        (["prune", "--before", "30d"], "there is no history"),
        (["migrate"], "there is no history"),
    ],
)
def test_what_makes_no_sense(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = [] if arguments[0] == "copy" else ["--data", str(tmp_path)]
    assert main(["store", *arguments, *place]) in {2, 3}
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "nothing was made"


def test_up_refuses_a_password_in_a_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(tmp_path)]
    assert main(["up", "--store", "https://ann:secret@192.0.2.1", *place]) == 3
    said = capsys.readouterr().err
    assert "no password belongs into a URL" in said
    assert "secret" not in said


def test_only_the_embedded_store_has_a_bound_in_bytes_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlplugin.service import service
    from mlplugin.service.retention import Bounds

    seen = []

    class StopHereError(Exception):
        pass

    def assemble(_store: object, _model: object, bounds: Bounds, *_: object) -> None:
        seen.append(bounds.most_bytes)
        raise StopHereError

    monkeypatch.setattr(service, "assemble", assemble)
    monkeypatch.setattr("mlplugin.cli.serve.opened", lambda *_: None)
    base = ["--data", str(tmp_path)]
    for arguments in ([], ["--store", URL], ["--store", URL, "--max-bytes", "1GB"]):
        with pytest.raises(StopHereError):
            serve.main([*base, *arguments], standalone_mode=False)
    assert seen == [10_000_000_000, None, 1_000_000_000]
