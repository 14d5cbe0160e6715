"""The model that the service judges with, and another one as soon as it is promoted."""

from __future__ import annotations

import logging
import threading

from mlplugin.errors import ModelError
from mlplugin.model import Model, load, shipped
from mlplugin.model.directory import created, version_key
from mlplugin.service.registry import Registry

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class ModelInUse:
    """Holds a model and, given a registry, follows what is promoted there.

    Whoever needs one model for several steps takes it once: the next look may bring another.
    """

    def __init__(
        self, model: Model, registry: Registry | None = None, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._model = model
        self._registry = registry
        self._look_seconds = look_seconds
        # None, so that a model promoted while this one was loaded is not missed
        self._seen: str | None = None
        self._failed = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    @property
    def model(self) -> Model:
        """The model that is in use now."""
        return self._model

    @property
    def registry(self) -> Registry | None:
        """What is followed, if anything is."""
        return self._registry

    def start(self) -> None:
        """Begin to follow the registry, if there is one."""
        if self._registry is not None:
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Take the model that is in use now, and tell whether it is another one.

        One that cannot be used is told of once and tried again; the old one stays.
        """
        if self._registry is None:
            return False
        look = self._registry.look()
        if look == self._seen:
            return False
        try:
            model = load(self._registry.in_use())
        except ModelError as fault:
            if str(fault) != self._failed:
                self._failed = str(fault)
                LOG.warning("model %s stays in use: %s", self._model.version, fault)
            return False
        self._seen, self._failed = look, ""
        if model.sha256 == self._model.sha256:
            return False
        LOG.info("model %s is in use in place of %s", model.version, self._model.version)
        self._model = model
        return True

    def _run(self) -> None:
        while not self._stop.wait(self._look_seconds):
            self.look()


def newer_shipped(registry: Registry) -> str | None:
    """Say that a model is shipped that is newer than the promoted one, and how to take it.

    The later ``created`` is the newer; the higher version, where one of them tells no time.
    """
    try:
        promoted, here = registry.in_use(), shipped()
        if promoted is None:
            return None
        used, other = load(promoted), load(here)
    except ModelError:
        return None  # whoever needs one of them says so
    times = [created(place) for place in (promoted, here)]
    if all(times):
        newer = str(times[1]) > str(times[0])
    else:
        newer = version_key(other.version) > version_key(used.version)
    if not newer or other.sha256 == used.sha256:
        return None
    return (
        f"a newer model comes with this mlplugin, {other.version} in place of {used.version}: "
        f"`mlplugin models promote {other.version}` takes it"
    )
