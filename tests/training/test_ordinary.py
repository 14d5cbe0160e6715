"""Odd ordinary names: valid, varied, the same for a seed, and none that the tests look at."""

from __future__ import annotations

import random
from pathlib import Path

import idna
import pytest

from mlplugin.qname import canonical
from mlplugin.training import ordinary
from mlplugin.training.fit import Recipe
from mlplugin.training.ordinary import parts, scripts

LONGEST_LABEL = 63
DOMAINS = [
    "example.org",
    "example.com",
    "muster-firma.de",
    "a.pl",
    f"{'long-name-' * 6}end.co.uk",
    "xn--mnchen-3ya.de",
]

HARD_CASES = Path(__file__).resolve().parents[2] / "testdata" / "hard_cases"


def test_names_are_the_same_for_a_seed() -> None:
    names = ordinary.names(1, 3000, DOMAINS)
    assert names == ordinary.names(1, 3000, DOMAINS)
    assert names != ordinary.names(2, 3000, DOMAINS)
    assert len(set(names)) == len(names) > 2500


@pytest.mark.parametrize("kind", range(len(ordinary.KINDS)))
def test_every_kind_is_valid_and_varied(kind: int) -> None:
    rng = random.Random(kind)
    made = [ordinary.KINDS[kind](rng, DOMAINS) for _ in range(400)]
    # Four words may be more than a label holds. Nobody can ask for that, and it does no harm.
    valid = [name for name in made if max(map(len, name.split("."))) <= LONGEST_LABEL]
    assert len(valid) >= 398
    for name in valid:
        assert canonical(name) == name
    assert len(set(valid)) > 150


def _hard_cases() -> dict[str, str]:
    """The names that the shipped model is tested on, and where they stand."""
    return {
        line.split("\t")[0]: f"{path.name}:{number}"
        for path in sorted(HARD_CASES.glob("*.tsv"))
        if path.name != "classes.tsv"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if number > 1
    }


@pytest.mark.parametrize("seed", [Recipe().seed, Recipe().seed + 1])
def test_what_the_model_is_tested_on_is_not_made(seed: int) -> None:
    """Neither for the fit nor for the calibration, whose seed is the next one."""
    cases = _hard_cases()
    assert len(cases) > 3000
    made = ordinary.names(seed, Recipe().ordinary, DOMAINS)
    assert not {name: cases[name] for name in made if name in cases}


def test_well_known_zones_are_there() -> None:
    names = ordinary.names(1, 20_000, DOMAINS)
    for end in (".zen.spamhaus.org", ".avqs.mcafee.com", ".cloudfront.net", ".xn--fiqs8s"):
        assert any(name.endswith(end) for name in names), end
    assert any("._domainkey." in name for name in names)
    assert max(map(len, names)) > 180


def test_every_script_is_there_and_stays_what_it_is() -> None:
    rng = random.Random(1)
    labels = [
        label
        for _ in range(3000)
        for label in scripts.international(rng, DOMAINS).split(".")[:-1]
        if label.startswith("xn--")
    ]
    text = "".join(idna.decode(label) for label in labels)
    for start, end in (
        ("α", "ω"), ("а", "я"), ("א", "ת"), ("ا", "ي"), ("अ", "ह"), ("ก", "ฮ"), ("一", "龥"),
        ("ぁ", "ん"), ("ァ", "ン"), ("가", "힣"), ("ა", "ჰ"), ("ա", "ֆ"), ("à", "ÿ"), ("ক", "হ"),
    ):  # fmt: skip
        assert sum(start <= letter <= end for letter in text) > 20, (start, end)


def test_fields_of_a_pattern() -> None:
    rng = random.Random(1)
    made = parts.filled(rng, "{h8}.{n3}-{x5}.{l2}.{b9}.{a}.{u}.{d}", ["example.org"])
    hexes, numbers, letters, base32, *address, uuid, _, _ = made.split(".")
    assert len(hexes) == 8
    assert int(hexes, 16) >= 0
    assert len(numbers) == 9
    assert numbers[:3].isdigit()
    assert letters.isalpha()
    assert set(base32) <= set(parts.BASE32)
    assert [0 <= int(part) <= 255 for part in address] == [True] * 4
    assert len(uuid) == 36
    assert 4 <= len(parts.filled(rng, "{x4-7}", [])) <= 7


@pytest.mark.parametrize("pattern", ["{q8}", "{h}", "{n1-x}"])
def test_an_unknown_field_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"field"):
        parts.filled(random.Random(1), pattern, [])
