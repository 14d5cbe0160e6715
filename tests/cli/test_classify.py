"""`mlplugin classify`, run as a program and as a function."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlplugin.cli.judge import Judge, json_lines
from mlplugin.cli.main import main
from mlplugin.model import load
from mlplugin.verdict import THREATS

TESTDATA = Path(__file__).resolve().parents[2] / "testdata"
TINY = TESTDATA / "model-tiny"
GOLDENS: dict[str, dict[str, Any]] = {
    row["qname"]: row
    for row in map(json.loads, (TESTDATA / "golden" / "verdicts.jsonl").read_text().splitlines())
}
KEYS = {
    *("qname", "registered_domain", "verdict", "threat", "score", "source", "model", "reasons"),
}
MALICIOUS = next(name for name, row in GOLDENS.items() if row["verdict"] == "malicious")
SUSPICIOUS = next(name for name, row in GOLDENS.items() if row["verdict"] == "suspicious")
BENIGN = "www.known-0.com"


def classify(
    capsys: pytest.CaptureFixture[str], *arguments: str, form: str = "jsonl"
) -> tuple[int, str, str]:
    status = main(["classify", "--model", str(TINY), "--format", form, *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mlplugin", "classify", "--model", str(TINY), *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, **options)


def listed(folder: Path, text: str | bytes, name: str = "names.txt") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_every_golden_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = listed(tmp_path, "\n".join(GOLDENS) + "\n")
    status, out, err = classify(capsys, "-f", listing)
    assert (status, err) == (0, "")
    for row, golden in zip(rows(out), GOLDENS.values(), strict=True):
        assert set(row) == KEYS
        for key in ("qname", "registered_domain", "verdict", "threat", "source"):
            assert row[key] == golden[key]
        assert row["score"] == pytest.approx(golden["score"], abs=5.1e-4)


def test_the_quick_lines_are_the_object_of_the_interface() -> None:
    verdicts = load(TINY).judge_many(list(GOLDENS))
    quick = [json.loads(line) for line in json_lines(verdicts)]
    assert quick == [verdict.to_json() for verdict in verdicts]
    assert [list(row) for row in quick] == [list(verdict.to_json()) for verdict in verdicts]


def test_names_are_taken_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = classify(capsys, "WWW.Known-0.COM.", "münchen.de", ".")
    assert status == 0
    assert [row["qname"] for row in rows(out)] == ["www.known-0.com", "xn--mnchen-3ya.de", "."]
    assert [row["registered_domain"] for row in rows(out)] == [
        "known-0.com",
        "xn--mnchen-3ya.de",
        None,
    ]


def test_bad_names_are_told_in_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = classify(capsys, "a..b", BENIGN, "two words\n", "x.de", "a" * 64)
    assert status == 2
    assert err == "mlplugin: 3 of the names are no domain names\n"
    found = rows(out)
    assert [row["qname"] for row in found] == [
        *("a..b", BENIGN, r"two words\010", "x.de", "a" * 64),
    ]
    assert [set(row) == {"qname", "error"} for row in found] == [True, False, True, False, True]
    assert "empty label" in found[0]["error"]


def test_lists_may_have_comments_spaces_and_empty_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\ufeff# a list\r\n\r\n  x.de \r\ny.de # why\n\n#z.de\na#b.de\n\tv.de"
    status, out, _ = classify(capsys, "-f", listed(tmp_path, text))
    assert status == 0
    assert [row["qname"] for row in rows(out)] == ["x.de", "y.de", "a#b.de", "v.de"]


def test_arguments_come_before_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = classify(capsys, "-f", listed(tmp_path, "b.de"), "a.de")
    assert [row["qname"] for row in rows(out)] == ["a.de", "b.de"]


def test_a_list_longer_than_a_chunk_keeps_its_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.cli.listing.CHUNK_BYTES", 1000)
    names = [f"host-{number}.domain-{number % 7}.co.uk" for number in range(3000)]
    listing = listed(tmp_path, gzip.compress("\n".join(names).encode()), "names.gz")
    _, out, _ = classify(capsys, "-f", listing)
    assert [row["qname"] for row in rows(out)] == names


def test_a_line_longer_than_a_chunk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlplugin.cli.listing.CHUNK_BYTES", 10)
    name = ".".join(["abcdefgh"] * 20) + ".de"
    _, out, _ = classify(capsys, "-f", listed(tmp_path, f"x.de\n{name}\ny.de"))
    assert [row["qname"] for row in rows(out)] == ["x.de", name, "y.de"]


def test_stdin_gzip_too() -> None:
    for data in (b"x.de\ny.de\n", gzip.compress(b"x.de\ny.de\n")):
        done = run("-f", "-", input=data)
        assert done.returncode == 0, done.stderr
        assert [row["qname"] for row in rows(done.stdout.decode())] == ["x.de", "y.de"]


def test_stdin_is_judged_as_it_comes() -> None:
    command = [sys.executable, "-m", "mlplugin", "classify", "--model", str(TINY), "-f", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        for name in (b"x.de", b"y.de"):
            child.stdin.write(name + b"\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["qname"] == name.decode()
        child.stdin.close()
        assert child.wait(30) == 0


def test_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = classify(capsys, "-f", listed(tmp_path, b"x.de\n\xff\xfe.de\n\x00\n"))
    assert status == 2
    assert [row["qname"] for row in rows(out)] == ["x.de", r"\255\254.de", r"\000"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress(b"x.de\n" * 1000)[:-9], "Compressed file ended"),
        (gzip.compress(b"x.de\n" * 1000)[:30] + b"\0" * 30, ""),
        (b"\x1f\x8bnonsense", ""),
    ],
)
def test_a_broken_gzip_file(
    data: bytes, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed(tmp_path, data, "names.gz")
    status, _, err = classify(capsys, "-f", path)
    assert status == 2
    assert err.startswith(f"mlplugin: cannot read {path}: {what}")
    assert err.count("\n") == 1


def test_a_list_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = classify(capsys, "-f", str(tmp_path / "none"))
    assert (status, out) == (2, "")
    assert err == f"mlplugin: cannot read {tmp_path / 'none'}: No such file or directory\n"


def test_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify(capsys, "-f", listed(tmp_path, "")) == (0, "", "")


def test_nothing_to_classify(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = classify(capsys)
    assert status == 2
    assert "-f FILE" in err


def test_explain_and_scores(capsys: pytest.CaptureFixture[str]) -> None:
    names = [MALICIOUS, BENIGN, "co.uk"]
    status, out, _ = classify(capsys, "--explain", "--scores", *names)
    assert status == 0
    for row in rows(out):
        golden = GOLDENS[row["qname"]]
        assert set(row) == {*KEYS, "scores"}
        assert row["scores"] == pytest.approx(golden["scores"], abs=5.1e-4)
        assert [part["text"] for part in row["reasons"]] == [
            part["text"] for part in golden["reasons"]
        ]


@pytest.mark.parametrize(
    ("names", "level", "status"),
    [
        ([BENIGN, MALICIOUS], "malicious", 1),
        ([BENIGN, MALICIOUS], "suspicious", 1),
        ([SUSPICIOUS], "suspicious", 1),
        ([SUSPICIOUS], "malicious", 0),
        ([BENIGN], "suspicious", 0),
        ([MALICIOUS, "a..b"], "malicious", 2),
    ],
)
def test_fail_on(
    names: list[str], level: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--scores",)):
        assert classify(capsys, "--fail-on", level, *more, *names)[0] == status


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--explain", "--scores", MALICIOUS, "a..b"]
    status, out, _ = classify(capsys, *arguments, form="csv")
    assert status == 2
    first, second = csv.DictReader(io.StringIO(out))
    golden = GOLDENS[MALICIOUS]
    assert first["qname"] == MALICIOUS
    assert first["verdict"] == "malicious"
    assert first["error"] == ""
    assert [float(first[threat]) for threat in THREATS] == pytest.approx(
        list(golden["scores"].values()), abs=5.1e-4
    )
    assert json.loads(first["reasons"])[0]["text"] == golden["reasons"][0]["text"]
    assert second["qname"] == "a..b"
    assert "empty label" in second["error"]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = classify(capsys, "--explain", MALICIOUS, BENIGN, form="table")
    assert status == 0
    header, first, second = out.splitlines()
    assert header.split() == [
        *("qname", "registered_domain", "verdict", "threat", "score", "source", "reasons", "error"),
    ]
    assert header.index("verdict") == first.index("malicious") == second.index("benign")
    assert f"{GOLDENS[MALICIOUS]['reasons'][0]['weight']:+.2f}" in first
    assert "reputation known-0.com" in second


def test_missing_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = main(["classify", "--model", str(tmp_path / "none"), "x.de"])
    out, err = capsys.readouterr()
    assert (status, out) == (3, "")
    assert err.count("\n") == 1
    assert "is not there" in err


def test_the_model_may_be_configured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPLUGIN_CONFIG", "")
    path = tmp_path / "mlplugin.toml"
    path.write_text(f"[model]\ndir = {json.dumps(str(TINY))}\n")
    assert main(["--config", str(path), "classify", "--format", "jsonl", "x.de"]) == 0
    assert rows(capsys.readouterr().out)[0]["model"] == "0.0.1"


def test_a_reader_that_goes_away() -> None:
    command = f"{sys.executable} -m mlplugin classify --model {TINY} -f - | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        input=b"x.de\n" * 200_000,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "mlplugin", "classify", "--model", str(TINY), "x.de"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert done.stderr == b"mlplugin: No space left on device\n"


def test_judge_remembers_what_the_exit_status_needs() -> None:
    judge = Judge(load(TINY), explain=False, scores=False)
    judge.lines([BENIGN])
    assert (judge.bad_names, judge.worst) == (0, 0)
    judge.lines([MALICIOUS, "a..b"])
    judge.lines([BENIGN, ".."])
    assert (judge.bad_names, judge.worst) == (2, 2)
