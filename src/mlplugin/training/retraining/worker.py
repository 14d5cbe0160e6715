"""The process of a retraining job: ``python -m mlplugin.training.retraining.worker FOLDER``.

It ends when its standard input does, which is a pipe from the service that started it: a service
that dies takes its jobs with it. It writes ``progress.jsonl`` and, in the end, ``model`` and
``report.json`` into the folder of the job, and nothing elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

from mlplugin.errors import MlpluginError
from mlplugin.service.job_files import MATERIAL, MODEL, ORDER, PROGRESS, REPORT

NICE = 10
EXIT_ORPHANED = 3
FAILED = 1


def main(folder: Path) -> int:
    """Do the job of a folder; the exit status."""
    from mlplugin.training.progress import Course, JsonLines  # noqa: PLC0415 - after the bounds

    with (folder / PROGRESS).open("a", encoding="utf-8") as stream:
        lines = JsonLines(stream, lambda text: print(text, file=sys.stderr))
        try:
            report = _retrained(folder, Course((lines,)))
        except MlpluginError as fault:
            lines.event("error", message=str(fault))
            return FAILED
        except MemoryError:
            lines.event("error", message="memory ran out: raise the bound, or decide on less")
            return FAILED
        except OSError as fault:
            lines.event("error", message=f"{fault.filename or folder}: {fault.strerror}")
            return FAILED
        _write(folder / REPORT, report)
        lines.event("finished", version=report["version"], refused=report["refused"])
    return 0


def _retrained(folder: Path, course: Any) -> dict[str, Any]:
    from mlplugin.service.material import Material  # noqa: PLC0415
    from mlplugin.training.retraining.learn import Recipe  # noqa: PLC0415
    from mlplugin.training.retraining.run import Order, retrain  # noqa: PLC0415

    told = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    material = Material.read(folder / MATERIAL)
    material.notes.extend(told.get("notes", []))
    order = Order(
        Path(told["parent"]), material, folder / MODEL, told["version"],
        Path(told["data"]) if told.get("data") else None, Recipe(**told.get("recipe", {})),
        root=Path(told["root"]),
    )  # fmt: skip
    return retrain(order, course)


def _write(path: Path, value: Any) -> None:
    """Write a report so that it is there whole or not at all."""
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")
    beside.replace(path)


def _end_with_parent() -> None:
    """Wait, in a thread, for the end of standard input, and end with it."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _bounded(most_bytes: int) -> None:
    """Give way to everybody else, and take no more memory than this."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


if __name__ == "__main__":
    _end_with_parent()
    _bounded(int(sys.argv[2]))
    sys.exit(main(Path(sys.argv[1])))
