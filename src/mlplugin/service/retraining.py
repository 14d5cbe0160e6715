"""The closed loop: retrain on what was decided, shadow, promote, roll back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from mlplugin.errors import MlpluginError, RefusedError, UsageError
from mlplugin.model import Model, shipped
from mlplugin.service import material, promotion
from mlplugin.service.history import Asked
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.job_files import job_json
from mlplugin.service.jobs import TRAIN, Jobs
from mlplugin.service.lineage import Entry
from mlplugin.service.material import Choice, Material
from mlplugin.service.registry import NAME, Instead, Registry
from mlplugin.service.vetting import Vetting
from mlplugin.store.port import Store
from mlplugin.verdict import Threat

NO_REGISTRY = (
    "this service judges with a model that was named: start it without --model to change it here"
)


class Retraining:
    """Jobs that make models, and what is done with these."""

    def __init__(self, store: Store, vetting: Vetting, models: ModelInUse, jobs: Jobs) -> None:
        self._store = store
        self._vetting = vetting
        self._models = models
        self.jobs = jobs

    def start(
        self,
        *,
        who: str,
        kind: str = TRAIN,
        threats: Mapping[str, str] | None = None,
        threat: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> dict[str, Any]:
        """Start a retraining and give its job.

        Args:
            who: asks for it.
            kind: of the job; there is one.
            threats: the harm of decided names, where it is not the one that was flagged.
            threat: the harm of those of which nothing else says it.
            since: from when on the history is learnt from.
            until: until when.

        Raises:
            UsageError: if nothing can be learnt.
            RefusedError: if a job runs already, or this service cannot.
        """
        if kind != TRAIN:
            raise UsageError(f"kind {kind[:40]!r} is none of {TRAIN}")
        choice = chosen(threats, threat, since, until)

        def gather(model: Model) -> Material:
            return material.gathered(self._store, self._vetting.all(), model, choice)

        return job_json(self.jobs.start(gather, self._models.model, who))

    def all(self) -> dict[str, Any]:
        """Give the jobs, newest first."""
        return {"jobs": [job_json(job) for job in self.jobs.all()]}

    def find(self, number: str) -> dict[str, Any] | None:
        """Give a job with its report, None if there is none such."""
        job = self.jobs.find(number)
        return None if job is None else {**job_json(job), "report": self.jobs.report(number)}

    def told(self, number: str) -> list[dict[str, Any]]:
        """Give what a job has told so far, without waiting for more."""
        return self.jobs.told(number)

    def hindrance(self) -> str | None:
        """Say why this service cannot retrain, whatever was decided; None if it can."""
        try:
            self.jobs.check()
        except MlpluginError as fault:
            return str(fault)
        return None

    def cancel(self, number: str) -> dict[str, Any] | None:
        """End a job, and give how it stands then; None if there is none such."""
        job = self.jobs.cancel(number)
        return None if job is None else job_json(job)

    def events(self, number: str, after: int) -> Iterator[tuple[int, str] | None]:
        """Give what a job tells; see :meth:`Jobs.events`."""
        return self.jobs.events(number, after)

    def promote(self, version: str, *, who: str, force: bool = False) -> dict[str, Any] | None:
        """Put a model in use; None if it is not here.

        Raises:
            RefusedError: if it is worse, or another one was put in use meanwhile.
        """
        registry = self._registry()
        places = [registry.folder / version, shipped().parent / version]
        place = next((one for one in places if NAME.fullmatch(version) and one.is_dir()), None)
        if place is None:
            return None
        entry, why = promotion.promoted(
            registry, place, store=self._store, decisions=self._vetting.all(), force=force, who=who
        )
        self._models.look()
        changed = None if entry is None else entry_json(entry)
        return {"version": version, "change": changed, "objection": why}

    def serving(self) -> str:
        """Give the version in use as the registry has it, whether it is there or not."""
        registry = self._models.registry
        return (registry and registry.serving()) or self._models.model.version

    def rollback(self, *, who: str, version: str | None = None) -> dict[str, Any]:
        """Go back to the model before.

        Args:
            who: goes back.
            version: from which; None: from the one in use, whichever it is.

        Raises:
            UsageError: if the shipped one is in use.
            RefusedError: if another one is in use than that.
        """
        instead = None if version is None else Instead(version)
        entry = self._registry().rollback(who=who, instead=instead)
        self._models.look()
        return {"version": entry.version, "change": entry_json(entry), "objection": None}

    def shadow(self, version: str) -> dict[str, Any]:
        """Have a model judge beside the one in use."""
        self._registry().shadow(version)
        return {"shadow": version}

    def unshadow(self, version: str) -> dict[str, Any]:
        """Have a model not judge beside the one in use any more; gives which one does."""
        registry = self._registry()
        if registry.shadowing() == version:
            registry.shadow(None)
        return {"shadow": registry.shadowing()}

    def close(self) -> None:
        """End what runs."""
        self.jobs.close()

    def _registry(self) -> Registry:
        if self._models.registry is None:
            raise RefusedError(NO_REGISTRY)
        return self._models.registry


def chosen(
    threats: Mapping[str, str] | None, threat: str | None, since: str | None, until: str | None
) -> Choice:
    """Read what whoever asks for a retraining says. Raises UsageError or InvalidNameError."""
    try:
        named = {name: Threat(text) for name, text in (threats or {}).items()}
        default = None if threat is None else Threat(threat)
    except ValueError as fault:
        raise UsageError(f"{fault}: a threat is one of {', '.join(Threat)}") from None
    return Choice(named, default, Asked(since=since, until=until).parse())


def entry_json(entry: Entry) -> dict[str, Any]:
    """Give a line of the record as an object of the interface."""
    return asdict(entry)
