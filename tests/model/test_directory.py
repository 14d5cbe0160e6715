"""What a reader refuses, each with one line that names the file and what to do."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save

from mlplugin.errors import ModelError
from mlplugin.model import directory as reader
from mlplugin.model import load

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"
WEIGHTS = TINY / "weights.safetensors"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "model"))


def refused(place: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(place)
    message = str(caught.value)
    assert "\n" not in message
    assert str(place) in message
    assert caught.value.exit_code == 3
    return message


def configure(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = place / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def replace_weights(place: Path, raw: bytes) -> None:
    """Other weights with size and hash to match, so that the checks behind these are reached."""
    (place / "weights.safetensors").write_bytes(raw)
    found = {"file": "weights.safetensors", "bytes": len(raw)}
    configure(
        place,
        lambda config: config.update(weights={**found, "sha256": hashlib.sha256(raw).hexdigest()}),
    )


def test_the_tiny_model_is_fine(place: Path) -> None:
    model = load(place)
    assert model.version == "0.0.1"
    assert model.sha256 == hashlib.sha256((place / "config.json").read_bytes()).hexdigest()


def test_missing_directory(tmp_path: Path) -> None:
    assert "is not there; name one that holds config.json" in refused(tmp_path / "none")


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    assert "is no directory" in refused(tmp_path / "model")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_missing_file(name: str, place: Path) -> None:
    (place / name).unlink()
    message = refused(place)
    assert f"{name}: No such file or directory; copy the model directory again" in message


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[", b'{"format": 1'])
def test_configuration_that_does_not_parse(raw: bytes, place: Path) -> None:
    (place / "config.json").write_bytes(raw)
    assert "; copy the model directory again" in refused(place)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("format",), 1, "format 1 is not known, only 2 is; use a matching version of mlplugin"),
        (("format",), None, "format None is not known"),
        (("version",), "", "version: "),
        (("version",), "my model", "version: "),
        (("threats",), ["dga"], "threats are not dga, dga_dictionary"),
        (("regions",), ["label"], "regions are not subdomain, label, suffix"),
        (("ngram", "buckets"), 1000, "ngram: buckets is no power of two"),
        (("ngram", "buckets"), "many", "ngram.buckets: "),
        (("ngram", "min"), 6, "ngram: min is above max"),
        (("dimensions",), 16.5, "dimensions: "),
        (("dimensions",), 1 << 20, "dimensions: "),
        (("hidden",), 0, "hidden: "),
        (("pooling", "bag"), float("nan"), ""),
        (("pooling", "linear"), 5, "pooling.linear: "),
        (("prior", "scam"), float("inf"), ""),
        (("prior",), {"dga": 0}, "prior.dga_dictionary is missing"),
        (("thresholds", "suspicious"), 38, "thresholds: suspicious is above malicious"),
        (("calibration", "overall", "in"), [0, 0, 1, 2, 3], "not strictly ascending"),
        (("calibration", "overall", "score"), [0, 2, 1, 3, 4], "scores are not ascending"),
        (("calibration", "overall", "score"), [0, 1], "5 inputs for 2 scores"),
        (("calibration", "threats", "dga", "logit"), [], "calibration.threats.dga.logit: "),
        (("calibration", "threats"), {}, "calibration.threats.dga is missing"),
        (("look",), [], "look: "),
        (("look", "from"), -0.5, "look.from: "),
        (("look", "from"), 60.5, "look.from: "),
        (("look", "from"), float("nan"), ""),
        (("look", "window"), 4, "look: window is not odd"),
        (("look", "window"), 0, "look.window: "),
        (("look", "window"), 17, "look.window: "),
        (("look", "window"), 7.5, "look.window: "),
        (("look", "filters"), 0, "look.filters: "),
        (("look", "filters"), 1025, "look.filters: "),
        (("look", "hidden"), 0, "look.hidden: "),
        (("look", "hidden"), 1025, "look.hidden: "),
        (("look", "longest"), 0, "look.longest: "),
        (("look", "longest"), 256, "look.longest: "),
        (("look", "share"), -0.1, "look.share: "),
        (("look", "share"), 1.1, "look.share: "),
        (("look", "prior", "dga"), "0", "look.prior.dga: "),
        (("look", "prior"), {"dga": 0}, "look.prior.dga_dictionary is missing"),
        (("look", "calibration", "threats"), {}, "look.calibration.threats.dga is missing"),
        (
            ("look", "calibration", "threats", "scam", "logit"),
            [0, 0],
            "look.calibration.threats.scam: 2 inputs for 8 scores",
        ),
        (("look", "calibration", "overall", "in"), [], "look.calibration.overall.in: "),
        (("look", "calibration", "overall", "score"), [3, 2], "look.calibration.overall: "),
        (("weights", "file"), "../config.json", "file is no plain file name"),
        (("weights", "bytes"), 7, "bytes, not the 7 expected"),
        (("weights", "sha256"), "0" * 64, "its SHA-256 is not the one in config.json"),
    ],
)
def test_wrong_values(keys: tuple[str, ...], value: object, message: str, place: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    configure(place, change)
    assert message in refused(place)


def paths(config: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in config.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found += paths(value, (*above, key))
    return found


NEEDED = [
    keys
    for keys in paths(json.loads((TINY / "config.json").read_text()))
    if keys[0] not in {"created", "data_cutoff"}
]


@pytest.mark.parametrize("keys", NEEDED, ids=".".join)
def test_missing_keys(keys: tuple[str, ...], place: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        for key in keys[:-1]:
            config = config[key]
        del config[keys[-1]]

    configure(place, change)
    assert f"{'.'.join(keys)} is missing; train the model again" in refused(place)


def test_any_changed_byte_of_the_weights_is_refused(place: Path) -> None:
    whole = WEIGHTS.read_bytes()
    dice = random.Random(6761)
    for at in {0, 7, 8, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(200))}:
        broken = bytearray(whole)
        broken[at] ^= dice.randrange(1, 256)
        (place / "weights.safetensors").write_bytes(broken)
        assert "its SHA-256 is not the one in config.json" in refused(place)


@pytest.mark.parametrize("length", [0, 1, 8, 100, 2000, -1])
def test_weights_cut_short(length: int, place: Path) -> None:
    raw = WEIGHTS.read_bytes()[:length]
    (place / "weights.safetensors").write_bytes(raw)
    assert f"{len(raw)} bytes, not the " in refused(place)
    replace_weights(place, raw)
    assert "not readable as safetensors" in refused(place)


def test_no_header_makes_the_reader_stumble(place: Path) -> None:
    """Broken headers behind a right hash: refused in one line, or harmless."""
    whole = WEIGHTS.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    dice = random.Random(6762)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(header)] = dice.randrange(256)
        replace_weights(place, bytes(broken))
        try:
            load(place)
        except ModelError as error:
            outcomes.add("refused")
            text = str(error)
            assert text.count("\n") == 0
        else:
            outcomes.add("read")
    assert "refused" in outcomes


Tensors = dict[str, Any]


def change_tensors(place: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_tensors(WEIGHTS.read_bytes())
    change(tensors)
    replace_weights(place, save(tensors))


NAMES = sorted(load_tensors(WEIGHTS.read_bytes()))


@pytest.mark.parametrize("name", NAMES)
def test_missing_tensor(name: str, place: Path) -> None:
    change_tensors(place, lambda tensors: tensors.pop(name))
    message = refused(place)
    assert re.search(r"the tensor \w+ is ", message)


@pytest.mark.parametrize("name", NAMES)
def test_tensor_of_another_type(name: str, place: Path) -> None:
    change_tensors(place, lambda t: t.update({name: t[name].astype(np.float64)}))
    assert f"the tensor {name} is float64" in refused(place)


@pytest.mark.parametrize("name", NAMES)
def test_tensor_of_another_shape(name: str, place: Path) -> None:
    change_tensors(place, lambda t: t.update({name: t[name][None]}))
    assert "the tensor" in refused(place)


FLOATS = sorted(
    name for name, values in load_tensors(WEIGHTS.read_bytes()).items() if values.dtype == "float32"
)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", FLOATS)
def test_numbers_that_are_not_finite(name: str, number: float, place: Path) -> None:
    change_tensors(place, lambda t: t[name].reshape(-1).__setitem__(-1, number))
    assert f"the tensor {name} has a number that is not finite" in refused(place)


@pytest.mark.parametrize("number", [0.0, -0.25])
def test_a_scale_of_the_second_look_is_above_0(number: float, place: Path) -> None:
    change_tensors(place, lambda t: t["look_scale"].__setitem__(1, number))
    said = "the tensor look_scale has a number that is not above 0; train the model again"
    assert refused(place).endswith(said)


@pytest.mark.parametrize(("key", "value"), [("window", 7), ("filters", 13), ("hidden", 8)], ids=str)
def test_tensors_of_another_second_look(key: str, value: int, place: Path) -> None:
    configure(place, lambda config: config["look"].update({key: value}))
    assert re.search(r"the tensor look_\w+ is \w+ \[", refused(place))


@pytest.mark.parametrize("name", ["suffix_hash", "reputation"])
@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_hashes_that_do_not_ascend(name: str, order: list[int], place: Path) -> None:
    def change(tensors: Tensors) -> None:
        tensors[name][:2] = tensors[name][order]

    change_tensors(place, change)
    assert f"the tensor {name} is not strictly ascending" in refused(place)


def test_a_model_may_have_no_rules_and_no_reputation(place: Path) -> None:
    def change(tensors: Tensors) -> None:
        for name in ("suffix_hash", "suffix_flag", "suffix_weight", "reputation"):
            tensors[name] = tensors[name][:0]

    change_tensors(place, change)
    model = load(place)
    assert model.split("www.shop.co.uk") == ("www.shop", "co", "uk")
    assert model.judge("www.known-0.com").source == "model"
    assert model.explain("shop.co.uk")[-1].kind == "rest"


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_too_large(name: str, place: Path) -> None:
    with (place / name).open("r+b") as file:
        file.truncate((64 << 20) + 1)  # sparse
    assert f"{name}: 67108865 bytes, more than 67108864" in refused(place)


def test_a_directory_in_place_of_the_weights(place: Path) -> None:
    (place / "weights.safetensors").unlink()
    (place / "weights.safetensors").mkdir()
    assert "weights.safetensors: Is a directory" in refused(place)


@pytest.mark.parametrize(
    ("versions", "highest"),
    [
        (["2026.9.0", "2026.11.0", "2026.10.3"], "2026.11.0"),
        (["2026.11.0", "2026.11.0.1"], "2026.11.0.1"),
        (["9.9", "10.0"], "10.0"),
    ],
)
def test_the_highest_version_is_the_shipped_one(
    versions: list[str], highest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in versions:
        shutil.copytree(TINY, tmp_path / "mlplugin" / "models" / version)
    monkeypatch.setattr(reader.mlplugin, "__file__", str(tmp_path / "mlplugin" / "__init__.py"))
    assert reader.shipped().name == highest
    assert load().version == "0.0.1"


def test_no_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader.mlplugin, "__file__", str(tmp_path / "a" / "b" / "__init__.py"))
    with pytest.raises(ModelError, match="no model comes with this installation; name one with"):
        load()
