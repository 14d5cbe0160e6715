"""`mlplugin up` as a user runs it: real processes, a scripted upstream, signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.bundled.probes import probes
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.cli.up import acts_on
from mlplugin.model import load
from mlplugin.service.password import Password
from mlplugin.service.registry import Registry
from mlplugin.verdict import Threat
from tests.e2e.system import Process, built, get_json, mlplugin, until
from tests.support.models import variant

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]


class Up(Process):
    def __init__(self, folder: Path, *more: str, data: str = "data") -> None:
        self.dns, self.http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http}"
        self.place = folder / data
        command = [sys.executable, "-m", "mlplugin", "up", "--dns", f"127.0.0.1:{self.dns}"]
        command += ["--http", f"127.0.0.1:{self.http}", "--data", str(self.place), *more]
        super().__init__(command, folder / f"{data}.log")

    def start(self) -> None:
        self.log.unlink(missing_ok=True)
        built()
        super().start()
        until("it is up", self.is_up)

    def is_up(self) -> bool:
        assert self.alive(), self.output()
        return "Ctrl-C stops it." in self.output()

    def children(self) -> dict[str, int]:
        """Process ids by what they run: `coredns` and `python`."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        names = {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in text.split()}
        return {"coredns" if name == "coredns" else "service": pid for name, pid in names.items()}

    def ask(self, name: str) -> dns.message.Message:
        query = dns.message.make_query(f"{name}.", "A")
        return dns.query.udp(query, "127.0.0.1", 5, self.dns)

    def answers(self) -> bool:
        try:
            return bool(self.ask("www.iana.org").answer)
        except (dns.exception.DNSException, OSError):
            return False


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with Upstream(Script()) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.fixture
def make(upstream: str, tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Make systems that are gone for sure when the test ends."""
    made: list[Up] = []

    def one(*more: str, data: str = "data") -> Up:
        forward = () if "--corefile" in more else ("--forward", upstream)
        made.append(Up(tmp_path, *forward, *more, data=data))
        return made[-1]

    yield one
    for up in made:
        up.stop(signal.SIGKILL)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_one_command_answers_remembers_and_stops(
    make: Callable[..., Up], number: signal.Signals, status: int
) -> None:
    up = make()
    up.start()
    assert f"dig @127.0.0.1 -p {up.dns} example.org" in up.output()
    assert f"{up.url}/" in up.output()
    assert "connection refused" not in up.output()
    assert up.ask("www.iana.org").answer[0][0].to_text() == "192.0.2.1"
    children = up.children()
    assert set(children) == {"coredns", "service"}
    # Asked and stopped at once: what CoreDNS has not sent yet is sent before it ends.
    assert up.stop(number) == status
    assert all(gone(pid) for pid in children.values())
    assert "Traceback" not in up.output()
    up.start()
    rows = until(
        "the query is in the history",
        lambda: get_json(f"{up.url}/api/v1/queries?qname=www.iana.org")["queries"],
    )
    assert len(rows) == 1
    assert up.stop() == 0


def test_what_dies_is_started_again(make: Callable[..., Up]) -> None:
    up = make()
    up.start()
    for name in ("service", "coredns"):
        old = up.children()[name]
        os.kill(old, signal.SIGKILL)
        until(f"a new {name}", lambda: up.children().get(name, old) != old)  # noqa: B023
        assert f"{name} ended (SIGKILL)" in up.output()
    until("it answers", up.answers)

    def remembers() -> bool:
        with contextlib.suppress(OSError):  # the new service may not listen yet
            return bool(get_json(f"{up.url}/api/v1/stats")["queries"] >= 1)
        return False

    until("it remembers", remembers)
    assert up.stop() == 0


def test_nothing_outlives_a_killed_parent(make: Callable[..., Up]) -> None:
    up = make()
    up.start()
    children = up.children()
    up.stop(signal.SIGKILL)
    until("both are gone", lambda: all(gone(pid) for pid in children.values()))


def test_dns_answers_while_the_service_is_dead(make: Callable[..., Up]) -> None:
    up = make()
    up.start()
    os.kill(up.children()["service"], signal.SIGSTOP)
    for _ in range(20):
        assert up.ask("www.iana.org").answer
    os.kill(up.children()["service"], signal.SIGCONT)
    until("events arrive", lambda: get_json(f"{up.url}/api/v1/stats")["queries"] == 20)
    assert up.stop() == 0


def test_rules_block(make: Callable[..., Up]) -> None:
    (probe, *_) = probes(load(), seed=1)[Threat.DGA]
    up = make("--on", "malicious nxdomain", "--on", "dga sinkhole 192.0.2.99")
    up.start()
    assert up.ask(probe.qname).answer[0][0].to_text() == "192.0.2.99"
    assert up.ask("www.iana.org").answer
    assert up.stop() == 0
    assert f'flagged name="{probe.qname}"' in up.output()


def test_a_token_guards_the_service_and_not_the_plugin(
    make: Callable[..., Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "a token with %/@ in it"
    monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", token)
    up = make()
    up.start()
    assert up.answers()
    url = f"{up.url}/api/v1/stats"
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        get_json(url)
    refused.value.close()
    headers = {"Authorization": f"Bearer {token}"}
    until("the event arrives", lambda: get_json(url, headers=headers)["queries"] >= 1)
    assert (up.place / "Corefile").stat().st_mode & 0o077 == 0
    assert token not in up.output()
    assert up.stop() == 0


def test_behind_a_proxy_the_plugin_has_a_token_of_its_own(
    make: Callable[..., Up], tmp_path: Path
) -> None:
    up = make("--trusted-proxy", "127.0.0.1")
    Password(up.place).set("correct horse battery")
    up.start()
    assert up.answers()
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        get_json(f"{up.url}/api/v1/stats")
    refused.value.close()
    token = re.findall("mlplugin:([0-9a-f]{64})@", (up.place / "Corefile").read_text())[0]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{up.url}/api/v1/stats"
    until("the event arrives", lambda: get_json(url, headers=headers)["queries"] >= 1)
    assert up.stop() == 0


def test_a_corefile_is_used_as_it_is(make: Callable[..., Up], tmp_path: Path) -> None:
    port = free_port()
    corefile = tmp_path / "mine"
    corefile.write_text(f".:{port} {{\n bind 127.0.0.1\n mlplugin\n template IN A {{\n"
                        '  answer "{{ .Name }} 60 IN A 192.0.2.77"\n }\n}\n')  # fmt: skip
    up = make("--corefile", str(corefile))
    up.start()
    assert f":{port} on 127.0.0.1" in up.output()
    up.dns = port
    assert up.ask("www.iana.org").answer[0][0].to_text() == "192.0.2.77"
    assert up.stop() == 0


def failed(up: Up) -> tuple[int, str]:
    """Exit status and the one line of a start that must not succeed."""
    built()
    Process.start(up)
    until("it gives up", lambda: not up.alive(), 60)
    lines = [line for line in up.output().splitlines() if line.startswith("mlplugin: ")]
    assert "Traceback" not in up.output()
    assert len(lines) == 1, up.output()
    return up.stop(), lines[0]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_a_port_in_use(make: Callable[..., Up], kind: socket.SocketKind) -> None:
    up = make()
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", up.dns))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        status, line = failed(up)
    assert status == 3
    assert f"127.0.0.1:{up.dns}" in line
    assert "--dns" in line
    assert f"(process {os.getpid()})" in line


def test_two_on_one_data_directory(make: Callable[..., Up]) -> None:
    first, second = make(), make()
    first.start()
    second.log = second.log.with_suffix(".second")
    status, line = failed(second)
    assert status == 3
    assert f"process {first.pid}" in line
    assert "--data" in line
    assert first.answers()
    assert first.stop() == 0


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--on", "evil nxdomain"], 2, "malicious"),
        (["--on", "malicious sinkhole here"], 2, "no IP address"),
        (["--forward", "dns.example.org"], 2, "--forward"),
        (["--dns", "nowhere"], 2, "127.0.0.1:1053"),
        (["--dns", "192.0.2.1:1053"], 3, "no address of this machine"),
        (["--data", "/proc/nowhere"], 2, "--data"),
        (["--corefile", "/no/such/file"], 2, "does not exist"),
        (["--store", "ftp://192.0.2.1/"], 3, "ftp"),
        (["--trusted-proxy", "localhost"], 2, "is no address"),
    ],
)
def test_wrong_wishes_are_said_in_one_line(
    options: list[str], status: int, says: str, tmp_path: Path
) -> None:
    base = ["--dns", f"127.0.0.1:{free_port()}", "--http", f"127.0.0.1:{free_port()}",
            "--data", str(tmp_path / "data")]  # fmt: skip
    built()
    done = mlplugin("up", *base, *options, timeout=120)
    assert done.returncode == status, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("mlplugin: ")
    assert says in last
    assert "Traceback" not in done.stderr


def test_a_corefile_that_coredns_refuses(make: Callable[..., Up], tmp_path: Path) -> None:
    corefile = tmp_path / "mine"
    corefile.write_text(f".:{free_port()} {{\n mlplugin {{\n  modle x\n }}\n}}\n")
    up = make("--corefile", str(corefile))
    status, line = failed(up)
    assert status == 3
    assert "coredns did not start" in line
    assert "modle" in line
    assert up.output().count("modle") == 1


@pytest.mark.parametrize("text", ["", ".:1053 {\n whoami\n}\n"])
def test_a_corefile_without_the_plugin(make: Callable[..., Up], text: str, tmp_path: Path) -> None:
    corefile = tmp_path / "mine"
    corefile.write_text(text)
    status, line = failed(make("--corefile", str(corefile)))
    assert status == 2
    assert f"--corefile {corefile} has no mlplugin block" in line


def test_a_corefile_without_a_service(make: Callable[..., Up], tmp_path: Path) -> None:
    corefile = tmp_path / "mine"
    corefile.write_text(f".:{free_port()} {{\n bind 127.0.0.1\n mlplugin\n}}\n")
    up = make("--corefile", str(corefile))
    up.start()
    assert f"warning: --corefile {corefile}: its mlplugin block has no `service URL`" in up.output()
    assert f"add `service http://127.0.0.1:{up.http}`" in up.output()
    assert up.stop() == 0


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ((), "--on 'malicious nxdomain' blocks more"),
        (("malicious observe",), "the rest is reported"),
        (
            ("malicious  nxdomain", "phishing sinkhole"),
            "malicious nxdomain, phishing sinkhole, and",
        ),
    ],
)
def test_it_says_what_it_acts_on(rules: tuple[str, ...], said: str) -> None:
    assert said in acts_on(rules)


def test_a_corefile_of_another_service_and_its_metrics(
    make: Callable[..., Up], tmp_path: Path
) -> None:
    metrics, corefile = free_port(), tmp_path / "mine"
    corefile.write_text(
        f".:{free_port()} {{\n bind 127.0.0.1\n prometheus 127.0.0.1:{metrics}\n"
        " mlplugin {\n  service http://127.0.0.1:1\n }\n}\n"
    )
    up = make("--corefile", str(corefile))
    up.start()
    assert (
        f"warning: the Corefile sends to 127.0.0.1:1, the service listens on 127.0.0.1:{up.http}"
        in up.output()
    )
    assert f"Metrics    http://127.0.0.1:{metrics}/metrics" in up.output()
    assert up.stop() == 0


def test_metrics_stay_where_they_are(make: Callable[..., Up]) -> None:
    up = make("--dns", f"0.0.0.0:{free_port()}")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 9153))
            taken.listen()
        up.start()
    assert "127.0.0.1:9153 is in use: CoreDNS's metrics are at 127.0.0.1:" in up.output()
    assert "answers anybody who can reach it" in up.output()
    assert up.stop() == 0


def test_a_newer_shipped_model_is_told(make: Callable[..., Up], tmp_path: Path) -> None:
    model = variant(tmp_path, "0.9")
    config = json.loads((model / "config.json").read_text()) | {"created": "2020-01-01T00:00:00Z"}
    (model / "config.json").write_text(json.dumps(config))
    up = make()
    Registry(up.place).promote(model)
    up.start()
    version = load().version
    assert (
        f"Model      a newer model comes with this mlplugin, {version} in place of 0.9: "
        f"`mlplugin models promote {version}` takes it\n"
    ) in up.output()
    # Who named a model knows which one it is.
    assert up.stop() == 0
    up = make("--model", str(model))
    up.start()
    assert "a newer model" not in up.output()
