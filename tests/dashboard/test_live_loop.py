"""The closed loop on real servers: vetted on the screen, learnt, put in use, and back.

Names of a generator that the shipped model hardly knows are vetted; the model that is retrained
from these flags names of the same generator that nobody has ever seen.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest
from playwright.sync_api import Page

from mlplugin.bundled.ports import free_port
from mlplugin.service.registry import Registry
from mlplugin.training.sample import WORDS
from tests.dashboard.conftest import Open, Site, settled
from tests.e2e.system import CoreDNS, Service, get_json, until
from tests.support.events import event, ndjson
from tests.support.families import syllables

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        model {model} or builtin
        shadow {shadow}
        on suspicious nxdomain
        on malicious nxdomain
        service {service}
    }}
    template IN A . {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.53"
    }}
}}
"""
# `mlplugin`, whose jobs do not give way to whatever else runs on the machine.
EAGER = """
import sys
from mlplugin.cli.main import main
from mlplugin.service import jobs
jobs.WORKER = "tests.support.eager_worker"
sys.exit(main())
"""
VETTED, UNSEEN = 300, 100
INFO = "coredns_mlplugin_shadow_info"
WITHIN = 30.0
JOB = 480_000  # milliseconds; a minute where nothing else runs


class System:
    """A service with a history of ordinary names, and CoreDNS that follows its models."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        registry = Registry(self.data)
        registry.folder.mkdir(parents=True)
        self.service = Service(self.data, folder / "service.log")
        assert self.service.command[1:3] == ["-m", "mlplugin"]
        self.service.command[1:3] = ["-c", EAGER]
        self.service.start()
        port, metrics = free_port(), free_port()
        text = COREFILE.format(
            port=port,
            metrics=metrics,
            model=registry.link,
            shadow=registry.shadow_link,
            service=self.service.url,
        )
        self.dns = CoreDNS(folder, text, port, metrics)
        self.dns.start()

    def answers(self, names: list[str]) -> list[str]:
        """What CoreDNS answers to each name."""
        found = []
        for name in names:
            query = dns.message.make_query(f"{name}.", "A")
            answer = dns.query.udp(query, "127.0.0.1", 5, self.dns.port)
            found.append(dns.rcode.to_text(answer.rcode()))
        return found

    def send(self, names: list[str]) -> None:
        """Have a sensor tell of queries, ten for each name."""
        now = int(time.time() * 1e6)
        rows = (
            event(number, qname=name, registered_domain=name.removeprefix("www."), time=now)
            for number, name in enumerate(name for name in names for _ in range(10))
        )
        get_json(
            f"{self.service.url}/api/v1/events?sensor=past", data=ndjson(rows), method="POST",
            headers={"Content-Type": "application/x-ndjson"},
        )  # fmt: skip

    def vet(self, names: list[str]) -> None:
        """Decide that names are blocked."""
        for name in names:
            get_json(
                f"{self.service.url}/api/v1/overrides/{name}",
                data=json.dumps({"status": "blocked"}).encode(), method="PUT",
                headers={"Content-Type": "application/json"},
            )  # fmt: skip


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    found = System(tmp_path)
    yield found
    found.dns.stop()
    found.service.stop()


def press(page: Page, name: str, said: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(f"#learning-done:has-text('{said}')")
    settled(page)


def usual() -> list[str]:
    """Ordinary names of a network."""
    rng = random.Random(3)
    return sorted({f"www.{rng.choice(WORDS)}{rng.choice(WORDS)}{n}.com" for n in range(1500)})


def test_a_family_that_was_missed_is_vetted_learnt_and_flagged(
    system: System, open_page: Open
) -> None:
    family = syllables(1, VETTED + UNSEEN)
    unseen = family[VETTED:]
    system.send([*usual(), *family[:VETTED]])
    system.vet(family[:VETTED])

    page = open_page(Site(system.service.port, None), "/learning")  # type: ignore[arg-type]
    page.get_by_label("never flagged").select_option("dga")
    page.get_by_role("button", name="Retrain", exact=True).click()
    page.wait_for_selector("#learning-job strong:text('done')", timeout=JOB)
    settled(page)
    assert "Nothing that was measured speaks against it" in (
        page.locator("#learning-report").inner_text()
    )
    (made,) = {job["version"] for job in get_json(f"{system.service.url}/api/v1/jobs")["jobs"]}

    # asked for only now: what a history has, and nobody decided on, counts as ordinary traffic
    before = system.answers(unseen)
    assert before.count("NXDOMAIN") < 0.15 * UNSEEN
    press(page, f"Put in shadow {made}", "judges beside")
    until("it is in shadow", lambda: system.dns.metrics().get(INFO) == 1, WITHIN)
    assert system.answers(unseen) == before, "a shadow decides nothing"

    shadow = f"{system.service.url}/api/v1/shadow"
    until("its other opinion is known", lambda: get_json(shadow)["queries"], WITHIN)

    press(page, f"Promote {made}", "Press again")
    press(page, f"Promote now {made}", "is in use")
    until(
        "unseen names are flagged",
        lambda: system.answers(unseen).count("NXDOMAIN") > 0.5 * UNSEEN, WITHIN,
    )  # fmt: skip
    press(page, "Roll back", "Back to the shipped model")
    until("it is as before", lambda: system.answers(unseen) == before, WITHIN)
