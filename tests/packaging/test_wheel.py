"""The wheel as a stranger gets it: built from the sdist, installed where there is no Go."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import dns.message
import dns.query
import pytest

from mlplugin import __version__
from mlplugin.bundled.ports import free_port
from mlplugin.bundled.upstream import Script, Upstream
from tests.e2e.system import Process, get_json, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
# What a machine without development tools has on its PATH.
BARE_PATH = "/usr/bin:/bin"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        timeout=1500,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and what it needs alone."""
    folder = tmp_path_factory.mktemp("empty")
    uv = shutil.which("uv")
    if uv is None:
        pytest.fail("uv is not on PATH: run the tests with `uv run pytest`")
    exported = folder / "locked.txt"
    for command in (
        [uv, "venv", "--python", sys.executable, str(folder / "venv")],
        [uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "-q",
         "--project", str(ROOT), "-o", str(exported)],
        [uv, "pip", "install", "--python", str(folder / "venv"), "-c", str(exported), str(wheel)],
    ):  # fmt: skip
        subprocess.run(command, check=True, timeout=600, capture_output=True)
    return folder / "venv" / "bin"


def test_the_wheel_is_for_this_platform(wheel: Path) -> None:
    name, version, python, abi, platforms = wheel.name.removesuffix(".whl").split("-")
    assert (name, version, python, abi) == ("mlplugin", __version__, "py3", "none")
    assert platforms != "any"
    assert "linux" not in sys.platform or "manylinux" in platforms


def test_the_wheel_holds_the_binary_the_model_and_the_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {item.filename: item for item in archive.infolist()}
        binary = files["mlplugin/bin/coredns"]
        assert (binary.external_attr >> 16) & 0o111 == 0o111
        assert binary.file_size > 10_000_000
        assert any(name.startswith("mlplugin/models/") and name.endswith("weights.safetensors")
                   for name in files)  # fmt: skip
        licences = archive.read("mlplugin/bin/LICENSES.txt").decode()
        metadata = next(name for name in files if name.endswith(".dist-info/METADATA"))
        assert (
            "Root-Is-Purelib: false" in archive.read(metadata.replace("METADATA", "WHEEL")).decode()
        )
    assert "github.com/miekg/dns" in licences
    assert "The Go Authors" in licences
    assert any(name.endswith("licenses/LICENSE") for name in files)
    assert any(name.endswith("licenses/NOTICE") for name in files)
    assert not any(name.endswith((".go", "hatch_build.py")) for name in files)


def test_the_sdist_holds_every_source(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files", "src", "coredns", "models", "go.mod", "go.sum", "hatch_build.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) - names == set()


def test_an_installed_wheel_judges_a_query_without_go(installed: Path, tmp_path: Path) -> None:
    assert shutil.which("go", path=BARE_PATH) is None
    port, http = free_port(), free_port()
    environment = {"PATH": BARE_PATH, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    with Upstream(Script()) as upstream:
        system = Process(
            ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in environment.items()),
             str(installed / "mlplugin"), "up", "--dns", f"127.0.0.1:{port}",
             "--http", f"127.0.0.1:{http}", "--data", str(tmp_path / "data"),
             "--forward", f"127.0.0.1:{upstream.port}"],
            tmp_path / "up.log",
        )  # fmt: skip
        system.start()

        def is_up() -> bool:
            assert system.alive(), system.output()
            return "Ctrl-C stops it." in system.output()

        until("it is up", is_up)
        query = dns.message.make_query("www.iana.org.", "A")
        answer = dns.query.udp(query, "127.0.0.1", 5, port)
        assert answer.answer
        url = f"http://127.0.0.1:{http}/api/v1/queries?qname=www.iana.org"
        (row,) = until("the query is in the history", lambda: get_json(url)["queries"])
        assert row["verdict"] == "benign"
        assert system.stop(signal.SIGINT) == 130
    assert not (tmp_path / "go").exists()


def test_the_binary_in_the_wheel_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "mlplugin"), "coredns", "--", "-version"],
        env={"PATH": BARE_PATH, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"mlplugin-{__version__}" in done.stdout
    assert done.stderr == ""
    assert not (tmp_path / ".cache" / "mlplugin").exists()
