"""Stands in for the process of a retraining: quick, and as the test wants it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support.models import measured, variant


def wait_for_the_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(3)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def told(folder: Path, **about: Any) -> None:
    with (folder / "progress.jsonl").open("a") as stream:
        stream.write(json.dumps(about) + "\n")


def main(folder: Path) -> int:
    order = json.loads((folder / "order.json").read_text())
    what = order["recipe"].get("stub", "done")
    told(folder, event="line", text="at work")
    if what == "sleep":
        threading.Event().wait()
    if what == "killed":
        die()
    if what == "error":
        told(folder, event="error", message="memory ran out: raise the bound")
        return 1
    if what == "crash":
        raise RuntimeError("a fault of ours")
    if what == "killed while it writes":
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text('{"format": 2')
        die()
    made = variant(folder, order["version"])
    made.rename(folder / "model")
    if what == "killed before its report":
        (folder / "report.part").write_text('{"version"')
        die()
    if what == "half":
        (folder / "model" / "weights.safetensors").write_bytes(b"half")
    refused = ["it finds less"] if what == "refused" else []
    (folder / "report.json").write_text(
        json.dumps(
            {
                "version": order["version"],
                "parent": {"version": "0.0.1", "sha256": "ab"},
                "data_sha256": "cd",
                "refused": None if what == "odd" else refused,
                "guard": measured(0.001, 0.5),
            }
        )
    )
    told(folder, event="finished", version=order["version"])
    if what == "killed in the end":
        die()
    return 0


if __name__ == "__main__":
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    sys.exit(main(Path(sys.argv[1])))
