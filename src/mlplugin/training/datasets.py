"""Labelled names from files: gzip or plain TSV with the columns that are listed below."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from mlplugin.errors import UsageError
from mlplugin.training.grams import split_all
from mlplugin.training.names import Names, join
from mlplugin.training.suffixes import Rules

COLUMNS = ("name", "label", "category", "family", "first_seen", "source")
THREATS = ("dga", "dga_dictionary", "malware", "phishing", "scam", "tunnel")
BENIGN = -1
LONGEST_NAME = 1020  # bytes: 255 of the wire, all of them escaped

# Lower case, no dot at either end; bytes that do not print are escaped by their number.
_LABEL = r"(?:\\[0-9]{3}|\\[!-/:-~]|[!-\-/-@\[\]-~])+"
_CANONICAL = rf"^{_LABEL}(?:\.{_LABEL})*$"

# The head that a file of malicious names teaches, by the start of the file's name.
_HEADS = {
    "dga_dictionary": 1,
    "dga": 0,
    "mal_malware": 2,
    "mal_phishing": 3,
    "mal_scam": 4,
    "tunnel": 5,
}


@dataclass(frozen=True)
class Labelled:
    """Names with their columns; text columns as codes into their lists of values."""

    names: Names
    file: NDArray[np.int16]
    files: tuple[str, ...]
    target: NDArray[np.int8]
    family: NDArray[np.int32]
    families: tuple[str, ...]
    category: NDArray[np.int32]
    categories: tuple[str, ...]
    first_seen: NDArray[np.datetime64]
    source: NDArray[np.int32]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def of_file(self, *prefixes: str) -> NDArray[np.bool_]:
        """Which rows come from files whose name starts so."""
        chosen = [code for code, name in enumerate(self.files) if name.startswith(prefixes)]
        return np.isin(self.file, chosen)


@dataclass(frozen=True)
class Splits:
    """Where names split and which rule matched, see :func:`mlplugin.training.grams.split_all`."""

    label_at: NDArray[np.int32]
    suffix_at: NDArray[np.int32]
    rule: NDArray[np.int32]
    domain: NDArray[np.uint64]


def split(names: Names, rules: Rules) -> Splits:
    """Split names by the rules."""
    return Splits(*split_all(names.blob, names.offsets, rules.hashes, rules.flags))


def labelled_files(folder: Path) -> list[Path]:
    """Every ``*.tsv`` and ``*.tsv.gz`` of a folder, in the order of their names.

    Raises:
        UsageError: if there is none.
    """
    paths = sorted([*folder.glob("*.tsv"), *folder.glob("*.tsv.gz")])
    if not paths:
        raise UsageError(f"{folder}: no *.tsv or *.tsv.gz files; name the folder of labelled names")
    return paths


def read(folder: Path, tell: Callable[[str], None] = lambda _: None) -> Labelled:
    """Read the labelled files of a folder.

    Args:
        folder: see :func:`labelled_files`.
        tell: is told of each file with rows that cannot be used, how many and why.

    Raises:
        UsageError: if there is none, or one has other columns or no row that can be used, or
            the label of a file of malicious names is none that a head knows.
    """
    paths = labelled_files(folder)
    stems = tuple(path.name.split(".")[0] for path in paths)
    tables = [_table(path, tell) for path in paths]
    counts = [len(table) for table in tables]
    target = np.concatenate(
        [_targets(table, path) for table, path in zip(tables, paths, strict=True)]
    )
    family, families = _codes([table["family"] for table in tables])
    category, categories = _codes([table["category"] for table in tables])
    source, sources = _codes([table["source"] for table in tables])
    first_seen = np.concatenate([_dates(table["first_seen"]) for table in tables])
    return Labelled(
        join([_names(table["name"]) for table in tables]),
        np.repeat(np.arange(len(paths), dtype=np.int16), counts),
        stems,
        target,
        family,
        families,
        category,
        categories,
        first_seen,
        source,
        sources,
    )


def _table(path: Path, tell: Callable[[str], None]) -> pa.Table:
    """The rows of a file that can be used; the others are counted and told of."""
    bad: dict[str, list[str]] = {}

    def skip(row: csv.InvalidRow) -> str:
        bad.setdefault(f"not {len(COLUMNS)} columns", []).append(f"line {row.number}")
        return "skip"

    try:
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),  # or rows have no numbers
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, invalid_row_handler=skip
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path}: not a TSV of labelled names: {reason}") from error
    if table.column_names != list(COLUMNS):
        raise UsageError(f"{path}: the columns are not {' '.join(COLUMNS)}")
    usable = _usable(table, bad)
    if bad:
        reasons = "; ".join(
            f"{len(rows):,} with {reason} ({rows[0]}{', ...' if len(rows) > 1 else ''})"
            for reason, rows in bad.items()
        )
        if not len(usable):
            raise UsageError(f"{path}: no row can be used: {reasons}")
        tell(f"{path}: rows left out: {reasons}")
    return usable


def _usable(table: pa.Table, bad: dict[str, list[str]]) -> pa.Table:
    """The rows whose fields can be read; ``bad`` gets the names of the others."""
    checks = {
        "no canonical name": pc.and_(
            pc.match_substring_regex(table["name"], _CANONICAL),
            pc.less_equal(pc.binary_length(table["name"]), LONGEST_NAME),
        ),
        "a label that is neither benign nor malicious": pc.is_in(
            table["label"], pa.array(["benign", "malicious"])
        ),
        "a date that is not YYYY-MM-DD": pc.is_in(table["first_seen"], _days(table["first_seen"])),
    }
    for reason, passed in checks.items():
        failed = table["name"].filter(pc.invert(passed)).to_pylist()
        if failed:
            bad[reason] = [ascii(name)[:80] for name in failed]
    if not any(reason in bad for reason in checks):
        return table
    return table.filter(functools.reduce(pc.and_, checks.values()))


def _days(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column that are dates, or empty."""
    texts = column.unique().to_pylist()
    return pa.array([text for text in texts if not text or _is_day(text)], pa.string())


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _targets(table: pa.Table, path: Path) -> NDArray[np.int8]:
    malicious = np.array([text == "malicious" for text in table["label"].to_pylist()])
    head = next((head for start, head in _HEADS.items() if path.name.startswith(start)), None)
    if head is None and malicious.any():
        starts = ", ".join(_HEADS)
        raise UsageError(f"{path}: malicious names in a file that starts with none of {starts}")
    return np.where(malicious, BENIGN if head is None else head, BENIGN).astype(np.int8)


def _names(column: pa.ChunkedArray) -> Names:
    parts = []
    for chunk in column.chunks:
        _, edges, data = chunk.buffers()
        offsets = np.frombuffer(edges, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        blob = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
        parts.append(Names(blob, (offsets - offsets[0]).astype(np.int64)))
    return join(parts)


def _codes(columns: Sequence[pa.ChunkedArray]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    chunks = [chunk for column in columns for chunk in column.chunks]
    whole = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    return whole.indices.to_numpy(zero_copy_only=False), tuple(whole.dictionary.to_pylist())


def _dates(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    codes, texts = _codes([column])
    values = np.array([text or "NaT" for text in texts], "datetime64[D]")
    return values[codes] if len(texts) else np.empty(0, "datetime64[D]")
