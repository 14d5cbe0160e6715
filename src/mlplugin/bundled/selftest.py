"""Does detection work here, end to end: probes through real servers, and what came of them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from mlplugin.bundled.child import Printer
from mlplugin.bundled.corefile import ACTIONS, quoted
from mlplugin.bundled.ports import Endpoint, free_port
from mlplugin.bundled.probes import Probe
from mlplugin.bundled.system import Wishes, assemble
from mlplugin.bundled.upstream import Script, Upstream
from mlplugin.verdict import Level, Threat

ANSWER_SECONDS = 3.0
DROP_SECONDS = 0.5
START_SECONDS = 60.0
EVENT_SECONDS = 20.0
POLL_SECONDS = 0.1
# A name like any other, which must pass whatever is done with flagged ones.
CONTROL = "www.iana.org"
# So often a server is asked for a name, to see whether it is there.
HELLO, TRIES = "iana.org", 2
SINKHOLES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - the answer, nothing listens on it
OK = "ok"
# The action of a server whose Corefile is not ours.
UNKNOWN = "as configured"

Search = Callable[[Mapping[str, str]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Target:
    """A system under test: the action that each server takes, and its service."""

    servers: Mapping[str, Endpoint]
    service_url: str


@dataclass
class Outcome:
    """What became of one probe; each field is `ok` or says what was wrong."""

    threat: str
    probe: str
    score: float
    detected: str = ""
    action: str = ""
    event: str = ""
    search: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return {self.detected, self.action, self.event, self.search} == {OK}

    def row(self) -> dict[str, Any]:
        """The line of the scorecard."""
        return {**vars(self), "passed": self.passed}


@contextlib.contextmanager
def own_system(binary: Path, printer: Printer, model: Path) -> Iterator[Target]:
    """Run a system for the test alone: one server an action, forwarding to a script.

    CoreDNS judges with the model directory that is given. Nothing leaves this machine.
    Raises StartError if a part does not come up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mlplugin-selftest-") as place,
        Upstream(Script()) as upstream,
    ):
        folder = Path(place)
        servers = {action: Endpoint("127.0.0.1", free_port()) for action in ACTIONS}
        http = Endpoint("127.0.0.1", free_port())
        corefile = folder / "Corefile"
        corefile.write_text(_corefile(servers, f"http://{http}", upstream.port, model))
        wishes = Wishes(servers["observe"], http, folder / "data", corefile=corefile)
        wishes.data.mkdir()
        system = assemble(wishes, binary, printer, printer.write)
        with system.supervisor.signals():
            try:
                if not system.supervisor.start(START_SECONDS):
                    raise KeyboardInterrupt
                yield Target(servers, system.service_url)
            finally:
                system.supervisor.stop()


def _corefile(servers: Mapping[str, Endpoint], service: str, upstream: int, model: Path) -> str:
    return "".join(
        f""".:{endpoint.port} {{
    bind {endpoint.host}
    errors
    mlplugin {{
        model {quoted(model.resolve())}
        on malicious {action}
        on suspicious {action}
        service {service}
        sensor selftest-{action}
    }}
    forward . 127.0.0.1:{upstream}
}}
"""
        for action, endpoint in servers.items()
    )


def ask(server: Endpoint, qname: str, patience: float) -> dns.message.Message | None:
    """Ask for the address of a name by UDP; None if there is no answer in time (seconds)."""
    query = dns.message.make_query(f"{qname}.", "A", use_edns=0)
    try:
        return dns.query.udp(query, server.reachable_host, patience, server.port)
    except (dns.exception.DNSException, OSError):
        return None


def answers(server: Endpoint) -> bool:
    """Whether a server answers at all, for a name that no test looks for afterwards."""
    return any(ask(server, HELLO, ANSWER_SECONDS) is not None for _ in range(TRIES))


def effect(answer: dns.message.Message | None) -> str:
    """Name the action that an answer shows: what a client sees of it."""
    if answer is None:
        return "drop"
    blocked = any(
        isinstance(option, dns.edns.EDEOption) and option.code == dns.edns.EDECode.BLOCKED
        for option in answer.options
    )
    if not blocked:
        return "observe"
    if answer.rcode() == dns.rcode.REFUSED:
        return "refuse"
    if answer.rcode() == dns.rcode.NXDOMAIN:
        return "nxdomain"
    addresses = [
        item.to_text()
        for rrset in answer.answer
        if rrset.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}
        for item in rrset
    ]
    if not addresses:
        return "nodata"
    return "sinkhole" if set(addresses) <= SINKHOLES else f"the address {addresses[0]}"


def run(
    target: Target, probes: Sequence[Probe], search: Search, patience: float = EVENT_SECONDS
) -> list[Outcome]:
    """Put every probe to every server and judge what came of it.

    `search` looks in the service's history of this run by filters of its API; `patience` is
    how long to wait for events, in seconds. What a server does whose Corefile is not ours
    is taken as it comes: what counts then is that answer and event agree.
    """
    asked = [(probe.threat.value, probe.qname, probe.verdict.score) for probe in probes]
    asked.append(("benign", CONTROL, 0.0))
    outcomes = []
    for threat, qname, score in asked:
        outcome = Outcome(threat, qname, round(score, 1))
        seen = {
            action: effect(ask(server, qname, DROP_SECONDS if action == "drop" else ANSWER_SECONDS))
            for action, server in target.servers.items()
        }
        outcome.action = _action_verdict(seen, flagged=threat in set(Threat))
        outcomes.append((outcome, seen))
    end = time.monotonic() + patience
    for outcome, seen in outcomes:
        rows = _arrived(search, {"qname": outcome.probe}, len(seen), end)
        _judge(outcome, rows, seen)
        filters = {"qname": outcome.probe, "verdict": _level_of(rows)}
        if outcome.threat in set(Threat):
            filters["threat"] = outcome.threat
        outcome.search = OK if rows and len(search(filters)) == len(rows) else "not found"
    return [outcome for outcome, _ in outcomes]


def _level_of(rows: Sequence[Mapping[str, Any]]) -> str:
    return str(rows[0]["verdict"]) if rows else Level.MALICIOUS.value


def _action_verdict(seen: Mapping[str, str], *, flagged: bool) -> str:
    wrong = [
        f"{action}: {shown}"
        for action, shown in seen.items()
        if action != UNKNOWN and shown != (action if flagged else "observe")
    ]
    return ", ".join(wrong) or OK


def _arrived(
    search: Search, filters: Mapping[str, str], count: int, end: float
) -> list[dict[str, Any]]:
    """The events of a name, once as many are there as were asked for, or time is up."""
    rows = search(filters)
    while len(rows) < count and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        rows = search(filters)
    return rows


def _judge(outcome: Outcome, rows: Sequence[Mapping[str, Any]], seen: Mapping[str, str]) -> None:
    """Fill in detection and events from the rows of the history."""
    if not rows:
        outcome.detected = outcome.event = "no event"
        return
    threats = {str(row.get("threat") or Level.BENIGN.value) for row in rows}
    outcome.detected = OK if threats == {outcome.threat} else f"as {', '.join(sorted(threats))}"
    done = sorted(str(row.get("action") or "observe") for row in rows)
    outcome.event = (
        OK if done == sorted(seen.values()) else f"{len(rows)} events: {', '.join(done)}"
    )
