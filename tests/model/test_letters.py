"""What the letters of a name weigh: all of what its reasons weigh, where they stand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from mlplugin.model import load
from mlplugin.model.letters import spread
from mlplugin.model.split import Parts
from mlplugin.qname import split_labels
from mlplugin.verdict import Reason
from tests.support.models import TINY
from tests.support.names import names

MODEL = load(TINY)
PARTS = Parts("a.b", "label", "co.uk")  # a.b.label.co.uk


@pytest.mark.parametrize(
    ("text", "under"),
    [
        ("label:abel", "     ----"),
        ("label:^la", "    --"),
        ("label:l$", "        -"),
        ("subdomain:a.", "--"),
        ("suffix:uk$", "             --"),
        ("window:b.lab", "  -----"),
        ("window:^a.b", "---"),
        ("window:^b.l", "  ---"),
    ],
)
def test_place(text: str, under: str) -> None:
    weights = spread(PARTS, [Reason("ngram", text, 2.0)])
    assert "".join("-" if weight else " " for weight in weights).rstrip() == under
    assert math.isclose(math.fsum(weights), 2.0)


def test_gram_at_two_places_is_shared_by_both() -> None:
    weights = spread(Parts("", "abab", "com"), [Reason("ngram", "label:ab", 4.0)])
    assert weights == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_suffix_lies_on_the_suffix() -> None:
    weights = spread(PARTS, [Reason("suffix", "co.uk", -5.0)])
    assert weights == [0.0] * 10 + [-1.0] * 5


@given(names)
def test_every_reason_lies_somewhere(name: str) -> None:
    reasons = MODEL.explain(name)
    if MODEL.letters(name) is None:
        assert reasons[0].kind in {"list", "reputation"}
        return
    domain = MODEL.judge(name).registered_domain or ""
    label, *above = split_labels(domain)
    parts = Parts(name.removesuffix(domain).removesuffix("."), label, ".".join(above))
    for reason in reasons[:-1]:
        assert math.isclose(math.fsum(spread(parts, [reason])), reason.weight, abs_tol=1e-9)


def test_letters_of_a_name() -> None:
    name = "xkqvbz.co.uk"
    weights = MODEL.letters(name)
    assert weights is not None
    assert len(weights) == len(name)
    assert MODEL.letters("localhost") is None
