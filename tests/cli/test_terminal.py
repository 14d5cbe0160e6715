"""Tables are as wide as the terminal, and whole where they go elsewhere."""

from __future__ import annotations

import io
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplugin.cli.output import Format, write_rows
from mlplugin.cli.terminal import CUT, Layout, cut, room_of

LONG = "a" * 60 + "." + "b" * 60 + ".example.org"
ROWS = [
    {"time": "2026-11-26T12:00:00.000000Z", "qname": LONG, "verdict": "malicious", "why": "score"},
    {"time": "2026-11-26T12:00:01.000000Z", "qname": "example.net", "verdict": "benign"},
]
COLUMNS = ("time", "qname", "verdict", "why")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, width: int, out: io.StringIO) -> list[str]:
    size = shutil.os.terminal_size((width, 24))  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: size)
    assert write_rows(ROWS, COLUMNS, Format.TABLE, out) == len(ROWS)
    return out.getvalue().splitlines()


def test_a_long_name_is_cut_in_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 100, Terminal())
    assert len(lines) == 3
    assert max(map(len, lines)) <= 100
    assert "aaaa" in lines[1]
    assert f"{CUT}" in lines[1]
    assert "b.example.org  malicious" in lines[1]


def test_where_there_is_no_room_a_row_has_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 40, Terminal())
    assert max(map(len, lines)) <= 40
    assert lines[0] == "time"
    assert lines[1].split() == ["qname"]
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "time", ROWS[0]["time"], ROWS[1]["time"],
    ]  # fmt: skip
    assert lines[-1].split() == ["benign"]


def test_in_a_pipe_every_cell_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, 40, io.StringIO())
    assert len(lines) == 3
    assert LONG in lines[1]


def test_letters_that_are_wide_take_two_places(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "給与計算サービスのための例外"
    rows = [{"reason": reason, "status": "benign"}, {"reason": "cafe\u0301", "status": "blocked"}]
    for width in (30, 80):
        size = shutil.os.terminal_size((width, 24))  # type: ignore[attr-defined]
        monkeypatch.setattr(shutil, "get_terminal_size", lambda size=size: size)
        out = Terminal()
        write_rows(rows, ("reason", "status"), Format.TABLE, out)
        lines = out.getvalue().splitlines()
        assert max(map(room_of, lines)) <= width
        if width == 80:
            assert {room_of(line[: line.index(one)]) for line, one in zip(
                lines, ("status", "benign", "blocked"), strict=True)} == {30}  # fmt: skip


def test_a_time_is_not_cut_to_have_a_row_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in range(40, 120):
        lines = shown(monkeypatch, width, Terminal())
        assert any(str(ROWS[0]["time"]) in line for line in lines), width


@given(
    cells=st.lists(st.text("abc.\u6771\u0301", max_size=90), min_size=1, max_size=8),
    width=st.integers(10, 250),
)
def test_no_line_is_wider(cells: list[str], width: int) -> None:
    layout = Layout.of([max(room_of(cell), 4) for cell in cells], width)
    lines = list(layout.rows(cells))
    assert all(room_of(line) <= width for line in lines)
    if width >= 190:
        assert all(cell in "\n".join(lines) for cell in cells)


def test_cut() -> None:
    assert cut("example.org", 11) == "example.org"
    assert cut("example.org", 7) == f"exa{CUT}org"
    assert cut("example.org", 1) == CUT
    assert cut("score 40.1: label:xq +3.1", 12) == f"score 40.1:{CUT}", "the strongest comes first"
    assert cut("a b", 1) == CUT
    assert cut("\u6771\u4eac\u90fd.example", 8) == f"\u6771{CUT}mple"
    assert cut("\u6771\u4eac\u90fd", 4) == f"{CUT}\u90fd"
