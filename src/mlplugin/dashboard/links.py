"""Addresses of the dashboard's pages, and what a page's address asks for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import fields
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from mlplugin.errors import UsageError
from mlplugin.service.history import Asked
from mlplugin.service.overrides import parse_client

# What an address may say of the history, in the order in which it is written.
FILTERS = tuple(field.name for field in fields(Asked))
RANGE = ("since", "until")
# Where the form in the bar leads without scripts, and what it says there.
GO, SOUGHT = "/go", "go"
# Says in the environment of a request that much is being counted: its page is filled later.
BUSY = "mlplugin.busy"
DEFAULT_SINCE = "24h"
# What stands for "the whole history" in an address: no `since` there means the default.
ALL = "all"
# So many parameters at most are read.
MOST_SAID = 50
# Path segments that a browser takes away.
DOTS = frozenset({".", ".."})
# An IPv4 address of which only the first octets are written.
_BEGUN = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}\.|\d{1,3}(\.\d{1,3}){1,2}")


def to_overview(**asked: str | None) -> str:
    """Give the address of the overview over a range."""
    return address("/", asked)


def to_queries(**asked: str | None) -> str:
    """Give the address of the queries that a filter holds."""
    return address("/queries", asked)


def to_domain(name: str, **asked: str | None) -> str:
    """Give the address of a name's page."""
    if name in DOTS:
        return address("/domain", {"name": name, **asked})
    return address(f"/domain/{quote(name, safe='')}", asked)


def to_client(ip: str, **asked: str | None) -> str:
    """Give the address of a client's page."""
    return address(f"/client/{quote(ip, safe=':')}", asked)


def to_sought(wanted: str) -> str:
    """Give the address of what somebody looks for: a client, a subnet, a name, many names.

    What is pasted is often a URL, or a host with a port: its host is meant. A word is a part of
    names.
    """
    text = wanted.strip()
    if not text:
        return to_overview()
    if re.fullmatch(r"[A-Za-z0-9_-]+", text) and not text.isdigit():
        return to_queries(qname=f"*{text}*")
    host = text
    if "://" in text:
        with contextlib.suppress(ValueError):
            host = urlsplit(text).hostname or text
    elif re.fullmatch(r"[^\s:/\\]+:\d+", text):
        host = text.partition(":")[0]
    try:
        network = parse_client(_subnet(host) if _BEGUN.fullmatch(host) else host)
    except UsageError:
        return to_queries(qname=host) if "*" in host else to_domain(host)
    if network.prefixlen == network.max_prefixlen:
        return to_client(str(network.network_address))
    return to_queries(client=str(network))


def _subnet(begun: str) -> str:
    """Give the subnet of an address that is only begun."""
    octets = begun.removesuffix(".").split(".")
    return ".".join((octets + ["0"] * 4)[:4]) + f"/{8 * len(octets)}"


def to_model(version: str) -> str:
    """Give the address of a model's page."""
    return address("/model", {"version": version})


def to_job(number: str) -> str:
    """Give the address of a retraining and what became of it."""
    return address("/learning", {"job": number})


def to_export(form: str, **asked: str | None) -> str:
    """Give the address of everything that a filter holds, as a file."""
    return address("/api/v1/export", {"format": form, **asked})


def address(path: str, asked: Mapping[str, str | None]) -> str:
    """Give an address with what is asked for, leaving out what is not."""
    given = [(name, value) for name, value in asked.items() if value]
    if not given:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"


def read(search: str | None) -> dict[str, str]:
    """Read the query part of an address; of what is said twice the last counts.

    Raises UsageError where it says too much.
    """
    try:
        return dict(parse_qsl((search or "").removeprefix("?"), max_num_fields=MOST_SAID))
    except ValueError:
        raise UsageError(f"an address says more than {MOST_SAID} things") from None


def filter_of(query: Mapping[str, str]) -> dict[str, str]:
    """Give the filter that an address says, with the default range where it says none.

    `since=all` is the whole history.
    """
    found = {name: query[name].strip() for name in FILTERS if query.get(name, "").strip()}
    if found.get("since") == ALL:
        del found["since"]
    elif "since" not in found and "until" not in found:
        found["since"] = DEFAULT_SINCE
    return found


def asked_of(query: Mapping[str, str]) -> Asked:
    """Give the same as what the service takes."""
    return Asked(**filter_of(query))


def ranged(query: Mapping[str, str]) -> Asked:
    """Give the range of an address, without the rest of its filter."""
    asked = filter_of(query)
    return Asked(since=asked.get("since"), until=asked.get("until"))


def filters_of(query: Mapping[str, str]) -> dict[str, str]:
    """Give what an address says of the filter, to be carried on to pages that have one."""
    return {name: query[name] for name in FILTERS if query.get(name)}


def verdicts_of(query: Mapping[str, str], verdicts: str) -> str:
    """Give those of some verdicts that the filter of an address lets through; empty for none."""
    said = {one.strip() for one in query.get("verdict", "").split(",") if one.strip()}
    return ",".join(one for one in verdicts.split(",") if not said or one in said)


def range_of(query: Mapping[str, str]) -> dict[str, str]:
    """Give what an address says of the range, to be carried on to other pages."""
    return {name: query[name] for name in RANGE if query.get(name)}
