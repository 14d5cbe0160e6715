"""The service as a whole: one store, one model, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass

from mlplugin.model import Model
from mlplugin.service.history import History
from mlplugin.service.ingest import Ingest
from mlplugin.service.judging import Judging
from mlplugin.service.retention import Bounds, Retention
from mlplugin.service.vetting import Vetting
from mlplugin.store.port import Store


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases, ready to be called from any number of threads."""

    store: Store
    model: Model
    ingest: Ingest
    history: History
    vetting: Vetting
    judging: Judging
    retention: Retention

    def close(self) -> None:
        """End what runs in the background and close the store."""
        self.retention.close()
        self.store.close()


def assemble(store: Store, model: Model, bounds: Bounds | None = None) -> Service:
    """Put a service together and start what runs in the background."""
    vetting = Vetting(store, model)
    service = Service(
        store=store,
        model=model,
        ingest=Ingest(store),
        history=History(store),
        vetting=vetting,
        judging=Judging(model, vetting),
        retention=Retention(store, bounds or Bounds()),
    )
    service.retention.start()
    return service
