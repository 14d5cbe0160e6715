from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.bundled import corefile
from mlplugin.bundled.corefile import (
    Layout,
    check_rule,
    forward_targets,
    quoted,
    system_resolvers,
    uncovered,
)
from mlplugin.bundled.ports import Endpoint
from mlplugin.errors import ConfigError, UsageError

LOOPBACK = Endpoint("127.0.0.1", 53)


def test_the_plugins_stand_in_a_readable_order() -> None:
    text = Layout(
        dns=Endpoint("::1", 1053),
        service="http://127.0.0.1:5000",
        spool=Path("/var/lib/with space/spool"),
        ready=Endpoint("127.0.0.1", 8181),
        metrics=Endpoint("127.0.0.1", 9153),
        forward=("192.0.2.53", "tls://192.0.2.54"),
        rules=("malicious nxdomain", "phishing sinkhole 192.0.2.9"),
        shadow=Path("/var/lib/models/shadow"),
    ).text()
    lines = [line.strip() for line in text.splitlines()[1:]]
    assert lines[0] == ".:1053 {"
    assert "bind ::1" in lines
    assert "ready 127.0.0.1:8181" in lines
    assert "prometheus 127.0.0.1:9153" in lines
    assert 'spool "/var/lib/with space/spool"' in lines
    start = lines.index("mlplugin {")
    assert lines[start + 1 : start + 5] == [
        "shadow /var/lib/models/shadow",
        "on malicious nxdomain",
        "on phishing sinkhole 192.0.2.9",
        "service http://127.0.0.1:5000",
    ]
    assert lines.index("cache") > start
    assert "forward . 192.0.2.53 tls://192.0.2.54 {" in lines
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("path", ["/a\nb", '/a"b', "/a{$HOME}"])
def test_a_path_that_a_corefile_cannot_hold(path: str) -> None:
    with pytest.raises(ConfigError, match="--data"):
        quoted(Path(path))


@pytest.mark.parametrize(
    "rule",
    [
        "malicious nxdomain", "suspicious  refuse", "dga_dictionary drop", "tunnel nodata",
        "phishing sinkhole", "scam sinkhole 192.0.2.1", "malware sinkhole 192.0.2.1 2001:db8::1",
    ],
)  # fmt: skip
def test_rules(rule: str) -> None:
    assert check_rule(rule) == " ".join(rule.split())


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "VERDICT"),
        ("malicious", "VERDICT"),
        ("benign nxdomain", "VERDICT"),
        ("evil nxdomain", "malicious"),
        ("malicious explode", "sinkhole"),
        ("malicious nxdomain 192.0.2.1", "only sinkhole"),
        ("malicious sinkhole here", "no IP address"),
        ("malicious sinkhole 192.0.2.1 ::1 ::2", "only sinkhole"),
        ("malicious nxdomain\n} . {", "only sinkhole"),
    ],
)
def test_wrong_rules(rule: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_rule(rule)


def test_resolvers_of_the_machine() -> None:
    lines = [
        "# nameserver 192.0.2.1",
        "search example.org",
        "nameserver 192.0.2.2",
        "nameserver fe80::1%eth0",
        "nameserver nonsense",
        "nameserver",
        "nameserver 2001:db8::53",
        "nameserver 192.0.2.4",
    ]
    assert system_resolvers(lines) == ["192.0.2.2", "fe80::1%eth0", "2001:db8::53"]


def test_the_machine_itself_is_no_resolver_to_forward_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\nnameserver 192.0.2.53\n")
    monkeypatch.setattr(corefile, "RESOLV_CONF", conf)
    assert forward_targets((), LOOPBACK) == ("192.0.2.53",)
    assert forward_targets((), Endpoint("0.0.0.0", 53)) == ("192.0.2.53",)
    assert forward_targets((), Endpoint("127.0.0.1", 1053)) == ("127.0.0.1", "192.0.2.53")
    conf.write_text("nameserver 127.0.0.1\n")
    with pytest.raises(ConfigError, match="--forward"):
        forward_targets((), LOOPBACK)
    conf.unlink()
    with pytest.raises(ConfigError, match="--forward"):
        forward_targets((), LOOPBACK)


@pytest.mark.parametrize(
    "target",
    ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353", "tls://192.0.2.53",
     "dns://192.0.2.53:53"],
)  # fmt: skip
def test_targets(target: str) -> None:
    assert forward_targets((target,), LOOPBACK) == (target,)


@pytest.mark.parametrize("target", ["dns.example.org", "https://192.0.2.53/", "/etc/hosts", "} {"])
def test_wrong_targets(target: str) -> None:
    with pytest.raises(UsageError, match="--forward"):
        forward_targets((target,), LOOPBACK)


@pytest.mark.parametrize(
    ("rules", "forgets"),
    [
        ((), False),
        (("suspicious nxdomain",), True),
        (("suspicious observe",), False),
        (("suspicious nxdomain", "malicious observe"), False),
        (("phishing nxdomain",), False),
    ],
)
def test_rules_that_forget_what_is_worse(rules: tuple[str, ...], forgets: bool) -> None:
    assert (uncovered(rules) is not None) is forgets


@pytest.mark.parametrize(
    ("target", "dns"),
    [
        ("127.0.0.1", LOOPBACK), ("dns://127.0.0.1", LOOPBACK),
        ("127.0.0.1:1053", Endpoint("127.0.0.1", 1053)),
        ("127.0.0.2:1053", Endpoint("0.0.0.0", 1053)), ("[::1]:1053", Endpoint("::", 1053)),
        ("0.0.0.0:1053", Endpoint("127.0.0.1", 1053)),
    ],
)  # fmt: skip
def test_a_server_does_not_ask_itself(target: str, dns: Endpoint) -> None:
    with pytest.raises(UsageError, match="it would ask itself"):
        forward_targets(("192.0.2.53", target), dns)
    assert forward_targets((target,), Endpoint(dns.host, 5353)) == (target,)
    assert forward_targets(("tls://127.0.0.1:53", "192.0.2.1:53"), LOOPBACK)
