"""A log and a capture through a live system; what is stored is compared with the file."""

from __future__ import annotations

import collections
import ipaddress
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.bundled.probes import Probe, probes
from mlplugin.bundled.upstream import Reply, Script, Upstream
from mlplugin.model import load
from mlplugin.qname import canonical
from tests.e2e.system import get_json, mlplugin
from tests.replay.test_capture import ethernet, ipv4, message, pcap, udp

from .test_up import Up

pytestmark = pytest.mark.e2e

CLIENTS = ["192.0.2.7", "192.0.2.8", "198.51.100.9", "2001:db8::7"]
ORDINARY = ["www.iana.org", "www.rfc-editor.org", "WWW.IETF.org", "_dmarc.iana.org", "localhost"]
HEADER = "#fields\tts\tid.orig_h\tid.orig_p\tquery\tqclass\tqtype\n"


@pytest.fixture(scope="module")
def planted() -> list[Probe]:
    return [probe for group in probes(load(), seed=7).values() for probe in group]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    script = Script(zones={"rfc-editor.org": Reply("NXDOMAIN")})
    with Upstream(script) as upstream:
        system = Up(tmp_path_factory.mktemp("up"), "--forward", f"127.0.0.1:{upstream.port}")
        system.start()
        yield system
        assert system.stop() == 0


def options(up: Up) -> list[str]:
    return ["--dns", f"127.0.0.1:{up.dns}", "--service", up.url, "--format", "jsonl"]


def write_log(path: Path, names: list[str]) -> list[tuple[str, str]]:
    """A Zeek log of 3,000 queries; gives (client, name) of each."""
    dice = random.Random(1)
    rows = [(dice.choice(CLIENTS), dice.choice(names)) for _ in range(3000)]
    lines = [f"{1 + n}\t{c}\t{1024 + n}\t{name}\t1\t1\n" for n, (c, name) in enumerate(rows)]
    path.write_text(HEADER + "".join(lines) + "9\t192.0.2.7\t1\t-\t1\t1\n")
    return rows


def test_a_log_is_replayed_with_its_clients(up: Up, planted: list[Probe], tmp_path: Path) -> None:
    flagged = [probe.qname for probe in planted]
    log = tmp_path / "dns.log"
    rows = write_log(log, ORDINARY + flagged)
    before = get_json(f"{up.url}/api/v1/stats")["queries"]
    done = mlplugin("replay", str(log), "--clients", "keep", *options(up))
    assert done.returncode == 0, done.stderr
    assert "sent      3,000" in done.stderr
    assert "answered  3,000 (NOERROR" in done.stderr
    assert "NXDOMAIN" in done.stderr
    assert "skipped   1: a record without a name" in done.stderr
    assert "timeouts" not in done.stderr
    assert "stored    3,000" in done.stderr
    assert get_json(f"{up.url}/api/v1/stats")["queries"] - before == 3000
    for client, count in collections.Counter(client for client, _ in rows).items():
        assert get_json(f"{up.url}/api/v1/queries?client={client}&limit=1")["total"] == count
    names = collections.Counter(canonical(name) for _, name in rows)
    for name, count in names.items():
        page = get_json(f"{up.url}/api/v1/queries?qname={name}&limit=1")
        assert page["total"] == count, name
    listed = {row["qname"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(listed) == set(flagged)
    for probe in planted:
        row = listed[probe.qname]
        assert row["count"] == names[probe.qname]
        assert row["verdict"] == probe.verdict.level.value
        assert row["threat"] == probe.threat.value
        assert row["score"] == pytest.approx(probe.verdict.score, abs=0.06)
        assert row["clients"] == len({c for c, name in rows if name == probe.qname})
        assert row["reason"]
    scores = [row["score"] for row in listed.values() if row["verdict"] == "malicious"]
    assert scores == sorted(scores, reverse=True)


def test_a_capture_is_replayed_at_a_rate(up: Up, tmp_path: Path) -> None:
    frames = [ethernet(ipv4(udp(message(f"n{n % 20}.capture.iana.org")))) for n in range(200)]
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(frames))
    done = mlplugin("replay", str(path), "--rate", "400", "--clients", "keep", *options(up))
    assert done.returncode == 0, done.stderr
    seconds = re.search(r"sent      200 in (\d+\.\d) s", done.stderr)
    assert seconds is not None
    assert float(seconds[1]) >= 0.5
    page = get_json(f"{up.url}/api/v1/queries?qname=n3.capture.iana.org&limit=50")
    assert page["total"] == 10
    assert {row["client"] for row in page["queries"]} == {"192.0.2.7"}


def test_names_from_standard_input(up: Up) -> None:
    done = mlplugin(
        "replay", "-", *options(up), input="www.iana.org\na..b\n# no\n\\000.iana.org MX\n"
    )
    assert done.returncode == 0, done.stderr
    assert "sent      2 " in done.stderr
    assert "skipped   1: a name with an empty label" in done.stderr
    assert "flagged   0 queries" in done.stderr
    assert done.stdout == ""
    (row,) = get_json(f"{up.url}/api/v1/queries?qname=%5C000.iana.org")["queries"]
    assert (row["qtype"], ipaddress.ip_address(row["client"]).is_loopback) == ("MX", True)


def test_another_text_is_not_sent(up: Up, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, this is\nno list of names\nexample.org\n")
    before = get_json(f"{up.url}/api/v1/stats")["queries"]
    done = mlplugin("replay", str(letter), *options(up))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mlplugin: {letter}: this is no list of names: 2 of its first 3 lines")
    mixed = mlplugin(
        "replay", "-", *options(up), input="bad name x\nfoo.com BOGUS\nwww.iana.org\n.\n"
    )
    assert "sent      2 " in mixed.stderr
    assert "skipped   1: a query type that is not known" in mixed.stderr
    assert get_json(f"{up.url}/api/v1/stats")["queries"] - before == 2


def test_a_damaged_file_is_replayed_up_to_the_damage(up: Up, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap([ethernet(ipv4(udp(message("www.iana.org"))))] * 3)[:-5])
    done = mlplugin("replay", str(path), *options(up))
    assert done.returncode == 2
    assert "sent      2 " in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"mlplugin: {path}: the capture is cut short")


def test_wrong_usage(up: Up, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("www.iana.org\n")
    keep = mlplugin("replay", str(names), "--clients", "keep", *options(up))
    assert keep.returncode == 2
    assert "has no clients to keep" in keep.stderr
    nobody = mlplugin("replay", str(names), "--dns", f"127.0.0.1:{free_port()}")
    assert nobody.returncode == 3
    assert "nothing listens at" in nobody.stderr
    service = f"http://127.0.0.1:{free_port()}"
    away = mlplugin("replay", str(names), "--dns", f"127.0.0.1:{up.dns}", "--service", service)
    assert away.returncode == 3
    assert f"no service answers at {service}" in away.stderr
    assert "answered  1 (NOERROR 1)" in away.stderr
    alone = mlplugin("replay", str(names), "--dns", f"127.0.0.1:{up.dns}", "--service", "none")
    assert alone.returncode == 0
