"""`queries`, `export` and `vet`: against a running service, and against the file alone."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from mlplugin.api import create_app
from mlplugin.api.access import Access
from mlplugin.api.server import Server
from mlplugin.cli import main
from mlplugin.cli.client import Client
from mlplugin.cli.history import pages
from mlplugin.errors import UsageError
from mlplugin.model import load
from mlplugin.service.history import Asked
from mlplugin.service.service import Service, assemble
from mlplugin.store import open_store
from mlplugin.store.columns import QUERIES
from mlplugin.store.port import QUERY_COLUMNS, StoreUnavailableError
from tests.support.events import event, ndjson
from tests.support.threads import running

TINY = Path(__file__).resolve().parents[2] / "testdata" / "model-tiny"
NOBODY = "http://127.0.0.1:1"
NO_LIST = TINY / "no-list.txt"
ROWS = [event(n, qname=f"h{n % 3}.example.org", client=f"192.0.2.{n % 4}") for n in range(2500)]
ROWS.append(
    event(
        2500, qname="bad.example.net", registered_domain="example.net", verdict="malicious",
        threat="dga", score=41.0, action="nxdomain", reason='why, "really"',
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed history."""
    place = tmp_path_factory.mktemp("history")
    service = assemble(open_store(None, place), load(TINY))
    service.ingest.take("edge", ndjson(ROWS))
    service.close()
    return place


@pytest.fixture
def live(data: Path) -> Iterator[tuple[str, Service]]:
    """A service on that history."""
    service = assemble(open_store(None, data), load(TINY))
    server = Server(create_app(service), "127.0.0.1", 0)
    with running(server.run, server.stop):
        yield f"http://127.0.0.1:{server.port}", service
    service.close()


@pytest.fixture(params=["service", "file"])
def places(request: pytest.FixtureRequest, data: Path) -> list[str]:
    """The options that lead to the history."""
    if request.param == "file":
        return ["--service", NOBODY, "--data", str(data)]
    url, _ = request.getfixturevalue("live")
    return ["--service", url, "--data", "/nowhere"]


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(list(arguments)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_queries(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "queries", *places)
    assert len(found) == 100
    assert [row["sequence"] for row in found[:2]] == [2500, 2499]
    assert tuple(found[0]) == QUERY_COLUMNS
    assert found[0]["reason"] == 'why, "really"'
    assert len(rows(capsys, "queries", *places, "--limit", "1700")) == 1700, "several pages"
    assert len(rows(capsys, "queries", *places, "--limit", "9999")) == 2501
    (bad,) = rows(capsys, "queries", *places, "--threat", "dga", "--since", "2026-09-21")
    assert bad["qname"] == "bad.example.net"
    flagged = ("--verdict", "malicious", "--verdict", "suspicious", "--limit", "9999")
    assert rows(capsys, "queries", *places, *flagged) == [
        row for row in rows(capsys, "queries", *places, "--limit", "9999")
        if row["verdict"] != "benign"
    ]  # fmt: skip
    scored = rows(capsys, "queries", *places, "--min-score", str(bad["score"]), "--source", "model")
    assert bad in scored
    assert {row["source"] for row in scored} == {"model"}
    assert min(row["score"] for row in scored) == bad["score"]
    assert rows(capsys, "queries", *places, "--source", "answer") == []
    filters = ("--qname", "H1.example.*", "--client", "192.0.2.0/31", "--limit", "5000")
    expected = [row for row in ROWS if row["qname"] == "h1.example.org"
                and row["client"] in {"192.0.2.0", "192.0.2.1"}]  # fmt: skip
    assert len(rows(capsys, "queries", *places, *filters)) == len(expected)


def test_patterns_may_be_written_as_people_read_them() -> None:
    for text, pattern in (
        ("*.M\u00fcnchen.de", "*.xn--mnchen-3ya.de"),
        ("www*.example.org.", "www*.example.org"),
        ("*", "*"),
    ):
        assert Asked(qname=text).parse().qname == pattern
    for text in ("*m\u00fcnchen.de", "*.a\u0000b.de", "*" * 5000):
        with pytest.raises(UsageError, match=r"write \*\.example\.org"):
            Asked(qname=text).parse()


def test_queries_as_csv_and_table(places: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queries", *places, "--limit", "1", "--format", "csv"]) == 0
    head, row = csv.reader(io.StringIO(capsys.readouterr().out))
    assert tuple(head) == QUERY_COLUMNS
    assert row[head.index("reason")] == 'why, "really"'
    assert main(["queries", *places, "--limit", "1", "--format", "table"]) == 0
    out = capsys.readouterr().out
    assert "bad.example.net" in out
    assert "2026-09-21T14:55:00Z" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--qname", "a..b"], "label"),
        (["--client", "nobody"], "nobody"),
        (["--since", "tomorrow"], "tomorrow"),
        (["--action", "explode"], "explode"),
        (["--verdict", "evil"], "evil"),
        (["--limit", "0"], "0"),
    ],
)
def test_filters_that_make_no_sense(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queries", "--service", NOBODY, *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_the_history_that_nobody_named_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service may have had another one."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlplugin").symlink_to(data)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    wanted = Asked()
    assert len(list(pages(NOBODY, None, None, wanted, 3))) == 3
    place = tmp_path / "home" / "mlplugin"
    assert f"no service answers, what is read is the history in {place}" in capsys.readouterr().err
    assert len(list(pages(NOBODY, data, None, wanted, 3))) == 3
    assert capsys.readouterr().err == ""


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("queries", "export"):
        assert main([command, "--service", NOBODY, "--data", str(tmp_path / "none")]) == 3
        error = capsys.readouterr().err
        assert "no service answers" in error
        assert "no history" in error
        assert error.count("\n") == 1
    assert main(["vet", "example.org", "benign", "--service", NOBODY]) == 3
    assert main(["queries", "--service", "ftp://127.0.0.1"]) == 3


def test_a_token_is_needed_and_given(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = assemble(open_store(None, data), load(TINY))
    server = Server(create_app(service, Access("a token of some length")), "127.0.0.1", 0)
    arguments = ["queries", "--service", f"http://127.0.0.1:{server.port}", "--limit", "1"]
    monkeypatch.delenv("MLPLUGIN_SERVICE_TOKEN", raising=False)
    with running(server.run, server.stop):
        assert main(arguments) == 3
        assert "MLPLUGIN_SERVICE_TOKEN" in capsys.readouterr().err
        monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", "a token of some length")
        assert main(arguments) == 0
    service.close()


def test_export_to_parquet(places: list[str], tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    assert main(["export", *places, "-o", str(target)]) == 0
    table = pyarrow.parquet.read_table(target)
    assert table.schema.equals(QUERIES)
    assert table["sequence"].to_pylist() == list(range(2501))
    assert table["answers"][0].as_py() == ["192.0.2.80"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_export_to_csv_and_json(
    places: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    target = tmp_path / "out.csv"
    assert main(["export", *places, "-o", str(target), "--domain", "example.net"]) == 0
    (row,) = csv.DictReader(io.StringIO(target.read_text()))
    assert (row["qname"], row["reason"], row["score"]) == ("bad.example.net", 'why, "really"', "41")
    assert main(["export", *places, "--client", "192.0.2.3"]) == 0
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    expected = [row["sequence"] for row in ROWS if row["client"] == "192.0.2.3"]
    assert [line["sequence"] for line in lines] == expected
    assert lines[0]["time"] == "2026-09-21T14:13:23Z"


def test_export_into_a_directory_that_is_not_there(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "none" / "q.csv"
    assert main(["export", *places, "-o", str(target)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert f"-o {target}: there is no directory {target.parent}" in line
    assert ".part" not in line


@pytest.mark.parametrize("name", ["q.xlsx", "q.csv.gz", "q.parq"])
def test_export_knows_no_other_endings(
    name: str, places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    assert main(["export", *places, "-o", str(target)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"the ending {target.suffix} says no form that there is" in line
    assert ".csv, .jsonl, .ndjson, .json, .parquet, or say the form with --format" in line
    assert not target.exists()
    assert main(["export", *places, "-o", str(target), "--format", "csv"]) == 0
    assert target.read_text().startswith('"')
    plain = tmp_path / "queries"
    assert main(["export", *places, "-o", str(plain)]) == 0
    assert json.loads(plain.read_text().splitlines()[0])["qname"]


def test_export_of_nothing_is_still_a_file(places: list[str], tmp_path: Path) -> None:
    target = tmp_path / "none.parquet"
    assert main(["export", *places, "-o", str(target), "--sensor", "none"]) == 0
    assert pyarrow.parquet.read_table(target).num_rows == 0


def test_csv_holds_no_formula(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Strangers choose names, and spreadsheets run what begins like a formula."""
    name = "=cmd|'/c.example.com"
    service = assemble(open_store(None, tmp_path), load(TINY))
    hostile = event(0, qname=name, registered_domain="example.com", answers=["-1+1.example.com"])
    service.ingest.take("@edge", ndjson([hostile]))
    service.close()
    place = ["--service", NOBODY, "--data", str(tmp_path), "--format", "csv"]
    target = tmp_path / "out.csv"
    assert main(["export", *place, "-o", str(target)]) == 0
    assert main(["queries", *place]) == 0
    for text in (target.read_text(), capsys.readouterr().out):
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["qname"] == f"'{name}"
        assert row["sensor"] == "'@edge"
        assert row["client"] == hostile["client"]


def test_a_named_service_is_not_traded_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queries", "--service", NOBODY]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no service answers" in captured.err


def test_no_proxy_sees_the_token(
    live: tuple[str, Service], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = live
    monkeypatch.setenv("http_proxy", NOBODY)
    monkeypatch.setenv("MLPLUGIN_SERVICE_TOKEN", "a-secret-of-twenty-characters")
    assert rows(capsys, "queries", "--service", url, "--limit", "1")


def test_vet_takes_no_wildcard(
    live: tuple[str, Service], capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = live
    assert main(["vet", "*.example.org", "blocked", "--service", url]) == 2
    assert "example.org covers everything below it" in capsys.readouterr().err


def test_vet_asks_twice_where_everybody_has_names(
    live: tuple[str, Service], capsys: pytest.CaptureFixture[str]
) -> None:
    url, service = live
    for name in (".", "com", "co.uk"):
        assert main(["vet", name, "blocked", "--service", url]) == 2
        assert "say --wide if that is meant" in capsys.readouterr().err
        assert main(["vet", name, "benign", "--scope", "name", "--service", url]) == 0
    assert {one.scope for one in service.vetting.all()} == {"name"}
    assert main(["vet", "com", "blocked", "--wide", "--service", url]) == 0
    assert "com" in {one.name for one in service.vetting.all() if one.scope == "subdomains"}
    for name in (".", "com", "co.uk"):
        assert main(["vet", name, "unvetted", "--service", url]) == 0


def test_a_reader_that_has_gone_is_no_service_that_has(live: tuple[str, Service]) -> None:
    url, _ = live
    with pytest.raises(BrokenPipeError), Client(url).open("/healthz"):
        raise BrokenPipeError


def test_export_leaves_nothing_half_done(places: list[str], tmp_path: Path) -> None:
    assert main(["export", *places, "-o", str(tmp_path / "no" / "place.csv")]) == 3
    assert list(tmp_path.iterdir()) == []


def test_vet(live: tuple[str, Service], capsys: pytest.CaptureFixture[str]) -> None:
    url, service = live

    def vet(*arguments: str) -> int:
        return main(["vet", *arguments, "--service", url])

    assert vet("Bad.Example.NET.", "blocked", "--reason", "a test", "--client", "192.0.2.7/24") == 0
    (override,) = service.vetting.all()
    assert (override.name, override.status, override.reason) == (
        "bad.example.net", "blocked", "a test",
    )  # fmt: skip
    assert "bad.example.net is blocked for 192.0.2.7/24" in capsys.readouterr().out
    assert vet("bad.example.net", "honeypot", "--for", "1h", "--scope", "name") == 0
    assert len(service.vetting.all()) == 2
    assert vet("bad.example.net", "unvetted", "--client", "192.0.2.9") == 2
    assert "for 192.0.2.9, but for 192.0.2.0/24, everyone" in capsys.readouterr().err
    assert vet("bad.example.net", "unvetted", "--client", "192.0.2.0/24") == 0
    assert vet("bad.example.net", "unvetted") == 0
    assert service.vetting.all() == []
    capsys.readouterr()
    for wrong in (
        ["bad.example.net", "unvetted"],
        ["bad.example.net", "evil"],
        ["a..b", "benign"],
        ["bad.example.net", "benign", "--for", "soon"],
        ["bad.example.net", "benign", "--client", "nobody"],
        ["bad.example.net", "unvetted", "--reason", "none"],
        ["benign"],
        ["-f", str(NO_LIST), "benign"],
        ["-f", "/dev/null", "benign"],
    ):
        assert vet(*wrong) == 2, wrong
        assert capsys.readouterr().err.count("\n") == 1


def test_vet_many(
    live: tuple[str, Service], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, service = live
    names = tmp_path / "names.txt"
    names.write_text("# of May\nOne.example.org.\n\ntwo.example.org # twice\none.example.org\n")
    more = ["-f", str(names), "three.example.org"]
    assert main(["vet", *more, "blocked", "--reason", "May", "--service", url]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"{name}.example.org is blocked" for name in ("three", "one", "two")
    ]
    assert told.err == ""
    assert {(one.name, one.reason) for one in service.vetting.all()} == {
        (f"{name}.example.org", "May") for name in ("one", "two", "three")
    }
    assert main(["vet", "two.example.org", "unvetted", "--service", url]) == 0
    capsys.readouterr()
    assert main(["vet", *more, "unvetted", "--service", url]) == 2
    told = capsys.readouterr()
    assert "two.example.org: nobody decided anything" in told.err
    assert "nothing was decided on 1 of 3 names" in told.err
    assert service.vetting.all() == []


def test_vet_reads_a_list_before_it_decides(
    live: tuple[str, Service], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, service = live
    names = tmp_path / "names.txt"
    for wrong in ("a..b", "https://evil.example/x", "com"):
        names.write_text(f"fine.example.org\n{wrong}\n")
        assert main(["vet", "-f", str(names), "blocked", "--service", url]) == 2
        assert service.vetting.all() == []
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert wrong in told
        assert (str(names) in told) == (wrong != "com")


def test_vet_reads_names_from_elsewhere(
    live: tuple[str, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, service = live
    zipped = tmp_path / "names.gz"
    zipped.write_bytes(gzip.compress(b"one.example.org\n"))
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"two.example.org\n")))
    )
    for source in (str(zipped), "-"):
        assert main(["vet", "-f", source, "honeypot", "--service", url]) == 0
    empty = ["-f", "/dev/null", "three.example.org"]
    assert main(["vet", *empty, "blocked", "--service", url]) == 0
    assert main(["vet", "com", "org", "benign", "--wide", "--service", url]) == 0
    assert {(one.name, one.status) for one in service.vetting.all()} == {
        ("one.example.org", "honeypot"), ("two.example.org", "honeypot"),
        ("three.example.org", "blocked"), ("com", "benign"), ("org", "benign"),
    }  # fmt: skip
    names = [one.name for one in service.vetting.all()]
    assert main(["vet", *names, "unvetted", "--service", url]) == 0
    assert service.vetting.all() == []


def test_vet_wants_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vet", "one.example.org", "two.example.org"]) == 2
    assert "The status comes last" in capsys.readouterr().err


def test_vet_tells_how_far_it_came(
    live: tuple[str, Service], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, service = live
    decide = service.vetting.decide

    def fail_later(name: str, *arguments: Any, **how: Any) -> Any:
        if name.startswith("two"):
            raise StoreUnavailableError("the disk is full")
        return decide(name, *arguments, **how)

    monkeypatch.setattr(service.vetting, "decide", fail_later)
    assert main(["vet", "one.example", "two.example", "blocked", "--service", url]) == 3
    told = "full; nothing was done about two.example and what follows it (1 of 2)"
    assert told in capsys.readouterr().err
    assert main(["vet", "one.example", "unvetted", "--service", url]) == 0


def test_vet_tells_of_popular_names(
    live: tuple[str, Service], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong block of a name that everybody needs is soon felt."""
    url, _ = live
    for names, said in (
        (["www.wikipedia.org"], "www.wikipedia.org has been popular for years"),
        (["bad.example.net"], ""),
        (["www.wikipedia.org", "--client", "192.0.2.1"], ""),
        (
            [f"{name}.org" for name in ("wikipedia", "debian", "python", "isc")],
            "wikipedia.org, debian.org, python.org and 1 more have been popular for years",
        ),
    ):
        assert main(["vet", *names, "blocked", "--service", url]) == 0
        told = capsys.readouterr().err
        assert said in told if said else not told
        assert (f"`mlplugin vet NAME unvetted --service {url}`" in told) == ("more" in said)
        assert main(["vet", *names, "unvetted", "--service", url]) == 0
        assert main(["vet", *names, "benign", "--service", url]) == 0
        assert capsys.readouterr().err == ""
        assert main(["vet", *names, "unvetted", "--service", url]) == 0
        capsys.readouterr()
