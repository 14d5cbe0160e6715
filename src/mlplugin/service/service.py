"""The service as a whole: one store, one model, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlplugin.model import Model
from mlplugin.model.split import special_rule
from mlplugin.qname import canonical
from mlplugin.service.history import History
from mlplugin.service.hunting import Hunting
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.ingest import Ingest
from mlplugin.service.insight import Insight
from mlplugin.service.jobs import Jobs
from mlplugin.service.judging import Judging
from mlplugin.service.registry import Registry
from mlplugin.service.retention import Bounds, Retention
from mlplugin.service.retraining import Retraining
from mlplugin.service.review import Review
from mlplugin.service.vetting import Vetting
from mlplugin.store.port import Store
from mlplugin.whois import Registrations, unanswered


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases, ready to be called from any number of threads."""

    store: Store
    models: ModelInUse
    ingest: Ingest
    history: History
    vetting: Vetting
    judging: Judging
    insight: Insight
    review: Review
    hunting: Hunting
    retraining: Retraining
    retention: Retention
    registrations: Registrations = field(default_factory=Registrations)

    @property
    def model(self) -> Model:
        """The model that is in use now."""
        return self.models.model

    def registration(self, name: str) -> dict[str, Any]:
        """Ask the registry who registered the domain of a name. Raises InvalidNameError.

        Nobody is asked about a name that is not public.
        """
        qname = canonical(name)
        domain = self.judging.judge(qname, None).registered_domain
        if domain is None or special_rule(qname) is not None:
            return unanswered(qname, "it is no public domain: no registry has it")
        return self.registrations.find(domain)

    def close(self) -> None:
        """End what runs in the background and close the store.

        A hunt may be in the middle of a long question, which only the end of the store breaks off.
        """
        self.hunting.release()
        self.retraining.close()
        self.models.close()
        self.retention.close()
        self.store.close()
        self.hunting.close()


def assemble(
    store: Store,
    model: Model,
    bounds: Bounds | None = None,
    registry: Registry | None = None,
    data: Path | None = None,
) -> Service:
    """Put a service together and start what runs in the background.

    Args:
        store: where history and decisions are.
        model: what to judge with at first.
        bounds: of the history.
        registry: whose model is to be followed; None keeps the first one for good.
        data: where what looking back has found is kept; None keeps it in memory.
    """
    models = ModelInUse(model, registry)
    history, vetting = History(store), Vetting(store, models)
    judging = Judging(models, vetting)
    service = Service(
        store=store,
        models=models,
        ingest=Ingest(store),
        history=history,
        vetting=vetting,
        judging=judging,
        insight=Insight(store, history, judging, vetting, models),
        review=Review(store, models, vetting),
        hunting=Hunting(store, models, vetting, data),
        retraining=Retraining(store, vetting, models, Jobs(registry)),
        retention=Retention(store, bounds or Bounds()),
    )
    store.begin()
    service.retention.start()
    models.start()
    service.hunting.start()
    return service
