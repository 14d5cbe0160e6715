"""Which server answers, and what it can do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlplugin.errors import StoreError
from mlplugin.store.elastic.client import Client

ELASTICSEARCH, OPENSEARCH = "Elasticsearch", "OpenSearch"
OLDEST = {ELASTICSEARCH: (7, 7, 1), OPENSEARCH: (1, 0, 0)}
# The one that can be had for tests stands for its first repair.
OLDEST_TAKEN = {ELASTICSEARCH: (7, 7, 0), OPENSEARCH: (1, 0, 0)}


@dataclass(frozen=True, slots=True)
class Server:
    """What runs there."""

    engine: str
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.engine} {'.'.join(map(str, self.version))}"

    def _elastic(self, *least: int) -> bool:
        return self.engine == ELASTICSEARCH and self.version >= least

    @property
    def composable(self) -> bool:
        """Whether it has composable templates; `_template` is used where not."""
        return self.engine == OPENSEARCH or self._elastic(7, 8)

    @property
    def synthetic(self) -> bool:
        """Whether documents need not be kept beside their columns."""
        return self._elastic(8, 19)

    @property
    def sorts_times(self) -> bool:
        """Whether times may come first in a sort.

        7.7 tells a shard what others have found already, takes nanoseconds for milliseconds
        then, and refuses.
        """
        return self.engine == OPENSEARCH or self._elastic(7, 10)

    def lacks(self) -> list[str]:
        """What it does without, each in a few words."""
        found = []
        if not self.synthetic:
            found.append("documents are kept whole, which takes about twice the disk "
                         "(Elasticsearch 8.19 and later need not)")  # fmt: skip
        if not self.composable:
            found.append("legacy templates are used (composable ones come with 7.8)")
        return found


def identify(client: Client) -> Server:
    """Ask what runs there. Raises StoreError, also where it is too old."""
    answer = client.ask("GET", "/", fine=(200, 403, 404, 405))
    version = None
    data = answer.data
    if answer.status == 200:
        if not isinstance(data, dict) or not isinstance(data.get("version"), dict):
            raise _stranger(client)
        version = data["version"]
        number, distribution = str(version.get("number", "")), version.get("distribution")
    else:  # a gateway may forbid it, and some builds have no such page
        nodes = client.ask("GET", "/_nodes/_local", fine=(200, 403, 404, 405))
        found = nodes.data
        if nodes.status == 403:
            raise StoreError(
                f"store {client.shown}: not allowed to ask what it is: the role needs the cluster "
                "privilege `monitor`"
            )
        nodes_found = found.get("nodes") if isinstance(found, dict) else None
        if nodes.status != 200 or not isinstance(nodes_found, dict) or not nodes_found:
            raise _stranger(client)
        node = next(iter(nodes_found.values()))
        number = str(node.get("version", ""))
        distribution = "opensearch" if "opensearch" in str(node.get("build_type")) else None
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", number)
    if match is None:
        raise _stranger(client)
    engine = OPENSEARCH if distribution == "opensearch" else ELASTICSEARCH
    server = Server(engine, (int(match[1]), int(match[2]), int(match[3])))
    if server.version < OLDEST_TAKEN[engine]:
        least = ".".join(map(str, OLDEST[engine]))
        raise StoreError(
            f"store {client.shown} is {server}: mlplugin needs Elasticsearch 7.7.1 or later, or "
            f"OpenSearch{'' if engine == ELASTICSEARCH else ' ' + least}"
        )
    return server


def _stranger(client: Client) -> StoreError:
    return StoreError(
        f"what answers at {client.shown} is no search server: name Elasticsearch or OpenSearch"
    )
