"""Events that no cluster takes: kept in a file with the reason, counted, in nobody's way."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)
FILE = "dead-letters.ndjson"
MOST_BYTES = 64 << 20


class DeadLetters:
    """The file; what does not fit into it is counted and logged all the same."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self._most = most_bytes
        self._lock = threading.Lock()

    def keep(self, sensor: str, reason: str, events: Iterable[dict[str, Any]]) -> None:
        """Write events down with the reason why they were refused."""
        at = datetime.now(UTC).isoformat()
        lines = [
            json.dumps({"at": at, "sensor": sensor, "reason": reason, "event": event}) + "\n"
            for event in events
        ]
        LOG.warning("store: %d events of %r refused for good: %s; kept in %s",
                    len(lines), sensor, reason, self.path)  # fmt: skip
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                number = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(number, "a", encoding="utf-8") as file:
                    if file.tell() < self._most:
                        file.writelines(lines)
                    else:
                        LOG.warning("store: %s is full: move it away", self.path)
        except OSError as fault:
            LOG.warning("store: %s cannot be written: %s", self.path, fault.strerror)
