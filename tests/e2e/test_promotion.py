"""A model that is promoted judges within seconds, on real servers; no query is lost meanwhile."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.bundled.probes import probes
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.model import load
from mlplugin.service.registry import Registry
from tests.cli.test_up import Up
from tests.support.models import TINY, variant

from .system import CoreDNS, get_json, mlplugin, post_json, until

pytestmark = pytest.mark.e2e

WITHIN = 15.0  # seconds; the plugin looks every two, twice
COREFILE = """
.:{port} {{
    bind 127.0.0.1
    mlplugin {{
        model {link} or builtin
        on malicious nxdomain
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""


@pytest.fixture(scope="module")
def name() -> str:
    """A name that the built-in model blocks and the tiny one does not."""
    tiny = load(TINY)
    made = [probe.qname for group in probes(load()).values() for probe in group]
    return next(one for one in made if tiny.judge(one).level == "benign")


def models(data: Path, *arguments: str) -> str:
    done = mlplugin("models", *arguments, "--data", str(data))
    assert done.returncode == 0, done.stderr
    return str(done.stderr)


class Asking:
    """Asks all the time, and keeps what was answered and what was not."""

    def __init__(self, port: int, name: str) -> None:
        self.port, self.name = port, f"{name}."
        self.answers: Counter[str] = Counter()
        self.lost: list[str] = []
        self._running = threading.Event()
        self._running.set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.clear()
        self._thread.join()

    def _run(self) -> None:
        while self._running.is_set():
            query = dns.message.make_query(self.name, "A")
            try:
                answer = dns.query.udp(query, "127.0.0.1", 5, self.port)
                self.answers[dns.rcode.to_text(answer.rcode())] += 1
            except (dns.exception.DNSException, OSError) as fault:
                self.lost.append(repr(fault))
            time.sleep(0.002)  # a client's pace, so that the sender is not what is measured

    def becomes(self, wanted: str) -> float:
        """Wait until answers are so, and then all of them; the seconds it took."""
        began = time.monotonic()
        count = self.answers[wanted]
        until(f"answers are {wanted}", lambda: self.answers[wanted] > count, WITHIN)
        return time.monotonic() - began


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Upstream(Script()) as upstream:
        up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}", "--on", "malicious nxdomain")
        up.start()
        yield up
        up.stop(signal.SIGKILL)


def version(up: Up) -> str:
    """The model that the service judges with."""
    answer = post_json(f"{up.url}/api/v1/classify", {"names": ["example.net"]})
    return str(answer["verdicts"][0]["model"])


def test_both_parts_take_it_up_and_no_query_is_lost(up: Up, name: str, tmp_path: Path) -> None:
    builtin = load().version
    assert version(up) == builtin
    tiny = variant(tmp_path, "0.9")
    with Asking(up.dns, name) as asking:
        asking.becomes("NXDOMAIN")
        assert asking.answers.keys() == {"NXDOMAIN"}
        said = models(up.place, "promote", str(tiny), "--force")
        assert f"0.9 is in use in place of the shipped model {builtin}" in said
        assert asking.becomes("NOERROR") < WITHIN
        until("the service took it up", lambda: version(up) == "0.9", WITHIN)
        models(up.place, "rollback")
        asking.becomes("NXDOMAIN")
        until("the service went back", lambda: version(up) == builtin, WITHIN)
    assert asking.lost == []
    assert "0.9 is in force in place of" in up.output()
    total = asking.answers.total()
    until("every query is in the history", lambda: stored(up) == total)
    judged = get_json(f"{up.url}/api/v1/stats")
    assert judged["dropped"] == 0
    assert judged["flagged"] >= asking.answers["NXDOMAIN"]
    assert up.stop() == 0


def stored(up: Up) -> int:
    return int(get_json(f"{up.url}/api/v1/stats")["queries"])


def test_a_restart_keeps_it(up: Up, name: str, tmp_path: Path) -> None:
    models(up.place, "promote", str(variant(tmp_path, "0.9")), "--force")
    assert up.stop() == 0
    up.start()
    assert version(up) == "0.9"
    assert dns.rcode.to_text(up.ask(name).rcode()) == "NOERROR"
    assert up.stop() == 0


def test_a_promoted_model_that_is_gone(up: Up, name: str, tmp_path: Path) -> None:
    """What runs keeps the model that it has; a start says in one line what to do."""
    models(up.place, "promote", str(variant(tmp_path, "0.9")), "--force")
    until("it is taken up", lambda: up.ask(name).rcode() == dns.rcode.NOERROR, WITHIN)
    until("by both", lambda: version(up) == "0.9", WITHIN)
    shutil.move(up.place / "models" / "0.9", tmp_path / "aside")
    until("it is told", lambda: "the old stays in force" in up.output(), WITHIN)
    until("by both", lambda: "stays in use" in up.output(), WITHIN)
    assert up.ask(name).rcode() == dns.rcode.NOERROR
    assert version(up) == "0.9"
    assert up.stop() == 0
    done = mlplugin("up", *up.command[4:])
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("mlplugin: ")
    assert "mlplugin models rollback" in done.stderr.splitlines()[-1]
    models(up.place, "rollback")
    up.start()
    assert up.ask(name).rcode() == dns.rcode.NXDOMAIN
    assert up.stop() == 0


def test_a_corefile_of_ones_own(name: str, tmp_path: Path) -> None:
    """CoreDNS alone, with the line that the documents give."""
    data, port = tmp_path / "data", free_port()
    text = COREFILE.format(port=port, link=Registry(data).link)
    server = CoreDNS(tmp_path, text, port, None)
    server.start()
    with Asking(port, name) as asking:
        asking.becomes("NXDOMAIN")
        models(data, "promote", str(variant(tmp_path, "0.9")), "--force")
        asking.becomes("NOERROR")
        models(data, "promote", str(copy_of_the_shipped(tmp_path)), "--force")
        asking.becomes("NXDOMAIN")
        models(data, "rollback")
        asking.becomes("NOERROR")
        models(data, "rollback")
        asking.becomes("NXDOMAIN")
    assert asking.lost == []
    assert server.stop() == 0


def copy_of_the_shipped(folder: Path) -> Path:
    """A copy of the shipped model, as somebody's own training may have left it."""
    from mlplugin.model import shipped

    return Path(shutil.copytree(shipped(), folder / "copy"))


def test_a_corefile_that_does_not_name_it(up: Up, tmp_path: Path) -> None:
    models(up.place, "promote", str(variant(tmp_path, "0.9")), "--force")
    assert up.stop() == 0
    corefile = tmp_path / "mine"
    corefile.write_text(f".:{free_port()} {{\n bind 127.0.0.1\n mlplugin\n whoami\n}}\n")
    own = Up(tmp_path, "--corefile", str(corefile))
    own.start()
    try:
        link = Registry(own.place.resolve()).link
        assert f"the Corefile does not use the promoted model: add `model {link} or builtin`" in (
            own.output()
        )
    finally:
        own.stop()
