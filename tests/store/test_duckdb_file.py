"""The embedded store's file: what stops a start, what a full disk does, what SIGKILL leaves."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from mlplugin.errors import StoreError
from mlplugin.store import open_store, schema
from mlplugin.store.duckdb_file import DuckDBFile
from mlplugin.store.duckdb_store import FILE, DuckDBStore
from mlplugin.store.port import Appended, Filter, StoreBusyError, StoreUnavailableError
from tests.support.events import event, table
from tests.support.threads import ended


def filled(data: Path, count: int = 10) -> Path:
    """A closed store with events; the path of its file."""
    store = DuckDBStore(data)
    store.append("one", table(event(n) for n in range(count)))
    store.close()
    return data / FILE


def refusal(data: Path, *, read_only: bool = False) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(None, data, read_only=read_only)
    text = str(caught.value)
    assert "\n" not in text
    return text


def with_main_header(path: Path, storage_version: int) -> None:
    """Write another storage version into the first block, with the checksum to it."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 12, storage_version)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", bytes(content[8:4096])):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    struct.pack_into("<Q", content, 0, checksum)
    path.write_bytes(content)


def test_a_newer_duckdb(tmp_path: Path) -> None:
    with_main_header(filled(tmp_path), 1000)  # 999 says: see the next header
    text = refusal(tmp_path)
    assert "newer DuckDB" in text
    assert "1000" in text
    assert "upgrade" in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"this is no database" * 1000,
        lambda _: b"",
        lambda content: content[:100],
        lambda content: content[: len(content) // 2],
        lambda content: content[:5000] + b"\xff" + content[5001:],
        lambda content: content[:12288] + bytes(len(content) - 12288),
    ],
    ids=[
        "another file",
        "empty",
        "a stub",
        "half",
        "a bit of the header",
        "zeros behind the headers",
    ],
)
def test_a_damaged_file(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = filled(tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    # Where the damage is in no block that is read on opening, it shows on reading.
    with pytest.raises(StoreError, match=r"is damaged .* move it away"):
        DuckDBStore(tmp_path).search(Filter(), 100)


def test_a_newer_mlplugin(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE mlplugin SET version = 99")
    assert "newer mlplugin" in refusal(tmp_path)
    assert "99" in refusal(tmp_path, read_only=True)


def test_another_programs_database(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE songs (title VARCHAR)")
    assert "another program" in refusal(tmp_path)


def test_a_file_that_is_locked(tmp_path: Path) -> None:
    path = filled(tmp_path)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); input()",
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        for read_only in (False, True):
            text = refusal(tmp_path, read_only=read_only)
            assert f"in use by process {holder.pid}" in text
            assert "--data" in text
        holder.kill()
    assert DuckDBStore(tmp_path).search(Filter(), 1).total == 10


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in refusal(tmp_path)
    tmp_path.chmod(0o700)


def test_a_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "cannot be made" in refusal(tmp_path / "data")


def test_nothing_there_to_read(tmp_path: Path) -> None:
    assert "there is no history" in refusal(tmp_path / "none", read_only=True)


@pytest.mark.parametrize("url", ["redis://localhost", "duckdb:", "nonsense", "duckdb://host/path"])
def test_unknown_stores(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not known"):
        open_store(url, tmp_path)


def test_another_directory_by_url(tmp_path: Path) -> None:
    filled(tmp_path / "with space")
    store = open_store(f"duckdb://{tmp_path}/with%20space", tmp_path)
    assert store.size().rows == 10
    store.close()


# Durability

WRITER = """
import sys
from pathlib import Path
from mlplugin.store.duckdb_store import DuckDBStore
from tests.support.events import event, table
store = DuckDBStore(Path(sys.argv[1]))
at = 0
while True:
    store.append("one", table(event(n) for n in range(at, at + 50)))
    at += 50
    print(at, flush=True)
"""


def test_what_is_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    for _ in range(2):  # the second start finds the log of the first
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer:
            acknowledged = 0
            while acknowledged < 1000:
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = int(([acknowledged, *writer.stdout.read().split()])[-1])
        reader = DuckDBStore(tmp_path, read_only=True)
        assert reader.size().rows >= acknowledged
        reader.close()
        store = DuckDBStore(tmp_path)
        stored = store.size().rows
        assert stored % 50 == 0, "a batch is there whole or not at all"
        again = store.append("one", table(event(n) for n in range(stored + 10)))
        assert again == Appended(10, stored)
        store.close()
        (tmp_path / FILE).unlink()


# A full disk


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A file system of its own; skips the test where this user may mount none."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take up all space but `leave` bytes."""
    ballast = folder / "ballast"
    disk = os.statvfs(folder)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - leave)
    return ballast


@pytest.mark.parametrize("leave", [0, 1 << 16, 1 << 20, 4 << 20])
def test_a_full_disk(leave: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if leave:  # let DuckDB itself run into it
        monkeypatch.setattr("mlplugin.store.duckdb_file.RESERVE_BYTES", 0)
    with small_disk(tmp_path / "disk", 32):
        store = DuckDBStore(tmp_path / "disk")
        known = store.append("one", table(event(n) for n in range(1000))).stored
        ballast = fill(tmp_path / "disk", leave)
        batch, failed = known, ""
        while not failed and batch < 400_000:
            try:
                batch += store.append(
                    "one",
                    table(
                        event(n, qname=f"n{n * 7919 % 99991}.example.org", duration=n * 31 % 65521)
                        for n in range(batch, batch + 5000)
                    ),
                ).stored
            except StoreUnavailableError as fault:
                failed = str(fault)
        assert "make space" in failed
        assert store.search(Filter(), 1).total == batch, "readers go on"
        with pytest.raises(StoreUnavailableError):
            store.append("one", table(event(n) for n in range(batch, batch + 100_000)))
        assert store.stats(Filter()).queries == batch
        ballast.unlink()
        more = store.append("one", table(event(n) for n in range(batch + 5000)))
        assert more == Appended(5000, batch), "it goes on without a restart"
        store.close()
        store = DuckDBStore(tmp_path / "disk")
        assert store.size().rows == batch + 5000
        store.close()


def test_a_file_size_limit(tmp_path: Path) -> None:
    """As on a full disk, but for those who may not mount one; in this very process."""
    store = DuckDBStore(tmp_path)
    store.append("one", table(event(n) for n in range(100)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                store.append("one", table(event(n) for n in range(200)))
            assert store.stats(Filter()).queries == 100
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.append("one", table(event(n) for n in range(200))) == Appended(100, 100)
    store.close()


def test_columns_in_another_order_and_of_another_type(tmp_path: Path) -> None:
    """The store has planned for one schema, and takes no column for another."""
    store = DuckDBStore(tmp_path)
    batches = [table(event(n) for n in range(at, at + 10)) for at in (0, 10, 20)]
    turned = batches[1].select(batches[1].schema.names[::-1])
    large = batches[2].set_column(
        batches[2].schema.get_field_index("qname"),
        "qname",
        batches[2]["qname"].cast(pa.large_string()),
    )
    for batch in (batches[0], turned, large):
        assert store.append("one", batch) == Appended(10, 0)
    found = store.search(Filter(), 30).rows
    assert {row["qname"] for row in found} == {event(0)["qname"]}
    assert [row["sequence"] for row in found] == list(range(29, -1, -1))
    store.close()


def test_reopened_after_duckdb_gave_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fatal fault makes every connection useless: the file is opened anew under the readers."""
    store = DuckDBStore(tmp_path)
    store.append("one", table(event(n) for n in range(100)))

    def fatal(*_: object) -> None:
        raise duckdb.FatalException("FATAL Error: database has been invalidated")

    monkeypatch.setattr("mlplugin.store.duckdb_append.Appending.insert", fatal)
    root = store._file._root
    with pytest.raises(StoreUnavailableError):
        store.append("one", table(event(n) for n in range(200)))
    monkeypatch.undo()
    assert store._file._root is not root
    assert store.search(Filter(), 1).total == 100
    assert store.append("one", table(event(n) for n in range(200))) == Appended(100, 100)
    store.close()


def test_readers_while_it_is_written_and_reopened(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)
    wrong: list[object] = []
    running = threading.Event()
    running.set()

    def read() -> None:
        last = 0
        while running.is_set():
            try:
                total = store.search(Filter(), 10).total
            except StoreUnavailableError:
                continue  # interrupted by the opening
            if total < last or total % 100:
                wrong.append((last, total))
            last = total

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for at in range(0, 4000, 100):
        store.append("one", table(event(n) for n in range(at, at + 100)))
        if at % 1000 == 0:
            store._file._reopen()
    running.clear()
    ended(readers)
    assert wrong == []
    assert store.size().rows == 4000
    store.close()


def test_the_space_of_deleted_events_is_used_again(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)

    def round_of(start: int) -> int:
        for at in range(start, start + 250_000, 50_000):
            store.append(
                "one",
                table(
                    event(n, qname=f"n{n * 7919 % 999_983}.example.org", duration=n * 31 % 65521)
                    for n in range(at, at + 50_000)
                ),
            )
        while store.size().rows > 250_000:
            store.trim(None, 0 if store.size().rows > 250_000 else None)
        return (tmp_path / FILE).stat().st_size

    sizes = [round_of(start) for start in range(0, 1_250_000, 250_000)]
    assert sizes[-1] < sizes[1] * 1.3, sizes
    store.close()


def test_a_reader_does_not_make_retention_take_everything(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)
    for at in range(0, 400_000, 50_000):
        store.append(
            "one",
            table(
                event(n, qname=f"n{n * 7919 % 999_983}.example.org", duration=n * 31 % 65521)
                for n in range(at, at + 50_000)
            ),
        )
    store._file.checkpoint()
    bound = store.size().bytes * 2 // 3
    with store._file.reading() as reader:
        reader.execute("SELECT count(*) FROM events").fetchone()
        for _ in range(3):
            with pytest.raises(StoreBusyError, match="being read"):
                store.trim(None, bound)
        store._delete("rowid < ?", 1000)  # what age takes meanwhile
    while store.trim(None, bound):
        pass
    size = store.size()
    assert size.bytes <= bound, "it goes on when the reader is gone"
    assert size.rows > 100_000
    store.close()


def test_a_start_frees_what_was_deleted_before_it_takes_more(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path)
    for at in range(0, 400_000, 50_000):
        store.append(
            "one",
            table(
                event(n, qname=f"n{n * 7919 % 999_983}.example.org", duration=n * 31 % 65521)
                for n in range(at, at + 50_000)
            ),
        )
    store.close()
    store = DuckDBStore(tmp_path)
    large = store.size().bytes
    assert store._trim_oldest() == 122_880
    assert store.trim(None, large - 1) == 0, "the space of the step before is enough"
    assert store.size().rows == 400_000 - 122_880
    assert store.size().bytes < large
    store.close()


def test_a_file_of_the_first_version_is_brought_up(tmp_path: Path) -> None:
    """Its events stay as they are, and new ones have what is new."""
    place = tmp_path / FILE
    with duckdb.connect(place) as old:
        old.execute("CREATE TABLE mlplugin (version INTEGER NOT NULL)")
        old.execute("INSERT INTO mlplugin VALUES (1)")
        old.execute(schema.MIGRATIONS[0])
        old.execute("INSERT INTO sensors VALUES (0, 'one')")
        old.execute("INSERT INTO sequences VALUES (0, 0, 0)")
        old.execute(
            "INSERT INTO events VALUES (now()::TIMESTAMP, 0, 0, '192.0.2.1', 'udp', 'example.org', "
            "11, 'A', 'NOERROR', NULL, 1, 'benign', NULL, 0, 'model', '1', 'observe', NULL)"
        )
    with pytest.raises(StoreError):
        DuckDBStore(tmp_path, read_only=True)  # it would have to be written
    store = DuckDBStore(tmp_path)
    row = event(1, shadow_verdict="malicious", shadow_score=41.5, shadow_model="2.0")
    store.append("one", table([row]))
    told = {row["sequence"]: row["shadow_verdict"] for row in store.search(Filter(), 10).rows}
    assert told == {0: None, 1: "malicious"}
    store.close()


def test_no_progress_is_drawn_into_the_log(tmp_path: Path) -> None:
    file = DuckDBFile(tmp_path / "history.duckdb")
    for give in (file.reading, file.writing):
        with give() as connection:
            asked = connection.execute("SELECT current_setting('enable_progress_bar')")
            assert asked.fetchone() == (False,)
    file.close()
