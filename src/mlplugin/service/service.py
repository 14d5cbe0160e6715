"""The service as a whole: one store, one model, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass

from mlplugin.model import Model
from mlplugin.service.history import History
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.ingest import Ingest
from mlplugin.service.judging import Judging
from mlplugin.service.registry import Registry
from mlplugin.service.retention import Bounds, Retention
from mlplugin.service.vetting import Vetting
from mlplugin.store.port import Store


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases, ready to be called from any number of threads."""

    store: Store
    models: ModelInUse
    ingest: Ingest
    history: History
    vetting: Vetting
    judging: Judging
    retention: Retention

    @property
    def model(self) -> Model:
        """The model that is in use now."""
        return self.models.model

    def close(self) -> None:
        """End what runs in the background and close the store."""
        self.models.close()
        self.retention.close()
        self.store.close()


def assemble(
    store: Store,
    model: Model,
    bounds: Bounds | None = None,
    registry: Registry | None = None,
) -> Service:
    """Put a service together and start what runs in the background.

    Args:
        store: where history and decisions are.
        model: what to judge with at first.
        bounds: of the history.
        registry: whose model is to be followed; None keeps the first one for good.
    """
    models = ModelInUse(model, registry)
    vetting = Vetting(store, models)
    service = Service(
        store=store,
        models=models,
        ingest=Ingest(store),
        history=History(store),
        vetting=vetting,
        judging=Judging(models, vetting),
        retention=Retention(store, bounds or Bounds()),
    )
    service.retention.start()
    models.start()
    return service
