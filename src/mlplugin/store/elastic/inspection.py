"""Is a cluster as it should be: each part one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlplugin.errors import StoreError
from mlplugin.store.elastic.client import COUNT_SECONDS
from mlplugin.store.elastic.dead_letters import FILE
from mlplugin.store.elastic.store import ElasticStore
from mlplugin.store.elastic.template import KINDS, VERSION
from mlplugin.store.elastic.versions import OPENSEARCH
from mlplugin.store.port import Filter


@dataclass(frozen=True, slots=True)
class Part:
    """What was found of a part; whether it is a fault."""

    name: str
    says: str
    fault: bool = False


def inspect(store: ElasticStore, data: Path) -> Iterator[Part]:
    """Look at every part of a store that answers; `data` is where dead letters lie."""
    server = store.connect()
    lacks = server.lacks()
    yield Part("server", f"{server}{f': {chr(59).join(lacks)}' if lacks else ''}")
    looks: tuple[tuple[str, Callable[[ElasticStore], Part]], ...] = (
        ("health", _health),
        ("templates", _templates),
        ("indices", _indices),
        ("blocks", _blocks),
        ("events", _events),
        ("sensors", _sensors),
    )
    refused = False
    for name, look in looks:
        try:
            yield look(store)
        except StoreError as fault:
            refused |= "not allowed" in str(fault)
            yield Part(name, str(fault), fault=True)
    letters = data / FILE
    if letters.is_file():
        with letters.open("rb") as file:
            count = sum(1 for _ in file)
        yield Part("dead letters", f"{count:,} events that it refused, in {letters}")
    if refused:
        yield Part("role", f"to paste: {role(store)}", fault=True)


def _health(store: ElasticStore) -> Part:
    found = store.client.get("GET", "/_cluster/health")
    says = f"{found['status']}, {found['number_of_nodes']} nodes"
    if found["status"] == "red":
        return Part("health", f"{says}: shards are missing, see GET /_cat/shards", fault=True)
    return Part("health", says)


def _templates(store: ElasticStore) -> Part:
    server = store.connect()
    versions = {
        store.indices.name_of(kind): store.indices.template_version(server, kind) for kind in KINDS
    }
    if all(version is None for version in versions.values()):
        return Part("templates", "not there yet, written at the first start")
    wrong = [f"{name} {version or 'missing'}" for name, version in versions.items()
             if version != VERSION]  # fmt: skip
    if wrong:
        return Part(
            "templates",
            f"not of version {VERSION}: {', '.join(wrong)}; run `mlplugin store migrate`",
            fault=True,
        )
    return Part("templates", f"version {VERSION}")


def _indices(store: ElasticStore) -> Part:
    old = [name for name, version in store.indices.versions().items() if version < VERSION]
    if old:
        return Part(
            "indices", f"older or not ours: {', '.join(old[:3])}; run `mlplugin store migrate`",
            fault=True,
        )  # fmt: skip
    size, count = store.upkeep.size(), len(store.upkeep.held())
    each = f", {size.bytes / size.rows:.0f} bytes an event" if size.rows else ""
    return Part("indices", f"{count} of events, {size.rows:,} events, {size.bytes:,} bytes{each}")


def _blocks(store: ElasticStore) -> Part:
    found = store.client.get(
        "GET", f"/{store.indices.prefix}-*/_settings/index.blocks.*", seconds=COUNT_SECONDS
    )
    blocked = sorted(name for name, content in found.items() if content.get("settings"))
    if blocked:
        return Part(
            "blocks",
            f"{', '.join(blocked[:3])} cannot be written, as when a disk is over its watermark",
            fault=True,
        )
    return Part("blocks", "none")


def _events(store: ElasticStore) -> Part:
    last = store.stats(Filter()).last
    if last is None:
        return Part("events", "none yet")
    return Part("events", f"the newest is {(datetime.now(UTC) - last).total_seconds():,.0f} s old")


def _sensors(store: ElasticStore) -> Part:
    sensors = store.sensors()
    behind = sum(max(0, one.served - one.stored - sum(one.dropped.values())) for one in sensors)
    says = f"{len(sensors)}, {behind:,} events of theirs not here yet"
    # A service ended between an event and its count; the sensor sends it again as a rule.
    uncounted = store.size().rows - sum(one.stored for one in sensors)
    if uncounted > 0:
        says += f", {uncounted:,} here that are not counted yet"
    return Part("sensors", says)


def role(store: ElasticStore) -> str:
    """Give the request that makes the role which mlplugin needs, on one line."""
    names = [f"{store.indices.prefix}-*"]
    if store.connect().engine == OPENSEARCH:
        body = {
            "cluster_permissions": [
                "cluster_monitor", "cluster_manage_index_templates", "indices:data/write/bulk",
            ],
            "index_permissions": [{"index_patterns": names, "allowed_actions": ["indices_all"]}],
        }  # fmt: skip
        return f"PUT _plugins/_security/api/roles/mlplugin {json.dumps(body)}"
    body = {
        "cluster": ["monitor", "manage_index_templates"],
        "indices": [
            {
                "names": names,
                "privileges": ["read", "write", "create_index", "delete_index", "manage"],
            }
        ],
    }
    return f"PUT _security/role/mlplugin {json.dumps(body)}"
