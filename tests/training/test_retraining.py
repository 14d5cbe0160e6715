"""Going on from a model: what it learns, what it keeps, and what the guard says."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlplugin.cli.retrain import told
from mlplugin.errors import UsageError
from mlplugin.model import load
from mlplugin.model.directory import read
from mlplugin.service import promotion
from mlplugin.service.material import Decided, Material, Seen
from mlplugin.training.datasets import BENIGN, THREATS
from mlplugin.training.progress import Course
from mlplugin.training.retraining import guard, run
from mlplugin.training.retraining.learn import Recipe
from mlplugin.training.retraining.rehearsal import kin, rehearsal
from mlplugin.training.retraining.start import Caution, Parent, look_settled, settled
from mlplugin.training.sample import WORDS
from tests.support.families import syllables
from tests.support.models import TINY

SMALL = Recipe(passes=2, each=60)


@pytest.fixture(scope="module")
def parent() -> Parent:
    return Parent(read(TINY))


def traffic(count: int = 200, seed: int = 3) -> list[Seen]:
    rng = random.Random(seed)
    names = sorted({f"www.{rng.choice(WORDS)}{rng.choice(WORDS)}{n}.com" for n in range(count)})
    return [Seen(name, 10 + number, 0) for number, name in enumerate(names)]


def order(
    tmp_path: Path, material: Material, recipe: Recipe = SMALL, model: Path = TINY
) -> run.Order:
    return run.Order(TINY, material, tmp_path / "model", "9.9+1", recipe=recipe)


def test_weights_that_nothing_moved_are_the_same_bytes(parent: Parent) -> None:
    network = settled(parent.weights(Caution()), parent)
    look = look_settled(parent.look_weights(Caution()), parent)
    for now, then in ((network, parent.network), (look, parent.look)):
        for name, value in vars(then).items():
            np.testing.assert_array_equal(getattr(now, name), value)


def test_scores_before_writing_are_those_of_the_reader(parent: Parent) -> None:
    texts = [*rehearsal(5, 40, []).texts, "example.com"]
    fine = guard.watched_only(parent, texts)
    found = guard.overall(parent, (parent.network, parent.look), fine)
    np.testing.assert_allclose(found, load(TINY).rate_many(fine)[0], atol=1e-5)


def test_made_up_names_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    one, again, other = rehearsal(1, 30, []), rehearsal(1, 30, []), rehearsal(2, 30, [])
    assert one.texts == again.texts
    assert len(set(one.texts) & set(other.texts)) < len(one.texts) / 5
    assert set(one.target.tolist()) == set(range(BENIGN, len(THREATS)))
    new = kin(random.Random(1), 50, ["riverstone.com", "ambermarket.de", "x.org"])
    assert new
    assert all(name.endswith((".com", ".de")) for name in new)
    assert kin(random.Random(1), 5, []) == []


def test_a_scale_moves_only_up_and_keeps_what_the_ruler_says(parent: Parent) -> None:
    made = rehearsal(7, 200, [])
    ruler = [text for text, one in zip(made.texts, made.target, strict=True) if one == BENIGN]
    same = guard.kept_true(parent, (parent.network, parent.look), ruler)
    for now, then in zip(same, parent.calibrations, strict=True):
        assert np.abs(now.overall.knots - then.overall.knots).max() < 1e-3
    shifted = replace(parent.network, b2=parent.network.b2 + np.float32(1))
    moved = guard.kept_true(parent, (shifted, parent.look), ruler)
    assert all(
        (now.overall.knots >= then.overall.knots - 1e-9).all()
        for now, then in zip(moved, parent.calibrations, strict=True)
    )
    assert (moved[0].overall.knots > parent.calibrations[0].overall.knots + 1e-3).any()


def test_it_learns_what_was_decided_and_reports(tmp_path: Path) -> None:
    family = syllables(1, 160)
    material = Material(
        [*(Decided(name, "dga") for name in family[:80]),
         *(Decided(f"shop-{word}.com", None) for word in WORDS)],
        traffic(), ["a note"],
    )  # fmt: skip
    seen: list[str] = []
    course = Course([Told(seen)])
    report = run.retrain(order(tmp_path, material, Recipe(passes=4, each=60, vetted=4)), course)
    model = load(tmp_path / "model")
    before, after = (m.logits_many(family[80:])[:, 0].mean() for m in (load(TINY), model))
    assert after > before + 1
    assert model.version == "9.9+1"
    assert report["parent"]["sha256"] == load(TINY).sha256
    assert report["material"]["decided"] == 105
    assert report["material"]["notes"][0] == "a note"
    assert report["decided"]["held_back"]["after"]["malicious"] > 5
    for when in ("before", "after"):
        counts = np.array(report["confusion"]["guard"][when]["counts"])
        assert counts.sum() == sum(
            row["names"]
            for part in ("false_positives", "finds")
            for row in report["guard"][when][part].values()
        )
        for shares in report["roc"][when].values():
            assert shares == sorted(shares)
    for way in ("stricter", "milder"):
        queries = [row["queries"] for row in report["changes"][way]]
        assert queries == sorted(queries, reverse=True)
    assert "a note" in seen
    assert {"progress", "measured", "stage"} <= set(seen)
    assert "not learn from" in (tmp_path / "model" / "README.md").read_text()


def test_changes_say_how_often_decided_names_were_asked_for() -> None:
    """What was blocked, by decision or not, comes by number of queries among the others."""
    shipped, tiny = load(), load(TINY)
    names = [*syllables(1, 60), *rehearsal(5, 60, []).texts]
    unlike = [name for name in names if shipped.judge(name).level != tiny.judge(name).level]
    decided = [Decided(name, "dga", queries=3) for name in unlike[::3]]
    seen = [Seen(name, 2, 0) for name in unlike[1::3]]
    blocked = [Seen(name, 4, 4) for name in unlike[2::3]]
    found = run.changes(tiny, shipped, Material(decided, seen, blocked=blocked))
    rows = [row for way in found.values() for row in way]
    assert decided
    assert seen
    assert blocked
    assert {row["name"]: row["queries"] for row in rows} == {
        **{one.name: 3 for one in decided},
        **{one.name: 2 for one in seen},
        **{one.name: 4 for one in blocked},
    }
    for way in found.values():
        assert [row["queries"] for row in way] == sorted(row["queries"] for row in way)[::-1]


class Told:
    """A reporter that notes what kind of thing it was told."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def line(self, text: str) -> None:
        self.seen.append(text)

    def moment(self, _moment: object) -> None:
        self.seen.append("progress")

    def event(self, kind: str, **_about: object) -> None:
        self.seen.append(kind)

    def close(self) -> None:
        pass


def test_the_same_order_gives_the_same_bytes(tmp_path: Path) -> None:
    material = Material([Decided(name, "dga") for name in syllables(1, 20)], traffic())
    made = []
    for number in range(2):
        folder = tmp_path / str(number)
        wanted = run.Order(TINY, material, folder, "9.9+1", recipe=Recipe(passes=1, each=20),
                           created="2026-12-01T00:00:00Z")  # fmt: skip
        run.retrain(wanted, Course())
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]


def test_a_directory_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    material = Material([Decided(name, "dga") for name in syllables(1, 20)], traffic())
    with pytest.raises(UsageError, match="not empty"):
        run.retrain(order(tmp_path, material), Course())


def test_thousands_of_decisions_weigh_no_more_than_hundreds() -> None:
    for count in (500, 5000):
        decided = [Decided(name, "dga") for name in syllables(1, count)]
        parts = run._divided(Material(decided, traffic()))
        lesson = run._lessons(parts, SMALL, [], None)[0]
        assert lesson.weight.sum() <= SMALL.most * 1.001


def test_no_name_of_the_network_leaves_with_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report says which frequent names are flagged; the model's own files only how many."""
    told = {"names": 100, "flagged": 9, "share": 0.09, "first": ["secret.internal.example"]}
    monkeypatch.setattr(promotion, "network", lambda *_: told)
    material = Material([Decided(name, "dga") for name in syllables(1, 20)], traffic())
    report = run.retrain(order(tmp_path, material, Recipe(passes=1, each=20)), Course())
    assert "secret.internal.example" in report["refused"][-1]
    for path in (tmp_path / "model").iterdir():
        assert b"secret.internal" not in path.read_bytes(), path
    card = (tmp_path / "model" / "README.md").read_text()
    assert "it flags 9 of 100 frequent names" in card


def test_every_set_of_the_guard_can_object() -> None:
    """A set that the comparison passed over would object to nothing."""
    sets = run._sets(run._divided(Material([], traffic())), SMALL, [], None)
    model = load(TINY)
    before = guard.figures(model, sets)
    after = json.loads(json.dumps(before))
    for row in after["finds"].values():
        row |= {"suspicious or worse": 0.0, "interval": {"suspicious or worse": [0.0, 0.01]}}
    for row in before["finds"].values():
        row |= {"suspicious or worse": 0.9, "interval": {"suspicious or worse": [0.88, 0.92]}}
    for row in after["false_positives"].values():
        row |= {"suspicious or worse": 0.9, "interval": {"suspicious or worse": [0.88, 0.92]}}
    why = "; ".join(promotion.reasons(before, after, "1.0"))
    for name in sets:
        assert name in why


def test_traffic_weighs_no_more_than_its_bound_and_one_client_vouches_for_nothing() -> None:
    """Whoever asks often for thousands of names has not made them harmless."""
    common = [replace(one, clients=2) for one in traffic(3000)]
    lone = [Seen(name, 50, 0) for name in syllables(1, 500)]
    material = Material([], [*common, *lone], least=2)
    parts = run._divided(material)
    assert parts.lone == lone
    frequent, rare, alone = run._lessons(parts, SMALL, [], None)[1:4]
    assert len(frequent) + len(parts.usual_held) == 3000
    assert frequent.weight.sum() <= SMALL.most_frequent * 1.001
    assert len(rare) == 0
    assert (len(alone), alone.weight.max()) == (500, 0)
    assert np.unique(alone.trust).tolist() == [SMALL.lone]
    domains = run._domains(load(TINY), parts.usual)
    assert not {name.split(".")[-2] for name in syllables(1, 500)} & {
        domain.partition(".")[0] for domain in domains
    }
    held = run._sets(parts, SMALL, domains, None)["this network, held back"]
    assert not {one.name for one in lone} & set(held.texts)


def test_a_candidate_is_held_to_what_its_line_began_with(tmp_path: Path) -> None:
    """Shown where it differs from the parent, in the report and the card; else not."""
    material = Material([Decided(name, "dga") for name in syllables(1, 20)], traffic())
    little = Recipe(passes=1, each=20)
    first = run.retrain(order(tmp_path, material, little), Course())
    assert first["root"] == {**first["parent"], "measured": None}
    assert "line began" not in (tmp_path / "model" / "README.md").read_text()
    wanted = run.Order(tmp_path / "model", material, tmp_path / "next", "9.9+2", recipe=little,
                       root=TINY)  # fmt: skip
    report = run.retrain(wanted, Course())
    assert report["root"]["sha256"] == load(TINY).sha256 != report["parent"]["sha256"]
    assert report["root"]["measured"]["measured_on"] == report["guard"]["after"]["measured_on"]
    version = load(TINY).version
    assert any(f"{version} " in line for line in told(report) if line.startswith("dga, made up"))
    card = (tmp_path / "next" / "README.md").read_text()
    assert f"flagged by {version} |" in card
    assert f"that {version}, with which its line began, lets be it flags" in card
    metrics = json.loads((tmp_path / "next" / "metrics.json").read_text())
    assert metrics["retraining"]["root"]["network"]["first"] == []
    worse = json.loads(json.dumps(report["root"]))
    for row in worse["measured"]["finds"].values():
        row |= {"suspicious or worse": 1.0, "interval": {"suspicious or worse": [0.99, 1.0]}}
    why = run._refused(report | {"root": worse})
    assert any(f"finds less than {version}, with which its line began" in one for one in why)


@pytest.mark.slow
def test_a_family_that_was_missed_is_found_and_nothing_else_flagged(tmp_path: Path) -> None:
    """The proof: unseen names of a vetted family are found, clean traffic stays let be."""
    family = syllables(1, 1200)
    usual = traffic(2000)
    material = Material([Decided(name, "dga") for name in family[:300]], usual[:1500])
    shipped = load()
    place = shipped.place
    assert place is not None
    report = run.retrain(
        run.Order(place, material, tmp_path / "model", "9.9+1", recipe=Recipe(each=1500)), Course()
    )
    model = load(tmp_path / "model")
    unseen = family[300:]
    clean = [one.name for one in usual[1500:]]
    odd = traffic_of(7)
    found = [float((m.judge_many(unseen).level > 0).mean()) for m in (shipped, model)]
    alarms = [float((m.judge_many(clean).level > 0).mean()) for m in (shipped, model)]
    assert found[0] < 0.15
    assert found[1] > 0.5
    assert alarms[1] <= alarms[0]
    # Made-up odd names, a handful of which are flagged anyhow: within one in a thousand.
    oddities = [float((m.judge_many(odd).level > 0).mean()) for m in (shipped, model)]
    assert oddities[1] <= oddities[0] + 0.001
    assert report["refused"] == []


def traffic_of(seed: int) -> list[str]:
    made = rehearsal(seed + 50, 1000, [])
    return [text for text, one in zip(made.texts, made.target, strict=True) if one == BENIGN]


@pytest.mark.slow
def test_dga_names_that_were_vetted_as_benign_meet_the_guard(tmp_path: Path) -> None:
    """A poisoned set: somebody says of thousands of generated names that they are benign."""
    made = rehearsal(321, 1500, [])
    poison = [text for text, one in zip(made.texts, made.target, strict=True) if one in {0, 1}]
    material = Material([Decided(name, None) for name in poison], traffic(400))
    place = load().place
    assert place is not None
    report = run.retrain(
        run.Order(place, material, tmp_path / "model", "9.9+1", recipe=Recipe(each=1500)), Course()
    )
    assert any("finds less" in why and "dga" in why for why in report["refused"]), report["guard"]
