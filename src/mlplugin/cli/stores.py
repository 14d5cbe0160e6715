"""Opening the store as it is configured: what is said of it beside its URL, and its secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlplugin.errors import ConfigError
from mlplugin.store import Options, Store, is_cluster, open_store

if TYPE_CHECKING:
    from mlplugin import config

SECRETS = ("password", "api_key", "token")


def opened(url: str | None, data: Path, *, read_only: bool = False) -> Store:
    """Open a store. Raises ConfigError or StoreError."""
    options = cluster_options(url) if is_cluster(url) else None
    return open_store(url, data, options, read_only=read_only)


def cluster_options(url: str | None, section: config.Store | None = None) -> Options | None:
    """Give what is configured of a cluster, None where the store is none.

    Args:
        url: the store.
        section: the configuration; that of MLPLUGIN_CONFIG and the environment if None.

    Raises:
        ConfigError: where a file with a secret cannot be read.
    """
    if not is_cluster(url):
        return None
    if section is None:
        from mlplugin.config import load  # noqa: PLC0415 - slow to import, and rarely wanted

        configured = os.environ.get("MLPLUGIN_CONFIG")
        section = load(Path(configured) if configured else None).store
    return Options(
        index=section.index,
        user=section.user,
        ca_file=section.ca_file,
        plain_secrets=section.plain_secrets,
        **{name: _secret(name, getattr(section, f"{name}_file")) for name in SECRETS},
    )


def require_place(url: str | None) -> None:
    """Raise ConfigError or StoreError where what is said of a cluster makes no sense."""
    options = cluster_options(url)
    if url is None or options is None:
        return
    from mlplugin.store.elastic import Place  # noqa: PLC0415 - slow to import, and rarely wanted

    Place.read(url, options)


def _secret(name: str, path: Path | None) -> str | None:
    """Give a secret of the environment, or of a file, None for none."""
    variable = f"MLPLUGIN_STORE_{name.upper()}"
    if given := os.environ.get(variable):
        if path is not None:
            raise ConfigError(f"{variable} and {variable}_FILE are both given: one must be enough")
        return given.strip()
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or "no text"
        raise ConfigError(f"store.{name}_file {path} cannot be read: {why}") from None
    if not text:
        raise ConfigError(f"store.{name}_file {path} is empty")
    return text
