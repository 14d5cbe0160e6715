from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from mlplugin.bundled.ports import Endpoint, free_port
from mlplugin.bundled.reading import listeners
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.model import shipped
from mlplugin.store import open_store
from tests.e2e.system import mlplugin

from .test_up import Up

pytestmark = pytest.mark.e2e

GOOD = """
.:{port} {{
    bind 127.0.0.1
    mlplugin {{
        on malicious nxdomain
    }}
    whoami
}}
"""


class Checked:
    def __init__(self, *arguments: str, folder: Path) -> None:
        options = ["--http", f"127.0.0.1:{free_port()}", "--dns", f"127.0.0.1:{free_port()}"]
        if "--data" not in arguments:
            options += ["--data", str(folder / "data")]
        done = mlplugin("check", *options, *arguments, timeout=1500)
        self.status = done.returncode
        self.lines = done.stdout.splitlines()
        self.faults = [line for line in self.lines if line.startswith("FAULT")]
        self.errors = done.stderr


def corefile(folder: Path, text: str) -> str:
    path = folder / "Corefile"
    path.write_text(text)
    return str(path)


def test_all_is_well(tmp_path: Path) -> None:
    port = free_port()
    checked = Checked(corefile(tmp_path, GOOD.format(port=port)), folder=tmp_path)
    assert (checked.status, checked.faults) == (0, [])
    text = "\n".join(checked.lines)
    assert f"Corefile: {tmp_path}/Corefile" in text
    assert f"port dns: 127.0.0.1:{port}: free" in text
    assert re.search(r"model: \d+\.\d+\.\d+, SHA-256 [0-9a-f]{16}", text)
    assert "store:" in text
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".:1053 {\n mlplugin {\n  modle x\n }\n}\n", r"Corefile:3.*modle"),
        (".:1053 {\n mlplugon\n}\n", "mlplugon"),
        (".:1053 {\n whoami\n", "Corefile"),
        ("", "no mlplugin block"),
        (".:1053 {\n # mlplugin\n whoami\n}\n", "no mlplugin block"),
        (
            ".:1053 {\n mlplugin {\n  service http://localhost:1\n }\n}\n",
            r"sends to localhost:1, the service listens on 127\.0\.0\.1:\d+ \(--http\)",
        ),
        (".:1053 {\n mlplugin {\n  deny /no/such/list\n }\n}\n", "/no/such/list"),
    ],
)
def test_a_corefile_with_a_fault(text: str, says: str, tmp_path: Path) -> None:
    checked = Checked(corefile(tmp_path, text), folder=tmp_path)
    assert checked.status == 1
    (fault,) = checked.faults
    assert re.search(says, fault)


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    checked = Checked(str(tmp_path / "none"), folder=tmp_path)
    assert checked.status == 2
    assert "there is no such file" in checked.errors


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        checked = Checked(corefile(tmp_path, GOOD.format(port=port)), folder=tmp_path)
    assert checked.status == 1
    (fault,) = checked.faults
    assert f"127.0.0.1:{port} (UDP) is in use" in fault
    assert f"(process {os.getpid()})" in fault


def test_a_damaged_model(tmp_path: Path) -> None:
    model = Path(shutil.copytree(shipped(), tmp_path / "model"))
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    checked = Checked("--model", str(model), folder=tmp_path)
    assert checked.status == 1
    (fault,) = checked.faults
    assert "weights.safetensors" in fault


def test_the_store(tmp_path: Path) -> None:
    data = tmp_path / "data"
    open_store(None, data).close()
    checked = Checked(folder=tmp_path)
    assert checked.status == 0
    assert f"store: {data}: 0 queries" in "\n".join(checked.lines)
    (data / "history.duckdb").write_bytes(b"no database at all" * 1000)
    damaged = Checked(folder=tmp_path)
    assert damaged.status == 1
    assert "history.duckdb" in damaged.faults[0]


def test_a_store_of_another_kind(tmp_path: Path) -> None:
    checked = Checked("--store", "ftp://192.0.2.1", folder=tmp_path)
    assert checked.status == 1
    assert "ftp" in checked.faults[0]


def test_a_configuration(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(GOOD.format(port=port))
    toml = tmp_path / "mlplugin.toml"
    toml.write_text('[dns]\ncorefile = "Corefile"\n')
    checked = Checked(str(toml), folder=tmp_path)
    assert (checked.status, checked.faults) == (0, [])
    assert f"configuration: {toml}" in checked.lines[0]
    assert f"port dns: 127.0.0.1:{port}: free" in "\n".join(checked.lines)
    toml.write_text("[dns]\nlissten = 1\n")
    wrong = Checked(str(toml), folder=tmp_path)
    assert wrong.status == 1
    assert "did you mean listen?" in wrong.faults[0]


def test_listeners() -> None:
    text = """
    # . :99 {
    (snippet) {
        errors
    }
    example.org:5320, tls://example.net:5853 {
        bind 127.0.0.1 ::1
        import snippet
    }
    https:// . {
        bind eth0
    }
    . {
        template IN A { answer "{{ .Name }} 60 IN A 192.0.2.1" }
    }
    """
    assert listeners(text) == [
        ("dns", Endpoint("127.0.0.1", 5320)),
        ("dns", Endpoint("::1", 5320)),
        ("tls", Endpoint("127.0.0.1", 5853)),
        ("tls", Endpoint("::1", 5853)),
        ("dns", Endpoint("0.0.0.0", 53)),
    ]


def test_what_runs_is_told_by_its_data_directory(tmp_path: Path) -> None:
    with Upstream(Script()) as upstream:
        up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}")
        up.start()
        try:
            ports = ["--dns", f"127.0.0.1:{up.dns}", "--http", f"127.0.0.1:{up.http}"]
            same = Checked(*ports, "--data", str(up.place), folder=tmp_path)
            away = ["--dns", "127.0.0.1:0", "--http", f"127.0.0.1:{free_port()}"]
            elsewhere = Checked(*away, "--data", str(up.place), folder=tmp_path)
            # One that holds the directory and hangs: nobody answers.
            service = up.children()["service"]
            os.kill(service, signal.SIGSTOP)
            hanging = Checked(*away, "--data", str(up.place), folder=tmp_path)
            os.kill(service, signal.SIGCONT)
            other = Checked(*ports, "--data", str(tmp_path / "other"), folder=tmp_path)
        finally:
            up.stop()
    assert (same.status, same.faults) == (0, [])
    text = "\n".join(same.lines)
    assert f"port dns: 127.0.0.1:{up.dns}: in use by the mlplugin that runs there" in text
    assert f"port http: 127.0.0.1:{up.http}: in use by the mlplugin that runs there" in text
    assert f"store: {up.place}: held by the service that runs on 127.0.0.1:{up.http}" in text
    assert (elsewhere.status, elsewhere.faults) == (0, [])
    text = "\n".join(elsewhere.lines)
    assert f"store: {up.place}: held by the service that runs on 127.0.0.1:{up.http}, " in text
    assert f"(process {up.pid})" in text
    assert f"(process {service})" in text
    assert "a directory of its own (--data)" in text
    (fault,) = hanging.faults
    assert f"store: {up.place} is in use by" in fault
    assert "no service answers there" in fault
    assert f"(process {service})" in fault
    assert [line.split()[1:3] for line in other.faults] == [["port", "dns:"], ["port", "http:"]]
    assert "(process " in other.faults[0]


def test_a_corefile_without_a_service_is_told(tmp_path: Path) -> None:
    text = f".:{free_port()} {{\n bind 127.0.0.1\n mlplugin\n}}\n"
    checked = Checked(corefile(tmp_path, text), folder=tmp_path)
    assert checked.status == 0
    assert "no `service URL`: the history stays empty" in "\n".join(checked.lines)
