"""Model directories for tests: small, real, and told apart by their version."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"
SUSPICIOUS, MALICIOUS = "suspicious or worse", "malicious"


def variant(folder: Path, version: str, metrics: Any = None) -> Path:
    """The tiny model under another version, which makes it another model, with metrics if any."""
    place = folder / f"made-{version}"
    shutil.copytree(TINY, place)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"version": version}))
    if metrics is not None:
        (place / "metrics.json").write_text(json.dumps(metrics))
    return place


def measured(
    alarms: float, found: float, names: int = 20_000, data: str = "names made up"
) -> dict[str, Any]:
    """Metrics of one set of clean names and one of malicious ones, as training writes them."""
    return {
        "data": {data: {"rows": names}},
        "false_positives": {"names made up": {"names": names, SUSPICIOUS: alarms, MALICIOUS: 0.0}},
        "macro": {},
        "finds": {
            "mal_phishing": {
                "threat": "phishing", "names": names, SUSPICIOUS: found, MALICIOUS: found / 2,
            }
        },
    }  # fmt: skip
