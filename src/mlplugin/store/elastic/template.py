"""The indices: names, mappings, settings, templates, and how older ones become those of today.

The mapping is strict: what is not named here is never indexed by accident. Fields are ECS's
where ECS has them, others lie under `mlplugin.`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlplugin.errors import StoreError
from mlplugin.store.elastic.client import ADMIN_SECONDS, Client
from mlplugin.store.elastic.faults import reason_of, refused
from mlplugin.store.elastic.versions import Server, identify

# Grows with every change of what is below; older indices get the new fields at the next start.
VERSION = 2
ECS_VERSION = "9.4.0"

# The most rows of one answer: a page of the API and one more.
WINDOW = 20_000

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}

EVENT_FIELDS: dict[str, dict[str, Any]] = {
    "@timestamp": {"type": "date_nanos"},
    "ecs.version": _KEYWORD,
    "event.kind": _KEYWORD,
    "event.category": _KEYWORD,
    "event.type": _KEYWORD,
    "event.module": _KEYWORD,
    "event.dataset": _KEYWORD,
    "event.action": _KEYWORD,
    "event.duration": _LONG,
    "event.sequence": _LONG,
    "event.reason": _KEYWORD,
    "dns.type": _KEYWORD,
    "dns.question.name": _KEYWORD,
    "dns.question.registered_domain": _KEYWORD,
    "dns.question.type": _KEYWORD,
    "dns.response_code": _KEYWORD,
    "dns.answers.data": _KEYWORD,
    "client.address": _KEYWORD,
    "client.ip": {"type": "ip"},
    "observer.name": _KEYWORD,
    "mlplugin.transport": _KEYWORD,
    "mlplugin.verdict": _KEYWORD,
    "mlplugin.threat": _KEYWORD,
    "mlplugin.score": {"type": "half_float"},
    "mlplugin.source": _KEYWORD,
    "mlplugin.model": _KEYWORD,
    "mlplugin.shadow.verdict": _KEYWORD,
    "mlplugin.shadow.score": {"type": "half_float"},
    "mlplugin.shadow.model": _KEYWORD,
}
_OPAQUE = {"type": "object", "enabled": False}
# What is known of each sensor, leases, and the version of all of it.
STATE_FIELDS: dict[str, dict[str, Any]] = {
    "kind": _KEYWORD,
    "name": _KEYWORD,
    "stored": _LONG,
    "content": _OPAQUE,
}
OVERRIDE_FIELDS: dict[str, dict[str, Any]] = {
    "name": _KEYWORD,
    "client": _KEYWORD,
    "scope": _KEYWORD,
    "status": _KEYWORD,
    "expires": {"type": "date"},
    "created": {"type": "date"},
    "reason": _KEYWORD,
}
AUDIT_FIELDS: dict[str, dict[str, Any]] = {
    "@timestamp": {"type": "date"},
    "order": _LONG,
    "who": _KEYWORD,
    "name": _KEYWORD,
    "client": _KEYWORD,
    "status": _KEYWORD,
    "reason": _KEYWORD,
}


# Without it a document that is not kept has its values sorted, each once.
ARRAYS = frozenset({"dns.answers.data"})


def mapping(fields: dict[str, dict[str, Any]], server: Server) -> dict[str, Any]:
    """Give a strict mapping of fields that are named with dots."""
    properties: dict[str, Any] = {}
    for name, kind in fields.items():
        *above, last = name.split(".")
        level = properties
        for part in above:
            level = level.setdefault(part, {"properties": {}})["properties"]
        level[last] = kind
        if server.synthetic and name in ARRAYS:
            level[last] = {**kind, "synthetic_source_keep": "arrays"}
    return {
        "dynamic": "strict",
        "_meta": {"mlplugin": {"version": VERSION}},
        "properties": properties,
    }


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of index: the end of its name, its fields."""

    end: str
    fields: dict[str, dict[str, Any]]
    many: bool = False


EVENTS = Kind("events", EVENT_FIELDS, many=True)
STATE = Kind("state", STATE_FIELDS)
OVERRIDES = Kind("overrides", OVERRIDE_FIELDS)
AUDIT = Kind("audit", AUDIT_FIELDS)
# State first: no index may come into being before its template.
KINDS = (STATE, OVERRIDES, AUDIT, EVENTS)


class Indices:
    """The names of all indices of one prefix, and their making.

    Attributes:
        server: what they lie on, None until that is known.
    """

    def __init__(self, client: Client, prefix: str) -> None:
        self._client = client
        self.server: Server | None = None
        self.prefix = prefix
        self.state = f"{prefix}-state"
        self.overrides = f"{prefix}-overrides"
        self.audit = f"{prefix}-audit"
        self.alias = f"{prefix}-events"
        self.events = f"{prefix}-events-*"
        self._day = re.compile(re.escape(self.alias) + r"-(\d{4})(?:\.(\d\d)\.(\d\d))?")

    def event_index(self, day: str) -> str:
        """Name the index of a day, `2026.11.26`, or of a whole year, `2018`."""
        return f"{self.alias}-{day}"

    def end_of(self, index: str) -> datetime | None:
        """When the day or the year of an index is over, None if it is no index of events."""
        match = self._day.fullmatch(index)
        if match is None:
            return None
        year = int(match[1])
        try:
            if match[2]:
                return datetime(year, int(match[2]), int(match[3]), tzinfo=UTC) + timedelta(days=1)
            return datetime(year, 1, 1, tzinfo=UTC).replace(year=year + 1)
        except (ValueError, OverflowError):  # somebody's 2026.13.01
            return None

    # Templates

    def prepare(self, server: Server) -> list[str]:
        """Make templates and indices where they are not there or older; say what was done.

        Raises StoreError, also where they are of a newer mlplugin.
        """
        done = []
        for kind in KINDS:
            found = self.template_version(server, kind)
            if found is not None and found > VERSION:
                raise StoreError(
                    f"store {self._client.shown}: its indices are of a newer mlplugin (version "
                    f"{found}, this one knows {VERSION}): upgrade mlplugin"
                )
            if found is None or found < VERSION:
                self.put_template(server, kind)
                done.append(f"template {self.name_of(kind)} written")
            if not kind.many:
                self.create(self.name_of(kind))
        return done + self.migrate()

    def name_of(self, kind: Kind) -> str:
        """Name the template, and the index where there is one only."""
        return f"{self.prefix}-{kind.end}"

    def template_version(self, server: Server, kind: Kind) -> int | None:
        """Give the version of the template that is there, None if there is none."""
        name = self.name_of(kind)
        place = "_index_template" if server.composable else "_template"
        answer = self._client.ask("GET", f"/{place}/{name}", seconds=ADMIN_SECONDS, fine=(200, 404))
        if answer.status == 404 or not isinstance(answer.data, dict):
            return None
        if server.composable:
            found = answer.data.get("index_templates") or [{}]
            return int(found[0].get("index_template", {}).get("version", 0))
        return int(answer.data.get(name, {}).get("version", 0))

    def put_template(self, server: Server, kind: Kind) -> None:
        """Write a template."""
        pattern = self.name_of(kind) + ("-*" if kind.many else "")
        body: dict[str, Any] = {
            "settings": self.settings(server, kind),
            "mappings": mapping(kind.fields, server),
        }
        if kind.many:
            body["aliases"] = {self.alias: {}}
        if server.composable:
            whole = {
                "index_patterns": [pattern],
                "priority": 500,
                "version": VERSION,
                "template": body,
                "_meta": {"description": "mlplugin: DNS queries and what was decided on names"},
            }
            place = "_index_template"
        else:
            whole = {"index_patterns": [pattern], "order": 500, "version": VERSION, **body}
            place = "_template"
        self._client.ask("PUT", f"/{place}/{self.name_of(kind)}", whole, seconds=ADMIN_SECONDS)

    def settings(self, server: Server, kind: Kind) -> dict[str, Any]:
        """Give the settings of an index."""
        found: dict[str, Any] = {
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
        }
        if not kind.many:
            return {"index": {**found, "refresh_interval": "5s"}}
        found |= {
            "codec": "best_compression",
            "refresh_interval": "10s",
            "max_result_window": WINDOW,
            # Neighbours of one client and one name are alike, and columns shrink.
            "sort": {"field": ["dns.question.name", "@timestamp"], "order": ["asc", "desc"]},
        }
        if server.synthetic:
            found["mapping"] = {"source": {"mode": "synthetic"}}
        return {"index": found}

    # Indices

    def create(self, index: str) -> None:
        """Make an index from its template if it is not there.

        A cluster under a block refuses to make one before it looks whether it is there.
        """
        found = self._client.ask("HEAD", f"/{index}", seconds=ADMIN_SECONDS, fine=(200, 404))
        if found.status == 200:
            return
        answer = self._client.ask("PUT", f"/{index}", seconds=ADMIN_SECONDS, fine=(200, 201, 400))
        if answer.status != 400:
            return
        if reason_of(answer.data)[0] != "resource_already_exists_exception":
            raise refused(self._client.shown, 400, answer.data)

    def require_ours(self, index: str) -> int:
        """Give the version of an index; raise StoreError where it has another mapping than ours."""
        version = self.versions(index).get(index, 0)
        if version == 0:
            raise StoreError(
                f"store {self._client.shown}: the index {index} was made by another program: "
                "delete or rename it, or set another store.index"
            )
        return version

    def update(self, index: str) -> None:
        """Give an index the fields of today."""
        kind = next(k for k in KINDS if index == self.name_of(k) or k.many)
        server = self.server or identify(self._client)
        body = mapping(kind.fields, server)
        self._client.ask("PUT", f"/{index}/_mapping", body, seconds=ADMIN_SECONDS)

    def versions(self, only: str | None = None) -> dict[str, int]:
        """Give the version of one index's mapping, or of each, 0 where it is none of ours."""
        names = only or f"{self.prefix}-*"
        answer = self._client.get(
            "GET", f"/{names}/_mapping", seconds=ADMIN_SECONDS, fine=(200, 404)
        )
        own = {self.state, self.overrides, self.audit}
        found = {}
        for index, content in answer.items() if "error" not in answer else ():
            if index in own or self.end_of(index):
                meta = content.get("mappings", {}).get("_meta") or {}
                ours = meta.get("mlplugin") or {}
                found[index] = int(ours.get("version", 0))
        return found

    def migrate(self) -> list[str]:
        """Give older indices the fields of today; say what was done."""
        done = []
        for index, version in sorted(self.versions().items()):
            if version >= VERSION:
                continue
            self.update(index)
            done.append(f"index {index} brought from version {version} to {VERSION}")
        return done
