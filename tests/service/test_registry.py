"""The registry on a disk: what is promoted is whole, and every way back is known."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.errors import ModelError, UsageError
from mlplugin.model import load
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.lineage import Entry
from mlplugin.service.registry import Registry, chosen
from tests.e2e.system import until
from tests.support.models import TINY, variant


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "data")


def version(registry: Registry) -> str | None:
    place = registry.in_use()
    return None if place is None else load(place).version


@contextlib.contextmanager
def link_stays() -> Iterator[None]:
    """Have what moves or removes the link fail, when the change is written down already."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", fail)
        patch.setattr(Path, "unlink", fail)
        with pytest.raises(ModelError, match=os.strerror(errno.EIO)):
            yield


def left_over(registry: Registry) -> list[str]:
    return [path.name for path in registry.folder.glob(".incoming-*")]


def test_nothing_is_made_before_the_first_promotion(registry: Registry, tmp_path: Path) -> None:
    assert registry.in_use() is None
    assert registry.history() == []
    assert registry.directories() == []
    assert chosen(None, tmp_path / "data") is None
    with pytest.raises(UsageError, match="nothing to roll back to"):
        registry.rollback()
    assert list(tmp_path.iterdir()) == []


def test_there_and_back_again(registry: Registry, tmp_path: Path) -> None:
    one, two = variant(tmp_path, "1.0"), variant(tmp_path, "2.0", metrics={"a": 1})
    (two / "README.md").write_text("a card")
    (two / "notes.txt").write_text("no part of a model")
    assert registry.promote(one) is not None
    shutil.rmtree(one)  # what was promoted stands on its own
    entry = registry.promote(two, forced=True)
    assert entry is not None
    assert (entry.version, entry.previous, entry.forced) == ("2.0", "1.0", True)
    assert version(registry) == "2.0"
    assert registry.link.readlink() == Path("2.0")
    kept = registry.folder / "2.0"
    assert {path.name for path in kept.iterdir()} == {
        "config.json", "weights.safetensors", "metrics.json", "README.md",
    }  # fmt: skip
    assert registry.promote(two) is None
    assert registry.rollback().version == "1.0"
    assert version(registry) == "1.0"
    assert registry.rollback().version is None
    assert registry.in_use() is None
    with pytest.raises(UsageError, match="nothing to roll back to"):
        registry.rollback()
    assert [path.name for path in registry.directories()] == ["1.0", "2.0"]
    assert left_over(registry) == []


def test_the_record_tells_everything(registry: Registry, tmp_path: Path) -> None:
    place = variant(tmp_path, "1.0")
    registry.promote(place)
    registry.rollback()
    first, second = [json.loads(line) for line in registry.record.read_text().splitlines()]
    assert (first["action"], second["action"]) == ("promote", "rollback")
    assert first["sha256"] == load(place).sha256
    assert (second["version"], second["previous"]) == (None, "1.0")
    for entry in (first, second):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["time"])
        assert entry["who"]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), max_size=12))
def test_the_way_back_is_the_way_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str | None, bool]]
) -> None:
    """Against the plainest account of it: a stack of promotions. What is cut short is not on it."""
    folder = tmp_path_factory.mktemp("way")
    models = {name: variant(folder, name) for name in "abc"}
    registry, stack = Registry(folder / "data"), list[str]()
    for step, cut in steps:
        if cut and (stack if step is None else stack[-1:] != [step]):
            with link_stays():
                registry.rollback() if step is None else registry.promote(models[step])
        elif step is not None:
            entry = registry.promote(models[step])
            assert (entry is None) == (stack[-1:] == [step])
            stack += [step] if entry else []
        elif stack:
            stack.pop()
            assert registry.rollback().version == (stack[-1] if stack else None)
        assert version(registry) == (stack[-1] if stack else None)


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_damaged_model_changes_nothing(name: str, registry: Registry, tmp_path: Path) -> None:
    registry.promote(variant(tmp_path, "1.0"))
    before = registry.record.read_bytes()
    bad = variant(tmp_path, "2.0")
    (bad / name).write_bytes((bad / name).read_bytes()[:-1])
    with pytest.raises(ModelError, match=name):
        registry.promote(bad)
    assert version(registry) == "1.0"
    assert registry.record.read_bytes() == before


def test_a_version_that_is_taken(registry: Registry, tmp_path: Path) -> None:
    registry.promote(variant(tmp_path, "1.0"))
    registry.promote(variant(tmp_path, "2.0"))
    (tmp_path / "other").mkdir()
    other = variant(tmp_path / "other", "1.0")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"data_cutoff": "2020-01-01"}))
    with pytest.raises(UsageError, match="another model of the same version"):
        registry.promote(other)
    assert version(registry) == "2.0"
    assert registry.promote(registry.folder / "1.0") is not None
    assert version(registry) == "1.0"


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "current", "-x", "v\\1"])
def test_a_version_that_names_no_directory(name: str, registry: Registry, tmp_path: Path) -> None:
    place = variant(tmp_path, "1.0")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"version": name}))
    with pytest.raises(UsageError, match="--version"):
        registry.promote(place)
    assert not registry.folder.exists()


def test_a_full_disk_while_copying(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(variant(tmp_path, "1.0"))
    real = shutil.copyfile

    def full(source: Path, target: Path) -> None:
        real(source, target)
        if source.name.startswith("weights"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    candidate = variant(tmp_path, "2.0")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ModelError, match=r"No space left on device.*the model in use stays"):
        registry.promote(candidate)
    assert version(registry) == "1.0"
    assert not (registry.folder / "2.0").exists()
    assert left_over(registry) == []


def test_a_full_disk_while_writing_down(registry: Registry, tmp_path: Path) -> None:
    registry.promote(variant(tmp_path, "1.0"))
    registry.record.unlink()
    registry.record.symlink_to("/dev/full")
    with pytest.raises(ModelError, match="No space left on device"):
        registry.promote(variant(tmp_path, "2.0"))
    assert version(registry) == "1.0"
    assert left_over(registry) == []


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(ModelError, match="--data"):
            Registry(data).promote(TINY)


def test_a_link_that_leads_nowhere(registry: Registry, tmp_path: Path) -> None:
    one, two = variant(tmp_path, "1.0"), variant(tmp_path, "2.0")
    registry.promote(one)
    registry.promote(two)
    shutil.rmtree(registry.folder / "2.0")
    for ask in (registry.in_use, lambda: chosen(None, tmp_path / "data")):
        with pytest.raises(ModelError, match=r"2\.0, which is not there.*rollback"):
            ask()
    assert registry.rollback().version == "1.0"
    shutil.rmtree(registry.folder / "1.0")
    assert registry.promote(one) is None  # in use already, and there again
    assert version(registry) == "1.0"


@pytest.mark.parametrize("target", ["current", "x" * 300], ids=["loop", "too long"])
def test_a_link_that_cannot_be_followed(
    target: str, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever follows goes on with the model it has, and takes up what is promoted then."""
    registry.promote(variant(tmp_path, "1.0"))
    models = ModelInUse(load(), registry)
    assert models.look()
    registry.link.unlink()
    registry.link.symlink_to(target)
    with pytest.raises(ModelError, match=r"current .*`mlplugin models rollback`") as caught:
        registry.in_use()
    assert "\n" not in str(caught.value)
    for _ in range(2):
        assert not models.look()
    assert caplog.text.count("1.0 stays in use") == 1
    registry.promote(variant(tmp_path, "2.0"))
    assert models.look()
    assert models.model.version == "2.0"


def test_a_data_directory_that_cannot_be_looked_into(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = ModelInUse(load(), Registry(tmp_path / ("x" * 300)))
    for _ in range(2):
        assert not models.look()
    assert caplog.text.count("stays in use") == 1


def test_what_is_gone_or_changed_is_not_gone_back_to(registry: Registry, tmp_path: Path) -> None:
    for name in ("1.0", "2.0"):
        registry.promote(variant(tmp_path, name))
    config = registry.folder / "1.0" / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(ModelError, match=r"cannot go back to 1\.0.*changed"):
        registry.rollback()
    shutil.rmtree(registry.folder / "1.0")
    with pytest.raises(ModelError, match=r"cannot go back to 1\.0.*not there"):
        registry.rollback()
    assert version(registry) == "2.0"


def test_a_record_that_was_cut_short(registry: Registry, tmp_path: Path) -> None:
    for name in ("1.0", "2.0"):
        registry.promote(variant(tmp_path, name))
    with registry.record.open("ab") as out:
        out.write(b'{"time": "2026-')
    assert [entry.version for entry in registry.history()] == ["1.0", "2.0"]
    registry.promote(variant(tmp_path, "3.0"))
    assert [entry.version for entry in registry.history()] == ["1.0", "2.0", "3.0"]
    assert registry.rollback().version == "2.0"


def test_a_promotion_that_the_power_cut_off(registry: Registry, tmp_path: Path) -> None:
    """It was written down, and the link never moved."""
    for name in ("1.0", "2.0"):
        registry.promote(variant(tmp_path, name))
    lost = Entry("2026-12-01T00:00:00Z", "promote", "3.0", "0" * 64, "2.0", "somebody")
    with registry.record.open("a") as out:
        out.write(json.dumps(asdict(lost)) + "\n")
    assert registry.rollback().version == "1.0"
    assert registry.rollback().version is None


def test_a_rollback_that_was_cut_short(registry: Registry, tmp_path: Path) -> None:
    """The next one goes where that one should have gone, and not a model further."""
    for name in ("1.0", "2.0"):
        registry.promote(variant(tmp_path, name))
    for stays, to in (("2.0", "1.0"), ("1.0", None)):
        for _ in range(2):
            with link_stays():
                registry.rollback()
            assert version(registry) == stays
        assert registry.rollback().version == to
        assert version(registry) == to
    assert left_over(registry) == []


def test_a_promotion_that_was_cut_short(registry: Registry, tmp_path: Path) -> None:
    """It is no stop on the way back, whatever was promoted after it."""
    registry.promote(variant(tmp_path, "1.0"))
    lost = variant(tmp_path, "2.0")
    with link_stays():
        registry.promote(lost)
    registry.promote(variant(tmp_path, "3.0"))
    assert [entry.version for entry in registry.history()] == ["1.0", "2.0", "3.0"]
    assert registry.rollback().version == "1.0"
    assert version(registry) == "1.0"


def test_a_line_that_was_taken_out_of_the_record(registry: Registry, tmp_path: Path) -> None:
    """The others took effect all the same."""
    for name in ("1.0", "2.0", "3.0"):
        registry.promote(variant(tmp_path, name))
    first, _, third = registry.record.read_text().splitlines(keepends=True)
    registry.record.write_text(first + third)
    assert registry.rollback().version == "1.0"


def test_a_record_that_is_none(registry: Registry, tmp_path: Path) -> None:
    registry.promote(variant(tmp_path, "1.0"))
    registry.record.write_text("what is this\n" + registry.record.read_text())
    with pytest.raises(ModelError, match=r"promotions\.jsonl: line 1"):
        registry.rollback()
    assert version(registry) == "1.0"


def test_what_a_crash_left_is_cleared_away(registry: Registry, tmp_path: Path) -> None:
    (registry.folder / ".incoming-1").mkdir(parents=True)
    (registry.folder / ".incoming-1" / "config.json").write_text("{}")
    assert registry.directories() == []
    registry.promote(variant(tmp_path, "1.0"))
    assert left_over(registry) == []


def test_two_at_once(registry: Registry, tmp_path: Path) -> None:
    """Each promotion is written down and leads from where the one before ended."""
    models = [variant(tmp_path, f"{number}.0") for number in range(8)]
    threads = [threading.Thread(target=registry.promote, args=(place,)) for place in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = registry.history()
    assert sorted(str(entry.version) for entry in entries) == [f"{n}.0" for n in range(8)]
    assert [entry.previous for entry in entries] == [None, *(e.version for e in entries[:-1])]
    assert version(registry) == entries[-1].version


def test_the_service_follows(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = ModelInUse(load(), registry)
    assert not models.look()
    registry.promote(variant(tmp_path, "1.0"))
    assert models.look()
    assert models.model.version == "1.0"
    registry.promote(variant(tmp_path, "2.0"))
    shutil.move(registry.folder / "2.0", tmp_path / "aside")
    for _ in range(3):
        assert not models.look()
    assert models.model.version == "1.0"
    assert caplog.text.count("stays in use") == 1
    shutil.move(tmp_path / "aside", registry.folder / "2.0")
    assert models.look()
    assert models.model.version == "2.0"
    registry.rollback()
    registry.rollback()
    assert models.look()
    assert models.model.sha256 == load().sha256


def test_it_follows_by_itself_and_ends(registry: Registry, tmp_path: Path) -> None:
    models = ModelInUse(load(), registry, look_seconds=0.001)
    models.start()
    registry.promote(variant(tmp_path, "1.0"))
    until("the service took it up", lambda: models.model.version == "1.0")
    models.close()
    fixed = ModelInUse(load())
    fixed.start()
    assert not fixed.look()
    fixed.close()
