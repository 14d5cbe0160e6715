"""Names that look odd and are everyday, by class: the shipped model must let them be.

None is ever malicious, and of each class no more are suspicious than ``classes.tsv`` allows.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlplugin.model import Model, load
from mlplugin.qname import canonical

FOLDER = Path(__file__).resolve().parents[2] / "testdata" / "hard_cases"


@dataclass(frozen=True)
class Class:
    names: list[str]
    allowed: int
    what: str


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def classes() -> dict[str, Class]:
    found = {
        row["class"]: Class([], int(row["suspicious at most"]), row["what"])
        for row in rows(FOLDER / "classes.tsv")
    }
    for path in sorted(FOLDER.glob("*.tsv")):
        if path.name != "classes.tsv":
            for row in rows(path):
                found[row["class"]].names.append(row["name"])
    return found


CLASSES = classes()


@pytest.fixture(scope="module")
def model() -> Model:
    return load()


def told(model: Model, name: str) -> str:
    """The name with what speaks against it."""
    verdict = model.judge(name)
    reasons = ", ".join(f"{reason.text} {reason.weight:+.1f}" for reason in model.explain(name)[:4])
    return f"{name}: {verdict.level} {verdict.threat} {verdict.score:.1f} ({reasons})"


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_is_large_and_its_names_are_canonical(kind: str) -> None:
    names = CLASSES[kind].names
    assert 40 <= len(names) <= 200
    assert [canonical(name) for name in names] == names
    assert CLASSES[kind].what
    assert CLASSES[kind].allowed <= len(names) // 20


def test_no_name_stands_twice() -> None:
    count = Counter(name for kind in CLASSES.values() for name in kind.names)
    assert [name for name, times in count.items() if times > 1] == []


def test_there_are_names_of_every_length() -> None:
    lengths = {len(name) for kind in CLASSES.values() for name in kind.names}
    assert min(lengths) <= 4
    assert max(lengths) == 253


@pytest.mark.parametrize("kind", CLASSES)
def test_never_malicious(kind: str, model: Model) -> None:
    names = CLASSES[kind].names
    verdicts = model.judge_many(names)
    assert [
        told(model, verdict.qname) for verdict in verdicts if verdict.level == "malicious"
    ] == []


@pytest.mark.parametrize("kind", CLASSES)
def test_hardly_ever_suspicious(kind: str, model: Model) -> None:
    verdicts = model.judge_many(CLASSES[kind].names)
    flagged = [told(model, verdict.qname) for verdict in verdicts if verdict.level != "benign"]
    assert len(flagged) <= CLASSES[kind].allowed, "\n".join(flagged)


@pytest.mark.parametrize(
    "kind",
    ["private and single-label names", "multicast DNS", "Kubernetes search paths", "reverse zones"],
)
def test_names_that_are_no_public_names_are_told_by_rule(kind: str, model: Model) -> None:
    """Most of these classes end in special-use zones, which the model never sees."""
    verdicts = model.judge_many(CLASSES[kind].names)
    by_rule = [verdict for verdict in verdicts if verdict.source == "allowlist"]
    assert len(by_rule) >= 0.9 * len(verdicts)
    assert {verdict.score for verdict in by_rule} == {0.0}


def test_the_model_itself_decides_on_most(model: Model) -> None:
    """Else the fixtures would test the reputation and not the model."""
    names = [name for kind in CLASSES.values() for name in kind.names]
    sources = Counter(verdict.source for verdict in model.judge_many(names))
    assert sources["model"] > 0.4 * len(names), sources
