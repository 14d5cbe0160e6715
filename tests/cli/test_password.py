"""`password`, and what starts with one."""

from __future__ import annotations

from pathlib import Path

from mlplugin.bundled.ports import Endpoint
from mlplugin.cli.up import _own_token
from mlplugin.service.password import Password
from tests.e2e.system import mlplugin


def test_it_is_read_from_a_pipe(tmp_path: Path) -> None:
    place = tmp_path / "data"
    done = mlplugin("password", "--data", str(place), input="correct horse battery\n")
    assert done.returncode == 0, done.stderr
    assert "correct horse" not in done.stdout + done.stderr
    assert Password(place).matches("correct horse battery")
    assert mlplugin("password", "--data", str(place), "--remove").returncode == 0
    assert not Password(place).exists()


def test_what_is_none(tmp_path: Path) -> None:
    for text in ("", "short\n"):
        done = mlplugin("password", "--data", str(tmp_path), input=text)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert not Password(tmp_path).exists()


def test_nothing_starts_beyond_this_machine_without_one(tmp_path: Path) -> None:
    done = mlplugin("serve", "--http", "0.0.0.0:0", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "mlplugin password" in done.stderr


def test_coredns_gets_a_token_of_its_own_where_people_need_a_password(tmp_path: Path) -> None:
    everywhere, here = Endpoint("0.0.0.0", 5000), Endpoint("127.0.0.1", 5000)
    assert _own_token(everywhere, tmp_path, None) is None, "the service says what is missing"
    Password(tmp_path).set("correct horse battery")
    assert _own_token(here, tmp_path, None) is None
    token = _own_token(everywhere, tmp_path, None)
    assert token is not None
    assert len(token) == 64
    assert token != _own_token(everywhere, tmp_path, None)
    assert _own_token(here, tmp_path, "127.0.0.1") is not None, "a proxy brings others here"
