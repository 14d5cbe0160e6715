"""Events of sensors, from the body of a request to the store."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlplugin.service import batch
from mlplugin.service.batch import BatchError
from mlplugin.store.port import Appended, Counters, Store

LONGEST_SENSOR = 255
Number = Annotated[int, Field(ge=0, lt=2**62)]


class _Counters(BaseModel):
    model_config = ConfigDict(strict=True)

    started: Number
    served: Number
    dropped: dict[Annotated[str, Field(pattern="^[a-z_]{1,40}$")], Number] = Field(max_length=40)


class Ingest:
    """Takes batches; what it answers for is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(
        self, sensor: str, body: bytes, encoding: str = "", counters: str | None = None
    ) -> Appended:
        """Store a batch. Raises BatchError for one that can never be stored, or StoreError."""
        if not 0 < len(sensor) <= LONGEST_SENSOR or not sensor.isprintable():
            raise BatchError(422, f"the sensor's name has 1 to {LONGEST_SENSOR} characters")
        counts = None if counters is None else read_counters(counters)
        events = batch.read(batch.decoded(body, encoding))
        return self._store.append(sensor, events, counts)


def read_counters(text: str) -> Counters:
    """Read the header `Mlplugin-Counters`. Raises BatchError."""
    try:
        found = _Counters.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        raise BatchError(
            422,
            'the header Mlplugin-Counters is not like {"started": 0, "served": 0, "dropped": {}}',
        ) from None
    return Counters(found.started, found.served, found.dropped)
