"""Which CoreDNS to run: named by the environment, carried by the wheel, cached, or built now."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

import mlplugin
from mlplugin.bundled import source, toolchain
from mlplugin.bundled.build import Progress, Report, compile_coredns
from mlplugin.bundled.toolchain import BuildError

BINARY_VARIABLE = "MLPLUGIN_COREDNS"
FULL_VARIABLE = "MLPLUGIN_COREDNS_FULL"
KEPT_BUILDS = 4


def in_wheel() -> Path:
    """Where a wheel carries the binary, whether it is there or not."""
    return Path(mlplugin.__file__).parent / "bin" / "coredns"


def cache_folder() -> Path:
    """Where built binaries are kept."""
    return platformdirs.user_cache_path("mlplugin", appauthor=False)


def full_wanted() -> bool:
    """Tell whether the environment asks for a build with every plugin of CoreDNS."""
    return os.environ.get(FULL_VARIABLE, "").lower() in {"1", "true", "yes", "on"}


def find_binary(report: Report, *, full: bool = False) -> Path:
    """Give an executable CoreDNS with the plugin, building it if need be.

    The order: `MLPLUGIN_COREDNS`, the wheel's own, the cache, a build. `report` is called
    with the progress of a build. Raises BuildError.
    """
    named = os.environ.get(BINARY_VARIABLE)
    if named:
        return _named(Path(named))
    full = full or full_wanted()
    carried = in_wheel()
    if carried.is_file() and not full:
        return carried
    root = source.checkout()
    if root is None:
        what = "a full CoreDNS needs a source checkout" if full else "this package has no CoreDNS"
        raise BuildError(f"{what}: install the wheel, or set {BINARY_VARIABLE} to a binary")
    return _cached(root, report, full=full)


def _named(path: Path) -> Path:
    if not path.is_file():
        raise BuildError(f"{BINARY_VARIABLE}={path}: there is no such file")
    if not os.access(path, os.X_OK):
        raise BuildError(f"{BINARY_VARIABLE}={path}: not executable, run `chmod +x` on it")
    return path


def _cached(root: Path, report: Report, *, full: bool) -> Path:
    go = toolchain.packaged()
    name = source.fingerprint(root, full=full, go_version=go.version if go else "any")
    folder = cache_folder()
    target = folder / f"coredns-{name}" / "coredns"
    if not target.is_file():
        with locked(folder / "build.lock", lambda: report(_WAITING)):
            if not target.is_file():
                compile_coredns(
                    root,
                    target,
                    go or toolchain.find_go(),
                    full=full,
                    version=mlplugin.__version__,
                    cache=folder,
                    report=report,
                )
                _forget_old(folder, target.parent)
    with contextlib.suppress(OSError):
        os.utime(target.parent)
    return target


_WAITING = Progress("waiting for another build", 0, None, "")


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file that falls with the process; `on_wait` is called if another holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as fault:
        raise BuildError(f"{path.parent} cannot be written: {fault.strerror}") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _forget_old(folder: Path, current: Path) -> None:
    """Keep the builds that were used last, so that developers do not fill their disk."""
    builds = [path for path in folder.glob("coredns-*") if path.is_dir() and path != current]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for stale in builds[KEPT_BUILDS - 1 :]:
        shutil.rmtree(stale, ignore_errors=True)
