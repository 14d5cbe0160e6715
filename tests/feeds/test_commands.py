"""`mlplugin feeds`, as a command."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mlplugin.cli.feeds import feeds
from mlplugin.cli.fetching import say
from mlplugin.errors import MlpluginError
from mlplugin.feeds.table import public
from mlplugin.training.datasets import read
from tests.feeds.conftest import Answer, Site
from tests.feeds.samples import SAMPLES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "feeds.md"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(feeds, [str(part) for part in arguments])


def fetch(out: Path, *arguments: str) -> Result:
    return run("fetch", "--out", out, "--format", "jsonl", "--only", "tranco", *arguments)


def test_list() -> None:
    done = run("list", "--format", "jsonl")
    assert done.exit_code == 0, done.output
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(found) == set(public())
    assert found["openphish"]["usable"] is False
    assert found["urlhaus"]["kind"] == "malicious"
    assert found["urlhaus"]["threat"] == "malware"
    assert found["urlhaus"]["needs_key"] is True
    assert found["hsts-preload"]["kind"] == "benign"
    assert found["tranco"]["kind"] == "popularity"
    assert "CC BY 3.0" in run("list", "--format", "table").stdout


def test_fetch(site: Site, tmp_path: Path) -> None:
    tranco = site.serve("/tranco", Answer(SAMPLES["tranco"].body))
    hosts = site.serve("/hosts", Answer(b"0.0.0.0 bad.example.net\n"))
    gone = site.serve("/gone", Answer(status=404))
    done = fetch(
        tmp_path / "names",
        *("--add", f"name=tranco,url={tranco}"),
        *("--add", f"teaches=malware,format=hosts,url={hosts}"),
        *("--add", f"teaches=scam,url={gone}"),
        *("--since", "2020-01-01", "--timeout", "5", "--max-bytes", "1MB"),
    )
    assert done.exit_code == 0, done.output
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "tranco": "fetched",
        "hosts": "fetched",
        "gone": "failed",
    }
    assert done.stderr.splitlines() == [
        "mlplugin: tranco: 1 rows are malformed, such as ','",
        "mlplugin: gone: HTTP 404: it has moved or is gone",
    ]
    assert set(read(tmp_path / "names").names.texts()) == {
        *("example.com", "example.org", "bad.example.net")
    }


def test_nothing_can_be_fetched(site: Site, tmp_path: Path) -> None:
    gone = site.serve("/gone", Answer(status=404))
    done = fetch(tmp_path, "--add", f"name=tranco,url={gone}")
    assert isinstance(done.exception, MlpluginError)
    assert done.exception.exit_code == 3
    assert str(done.exception).startswith("no feed could be fetched (tranco: HTTP 404")


def test_only_older_copies(site: Site, tmp_path: Path) -> None:
    url = site.serve("/tranco", Answer(b"1,example.com\n"))
    assert fetch(tmp_path, "--add", f"name=tranco,url={url}").exit_code == 0
    site.serve("/tranco", Answer(status=404))
    done = fetch(tmp_path, "--add", f"name=tranco,url={url}")
    assert isinstance(done.exception, MlpluginError)
    assert done.exception.exit_code == 3
    assert re.search(r"tranco: HTTP 404: .*; the copy of \d{4}-\d\d-\d\d is used", done.stderr)
    assert read(tmp_path).names.texts() == ["example.com"]


def test_a_key_that_is_not_there(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLPLUGIN_FEEDS_ABUSECH_KEY", raising=False)
    url = site.serve("/tranco", Answer(b"1,example.com\n"))
    done = fetch(tmp_path, "--only", "urlhaus", "--add", f"name=tranco,url={url}")
    assert done.exit_code == 0, done.output
    assert "urlhaus: left out, it needs a key: set MLPLUGIN_FEEDS_ABUSECH_KEY" in done.stderr
    assert [path for path, _ in site.asked] == ["/tranco"]


def test_a_table(site: Site, tmp_path: Path) -> None:
    url = site.serve("/tranco", Answer(b"1,example.com\n"))
    table = tmp_path / "lists.toml"
    table.write_text(f'[tranco]\nurl = "{url}"\n[mine]\nteaches = "dga"\nurl = "mine.txt"\n')
    (tmp_path / "mine.txt").write_text("qwzx.example.net\n")
    out = tmp_path / "out"
    done = fetch(out, "--table", str(table))
    assert done.exit_code == 0, done.output
    assert sorted(read(out).files) == ["benign_popular", "dga_random"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "nonsense"], "no feed 'nonsense'"),
        (["--max-bytes", "many"], "--max-bytes: 'many' is no size"),
        (["--add", "nonsense"], "no key=value"),
        (["--add", "teaches=scam,url=a", "--add", "teaches=dga,url=a"], "two lists are called a"),
        (["--since", "yesterday"], "does not match the format"),
        (["--timeout", "0"], "not in the range"),
    ],
)
def test_usage(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = run("fetch", "--out", tmp_path / "out", *arguments)
    said = str(done.exception) + done.stderr
    assert says in said
    assert not (tmp_path / "out").exists()


def test_a_progress_bar_on_a_terminal(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    from mlplugin.cli.fetching import watched
    from mlplugin.feeds.fetch import Report

    with watched(2) as watcher:
        watcher.came(3_000_000)
        watcher.done(Report(public()["tranco"], error="HTTP 404"))
    shown = capfd.readouterr().err
    assert "3.0 MB" in shown
    assert "tranco: HTTP 404" in shown


def test_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    say("a\nb")
    assert capfd.readouterr().err == "mlplugin: a b\n"


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("mlplugin feeds ")]


def test_the_document_shows_commands() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize("line", commands())
def test_the_document_shows_what_works(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options are read as a user's are, by the command and by the table; nothing is fetched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists.toml").write_text(toml_of_the_document())
    ordered: list[object] = []
    monkeypatch.setattr("mlplugin.feeds.fetch.fetch", lambda order, _: ordered.append(order) or [])
    words = shlex.split(line, comments=True)[2:]
    done = CliRunner().invoke(feeds, words)
    fetched = words[0] == "fetch"
    assert len(ordered) == fetched
    if not fetched:
        assert done.exit_code == 0, done.output


def toml_of_the_document() -> str:
    return "".join(re.findall(r"^```toml\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S))


def test_the_document_names_every_feed_format_and_key() -> None:
    text = DOCUMENT.read_text()
    from mlplugin.feeds.table import FILES, FORMATS

    for name in (*public(), *FORMATS, *FILES):
        assert f"`{name}`" in text, name
    for feed in public().values():
        assert f"MLPLUGIN_FEEDS_{feed.secret}" in text
        row = next(line for line in text.splitlines() if line.startswith(f"| `{feed.name}` "))
        assert f"| {'yes' if feed.usable else '**no**'} |" in row
        assert f"[{feed.licence}]({feed.licence_url})" in row


def test_help_has_options_with_help() -> None:
    for command in (feeds, *feeds.commands.values()):
        assert isinstance(command, click.Command)
        assert "Example" in CliRunner().invoke(command, ["--help"]).stdout
