"""What people give in place of names, and odd names that are left alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.cli.judge import canonical_unmistaken
from mlplugin.cli.lookalikes import mistaken
from mlplugin.cli.main import main
from mlplugin.qname import canonical
from tests.support.names import names, plain_names

URL, PORT = "looks like a URL: give the name alone, ", "looks like a host with a port: give"
ADDRESS, MAIL = "looks like an IP address: only names", "looks like an e-mail address: give the"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://x.y/z", f"{URL}x.y"),
        ("HTTP://user:pw@Example.ORG:8080/a?b#c", f"{URL}Example.ORG"),
        ("//example.org", f"{URL}example.org"),
        ("https://münchen.de/", f"{URL}m\\195\\188nchen.de"),
        ("example.org/index.html", f"{URL}example.org"),
        ("example.org:443/", f"{URL}example.org"),
        ("example.org?q=1", f"{URL}example.org"),
        ("http://192.0.2.1/x", "looks like a URL without a name"),
        ("http://[2001:db8::1]:80/", "looks like a URL without a name"),
        ("file:///etc/hosts", "looks like a URL without a name"),
        ("example.org:53", f"{PORT} the name alone, example.org"),
        ("localhost:5000", f"{PORT} the name alone, localhost"),
        ("192.0.2.1:53", "looks like a host with a port without a name"),
        ("[2001:db8::1]:53", "looks like a host with a port without a name"),
        ("192.0.2.1", ADDRESS),
        ("192.0.2.1.", ADDRESS),
        ("2001:db8::1", ADDRESS),
        ("fe80::1%eth0", ADDRESS),
        ("[::1]", ADDRESS),
        ("192.0.2.0/24", ADDRESS),
        ("someone@example.org", f"{MAIL} domain alone, example.org"),
        ("mailto:someone@example.org", f"{MAIL} domain alone, example.org"),
        ("evil[.]example[.]org", "give it as it is, evil.example.org"),
        (
            "0.0.0.0 ads.example.com",
            "a line of a hosts file: give the names alone, ads.example.com",
        ),
        ("::1\tads.example.com a.b", "a line of a hosts file: give the names alone, ads.example"),
        ("127.0.0.1 localhost", "a line of a hosts file: give the names alone, localhost"),
        ("fe80::1%lo0 localhost", "a line of a hosts file: give the names alone, localhost"),
        ("||ads.example.com^", "a rule of an ad blocker: give the name alone, ads.example.com"),
        ("@@||a.example.com^$third-party", "give the name alone, a.example.com"),
        ("hxxps[:]//evil[.]example", "give it as it is, hxxps://evil.example"),
    ],
)
def test_what_is_meant_otherwise(text: str, says: str) -> None:
    said = mistaken(text)
    assert said is not None
    assert says in said


@pytest.mark.parametrize(
    "text",
    [
        "example.org", "_dmarc.example.org", "_443._tcp.example.org", "xn--mnchen-3ya.de",
        "münchen.de", "a\\032b.example.org", "example.org\\:53", "192\\.0.2.1", "1.2.3.4.5",
        "0/25.2.0.192.in-addr.arpa", "1.2.0.192.in-addr.arpa", "someone@host._presence._tcp.local",
        "300.1.2.3", "12345", ".", "com", "a:b.example.org", "x@y", "and/or.example.org", "",
        "a|b.example.org", "1.2.3.4.example.org",
    ],
)  # fmt: skip
def test_odd_names_are_left_alone(text: str) -> None:
    assert mistaken(text) is None


@given(plain_names)
def test_usual_names_are_left_alone(name: str) -> None:
    assert mistaken(name) is None


@given(st.lists(st.one_of(names, st.sampled_from(["https://x.y/z", "a..b", "::1"])), max_size=9))
def test_a_list_is_split_into_names_and_faults(texts: list[str]) -> None:
    intake = canonical_unmistaken(texts)
    rows = list(range(len(texts))) if intake.rows is None else intake.rows
    assert sorted([*rows, *intake.faults]) == list(range(len(texts)))
    assert list(intake.faults) == sorted(intake.faults)
    assert intake.names == [canonical(texts[row]) for row in rows]
    assert all(mistaken(texts[row]) is None for row in rows)


def test_each_has_its_error_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    given_names = ["example.org", "https://x.y/z", "a..b", "10.0.0.1", "_x.example.org"]
    for form in ("jsonl", "csv", "table"):
        assert main(["classify", "--format", form, *given_names]) == 2
        captured = capsys.readouterr()
        lines = captured.out.splitlines()[form != "jsonl" :]
        assert ["looks like" in line for line in lines] == [False, True, False, True, False]
        assert "3 of the names are no domain names" in captured.err
    assert main(["classify", "https://x.y/z"]) == 2
    row = json.loads(capsys.readouterr().out)
    assert row == {
        "qname": "https://x.y/z", "error": "looks like a URL: give the name alone, x.y",
    }  # fmt: skip


def test_nobody_vets_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    """An override for it would be there and match nothing."""
    assert main(["vet", "https://evil.example/x", "blocked"]) == 2
    assert capsys.readouterr().err == (
        "mlplugin: https://evil.example/x looks like a URL: give the name alone, evil.example\n"
    )
