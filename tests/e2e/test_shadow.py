"""A candidate in shadow on real servers: it is heard of, and changes no answer."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.model import load
from mlplugin.service.registry import Registry
from tests.cli.test_up import Up
from tests.support.models import TINY, variant

from .system import CoreDNS, Service, get_json, mlplugin, post_json, until

pytestmark = pytest.mark.e2e

WITHIN = 15.0  # seconds; the plugin looks every two, twice
COREFILE = """
.:{port} {{
    bind 127.0.0.1
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        shadow {link}
        on malicious nxdomain
        service {service}
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""
# By the built-in model malicious and by the tiny one not, the other way round, and both benign.
BETTER, WORSE, SAME = "lmgjtcxifuyzoojgpqxuisazv.net", "_dmarc.registered.org", "tea-shop.com"
JUDGED = "coredns_mlplugin_shadow_judged_total"
INFO = "coredns_mlplugin_shadow_info"
DISAGREEMENTS = "coredns_mlplugin_shadow_disagreements_total"


class System:
    """A service, and CoreDNS with the built-in model beside it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.registry = Registry(self.data)
        self.registry.folder.mkdir(parents=True)
        self.service = Service(self.data, folder / "service.log")
        self.service.start()
        port, metrics = free_port(), free_port()
        text = COREFILE.format(
            port=port, metrics=metrics, link=self.registry.shadow_link, service=self.service.url
        )
        self.dns = CoreDNS(folder, text, port, metrics)
        self.dns.start()

    def ask(self, name: str) -> str:
        query = dns.message.make_query(f"{name}.", "A")
        answer = dns.query.udp(query, "127.0.0.1", 5, self.dns.port)
        return dns.rcode.to_text(answer.rcode())

    def ask_all(self) -> list[str]:
        return [self.ask(name) for name in (BETTER, WORSE, SAME)]

    def metric(self, name: str) -> float:
        return self.dns.metrics().get(name, 0.0)

    def told(self) -> Any:
        return get_json(f"{self.service.url}/api/v1/shadow")


@pytest.fixture
def system(tmp_path: Path) -> System:
    for name, levels in (
        (BETTER, ["malicious", "benign"]),
        (WORSE, ["benign", "suspicious"]),
        (SAME, ["benign", "benign"]),
    ):
        assert [model.judge(name).level for model in (load(), load(TINY))] == levels
    return System(tmp_path)


def test_it_comes_is_heard_of_and_goes(system: System, tmp_path: Path) -> None:
    answers = system.ask_all()
    assert answers == ["NXDOMAIN", "NOERROR", "NOERROR"]
    assert (system.metric(JUDGED), system.metric(INFO)) == (0, 0)

    system.registry.shadow_link.symlink_to(variant(tmp_path, "0.9"))
    until("it is in shadow", lambda: system.metric(INFO) == 1, WITHIN)
    for _ in range(3):
        assert system.ask_all() == answers
    assert system.metric(JUDGED) == 3  # each name once, however often it is asked for
    for live, shadow in (("malicious", "benign"), ("benign", "suspicious")):
        assert system.metric(f'{DISAGREEMENTS}{{live="{live}",shadow="{shadow}"}}') == 1
    assert system.metric(DISAGREEMENTS) == 2

    until("the history knows", lambda: system.told()["queries"] == 6, WITHIN)
    told = system.told()
    assert told["model"] == "0.9"
    assert [(row["value"], row["queries"], row["shadow"]) for row in told["worse"]] == [
        (WORSE, 3, "suspicious")
    ]
    assert [(row["value"], row["queries"], row["shadow"]) for row in told["better"]] == [
        (BETTER, 3, "benign")
    ]
    done = mlplugin("queries", "--shadow", "benign", "--service", system.service.url)
    assert done.stdout.count(f'"qname":"{BETTER}"') == 3
    assert '"shadow_model":"0.9"' in done.stdout

    system.registry.shadow_link.unlink()
    until("it is gone", lambda: system.metric(INFO) == 0, WITHIN)
    assert system.ask_all() == answers
    until("all is stored", lambda: system.service.stats()["queries"] == 15, WITHIN)
    assert (system.metric(JUDGED), system.told()["queries"]) == (3, 6)
    assert system.metric("coredns_mlplugin_panics_total") == 0
    assert (system.dns.stop(), system.service.stop()) == (0, 0)


def test_one_that_cannot_be_used_changes_nothing(system: System, tmp_path: Path) -> None:
    broken = variant(tmp_path, "0.8")
    (broken / "config.json").write_text('{"format": 99}')
    system.registry.shadow_link.symlink_to(broken)
    until("it is told", lambda: "the changed shadow cannot be used" in system.dns.output(), WITHIN)
    assert system.ask_all() == ["NXDOMAIN", "NOERROR", "NOERROR"]
    assert system.metric(INFO) == 0
    assert system.dns.stop() == 0
    # nor does it keep DNS from starting
    system.dns.start()
    assert system.ask(BETTER) == "NXDOMAIN"
    assert "nothing is in shadow" in system.dns.output()
    shutil.rmtree(broken)
    assert (system.dns.stop(), system.service.stop()) == (0, 0)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Upstream(Script()) as upstream:
        up = Up(tmp_path, "--forward", f"127.0.0.1:{upstream.port}")
        up.start()
        yield up
        up.stop(signal.SIGKILL)


def test_up_follows_it_and_looks_back(up: Up, tmp_path: Path) -> None:
    registry = Registry(up.place)
    registry.folder.mkdir(exist_ok=True)
    registry.shadow_link.symlink_to(variant(tmp_path, "0.9"))
    until("it is in shadow", lambda: "model 0.9 is in shadow" in up.output(), WITHIN)
    assert up.ask(WORSE).rcode() == dns.rcode.NOERROR
    until("it is heard of", lambda: get_json(f"{up.url}/api/v1/shadow")["queries"] == 1, WITHIN)
    found = post_json(f"{up.url}/api/v1/hindsight", {"model": "shadow"})
    assert {row["qname"]: row["change"] for row in found["listed"]} == {WORSE: "newly_flagged"}
    done = mlplugin("hindsight", "--model", "shadow", "--service", up.url, "--data", str(up.place))
    assert done.returncode == 0, done.stderr
    assert f'"qname":"{WORSE}"' in done.stdout
    # a name that is condemned is hunted for by the service itself
    until("the state is known", (up.place / "hunts.json").exists, WITHIN)
    done = mlplugin("vet", WORSE, "blocked", "--service", up.url)
    assert done.returncode == 0, done.stderr
    hunts = until("it has hunted", lambda: get_json(f"{up.url}/api/v1/hunts")["hunts"], 2 * WITHIN)
    assert hunts[0]["why"] == f"{WORSE} is blocked"
    assert [row["qname"] for row in hunts[0]["listed"]] == [WORSE]
    assert [one["client"] for one in hunts[0]["listed"][0]["asked_by"]] == ["127.0.0.1"]
    done = mlplugin("hunt", "--service", up.url, "--data", str(up.place))
    assert f'"qname":"{WORSE}"' in done.stdout
    assert up.stop() == 0
