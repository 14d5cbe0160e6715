"""Make ``model-tiny/`` and ``golden/*.jsonl``, the same bytes every time.

    python testdata/make.py [FOLDER]

The model's numbers are drawn at random and judge nothing that is real; its calibration
is set so that all three verdicts occur. ``reference.py`` gives the expected results.
"""

from __future__ import annotations

import hashlib
import json
import random
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import names as known_names  # noqa: E402 - a script beside this one
from reference import EXCEPTION, PLAIN, WILDCARD, Model, fnv64  # noqa: E402

PRIVATE = 8
THREATS = ("dga", "dga_dictionary", "malware", "phishing", "scam", "tunnel")
BUCKETS, WIDE, HIDDEN = 2**10, 16, 32
WINDOW, FILTERS, LOOK_HIDDEN, LONGEST, SYMBOLS = 5, 12, 9, 40, 121
LETTERS = string.ascii_lowercase + string.digits + "-"

ICANN = """
com org net info biz io dev app co me de fr nl eu jp cn ru br au us uk co.uk org.uk ac.uk me.uk
co.jp ne.jp or.jp com.br net.br com.au net.au com.cn edu.cn gov tokyo.jp *.kobe.jp !city.kobe.jp
*.ck !www.ck *.np *.bd *.er xyz top club online site xn--p1ai xn--fiqs8s xn--55qx5d.cn arpa
"""
PRIVATE_RULES = """
pages.dev github.io blogspot.com duckdns.org co.com web.app *.compute.amazonaws.com
s3.amazonaws.com herokuapp.com uk.com
"""


def rules() -> dict[str, int]:
    """Flags by the text of a rule."""
    found: dict[str, int] = {}
    for listed, private in ((ICANN, 0), (PRIVATE_RULES, PRIVATE)):
        for rule in listed.split():
            kind = EXCEPTION if rule[0] == "!" else WILDCARD if rule[0] == "*" else PLAIN
            text = rule.removeprefix("!").removeprefix("*.")
            found[text] = found.get(text, 0) | kind | private
    return found


def tensors() -> dict[str, np.ndarray[Any, Any]]:
    """Random weights, the suffix rules and the reputation."""
    dice = np.random.Generator(np.random.PCG64(1035))
    flags = rules()
    order = sorted(flags, key=fnv64)
    threats = len(THREATS)

    def floats(*shape: int, scale: float) -> np.ndarray[Any, Any]:
        return (dice.random(shape) * 2 * scale - scale).astype(np.float32)

    return {
        "table": dice.integers(-127, 128, (BUCKETS, WIDE + threats)).astype(np.int8),
        "table_scale": (dice.random(WIDE + threats) * 0.01 + 0.005).astype(np.float32),
        "w1": floats(HIDDEN, 3 * WIDE, scale=0.8),
        "b1": floats(HIDDEN, scale=0.3),
        "w2": floats(threats, HIDDEN, scale=0.5),
        "b2": floats(threats, scale=0.5),
        "suffix_hash": np.array([fnv64(text) for text in order], np.uint64),
        "suffix_flag": np.array([flags[text] for text in order], np.uint8),
        "suffix_weight": dice.integers(-127, 128, (len(order), threats)).astype(np.int8),
        "suffix_scale": np.array([0.01], np.float32),
        "look_table": dice.integers(-127, 128, (WINDOW, SYMBOLS, FILTERS)).astype(np.int8),
        "look_scale": (dice.random(FILTERS) * 0.01 + 0.005).astype(np.float32),
        "look_bias": floats(FILTERS, scale=0.5),
        "look_w1": floats(LOOK_HIDDEN, FILTERS, scale=0.5),
        "look_b1": floats(LOOK_HIDDEN, scale=0.3),
        "look_w2": floats(threats, LOOK_HIDDEN, scale=0.5),
        "look_w3": floats(threats, FILTERS, scale=0.3),
        "look_b2": floats(threats, scale=0.5),
        "reputation": np.array(
            sorted({fnv64(name) for name in known_names.reputation()}), np.uint64
        ),
    }


def knots_of(logits: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The calibration of each threat by the logits of names."""
    shares = np.array([0.02, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995])
    score = [0.0, 1.0, 3.0, 12.0, 24.0, 31.5, 39.0, 60.0]
    return {
        threat: {
            "logit": [round(float(v), 6) for v in np.quantile(logits[:, t], shares)],
            "score": score,
        }
        for t, threat in enumerate(THREATS)
    }


def config(logits: np.ndarray[Any, Any], mixed: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The configuration, all but the weights' hash; calibrated on logits of both looks."""
    return {
        "format": 2,
        "version": "0.0.1",
        "created": "2026-11-23T00:00:00Z",
        "data_cutoff": "2026-01-03",
        "threats": list(THREATS),
        "regions": ["subdomain", "label", "suffix"],
        "ngram": {"min": 2, "max": 5, "buckets": BUCKETS},
        "dimensions": WIDE,
        "hidden": HIDDEN,
        "pooling": {"bag": 1.0, "linear": 0.5},
        "prior": dict(zip(THREATS, (0.0, -0.5, 1.0, 0.25, -1.5, 0.0), strict=True)),
        "calibration": {
            "threats": knots_of(logits),
            "overall": {"in": [-1.0, 2.0, 20.0, 40.0, 58.0], "score": [0.0, 0.5, 17.0, 38.0, 60.0]},
        },
        "look": {
            "from": 14.0,
            "window": WINDOW,
            "filters": FILTERS,
            "hidden": LOOK_HIDDEN,
            "longest": LONGEST,
            "share": 0.4,
            "prior": dict(zip(THREATS, (-1.0, 0.0, 0.5, 0.0, -2.0, 0.25), strict=True)),
            "calibration": {
                "threats": knots_of(mixed),
                "overall": {"in": [12.0, 30.0, 44.0, 62.0], "score": [14.0, 28.0, 39.0, 60.0]},
            },
        },
        "thresholds": {"suspicious": 30.0, "malicious": 37.0},
    }


def random_names(count: int, seed: int) -> list[str]:
    """Names of random letters under the rules' suffixes."""
    dice = random.Random(seed)  # noqa: S311 - the same names every time
    suffixes = [
        *(text for text in sorted(rules()) if text != "arpa"),
        "unlisted",
        "zone.invalid-tld",
    ]
    found = []
    for _ in range(count):
        labels = [
            "".join(dice.choices(LETTERS, k=dice.randint(1, 24)))
            for _ in range(dice.choice((1, 1, 2, 2, 3, 5)))
        ]
        found.append(".".join([*labels, dice.choice(suffixes)]))
    return found


def lines(rows: list[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    """Write everything below a folder, by default this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for place in ("model-tiny", "golden"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    numbers = tensors()
    plain = {name: values.tolist() for name, values in numbers.items()}
    nothing = np.zeros((2, len(THREATS)))
    draft = Model(config(nothing, nothing), plain)
    drawn = [(name, draft.split(name)) for name in random_names(300, 7)]
    logits = np.array([draft.forward(parts)[0] for _, parts in drawn])
    looks = np.array([draft.look(name, parts)[0] for name, parts in drawn])
    settings = config(logits, 0.6 * logits + 0.4 * looks)
    weights = save(numbers)
    settings["weights"] = {
        "file": "weights.safetensors",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "bytes": len(weights),
    }
    (folder / "model-tiny" / "weights.safetensors").write_bytes(weights)
    (folder / "model-tiny" / "config.json").write_text(json.dumps(settings, indent=1) + "\n")

    model = Model(settings, plain)
    judged = dict.fromkeys([*known_names.ODD, *known_names.ORDINARY, *random_names(100, 8)])
    rows = [model.judge(name) for name in judged if not model.near_tie(name)]
    golden = folder / "golden"
    (golden / "verdicts.jsonl").write_text(lines(rows))
    (golden / "canonical.jsonl").write_text(
        lines([{"input": given, "canonical": name} for given, name in known_names.WRITTEN])
    )
    (golden / "wire.jsonl").write_text(
        lines([{"wire": octets.hex(), "canonical": name} for octets, name in known_names.wire()])
    )


if __name__ == "__main__":
    main()
