"""The pages that are walked, and what each is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.screens.truth import FLAGGED, Asked, Truth, said
from mlplugin.dashboard import links

DAY = timedelta(days=1)
ALL = {"since": "all"}


@dataclass(frozen=True)
class Place:
    """A page over a range or with a filter.

    Attributes:
        page: its kind, by which its figures are checked.
        path: where it is.
        asked: the filter that it stands for.
        more: what its check has to know beside it.
    """

    name: str
    page: str
    path: str
    asked: Asked = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Busy:
    """What a history has most of."""

    domain: str
    client: str
    flagged: str
    pattern: str
    subnet: str
    bad_domain: str

    @classmethod
    def of(cls, truth: Truth, asked: Asked) -> Busy:
        """Look it up."""
        domain = truth.top(asked, "registered_domain", 1)[0][0]
        clients = [row[0] for row in truth.top(asked, "client", 50)]
        client = next(one for one in clients if "." in one)
        return cls(
            domain=domain,
            client=client,
            flagged=truth.top({**asked, "verdict": "malicious"}, "qname", 1)[0][0],
            pattern=f"*.{domain}",
            subnet=".".join(client.split(".")[:2]) + ".0.0/16",
            bad_domain=truth.top({**asked, "verdict": FLAGGED}, "registered_domain", 1)[0][0],
        )


def checked(busy: Busy, until: datetime) -> list[Place]:
    """What is compared figure by figure: whole pages of a day, of everything, and filters."""
    day: Asked = {"since": said(until - DAY), "until": said(until)}
    week: Asked = {"since": said(until - 7 * DAY), "until": said(until)}
    found = []
    for name, asked, address in (("a day", day, day), ("everything", {}, ALL)):
        found += [
            Place(f"overview of {name}", "overview", links.address("/", address), asked),
            Place(f"queries of {name}", "queries", links.to_queries(**address), asked),
            Place(f"domain over {name}", "domain", links.to_domain(busy.domain, **address), asked,
                  {"name": busy.domain}),
            Place(f"flagged name over {name}", "domain", links.to_domain(busy.flagged, **address),
                  asked, {"name": busy.flagged}),
            Place(f"client over {name}", "client", links.to_client(busy.client, **address), asked,
                  {"ip": busy.client}),
        ]  # fmt: skip
    found += [
        Place("vetting of a week", "vetting", links.address("/vetting", week), week),
        Place("model over a week", "model", links.address("/model", week), week),
        Place("learning", "learning", "/learning"),
    ]
    for key, value in filters(busy).items():
        found.append(Place(f"queries by {key}", "queries", links.to_queries(**ALL, **{key: value}),
                           {key: value}))  # fmt: skip
    by_score = links.to_queries(**ALL, sort="-score")
    found.append(Place("queries by falling score", "queries", by_score, {}, {"sort": "-score"}))
    return found


def filters(busy: Busy) -> dict[str, str]:
    """One of each field of the filter."""
    return {
        "verdict": FLAGGED, "threat": "phishing", "action": "nxdomain", "rcode": "NXDOMAIN",
        "qtype": "TXT", "qname": busy.pattern, "domain": busy.bad_domain, "client": busy.client,
        "sensor": "branch-1", "min_score": "30",
    }  # fmt: skip


def opened(busy: Busy) -> list[Place]:
    """What is opened by its address, as it is by default and over everything."""
    found = [
        Place("overview", "overview", "/"),
        Place("queries", "queries", "/queries"),
        Place("domain", "domain", links.to_domain(busy.domain)),
        Place("client", "client", links.to_client(busy.client)),
        Place("vetting", "vetting", "/vetting"),
        Place("learning", "learning", "/learning"),
        Place("model", "model", "/model"),
    ]
    return found + [
        Place(f"{one.name}, everything", one.page, links.address(one.path, ALL))
        for one in found if one.page != "learning"
    ]  # fmt: skip
