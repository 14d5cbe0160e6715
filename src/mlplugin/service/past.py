"""The past that can be looked back on: a stretch of history, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlplugin.store.port import Filter, Store

if TYPE_CHECKING:
    import pyarrow as pa

# So many names are listed, and so many at most.
LISTED, MOST_LISTED = 100, 10_000


class Past(Protocol):
    """A stretch of history: of a store, or of a service that has one."""

    def names(self) -> Iterator[pa.RecordBatch]:
        """Give every name once, in batches of `store.past.NAMES`."""
        ...

    def askers(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names, in batches of `store.past.ASKERS`."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a filter holds of a store."""

    store: Store
    wanted: Filter

    def names(self) -> Iterator[pa.RecordBatch]:
        """Give every name once."""
        return self.store.names(self.wanted)

    def askers(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Give who asked for some names."""
        return self.store.askers(self.wanted, names)
