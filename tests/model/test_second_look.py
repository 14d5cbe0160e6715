"""The second look: against the plain reading of the format, and what it must leave alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors

from mlplugin.model import Model, directory, load
from mlplugin.model import look as looking
from mlplugin.model.directory import Contents
from mlplugin.model.scoring import Scored
from mlplugin.verdict import THREATS, Source
from tests.support.names import names, odd_names, plain_labels

TESTDATA = Path(__file__).resolve().parents[2] / "testdata"
TINY = TESTDATA / "model-tiny"
CONTENTS = directory.read(TINY)
LOOK = CONTENTS.settings.look
MODEL = load(TINY)


def with_look(**changes: object) -> Model:
    look = LOOK.model_copy(update=changes)
    return Model(CONTENTS._replace(settings=CONTENTS.settings.model_copy(update={"look": look})))


ALWAYS = with_look(start=0.0)  # looks at every name twice


def scored(model: Model, some: list[str], *, suffix: bool = True) -> Scored:
    """What both looks make of names, down to the hidden units."""
    (found,) = model._score_many(some, suffix)
    return found


def plain_reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", TESTDATA / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


REFERENCE = plain_reader()


def plain(kind: type[Any], start: float) -> Any:
    config = json.loads((TINY / "config.json").read_text())
    config["look"]["from"] = start
    tensors = load_tensors((TINY / "weights.safetensors").read_bytes())
    return kind(config, {name: values.tolist() for name, values in tensors.items()})


class WithoutSuffix(REFERENCE.Model):
    """The plain reader, with a second look that ends before the suffix and its dot."""

    def symbols(self, qname: str, parts: Any) -> list[int]:
        longest = self.config["look"]["longest"]
        self.config["look"]["longest"] = len(qname)
        found = super().symbols(qname, parts)[: -len(parts.suffix) - 1]
        self.config["look"]["longest"] = longest
        return found[-longest:]


PLAIN = {
    model: plain(REFERENCE.Model, start) for model, start in ((MODEL, LOOK.start), (ALWAYS, 0.0))
}
BARE = plain(WithoutSuffix, 0.0)


@pytest.mark.parametrize("model", [MODEL, ALWAYS])
@settings(max_examples=30, deadline=None)
@given(st.lists(names, min_size=1, max_size=3))
def test_it_is_what_the_format_says(model: Model, some: list[str]) -> None:
    reader = PLAIN[model]
    overall, scores = model.rate_many(some)
    logits, found = model.logits_many(some), scored(model, some)
    for row, name in enumerate(some):
        wanted = reader.judge(name)
        of = wanted["logits"].values(), wanted["scores"].values()
        np.testing.assert_allclose(logits[row], list(of[0]), rtol=0, atol=1e-9)
        np.testing.assert_allclose(scores[row], list(of[1]), rtol=0, atol=1e-9)
        assert overall[row] == pytest.approx(wanted["overall"], abs=1e-9)
        assert found.first[row] == pytest.approx(wanted["first"], abs=1e-9)
        reasons, parts = model.explain(name), wanted["reasons"]
        if not reader.near_tie(name):
            assert THREATS[found.lead[row]] == wanted["leading_threat"]
            assert [part.text for part in reasons] == [part["text"] for part in parts]
            weights = [part["weight"] for part in parts]
            assert [part.weight for part in reasons] == pytest.approx(weights, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(names, odd_names), max_size=20))
def test_many_are_looked_at_as_one_by_one(some: list[str]) -> None:
    verdicts = ALWAYS.judge_many(some, scores=True)
    for name, verdict in zip(some, verdicts, strict=True):
        alone = ALWAYS.judge(name)
        assert verdict.score == pytest.approx(alone.score, abs=1e-9)
        assert (verdict.level, verdict.threat) == (alone.level, alone.threat)
    overall, scores = ALWAYS.rate_many(some)
    asked = np.array([verdict.source is Source.MODEL for verdict in verdicts], np.bool_)
    np.testing.assert_allclose(verdicts.score, np.where(asked, overall, 0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(verdicts.scores, scores, rtol=0, atol=1e-9)


@given(names)
def test_reasons_add_up_with_windows_too(name: str) -> None:
    reasons = ALWAYS.explain(name)
    if ALWAYS.judge(name).source is not Source.MODEL:
        return
    found = scored(ALWAYS, [name])
    logit = found.logits[0, found.lead[0]]
    assert sum(reason.weight for reason in reasons) == pytest.approx(logit, abs=1e-9)


def test_all_parts_listed_leave_the_biases_of_both_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlplugin.model.explain.LISTED", 10_000)
    name = "a.registered.com"
    found, reasons = scored(ALWAYS, [name]), ALWAYS.explain(name)
    kinds = {reason.text.split(":")[0] for reason in reasons if reason.kind == "ngram"}
    assert kinds == {"subdomain", "label", "suffix", "window"}
    texts = [reason.text for reason in reasons]
    assert len(texts) == len(set(texts))
    t, lead = CONTENTS.tensors, int(found.lead[0])
    active = found.activations.before[0] > 0
    first = t.b2[lead] + t.w2[lead] @ (t.b1 * active)
    reader = PLAIN[ALWAYS]
    best = reader.best(reader.symbols(name, reader.split(name)))
    again = t.look_w1 @ [value for value, _ in best] + t.look_b1 > 0
    second = t.look_b2[lead] + t.look_w2[lead] @ (t.look_b1 * again)
    wanted = (1 - LOOK.share) * first + LOOK.share * second
    assert reasons[-1].weight == pytest.approx(wanted, abs=1e-9)


@given(st.lists(names, min_size=1, max_size=30))
def test_names_below_the_limit_are_left_as_they_are(some: list[str]) -> None:
    """Whatever the second look may say, only names from ``look.from`` on hear it."""
    shifted = CONTENTS.tensors._replace(look_b2=CONTENTS.tensors.look_b2 + 100)
    other = Model(Contents(CONTENTS.settings, shifted, CONTENTS.sha256))
    here, there = scored(MODEL, some), scored(other, some)
    np.testing.assert_array_equal(here.again, here.first >= LOOK.start)
    for one, two in zip(here[:-1], there[:-1], strict=True):
        np.testing.assert_array_equal(one[~here.again], two[~here.again])
    np.testing.assert_array_equal(here.overall[~here.again], here.first[~here.again])
    assert (there.logits[here.again] > here.logits[here.again]).all()
    assert (here.overall[here.again] >= LOOK.start).all()
    assert (here.overall <= 60).all()


@given(st.lists(plain_labels, min_size=1, max_size=5))
def test_without_the_suffix_the_text_ends_before_its_dot(parts: list[str]) -> None:
    some = [".".join([*parts, suffix]) for suffix in ("com", "co.uk", "pages.dev")]
    seen = scored(with_look(start=0.0, share=1.0), some, suffix=False)
    # rows of one product may differ in their last bits
    np.testing.assert_allclose(seen.logits, np.tile(seen.logits[0], (3, 1)), rtol=0, atol=1e-9)
    wanted, _ = BARE.look(some[0], BARE.split(some[0]))
    np.testing.assert_allclose(seen.logits[0], wanted, rtol=0, atol=1e-9)
    overall, scores = ALWAYS.rate_many(some, suffix=False)
    np.testing.assert_allclose(overall, np.full(3, overall[0]), rtol=0, atol=1e-6)
    np.testing.assert_allclose(scores, np.tile(scores[0], (3, 1)), rtol=0, atol=1e-6)


def test_nothing_is_left_of_a_suffix_without_the_suffix() -> None:
    tensors = CONTENTS.tensors
    found = scored(with_look(start=0.0, share=1.0), ["co.uk", ".", "com"], suffix=False)
    hidden = np.maximum(tensors.look_b1, 0)
    wanted = tensors.look_b2 + tensors.look_w2 @ hidden
    np.testing.assert_allclose(found.logits, np.tile(wanted, (3, 1)), rtol=0, atol=1e-12)


@settings(max_examples=20)
@given(st.lists(names, min_size=2, max_size=20))
def test_blocks_of_places_change_nothing(some: list[str]) -> None:
    whole = ALWAYS.logits_many(some)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "_PLACES", 50)
        np.testing.assert_array_equal(ALWAYS.logits_many(some), whole)


def test_no_sum_is_too_large_for_its_type() -> None:
    """The widest window of the lowest and the highest numbers."""
    shape = (15, *CONTENTS.tensors.look_table.shape[1:])
    for number in (-128, 127):
        tensors = CONTENTS.tensors._replace(look_table=np.full(shape, number, np.int8))
        config = CONTENTS.settings.model_copy(
            update={"look": LOOK.model_copy(update={"window": 15})}
        )
        look = looking.Look(config, tensors)
        text = np.frombuffer(b"a.b.com\n", np.uint8)
        ends = np.array([[0, 2, 4]]), np.array([[1, 3, 7]])
        sums = look._sums(text, look._texts(*ends))
        assert (sums == number * 15).all()


def test_the_overall_score_is_that_of_the_verdict_where_the_model_was_asked() -> None:
    some = ["www.known-0.com", "printer.lan", "co.uk", "xkqjzvwpmrhgt.com"]
    overall, scores = MODEL.rate_many(some)
    assert scores.shape == (4, len(THREATS))
    verdicts = MODEL.judge_many(some)
    assert verdicts.score.tolist()[:3] == [0, 0, 0]
    assert (overall[:3] > 0).all()
    assert verdicts.score[3] == pytest.approx(overall[3], abs=1e-9)
    empty = MODEL.rate_many([])
    assert empty[0].shape == (0,)
    assert empty[1].shape == (0, len(THREATS))
