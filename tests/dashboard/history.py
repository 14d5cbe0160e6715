"""A small history with everything that is awkward to show."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from tests.support.events import event

SCRIPT = "<script>document.title='owned'</script>.example.com"
IMAGE = "<img\\032src=x\\032onerror=alert(1)>.example.net"
CONTROL = "\\000\\027[31mred\\007.example.org"
LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
FORMULA = "=cmd|'/c\\032calc'!a1.example.com"
IDN = "xn--mnchen-3ya.example"
READABLE = "münchen.example"
CYRILLIC = "xn--80ak6aa92e.example"  # looks like a Latin name
SENSOR = "edge-1"
QUERIES = 400

HOSTILE = (SCRIPT, IMAGE, CONTROL, LONG, FORMULA, IDN, CYRILLIC, ".")


def events(now: float | None = None) -> Iterator[dict[str, Any]]:
    """Six hours of five clients, one query in ten flagged, and every hostile name."""
    dice = random.Random(7)
    end = int((now or time.time()) * 1e6)
    start = end - 6 * 3600 * 1_000_000
    for number in range(QUERIES):
        moment = start + number * (end - start) // QUERIES
        yield event(number, time=moment, **_row(dice, number))
    for number, name in enumerate(HOSTILE, QUERIES):
        yield event(
            number,
            time=end - (number - QUERIES + 1) * 1_000_000,
            qname=name,
            registered_domain=".".join(name.split(".")[-2:]) if name != "." else None,
            verdict="malicious",
            threat="phishing",
            score=51.5,
            action="sinkhole",
            client="2001:db8::1",
            reason='"><script>alert(2)</script>',
        )


def _row(dice: random.Random, number: int) -> dict[str, Any]:
    domain = dice.choice(["example.com", "example.net", "example.org", "mail.test", "cdn.test"])
    row: dict[str, Any] = {
        "qname": f"{dice.choice(['www', 'api', 'img', 'login'])}.{domain}",
        "registered_domain": domain,
        "client": f"192.0.2.{dice.randrange(1, 6)}",
        "qtype": dice.choice(["A", "AAAA", "HTTPS"]),
        "rcode": dice.choice(["NOERROR"] * 8 + ["NXDOMAIN"]),
        "score": round(dice.random() * 12, 1),
    }
    if number % 10 == 3:
        letters = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=14))
        malicious = number % 20 == 3
        row |= {
            "qname": f"{letters}.example",
            "registered_domain": f"{letters}.example",
            "verdict": "malicious" if malicious else "suspicious",
            "threat": dice.choice(["dga", "phishing", "malware"]),
            "score": round(31 + dice.random() * 20, 1),
            "action": "nxdomain" if malicious else "observe",
            "rcode": "NXDOMAIN",
            "reason": "label:xkq +2.1, suffix:example +0.9",
        }
    return row
