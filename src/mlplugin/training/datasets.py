"""Labelled names from files: gzip or plain TSV with the columns that are listed below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from mlplugin.errors import UsageError
from mlplugin.training.grams import split_all
from mlplugin.training.names import Names, join
from mlplugin.training.suffixes import Rules

COLUMNS = ("name", "label", "category", "family", "first_seen", "source")
THREATS = ("dga", "dga_dictionary", "malware", "phishing", "scam", "tunnel")
BENIGN = -1

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


def read(folder: Path) -> Labelled:
    """Read every ``*.tsv`` and ``*.tsv.gz`` of a folder, in the order of their names.

    Raises:
        UsageError: if there is none, or one has other columns, or the label of a file of
            malicious names is none that a head knows.
    """
    paths = sorted([*folder.glob("*.tsv"), *folder.glob("*.tsv.gz")])
    if not paths:
        raise UsageError(f"{folder}: no *.tsv or *.tsv.gz files; name the folder of labelled names")
    stems = tuple(path.name.split(".")[0] for path in paths)
    tables = [_table(path) for path in paths]
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


def _table(path: Path) -> pa.Table:
    try:
        table = pc.read_csv(
            path,
            parse_options=pc.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path}: not a TSV of labelled names: {reason}") from error
    if table.column_names != list(COLUMNS):
        raise UsageError(f"{path}: the columns are not {' '.join(COLUMNS)}")
    return table


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
