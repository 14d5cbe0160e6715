"""Judging in columns and one by one, special names, and reasons that add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlplugin.errors import InvalidNameError
from mlplugin.model import load
from mlplugin.model import model as judging
from mlplugin.model.scoring import Scored
from mlplugin.verdict import THREATS, Level, Source
from tests.support.names import names, plain_labels

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"
MODEL = load(TINY)


def scored(*some: str, suffix: bool = True) -> Scored:
    """What both looks make of names, down to the hidden units."""
    (found,) = MODEL._score_many(some, suffix)
    return found


@given(st.lists(names, max_size=30))
def test_many_are_judged_as_one_by_one(some: list[str]) -> None:
    verdicts = MODEL.judge_many(some, scores=True)
    assert len(verdicts) == len(some)
    for name, verdict in zip(some, verdicts, strict=True):
        alone = MODEL.judge(name)
        assert verdict.score == pytest.approx(alone.score, abs=1e-9)
        for part in ("qname", "registered_domain", "level", "threat", "source", "model"):
            assert getattr(verdict, part) == getattr(alone, part)
    assert verdicts.registered_domains() == [v.registered_domain for v in verdicts]


@given(names)
def test_a_name_is_the_sum_of_its_parts(name: str) -> None:
    parts = MODEL.split(name)
    assert ".".join(part for part in parts if part) == name
    assert (parts.registered_domain is None) == (parts.label == "")
    assert MODEL.judge(name).registered_domain == parts.registered_domain


@given(names)
def test_reasons_add_up_to_the_logit(name: str) -> None:
    verdict = MODEL.judge(name)
    reasons = MODEL.explain(name)
    if verdict.source is not Source.MODEL:
        assert [reason.weight for reason in reasons] == [0.0]
        return
    lead = int(scored(name).lead[0])
    assert verdict.threat in {None, THREATS[lead]}
    logit = MODEL.logits_many([name])[0, lead]
    assert sum(reason.weight for reason in reasons) == pytest.approx(logit, abs=1e-9)
    listed = [abs(reason.weight) for reason in reasons[:-1]]
    assert listed == sorted(listed, reverse=True)
    assert len(listed) <= 8
    assert reasons[-1].kind == "rest"


def test_all_parts_listed_leave_the_biases(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every part listed, the rest is what holds for every name: the biases."""
    monkeypatch.setattr("mlplugin.model.explain.LISTED", 10_000)
    reasons = MODEL.explain("www.library.com")
    assert {reason.kind for reason in reasons} == {"ngram", "suffix", "rest"}
    texts = [reason.text for reason in reasons if reason.kind == "ngram"]
    assert len(texts) == len(set(texts))
    assert {text.split(":")[0] for text in texts} == {"subdomain", "label", "suffix"}
    tensors = MODEL._tensors
    found = scored("www.library.com")
    assert not found.again[0]
    lead = int(found.lead[0])
    active = found.activations.before[0] > 0
    biases = tensors.b2[lead] + tensors.w2[lead] @ (tensors.b1 * active)
    assert reasons[-1].weight == pytest.approx(biases, abs=1e-9)


@given(st.lists(names, min_size=2, max_size=20))
def test_scores_do_not_depend_on_the_company(some: list[str]) -> None:
    both = MODEL.logits_many([*some, *some[::-1]])
    np.testing.assert_allclose(both[: len(some)], both[len(some) :][::-1], rtol=0, atol=1e-9)


@settings(max_examples=10)
@given(st.lists(names, min_size=5, max_size=40))
def test_blocks_change_nothing(some: list[str]) -> None:
    whole = MODEL.judge_many(some)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "_BLOCK", 3)
        patch.setattr(judging, "_BLOCK_BYTES", 50)
        parts = MODEL.judge_many(some)
    assert [verdict.to_json() for verdict in parts] == [verdict.to_json() for verdict in whole]


def test_no_names() -> None:
    assert list(MODEL.judge_many([])) == []
    assert MODEL.judge_many([], scores=True).scores is not None
    assert MODEL.scores_many([]).shape == (0, len(THREATS))


@pytest.mark.parametrize("name", ["a\nb", "", "münchen.de"])
def test_columns_refuse_what_would_mix_them_up(name: str) -> None:
    with pytest.raises(InvalidNameError, match="not in canonical form"):
        MODEL.judge_many(["example.com", name])


def test_one_name_is_taken_as_people_write_it() -> None:
    assert MODEL.judge("WWW.Known-0.COM.").source is Source.REPUTATION
    assert MODEL.split("A.MÜNCHEN.de").label == "xn--mnchen-3ya"
    with pytest.raises(InvalidNameError):
        MODEL.judge("a..b")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (".", "."),
        ("localhost", "single label"),
        ("xkqjzvwpmr", "single label"),
        ("printer.lan", "lan"),
        ("www.example.com", "example.com"),
        ("router.home.arpa", "home.arpa"),
        ("1.2.0.192.in-addr.arpa", "arpa"),
        ("api.github.com.default.svc.cluster.local", "local"),
        ("co.uk", "public suffix co.uk"),
        ("www.ck.something.ck.something.ck", None),
    ],
)
def test_names_that_are_no_public_names(name: str, rule: str | None) -> None:
    verdict = MODEL.judge(name)
    assert (verdict.source is Source.ALLOWLIST) == (rule is not None)
    if rule is not None:
        assert verdict.level is Level.BENIGN
        assert verdict.score == 0
        (reason,) = MODEL.explain(name)
        assert (reason.kind, reason.text, reason.weight) == ("list", rule, 0.0)


def test_reputation_covers_every_host_of_its_domain_and_no_sibling() -> None:
    for name in ("known-3.pages.dev", "a.b.known-3.pages.dev"):
        (reason,) = MODEL.explain(name)
        assert (reason.kind, reason.text) == ("reputation", "known-3.pages.dev")
    assert MODEL.judge("unknown-3.pages.dev").source is Source.MODEL


def test_scores_come_with_verdicts_where_asked_for() -> None:
    verdicts = MODEL.judge_many(["www.known-0.com", "a.co.uk"], scores=True)
    assert verdicts.scores is not None
    np.testing.assert_allclose(verdicts.scores, MODEL.scores_many(verdicts.qname), atol=1e-12)
    found = verdicts[0].to_json()["scores"]
    assert list(found) == list(THREATS)
    assert MODEL.judge_many(["a.co.uk"])[0].scores is None


def test_judge_explained_is_both() -> None:
    verdict = MODEL.judge_explained("a.co.uk")
    assert list(verdict.reasons) == MODEL.explain("a.co.uk")


@given(st.lists(plain_labels, min_size=1, max_size=3))
def test_without_the_suffix_it_says_nothing(parts: list[str]) -> None:
    some = [".".join([*parts, suffix]) for suffix in ("com", "co.uk", "pages.dev")]
    bare = MODEL.logits_many(some, suffix=False)
    # Not to the last bit: a processor may multiply the rows of a block in different ways.
    np.testing.assert_allclose(bare[1:], bare[[0, 0]], rtol=1e-12)
    whole = MODEL.logits_many(some)
    assert not np.array_equal(whole[0], whole[2])
    assert np.array_equal(MODEL.scores_many(some), MODEL.scores_many(some, suffix=True))
