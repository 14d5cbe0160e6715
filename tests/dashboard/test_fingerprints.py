"""What stands for the content of an asset."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlplugin.dashboard import fingerprints
from mlplugin.dashboard.fingerprints import fingerprint


def test_another_content_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "ASSETS", tmp_path)
    script = tmp_path / "one.js"
    script.write_text("1")
    before = fingerprint("one.js")
    script.write_text("10")
    after = fingerprint("one.js")
    (tmp_path / "two.js").write_text("1")
    assert None not in {before, after}
    assert before != after
    assert before == fingerprint("two.js")


@pytest.mark.parametrize("path", ["", "nothing.js", "../app.py", "/etc/hostname", "a\0b"])
def test_what_is_no_asset_has_none(path: str) -> None:
    assert fingerprint(path) is None
