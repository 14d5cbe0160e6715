"""The configuration as defaults of options."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from mlplugin.cli.main import cli
from mlplugin.cli.settings import defaults, is_needed


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    text = """
    [dns]
    listen = "192.0.2.1:53"
    forward = ["192.0.2.53", "192.0.2.54"]
    [service]
    http = "0.0.0.0:8080"
    trusted_proxy = "192.0.2.6"
    [data]
    dir = "data"
    [model]
    dir = "/models/mine"
    """
    (tmp_path / "mlplugin.toml").write_text(text)
    return tmp_path / "mlplugin.toml"


def test_up(path: Path) -> None:
    assert defaults(command("up"), path) == {
        "dns": "192.0.2.1:53",
        "forward": ["192.0.2.53", "192.0.2.54"],
        "http": "0.0.0.0:8080",
        "data": str(path.parent / "data"),
        "model": "/models/mine",
        "trusted_proxy": "192.0.2.6",
    }


def test_commands_that_call_the_service_reach_it(path: Path) -> None:
    found = defaults(command("replay"), path)
    assert found == {"server": "192.0.2.1:53", "service": "http://127.0.0.1:8080"}


def test_options_of_the_same_name_with_another_meaning_are_left_alone(path: Path) -> None:
    assert defaults(command("train"), path) == {}
    assert defaults(command("evaluate"), path) == {}


def test_the_command_line_wins(path: Path) -> None:
    seen = {}

    @click.command()
    @click.option("--http", default="192.0.2.9:1")
    @click.option("--dns")
    def fake(http: str, dns: str) -> None:
        seen.update(http=http, dns=dns)

    fake.main(["--dns", "192.0.2.2:5353"], standalone_mode=False, default_map=defaults(fake, path))
    assert seen == {"http": "0.0.0.0:8080", "dns": "192.0.2.2:5353"}


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({}, False),
        ({"MLPLUGIN_CONFIG": "x", "MLPLUGIN_COREDNS": "y", "DNS_LISTEN": "z"}, False),
        ({"MLPLUGIN_DNS_LISTEN": "192.0.2.1:53"}, True),
        ({"MLPLUGIN_STORE_URL": ""}, True),
    ],
)
def test_nothing_is_read_for_nothing(environment: dict[str, str], needed: bool) -> None:
    assert is_needed(None, environment) == needed
    assert is_needed(Path("x"), environment)


def test_commands_within_a_group(path: Path) -> None:
    path.write_text(path.read_text() + '[store]\nurl = "https://192.0.2.1:9200"\n')
    found = defaults(command("store"), path)
    assert found["check"] == {
        "store": "https://192.0.2.1:9200",
        "data": str(path.parent / "data"),
    }
    # What stands before the inner command's name goes before the configuration.
    assert defaults(command("models"), path) == {
        "data": str(path.parent / "data"),
        "service": "http://127.0.0.1:8080",
    }
