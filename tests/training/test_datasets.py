"""Reading labelled names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlplugin.errors import UsageError
from mlplugin.training import datasets
from mlplugin.training.names import from_texts, join
from mlplugin.training.suffixes import parse
from tests.training.conftest import HEADER, table


def test_reads_every_file(labelled: Path) -> None:
    data = datasets.read(labelled)
    assert data.files == ("benign_fqdn", "benign_popular", "dga_random", "mal_phishing")
    first = data.names.text(0)
    assert first.split(".")[0] in {"www", "mail", "api", "cdn-7"}
    assert set(data.target[data.of_file("dga_random")].tolist()) == {0}
    assert set(data.target[data.of_file("mal_phishing")].tolist()) == {3}
    assert set(data.target[data.of_file("benign")].tolist()) == {datasets.BENIGN}
    seen = data.first_seen[data.of_file("dga_random")]
    assert set(seen.astype(str).tolist()) == {"2015-01-01"}


def test_plain_and_gzip_are_the_same(labelled: Path, tmp_path: Path) -> None:
    import gzip

    for path in labelled.iterdir():
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
    assert datasets.read(tmp_path).names.texts() == datasets.read(labelled).names.texts()


def test_an_empty_date_is_no_date(tmp_path: Path) -> None:
    table(tmp_path, "benign_hard", [("a.example.org", "benign", "hard", "", "", "SYNTHETIC")])
    assert np.isnat(datasets.read(tmp_path).first_seen).all()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nothing.txt", "", "no *.tsv"),
        ("benign.tsv", "name\tlabel\nexample.org\tbenign\n", "columns are not"),
        ("odd.tsv", HEADER + "example.org\tmalicious\tx\t\t\ty\n", "malicious names in a file"),
        ("benign.tsv", HEADER + "example.org\n", "no row can be used: 1 with not 6 columns"),
        ("benign.tsv", "", "not a TSV"),
    ],
)
def test_refuses(name: str, content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as caught:
        datasets.read(tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_rows_are_counted_and_named(tmp_path: Path) -> None:
    good = "\tbenign\tx\t\t2020-02-29\tx\n"
    rows = [f"a.example.org{good}", "only\ttwo\n", f"a\\.b.\\007.example.org{good}"]
    names = ["UPPER.example", ".example", "example.", "a..example", "b c.example", "x" * 1021, ""]
    rows += [f"{name}{good}" for name in names]
    rows += ["c.example\tgood\tx\t\t\tx\n", "d.example\tbenign\tx\t\t2021-02-29\tx\n"]
    (tmp_path / "benign.tsv").write_text(HEADER + "".join(rows))
    told: list[str] = []
    data = datasets.read(tmp_path, told.append)
    assert data.names.texts() == ["a.example.org", "a\\.b.\\007.example.org"]
    assert told == [
        f"{tmp_path}/benign.tsv: rows left out: 1 with not 6 columns (line 3); "
        "7 with no canonical name ('UPPER.example', ...); "
        "1 with a label that is neither benign nor malicious ('c.example'); "
        "1 with a date that is not YYYY-MM-DD ('d.example')"
    ]


def test_taking_and_joining_names() -> None:
    texts = ["a.example.org", "b.example", "\\007.example.net"]
    names = from_texts(texts)
    assert names.texts() == texts
    assert names.take(np.array([2, 0])).texts() == [texts[2], texts[0]]
    assert join([names, from_texts([]), names]).texts() == texts * 2


def test_split_is_that_of_the_public_suffix_algorithm() -> None:
    rules = parse(
        ["com", "uk", "co.uk", "*.ck", "!www.ck", "// ===BEGIN PRIVATE DOMAINS===", "pages.dev"]
    )
    texts = {
        "a.b.example.com": ("a.b", "example", "com"),
        "example.co.uk": ("", "example", "co.uk"),
        "x.y.foo.ck": ("x", "y", "foo.ck"),
        "x.www.ck": ("x", "www", "ck"),
        "me.pages.dev": ("", "me", "pages.dev"),
        "host.unknown": ("", "host", "unknown"),
        "a\\.b.example.com": ("a\\.b", "example", "com"),
    }
    names = from_texts(list(texts))
    at = datasets.split(names, rules)
    for row, (name, expected) in enumerate(texts.items()):
        label, suffix = at.label_at[row], at.suffix_at[row]
        found = (name[: max(label - 1, 0)], name[label : suffix - 1], name[suffix:])
        assert found == expected
    assert datasets.split(from_texts(["com", "co.uk"]), rules).label_at.tolist() == [-1, -1]
    private = int(at.rule[list(texts).index("me.pages.dev")])
    assert rules.texts[private] == "pages.dev"
    assert rules.flags[private] == 1 | 8
