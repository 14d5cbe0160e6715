"""What went into a model, in words and counts."""

from __future__ import annotations

from typing import Any

from mlplugin.training.preparation import Prepared


def described(ready: Prepared) -> dict[str, Any]:
    """What went in: rows by file, what was left out and why."""
    files = {}
    for code, name in enumerate(ready.data.files):
        rows = ready.data.file == code
        kept = rows & ready.fair
        files[name] = {
            "rows": int(rows.sum()),
            "dropped by cleaning": int((rows & ~ready.fair).sum()),
            "dropped by licence": int((kept & ~ready.usable).sum()),
            "held out by domain": int((kept & ready.usable & ready.unseen).sum()),
            "trained on": int((rows & ready.trainable).sum()),
        }
    return files
