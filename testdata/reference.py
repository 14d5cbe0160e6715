"""The model format in plain Python, one byte at a time: what both fast readers are held against.

Written from ``docs/model-format.md`` alone, for reading, not for speed.
"""

from __future__ import annotations

import bisect
import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

LEVELS = ("benign", "suspicious", "malicious")
SPECIAL = {
    "alt",
    "arpa",
    "corp",
    "example",
    "example.com",
    "example.net",
    "example.org",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "resolver.arpa",
    "service.arpa",
    "test",
}
PLAIN, WILDCARD, EXCEPTION = 1, 2, 4
LISTED = 8
SYMBOLS = "abcdefghijklmnopqrstuvwxyz0123456789-._"  # and one more for any other byte
BEYOND = 0  # the symbol of a place before or behind the text


def fnv64(text: str) -> int:
    """64-bit FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in text.encode("ascii"):
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def fnv32(data: bytes) -> int:
    """32-bit FNV-1a."""
    value = 2166136261
    for byte in data:
        value = ((value ^ byte) * 16777619) % 2**32
    return value


def labels_of(qname: str) -> list[str]:
    """The labels of a canonical name as they stand in it."""
    if qname == ".":
        return []
    labels, current, rest = [], "", qname
    while rest:
        if rest[0] == "\\":
            length = 4 if rest[1].isdigit() else 2
            current, rest = current + rest[:length], rest[length:]
        elif rest[0] == ".":
            labels.append(current)
            current, rest = "", rest[1:]
        else:
            current, rest = current + rest[0], rest[1:]
    return [*labels, current]


@dataclass
class Parts:
    """Where a name splits, and the row of the suffix rule that matched."""

    subdomain: str
    label: str
    suffix: str
    row: int | None

    @property
    def registered_domain(self) -> str | None:
        """eTLD+1."""
        return f"{self.label}.{self.suffix}" if self.label else None


class Judged(NamedTuple):
    """What the network makes of a name.

    ``look`` are the windows' shares of each threat's logit, None without a second look.
    """

    logits: list[float]
    scores: list[float]
    lead: int
    first: float
    overall: float
    active: list[bool]
    look: list[dict[str, float]] | None


class Part(NamedTuple):
    """A part of a logit."""

    kind: str
    text: str
    weight: float


class Model:
    """A model from its configuration and its tensors, which are lists of lists of numbers."""

    def __init__(self, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        self.config, self.tensors = config, tensors
        self.threats = config["threats"]

    def rule(self, text: str) -> tuple[int | None, int]:
        """The row and the flags of a rule's text; 0 where there is none."""
        hashes = self.tensors["suffix_hash"]
        row = bisect.bisect_left(hashes, fnv64(text))
        if row < len(hashes) and hashes[row] == fnv64(text):
            return row, self.tensors["suffix_flag"][row]
        return None, 0

    def split(self, qname: str) -> Parts:
        """The public suffix, the label before it, and the rest."""
        labels = labels_of(qname)
        if not labels:
            return Parts("", "", qname, None)
        size, row = self._suffix_labels(labels)
        before = labels[: len(labels) - size]
        suffix = ".".join(labels[len(labels) - size :])
        if not before:
            return Parts("", "", suffix, row)
        return Parts(".".join(before[:-1]), before[-1], suffix, row)

    def _suffix_labels(self, labels: list[str]) -> tuple[int, int | None]:
        """How many labels the suffix has, and the row of its rule."""
        for size in range(1, len(labels) + 1):
            row, flags = self.rule(".".join(labels[-size:]))
            if flags & EXCEPTION and size > 1:
                return size - 1, row
        for size in range(len(labels), 0, -1):
            row, flags = self.rule(".".join(labels[-size:]))
            if flags & PLAIN:
                return size, row
            if size > 1:
                row, flags = self.rule(".".join(labels[-size + 1 :]))
                if flags & WILDCARD:
                    return size, row
        return 1, None

    def grams(self, text: str, region: int) -> list[tuple[str, int]]:
        """Every n-gram of a region's text with its bucket."""
        if not text:
            return []
        ngram = self.config["ngram"]
        token = f"^{text}$"
        found = []
        for size in range(ngram["min"], ngram["max"] + 1):
            for at in range(len(token) - size + 1):
                gram = token[at : at + size]
                value = fnv32(bytes([region]) + gram.encode("ascii"))
                found.append((gram, (value ^ (value >> 16)) & (ngram["buckets"] - 1)))
        return found

    def row(self, bucket: int) -> list[float]:
        """A row of the table, scaled."""
        scale = self.tensors["table_scale"]
        return [q * s for q, s in zip(self.tensors["table"][bucket], scale, strict=True)]

    def suffix_term(self, row: int | None, threat: int) -> float:
        """What the rule that matched adds to the logit."""
        if row is None:
            return 0.0
        weight: float = self.tensors["suffix_weight"][row][threat]
        return weight * float(self.tensors["suffix_scale"][0])

    def forward(self, parts: Parts) -> tuple[list[float], list[bool]]:
        """The logits, and which hidden units are active."""
        wide, pooling = self.config["dimensions"], self.config["pooling"]
        x: list[float] = []
        linear = [0.0] * len(self.threats)
        for region, text in enumerate((parts.subdomain, parts.label, parts.suffix), 1):
            rows = [self.row(bucket) for _, bucket in self.grams(text, region)]
            sums = [sum(column) for column in zip(*rows, strict=True)] if rows else None
            if sums is None:
                x += [0.0] * wide
                continue
            x += [value / len(rows) ** pooling["bag"] for value in sums[:wide]]
            for t in range(len(self.threats)):
                linear[t] += sums[wide + t] / len(rows) ** pooling["linear"]
        before = [
            bias + sum(w * v for w, v in zip(weights, x, strict=True))
            for bias, weights in zip(self.tensors["b1"], self.tensors["w1"], strict=True)
        ]
        hidden = [max(0.0, value) for value in before]
        logits = [
            self.tensors["b2"][t]
            + sum(w * h for w, h in zip(self.tensors["w2"][t], hidden, strict=True))
            + linear[t]
            + self.suffix_term(parts.row, t)
            for t in range(len(self.threats))
        ]
        return logits, [value > 0 for value in before]

    def scores(self, logits: list[float]) -> tuple[list[float], int, float]:
        """Every threat's score, the threat that leads, and the overall score."""
        calibration, prior = self.config["calibration"], self.config["prior"]
        found = []
        for threat, logit in zip(self.threats, logits, strict=True):
            knots = calibration["threats"][threat]
            found.append(interpolate(logit, knots["logit"], knots["score"]))
        sums = [score + prior[threat] for score, threat in zip(found, self.threats, strict=True)]
        lead = sums.index(max(sums))
        overall = interpolate(
            sums[lead], calibration["overall"]["in"], calibration["overall"]["score"]
        )
        return found, lead, min(60.0, max(0.0, overall))

    def symbols(self, qname: str, parts: Parts) -> list[int]:
        """The symbols of the end of a name."""
        label = len(parts.subdomain) + 1 if parts.subdomain else 0
        suffix = len(qname) - len(parts.suffix)
        found = []
        for place, byte in enumerate(qname):
            region = 2 if place >= suffix else 1 if place >= label else 0
            at = SYMBOLS.find(byte)
            found.append(1 + 40 * region + (at if at >= 0 else 39))
        return found[-self.config["look"]["longest"] :]

    def best(self, symbols: list[int]) -> list[tuple[float, int]]:
        """The highest value of every filter, and the first place where it is reached."""
        window = self.config["look"]["window"]
        table, scale = self.tensors["look_table"], self.tensors["look_scale"]
        found = []
        for f in range(self.config["look"]["filters"]):
            highest = (0.0, -1)
            for place in range(len(symbols)):
                total = 0
                for j in range(window):
                    at = place + j - window // 2
                    total += table[j][symbols[at] if 0 <= at < len(symbols) else BEYOND][f]
                value = self.tensors["look_bias"][f] + scale[f] * total
                if value > highest[0]:
                    highest = (value, place)
            found.append(highest)
        return found

    def look(self, qname: str, parts: Parts) -> tuple[list[float], list[dict[str, float]]]:
        """The logits of the second look, and of each what every window adds."""
        symbols = self.symbols(qname, parts)
        best = self.best(symbols)
        values = [value for value, _ in best]
        tensors = self.tensors
        before = [
            bias + sum(w * v for w, v in zip(weights, values, strict=True))
            for bias, weights in zip(tensors["look_b1"], tensors["look_w1"], strict=True)
        ]
        logits, windows = [], []
        for t in range(len(self.threats)):
            slopes = [
                tensors["look_w3"][t][f]
                + sum(
                    tensors["look_w2"][t][h] * tensors["look_w1"][h][f]
                    for h in range(len(before))
                    if before[h] > 0
                )
                for f in range(len(values))
            ]
            logits.append(
                tensors["look_b2"][t]
                + sum(w * v for w, v in zip(tensors["look_w3"][t], values, strict=True))
                + sum(w * max(0.0, v) for w, v in zip(tensors["look_w2"][t], before, strict=True))
            )
            adds: dict[str, float] = {}
            for slope, (value, place) in zip(slopes, best, strict=True):
                if place >= 0:
                    text = self.window(qname[-len(symbols) :], place)
                    adds[text] = adds.get(text, 0.0) + slope * value
            windows.append(adds)
        return logits, windows

    def window(self, text: str, place: int) -> str:
        """The text under a window, with its ends marked."""
        half = self.config["look"]["window"] // 2
        before = "^" if place - half < 0 else ""
        behind = "$" if place + half >= len(text) else ""
        return f"{before}{text[max(0, place - half) : place + half + 1]}{behind}"

    def looked(self, qname: str, parts: Parts) -> Judged:
        """Both looks, the second where the first asks for it."""
        logits, active = self.forward(parts)
        scores, lead, first = self.scores(logits)
        look = self.config["look"]
        if first < look["from"]:
            return Judged(logits, scores, lead, first, first, active, None)
        second, windows = self.look(qname, parts)
        share = look["share"]
        mixed = [(1 - share) * a + share * b for a, b in zip(logits, second, strict=True)]
        scores = []
        for threat, logit in zip(self.threats, mixed, strict=True):
            knots = look["calibration"]["threats"][threat]
            scores.append(interpolate(logit, knots["logit"], knots["score"]))
        sums = [score + look["prior"][t] for score, t in zip(scores, self.threats, strict=True)]
        together = 10 * math.log10(sum(10 ** (value / 10) for value in sums))
        knots = look["calibration"]["overall"]
        overall = min(60.0, max(look["from"], interpolate(together, knots["in"], knots["score"])))
        return Judged(mixed, scores, sums.index(max(sums)), first, overall, active, windows)

    def judge(self, qname: str) -> dict[str, Any]:
        """Everything that the goldens hold of a name."""
        parts = self.split(qname)
        seen = self.looked(qname, parts)
        lead, overall = seen.lead, seen.overall
        found = {
            "qname": qname,
            "subdomain": parts.subdomain,
            "label": parts.label,
            "suffix": parts.suffix,
            "registered_domain": parts.registered_domain,
            "logits": dict(zip(self.threats, seen.logits, strict=True)),
            "scores": dict(zip(self.threats, seen.scores, strict=True)),
            "leading_threat": self.threats[lead],
            "first": seen.first,
            "overall": overall,
        }
        rule = special(qname, parts)
        domain = parts.registered_domain
        if rule is not None:
            return found | verdict("allowlist", [reason("list", rule, 0.0)])
        if domain is not None and fnv64(domain) in self.tensors["reputation"]:
            return found | verdict("reputation", [reason("reputation", domain, 0.0)])
        limits = self.config["thresholds"]
        level = (overall >= limits["suspicious"]) + (overall >= limits["malicious"])
        reasons = self.reasons(parts, seen)
        threat = self.threats[lead] if level else None
        return found | verdict("model", reasons, LEVELS[level], threat, overall)

    def parts_of_logit(self, parts: Parts, seen: Judged) -> list[Part]:
        """Every part of the leading logit but its biases, strongest first."""
        threat, active = seen.lead, seen.active
        wide, pooling = self.config["dimensions"], self.config["pooling"]
        share = 0.0 if seen.look is None else self.config["look"]["share"]
        weights: dict[tuple[str, str], float] = {}
        texts = (parts.subdomain, parts.label, parts.suffix)
        for region, (name, text) in enumerate(zip(self.config["regions"], texts, strict=True)):
            grams = self.grams(text, region + 1)
            slope = [
                sum(
                    self.tensors["w2"][threat][h] * self.tensors["w1"][h][region * wide + d]
                    for h in range(len(active))
                    if active[h]
                )
                for d in range(wide)
            ]
            for gram, bucket in grams:
                row = self.row(bucket)
                embedded = sum(s * e for s, e in zip(slope, row, strict=False))
                weight = embedded / len(grams) ** pooling["bag"]
                weight += row[wide + threat] / len(grams) ** pooling["linear"]
                key = ("ngram", f"{name}:{gram}")
                weights[key] = weights.get(key, 0.0) + weight
        if parts.row is not None:
            weights[("suffix", parts.suffix)] = self.suffix_term(parts.row, threat)
        weights = {key: (1 - share) * weight for key, weight in weights.items()}
        if seen.look is not None:
            for text, weight in seen.look[threat].items():
                weights[("ngram", f"window:{text}")] = share * weight
        found = [Part(kind, text, weight) for (kind, text), weight in weights.items()]
        return sorted(found, key=lambda part: (-abs(part.weight), part.text))

    def reasons(self, parts: Parts, seen: Judged) -> list[dict[str, Any]]:
        """The strongest parts of the leading logit, then the rest."""
        strongest = self.parts_of_logit(parts, seen)[:LISTED]
        rest = seen.logits[seen.lead] - math.fsum(part.weight for part in strongest)
        return [*(reason(*part) for part in strongest), reason("rest", "rest", rest)]

    def near_tie(self, qname: str) -> bool:
        """Whether rounding could decide the order of the reasons, the threat or the verdict."""
        parts = self.split(qname)
        seen = self.looked(qname, parts)
        weights = [abs(p.weight) for p in self.parts_of_logit(parts, seen)[: LISTED + 1]]
        prior = (self.config if seen.look is None else self.config["look"])["prior"]
        sums = [score + prior[t] for score, t in zip(seen.scores, self.threats, strict=True)]
        rivals = sorted(sums)[-2:]
        return (
            any(0 < a - b < 1e-7 for a, b in itertools.pairwise(weights))
            or 0 < rivals[1] - rivals[0] < 1e-4
            or any(abs(seen.overall - limit) < 1e-4 for limit in self.config["thresholds"].values())
            or abs(seen.first - self.config["look"]["from"]) < 1e-4
        )


def reason(kind: str, text: str, weight: float) -> dict[str, Any]:
    """A reason as the interface has it."""
    return {"kind": kind, "text": text, "weight": weight}


def verdict(
    source: str,
    reasons: list[dict[str, Any]],
    level: str = "benign",
    threat: str | None = None,
    score: float = 0.0,
) -> dict[str, Any]:
    """The judgement's fields, as the interface has them."""
    return {
        "verdict": level,
        "threat": threat,
        "score": score,
        "source": source,
        "reasons": reasons,
    }


def special(qname: str, parts: Parts) -> str | None:
    """The rule by which a name is no public name."""
    labels = labels_of(qname)
    if not labels:
        return "."
    if len(labels) == 1:
        return "single label"
    for size in range(len(labels), 0, -1):
        tail = ".".join(labels[-size:])
        if tail in SPECIAL:
            return tail
    return None if parts.label else f"public suffix {qname}"


def interpolate(value: float, xs: list[float], ys: list[float]) -> float:
    """Linear interpolation, clamped."""
    if value <= xs[0]:
        return ys[0]
    if value >= xs[-1]:
        return ys[-1]
    at = bisect.bisect_right(xs, value) - 1
    return ys[at] + (ys[at + 1] - ys[at]) * (value - xs[at]) / (xs[at + 1] - xs[at])
