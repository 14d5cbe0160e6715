"""Where the history is kept: the port, and the stores that there are."""

from __future__ import annotations

import logging
import urllib.parse
from pathlib import Path

from mlplugin.errors import StoreError
from mlplugin.store.options import Options
from mlplugin.store.port import Store, StoreUnavailableError

__all__ = ["Options", "Store", "embedded_at", "is_cluster", "open_store"]

LOG = logging.getLogger(__name__)
CLUSTERS = frozenset({"http", "https"})


def open_store(
    url: str | None, data: Path, options: Options | None = None, *, read_only: bool = False
) -> Store:
    """Open the store at a URL: the embedded one in the data directory if None.

    `duckdb:///path/to/directory` names another directory for the embedded store,
    `https://user@host:9200` a cluster of Elasticsearch or OpenSearch. A cluster that cannot be
    reached now is opened all the same, to be asked again with each use, unless `read_only`.

    Args:
        url: the store.
        data: the data directory.
        options: of a cluster; none are the defaults.
        read_only: whether nothing is to be written, and it must answer at once.

    Raises:
        StoreError: where there is no such store, or it cannot be opened.
    """
    place = embedded_at(url, data)
    if url is None or place is not None:
        return _embedded(place or data, read_only=read_only)
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in CLUSTERS:
        raise StoreError(
            f"store {_shown(parts)!r} is not known: write https://HOST:9200 for Elasticsearch or "
            "OpenSearch, duckdb:///DIRECTORY, or leave --store out for the embedded store"
        )
    return _cluster(url, data, options, read_only=read_only)


def embedded_at(url: str | None, data: Path) -> Path | None:
    """Give the directory of the embedded store, None where a store is none."""
    if url is None:
        return data
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "duckdb" and not parts.netloc and parts.path:
        return Path(urllib.parse.unquote(parts.path))
    return None


def _embedded(directory: Path, *, read_only: bool) -> Store:
    from mlplugin.store.duckdb_store import DuckDBStore  # noqa: PLC0415 - slow to import

    return DuckDBStore(directory, read_only=read_only)


def _cluster(url: str, data: Path, options: Options | None, *, read_only: bool) -> Store:
    from mlplugin.store.elastic import ElasticStore  # noqa: PLC0415 - slow to import

    store = ElasticStore(url, data, options, read_only=read_only)
    try:
        server = store.connect()
    except StoreUnavailableError as fault:
        if read_only:
            store.close()
            raise
        LOG.warning("%s; events wait at their sensors until it answers", fault)
    except StoreError:
        store.close()
        raise
    else:
        lacks = server.lacks()
        LOG.info("store: %s%s", server, f": {'; '.join(lacks)}" if lacks else "")
    return store


def is_cluster(url: str | None) -> bool:
    """Whether a store is one that many share."""
    return url is not None and urllib.parse.urlsplit(url).scheme in CLUSTERS


def _shown(parts: urllib.parse.SplitResult) -> str:
    """The URL without what may be a password."""
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(parts._replace(netloc=host, query="", fragment=""))
