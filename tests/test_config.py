"""The configuration: defaults, file, variables, and what is said of mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlplugin.config import Config, load, size_in_bytes
from mlplugin.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]

EVERYTHING = """
[dns]
listen = "192.0.2.1:53"
forward = ["192.0.2.53", "tls://192.0.2.54"]
corefile = "Corefile"

[service]
http = "[::1]:8080"
threads = 4

[store]
url = "http://192.0.2.9:9200"
retention_days = 7.5
max_bytes = "2 GiB"

[data]
dir = "/var/lib/mlplugin"

[model]
dir = "models/mine"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mlplugin.toml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    config = load(None, {})
    assert config == Config()
    assert config.dns.listen == "127.0.0.1:1053"
    assert config.service.http == "127.0.0.1:5000"
    assert config.store.url is None
    assert config.store.retention_days == 90
    assert config.store.max_bytes == 10_000_000_000
    assert config.model.dir is None


def test_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, EVERYTHING), {})
    assert config.dns.listen == "192.0.2.1:53"
    assert config.dns.forward == ["192.0.2.53", "tls://192.0.2.54"]
    assert config.dns.corefile == tmp_path / "Corefile"
    assert config.service.http == "[::1]:8080"
    assert config.service.threads == 4
    assert config.store.url == "http://192.0.2.9:9200"
    assert config.store.retention_days == 7.5
    assert config.store.max_bytes == 2 * 1024**3
    assert config.data.dir == Path("/var/lib/mlplugin")
    assert config.model.dir == tmp_path / "models/mine"


def test_every_value_has_a_variable_that_wins(tmp_path: Path) -> None:
    values = {
        ("dns", "listen"): "192.0.2.7:5353",
        ("dns", "forward"): "192.0.2.60, 192.0.2.61",
        ("dns", "corefile"): "other/Corefile",
        ("service", "http"): "192.0.2.7:80",
        ("service", "threads"): "2",
        ("service", "trusted_proxy"): "192.0.2.6",
        ("store", "url"): "http://192.0.2.8:9200",
        ("store", "index"): "dns",
        ("store", "user"): "ann",
        ("store", "password_file"): "password",
        ("store", "api_key_file"): "key",
        ("store", "token_file"): "token",
        ("store", "ca_file"): "ca.pem",
        ("store", "plain_secrets"): "true",
        ("store", "retention_days"): "3",
        ("store", "max_bytes"): "1MB",
        ("data", "dir"): "elsewhere",
        ("model", "dir"): "other",
    }
    known = {(section, name) for section, part in Config() for name, _ in part}
    assert set(values) == known
    environment = {f"MLPLUGIN_{s.upper()}_{n.upper()}": text for (s, n), text in values.items()}
    config = load(written(tmp_path, EVERYTHING), environment)
    assert config.dns.forward == ["192.0.2.60", "192.0.2.61"]
    assert config.dns.corefile == Path("other/Corefile")  # relative to where one is
    assert config.store.max_bytes == 1_000_000
    assert config.store.retention_days == 3
    assert config.service.threads == 2
    for section, name in (("dns", "listen"), ("service", "http"), ("store", "url")):
        assert getattr(getattr(config, section), name) == values[section, name]


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, EVERYTHING)
    empty = {"MLPLUGIN_STORE_URL": "", "MLPLUGIN_DNS_LISTEN": ""}
    assert load(path, empty) == load(path, {})


def test_other_variables_are_none_of_ours() -> None:
    assert (
        load(None, {"MLPLUGIN_COREDNS": "x", "MLPLUGIN_CONFIG": "y", "DNS_LISTEN": "z"}) == Config()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[dsn]\nlisten = 1", "dsn is not known; did you mean dns?"),
        (
            "[store]\nretension_days = 3",
            "store.retension_days is not known; did you mean retention_days?",
        ),
        ("[store]\nzzz = 3", "store.zzz is not known; known are url, index, user, password_file"),
        ("store = 3", "store is a section: write [store] and its values below"),
        ("[dns]\nlisten = 53", "dns.listen: 53 is no ADDRESS:PORT"),
        ('[dns]\nlisten = "192.0.2.1:65536"', "dns.listen: '192.0.2.1:65536' is no ADDRESS:PORT"),
        ('[dns]\nforward = [""]', "dns.forward.0: "),
        ("[service]\nthreads = 0", "service.threads: "),
        ("[store]\nretention_days = -1", "store.retention_days: "),
        ('[store]\nmax_bytes = "10 XB"', "store.max_bytes: '10 XB' is no size: write 10GB"),
        ("[store]\nmax_bytes = true", "store.max_bytes: True is no size"),
        ("[store", "not readable as TOML"),
    ],
)
def test_mistakes_in_a_file(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "MLPLUGIN_DNS_LISTN",
            "x",
            "MLPLUGIN_DNS_LISTN is not known; did you mean MLPLUGIN_DNS_LISTEN?",
        ),
        ("MLPLUGIN_SERVICE_THREADS", "many", "MLPLUGIN_SERVICE_THREADS: "),
        ("MLPLUGIN_STORE_MAX_BYTES", "0", "MLPLUGIN_STORE_MAX_BYTES: "),
    ],
)
def test_mistakes_in_variables(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {variable: value})
    assert str(caught.value).startswith(message)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*: No such file"):
        load(tmp_path / "none.toml", {})


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mlplugin.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        load(path, {})


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), (5, 5), ("10GB", 10**10), ("1.5 KiB", 1536), ("3 tb", 3 * 10**12), ("7b", 7)],
)
def test_sizes(text: object, size: int) -> None:
    assert size_in_bytes(text) == size


def test_the_schema_is_published() -> None:
    """If it fails: python -c 'from mlplugin.config import *' and write Config.json_schema()."""
    committed = (ROOT / "docs" / "config.schema.json").read_text()
    assert committed == json.dumps(Config.json_schema(), indent=2) + "\n"


def test_the_schema_describes_every_value() -> None:
    schema = Config.json_schema()
    for section in schema["$defs"].values():
        assert section["additionalProperties"] is False
        assert all(value["description"] for value in section["properties"].values())
