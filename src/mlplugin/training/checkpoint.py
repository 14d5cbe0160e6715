"""The run directory: what an interrupted training run needs to go on.

It holds ``run.json``, which says what is trained from what, and for each fit the two newest
checkpoints. Every file is written beside its place, flushed to the disk and renamed, so that
a crash, a full disk or a power cut leaves either the old file or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mlplugin.errors import MlpluginError, UsageError
from mlplugin.training import fit
from mlplugin.training.descent import Samples, Weights
from mlplugin.training.windows import LookWeights

FORMAT = 1
KEPT = 2  # checkpoints of a fit: the newest and one to fall back to
MANIFEST, LOCK, MODEL = "run.json", "lock", "model"
_WEIGHT = "weight."
Tell = Callable[[str], None]
Kind = type[Weights] | type[LookWeights]


@dataclass
class State:
    """A fit between two stretches.

    Attributes:
        weights: as they are.
        random: the state of the compiled loop's generator.
        sums: loss and samples of this pass; a row a threat, the last for benign names.
        number: the pass, counted from 0; the number of passes once all are done.
        done: samples of this pass.
    """

    weights: Any
    random: NDArray[np.uint64]
    sums: NDArray[np.float64]
    number: int
    done: int


def code() -> str:
    """A digest of what makes other bits of the same samples: code, compiler, processor.

    Sums are added up in the order that suits the vectors of the processor.
    """
    processor = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    digest = hashlib.sha256(f"{FORMAT} {numba.__version__} {np.__version__} {processor}".encode())
    for module in ("grams", "descent", "windows", "fit", "learners", "loop"):
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return digest.hexdigest()


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """The digest of each file by its name."""
    found = {}
    for path in paths:
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def identity(what: str, made: Samples, lenders: NDArray[np.int64], recipe: fit.Recipe) -> str:
    """A digest of everything that decides the weights of a network: samples, recipe, code."""
    digest = hashlib.sha256(f"{what} {code()}".encode())
    digest.update(json.dumps(asdict(recipe), sort_keys=True).encode())
    for array in (*made, lenders):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class RunDirectory:
    """A folder beside the model directory that is to be; one process at a time."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, manifest: Mapping[str, Any], *, restart: bool) -> RunDirectory:
        """Make the folder, or go on with one that has the same manifest.

        Args:
            folder: the run directory.
            manifest: what is trained from what; JSON values.
            restart: throw away what an earlier run left there.

        Raises:
            UsageError: if it cannot be written, holds something else, is in use by another
                process, or belongs to a run from other data, recipe or code.
        """
        found = cls(folder, _locked(folder))
        try:
            if restart:
                found._empty()
            found._claim(manifest)
        except BaseException:
            found.close()
            raise
        return found

    def _claim(self, manifest: Mapping[str, Any]) -> None:
        """Refuse what others learnt; a folder where nothing was learnt is anybody's."""
        path = self.folder / MANIFEST
        if self.saved:
            try:
                differing = differences(json.loads(path.read_bytes()), manifest)
            except (OSError, ValueError) as error:
                raise UsageError(f"{path} cannot be read: --restart begins anew") from error
            if differing:
                raise UsageError(
                    f"{self.folder} is of another run ({'; '.join(differing)}): --restart begins "
                    "anew, another --out keeps it"
                )
        write_safely(path, (json.dumps(manifest, indent=2) + "\n").encode())

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.name == LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def keeper(self, name: str, kind: Kind, tell: Tell) -> Keeper:
        """Where the fit with this identity keeps its checkpoints, of this kind of weights."""
        return Keeper(self.folder / name[:16], name, kind, tell)

    @property
    def model(self) -> Path:
        """Where the model directory is made."""
        return self.folder / MODEL

    @property
    def saved(self) -> bool:
        """Whether there is any checkpoint."""
        found = self.folder.glob("*/*.safetensors")
        return any(path.parent != self.model for path in found)

    def clear_model(self) -> None:
        """Remove what a run that did not reach its end has of the model directory."""
        shutil.rmtree(self.model, ignore_errors=True)

    def discard(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self, out: Path) -> None:
        """Move the finished model to its place in one step, and remove the rest.

        Raises:
            OSError: if that fails; the model then stays where it was made.
        """
        for path in self.model.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        try:
            self.model.rename(out)
        except OSError as error:
            if error.errno not in {errno.EBUSY, errno.EXDEV}:
                raise
            # The directory is a mount point, which nothing can be renamed to.
            shutil.copytree(self.model, out, dirs_exist_ok=True)
        _sync(out.parent)
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Let another process use the folder."""
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """Make the folder if need be, and keep other processes out of it."""
    try:
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: {error.strerror}: name a directory with --out "
            "beside which you may write"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise UsageError(
            f"{folder}: another training run is at work there: wait for it, or name another "
            "directory with --out"
        ) from error
    return lock


def _refuse_foreign(folder: Path) -> None:
    """A folder that is no run directory is nothing to write in, let alone to empty."""
    known = {MANIFEST, LOCK}
    if folder.exists():
        names = {path.name for path in folder.iterdir()}
        if names and not names & known:
            raise UsageError(f"{folder} is no run directory: move it, or name another --out")


def differences(before: Any, now: Mapping[str, Any]) -> list[str]:
    """What two manifests do not share, in words."""
    if not isinstance(before, dict):
        return ["it cannot be read"]
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += _changes(key, old, new)
        else:
            found.append(f"other {key}")
    return found


def _changes(key: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = []
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        if key == "data":
            verb = "is new" if name not in old else "is gone" if name not in new else "differs"
            found.append(f"{name} {verb}")
        else:
            found.append(f"{name} was {old.get(name)}, is {new.get(name)}")
    return found


class Keeper:
    """The checkpoints of one fit."""

    def __init__(self, folder: Path, name: str, kind: Kind, tell: Tell) -> None:
        self.folder = folder
        self.name = name
        self._kind = kind
        self._tell = tell

    def latest(self) -> State | None:
        """The newest checkpoint that is whole, if any; damaged ones are passed over."""
        for path in reversed(self._paths()):
            try:
                return _read(path, self.name, self._kind)
            except (OSError, ValueError, SafetensorError) as error:
                reason = " ".join(str(error).split())
                self._tell(f"{path}: damaged ({reason}); passed over")
        return None

    def save(self, state: State) -> Path:
        """Write a checkpoint, then remove all but the newest ``KEPT``.

        Raises:
            MlpluginError: if it cannot be written; those before are left as they are.
        """
        tensors = {f"{_WEIGHT}{name}": value for name, value in state.weights._asdict().items()}
        tensors |= {"random": state.random, "sums": state.sums}
        tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        metadata = {
            "fit": self.name,
            "pass": str(state.number),
            "done": str(state.done),
            "sha256": _digest(tensors, self.name, state.number, state.done),
        }
        path = self.folder / f"{state.number:04}-{state.done:012}.safetensors"
        try:
            self.folder.mkdir(exist_ok=True)
            write_safely(path, save(tensors, metadata))
            for old in self._paths()[:-KEPT]:
                old.unlink()
        except OSError as error:
            raise MlpluginError(
                f"{path}: no checkpoint can be written: {error.strerror}; those before are whole: "
                "make room, then the same command goes on"
            ) from error
        return path

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))


def _read(path: Path, name: str, kind: Kind) -> State:
    with safe_open(path, framework="numpy") as file:
        about = file.metadata() or {}
        # Copies: the loop writes to them.
        tensors = {key: np.array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    number, done = int(about.get("pass", -1)), int(about.get("done", -1))
    if about.get("fit") != name:
        raise ValueError("it is of another fit")
    if about.get("sha256") != _digest(tensors, name, number, done):
        raise ValueError("its digest is wrong")
    random, sums = tensors.pop("random"), tensors.pop("sums")
    weights = kind(**{key.removeprefix(_WEIGHT): value for key, value in tensors.items()})
    return State(weights, random, sums, number, done)


def _digest(tensors: Mapping[str, NDArray[Any]], name: str, number: int, done: int) -> str:
    digest = hashlib.sha256(f"{name} {number} {done}".encode())
    for key in sorted(tensors):
        digest.update(f"{key} {tensors[key].dtype} {tensors[key].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[key]).data)
    return digest.hexdigest()


def write_safely(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        OSError: if it cannot be written; a file that stood there stays.
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
