"""What a cluster says when it does not do what it is asked, in one line for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlplugin.errors import StoreError
from mlplugin.store.port import StoreUnavailableError

RIGHTS = "`mlplugin store check` prints the role that mlplugin needs"
LONGEST = 300


class StoreBlockedError(StoreUnavailableError):
    """A block lies on an index or on the whole cluster: it takes no more just now."""


@contextmanager
def shaped(shown: str) -> Iterator[None]:
    """Take what goes wrong in reading an answer for an answer of another shape: StoreError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        raise StoreError(
            f"what answers at {shown} is no search server that is known: its answer has another "
            f"shape ({short(repr(fault))})"
        ) from fault


def reason_of(data: Any) -> tuple[str, str]:
    """Give the type and the text of an error, the innermost cause where that says more."""
    error = data.get("error") if isinstance(data, dict) else None
    if isinstance(error, str):
        return "", short(error)
    if not isinstance(error, dict):
        return "", ""
    kind, text = str(error.get("type", "")), str(error.get("reason", ""))
    failed = error.get("failed_shards")
    if failed and isinstance(failed[0].get("reason"), dict):
        inner = failed[0]["reason"]
        kind, text = str(inner.get("type", kind)), str(inner.get("reason", text))
    cause = error.get("caused_by")
    if isinstance(cause, dict) and cause.get("reason"):
        text = f"{text}: {cause['reason']}" if text else str(cause["reason"])
    return kind, short(text)


def short(text: str) -> str:
    """One line of it."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def refused(shown: str, status: int, data: Any) -> StoreError:
    """The error for an answer that is none of those expected."""
    kind, text = reason_of(data)
    return told(shown, status, kind, text)


def told(shown: str, status: int, kind: str, text: str) -> StoreError:
    """The error for a status, an error's type and its text."""
    if status == 401:
        return StoreError(f"store {shown}: the credentials are wrong, missing or expired")
    if kind == "cluster_block_exception" or "cluster_block" in text:
        return StoreBlockedError(f"store {shown}: {_block(text)}")
    if status == 403:
        return StoreError(f"store {shown}: not allowed: {text or 'no reason given'}; {RIGHTS}")
    if "maximum normal shards open" in text or "maximum shards open" in text:
        return StoreUnavailableError(
            f"store {shown}: the cluster has as many shards as it may have: delete old indices, "
            "or raise cluster.max_shards_per_node"
        )
    if status == 429 or status >= 500:
        what = "too busy" if status == 429 else f"in trouble (status {status})"
        return StoreUnavailableError(f"store {shown} is {what}{f': {text}' if text else ''}")
    return StoreError(f"store {shown} refused (status {status}): {kind} {text}".rstrip(": "))


def _block(text: str) -> str:
    if "flood" in text or "/12/" in text or "read-only-allow-delete" in text.replace(" ", "-"):
        return (
            "its disk is over the flood-stage watermark and takes no more: make room there, "
            "or trim the history with `mlplugin store prune`"
        )
    if "read-only" in text or "index write" in text:
        return f"it is read-only ({text}): lift that block"
    return f"it is blocked ({text})"
