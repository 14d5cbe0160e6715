"""Where the history is kept: the port, and the stores that there are."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from mlplugin.errors import StoreError
from mlplugin.store.duckdb_store import DuckDBStore
from mlplugin.store.port import Store

__all__ = ["Store", "open_store"]


def open_store(url: str | None, data: Path, *, read_only: bool = False) -> Store:
    """Open the store at a URL: the embedded one in the data directory if None.

    `duckdb:///path/to/directory` names another directory for the embedded store.

    Raises:
        StoreError: where there is no such store, or it cannot be opened.
    """
    if url is None:
        return DuckDBStore(data, read_only=read_only)
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "duckdb" and not parts.netloc and parts.path:
        return DuckDBStore(Path(urllib.parse.unquote(parts.path)), read_only=read_only)
    if parts.scheme in {"elasticsearch", "opensearch", "http", "https"}:
        raise StoreError(
            f"store {_shown(parts)}: Elasticsearch and OpenSearch are not there yet; "
            "leave --store out for the embedded store"
        )
    raise StoreError(
        f"store {_shown(parts)!r} is not known: write duckdb:///DIRECTORY, "
        "or leave --store out for the embedded store"
    )


def _shown(parts: urllib.parse.SplitResult) -> str:
    """The URL without what may be a password."""
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(parts._replace(netloc=host))
