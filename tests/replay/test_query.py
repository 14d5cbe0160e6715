from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest

from mlplugin.replay.query import SkippedError, from_message, make_query, name_octets


def test_a_query_is_what_dnspython_would_send() -> None:
    wire = make_query([b"www", b"example", b"org"], 28).tail
    expected = dns.message.make_query("www.example.org.", "AAAA", id=0).to_wire()
    assert b"\0\0" + wire == expected


def test_any_octets_and_the_root_can_be_labels() -> None:
    message = dns.message.from_wire(b"\0\1" + make_query([b"\x00\xff .", b"org"], 10, 3).tail)
    assert message.question[0].name == dns.name.Name([b"\x00\xff .", b"org", b""])
    assert message.question[0].rdtype == dns.rdatatype.NULL
    root = dns.message.from_wire(b"\0\1" + make_query([], 2).tail)
    assert root.question[0].name == dns.name.root


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([b"a" * 64], "label over 63"),
        ([b"a", b"", b"b"], "empty label"),
        ([b"a" * 63] * 4, "over 255"),
    ],
)
def test_what_dns_cannot_carry_is_skipped(labels: list[bytes], reason: str) -> None:
    with pytest.raises(SkippedError, match=reason):
        name_octets(labels)


def test_the_longest_name_passes() -> None:
    assert len(name_octets([b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61])) == 255


def test_a_captured_query_keeps_case_flags_and_edns() -> None:
    query = dns.message.make_query("WwW.eXample.org.", "MX", want_dnssec=True, payload=1400)
    query.flags |= dns.flags.CD
    again = dns.message.from_wire(b"\0\1" + from_message(query.to_wire()).tail)
    assert str(again.question[0].name) == "WwW.eXample.org."
    assert again.flags == query.flags
    assert again.payload == 1400
    assert again.ednsflags & dns.flags.DO


def test_a_signature_is_left_out() -> None:
    query = dns.message.make_query("www.example.org.", "A", use_edns=0)
    query.use_tsig({dns.name.from_text("key."): b"secret"})
    again = dns.message.from_wire(b"\0\1" + from_message(query.to_wire()).tail)
    assert not again.had_tsig
    assert again.edns == -1


def broken() -> dict[str, bytes]:
    whole = dns.message.make_query("www.example.org.", "A").to_wire()
    answer = dns.message.make_response(dns.message.from_wire(whole)).to_wire()
    return {
        "shorter than a DNS header": whole[:11],
        "an answer": answer,
        "opcode": whole[:2] + b"\x28" + whole[3:],
        "exactly one question": whole[:4] + b"\0\2" + whole[6:],
        "cut short": whole[:-1],
        "compressed": whole[:12] + b"\xc0\x0c\0\1\0\1",
        "over 255": whole[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",
    }


@pytest.mark.parametrize("reason", broken())
def test_what_is_no_query_is_skipped_with_its_reason(reason: str) -> None:
    with pytest.raises(SkippedError, match=reason):
        from_message(broken()[reason])


def test_no_message_cut_anywhere_breaks_the_reader() -> None:
    whole = dns.message.make_query("www.example.org.", "A", use_edns=0).to_wire()
    for length in range(len(whole)):
        try:
            query = from_message(whole[:length])
        except SkippedError:
            continue
        dns.message.from_wire(b"\0\0" + query.tail)
