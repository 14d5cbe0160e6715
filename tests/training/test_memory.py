"""How much memory there is, and how much a run takes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mlplugin.errors import MlpluginError
from mlplugin.training import memory


def test_text_is_counted_without_its_compression(tmp_path: Path) -> None:
    text = b"example.org\tbenign\n" * 1000
    (tmp_path / "a.tsv").write_bytes(text)
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(text))
    assert memory.text_bytes(tmp_path / "a.tsv") == memory.text_bytes(tmp_path / "a.tsv.gz")


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/outer/inner\n")
    for group, limit, held in (("outer", "5000", 2000), ("outer/inner", "4000", 500)):
        folder = tmp_path / "fs" / group
        folder.mkdir(parents=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.stat").write_text(f"anon {held}\nfile 123456\n")
    assert memory.of_groups(membership, tmp_path / "fs") == [3500, 3000]
    (tmp_path / "fs" / "outer" / "memory.max").write_text("max\n")
    assert memory.of_groups(membership, tmp_path / "fs") == [3500]
    assert memory.of_groups(tmp_path / "none", tmp_path / "fs") == []


def test_this_machine_says_something() -> None:
    free = memory.available()
    assert free is None or free > 10_000_000


def test_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("x" * 1_000_000)
    need = memory.FIXED + 1_000_000 * memory.EACH_BYTE
    monkeypatch.setattr(memory, "available", lambda: need)
    memory.check([path])
    monkeypatch.setattr(memory, "available", lambda: need - 1)
    with pytest.raises(MlpluginError, match="fewer names or on a larger machine"):
        memory.check([path])
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.check([path])
