"""Is everything there that a start needs: Corefile, model, store, ports; each fault one line."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.child import inherited
from mlplugin.bundled.ports import (
    Endpoint,
    holders,
    listener,
    listening,
    named,
    parent_of,
    require_free,
)
from mlplugin.bundled.reading import (
    WITHOUT_PLUGIN,
    has_plugin,
    listeners,
    read_corefile,
    service_mismatch,
    without_service,
)
from mlplugin.bundled.supervisor import answers_ok
from mlplugin.config import Config
from mlplugin.config import load as load_config
from mlplugin.errors import MlpluginError
from mlplugin.model import load
from mlplugin.service.in_use import newer_shipped
from mlplugin.service.registry import Registry, chosen
from mlplugin.store import Options, open_store
from mlplugin.store.port import Filter

VALIDATION_SECONDS = 60
STREAMS = frozenset({"tls", "grpc", "https"})
DATAGRAMS = frozenset({"quic", "https3"})
# What a system of ours runs as; whoever looks at its files with another program is no part of it.
PROGRAM = re.compile(r"coredns|mlplugin|python|uv\b")


@dataclass(frozen=True)
class Finding:
    """What one check found: `fault` says in one line what is wrong, None that it is fine."""

    part: str
    detail: str
    fault: bool = False


def checked(part: str, look: Callable[[], str]) -> Finding:
    """Run one check; its errors become a finding."""
    try:
        return Finding(part, look())
    except MlpluginError as fault:
        return Finding(part, " ".join(str(fault).split()), fault=True)


def configuration_finding(path: Path | None) -> tuple[Finding, Config]:
    """Read the configuration file and the environment; the defaults stand in for a faulty one."""
    found = Config()

    def look() -> str:
        nonlocal found
        found = load_config(path)
        return str(path) if path else "the environment"

    return checked("configuration", look), found


def model_finding(path: Path | None, data: Path) -> Finding:
    """Read the model directory as a start does; if None, the promoted one or the shipped one."""

    def look() -> str:
        place = chosen(path, data)
        model = load(place)
        said = f"{model.version}, SHA-256 {model.sha256[:16]}…"
        if place is path:
            return said
        note = newer_shipped(Registry(data))
        return f"{said}, promoted in {data}" + (f"; {note}" if note else "")

    return checked("model", look)


def store_finding(
    url: str | None,
    data: Path,
    http: Endpoint,
    options: Options | None = None,
    token: str | None = None,
) -> Finding:
    """Open the store to read; one that a running service holds is fine if that answers.

    `options` are of a cluster, `token` is what services ask for, if they do.
    """

    def look() -> str:
        if url is None and not data.exists():
            parent = next(place for place in data.absolute().parents if place.exists())
            if os.access(parent, os.W_OK):
                return f"{data}: not there yet, will be made"
        if url is None and data.exists() and not os.access(data, os.W_OK):
            raise MlpluginError(f"{data} cannot be written: choose another directory with --data")
        users = _running(data) if url is None else set()
        if users:
            return _held(data, users, http, token)
        if url is None and not any(data.glob("*.duckdb")):
            return f"{data}: empty"
        store = open_store(url, data, options, read_only=True)
        try:
            count = store.stats(Filter()).queries
        finally:
            store.close()
        return f"{url or data}: {count:,} queries"

    return checked("store", look)


def _held(data: Path, users: set[int], http: Endpoint, token: str | None) -> str:
    """Say which service holds a data directory. Raises MlpluginError if none of it answers."""
    if listener(http, socket.SOCK_STREAM) in users:
        return f"{data}: held by the service that runs on {http}"
    who = " and ".join(named(pid) for pid in sorted(users))
    for place in (place for pid in sorted(users) for place in listening(pid)):
        if answers_ok(f"http://{place.reachable}/readyz", token):
            return (
                f"{data}: held by the service that runs on {place}, {who}; what starts beside it "
                "needs a directory of its own (--data)"
            )
    raise MlpluginError(
        f"{data} is in use by {who}, and no service answers there: "
        "stop it, or choose another directory with --data"
    )


def _running(data: Path) -> set[int]:
    """The processes of the system that runs on a data directory.

    They are those with a file open in it and, as CoreDNS may have none, their children.
    """
    direct = set(holders(data)) if data.is_dir() else set()
    ours = {pid for pid in direct if PROGRAM.match(named(pid))}
    for process in Path("/proc").glob("[0-9]*") if ours else ():
        pid = int(process.name)
        if parent_of(pid) in ours and PROGRAM.match(named(pid)) and pid != os.getpid():
            ours.add(pid)
    return ours


def port_finding(
    name: str, endpoint: Endpoint, kinds: tuple[socket.SocketKind, ...], data: Path
) -> Finding:
    """See whether an endpoint can be listened on.

    One that the system on this data directory holds already is fine.
    """

    def look() -> str:
        try:
            require_free(endpoint, kinds, f"--{name}")
        except MlpluginError:
            users = {pid for kind in kinds if (pid := listener(endpoint, kind)) is not None}
            if not users or not users <= _running(data):
                raise
            return f"{endpoint}: in use by the mlplugin that runs there"
        return f"{endpoint}: free"

    return checked(f"port {name}", look)


def corefile_findings(
    corefile: Path, binary: Path, data: Path, http: Endpoint
) -> Iterator[Finding]:
    """Have CoreDNS read a Corefile and set up its plugins, and look at the ports it asks for."""

    if not corefile.is_file():
        yield Finding("Corefile", f"{corefile}: there is no such file", fault=True)
        return
    finding = checked("Corefile", lambda: _validated(corefile, binary, http))
    yield finding
    if finding.fault:
        return
    for scheme, endpoint in listeners(corefile.read_text(encoding="utf-8", errors="replace")):
        kinds: tuple[socket.SocketKind, ...] = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        if scheme in STREAMS:
            kinds = (socket.SOCK_STREAM,)
        elif scheme in DATAGRAMS:
            kinds = (socket.SOCK_DGRAM,)
        yield port_finding(scheme, endpoint, kinds, data)


def _validated(corefile: Path, binary: Path, http: Endpoint) -> str:
    try:
        done = subprocess.run(
            [str(binary), "-validate", str(corefile.resolve())],
            cwd=Path.cwd(),
            env=inherited(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VALIDATION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise MlpluginError(f"{binary} cannot be run: {fault}") from None
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise MlpluginError(lines[-1] if lines else f"{binary} gave no reason")
    text = read_corefile(corefile)
    if not has_plugin(text):
        raise MlpluginError(f"{corefile} has no mlplugin block: {WITHOUT_PLUGIN}")
    mismatch = service_mismatch(text, http)
    if mismatch:
        raise MlpluginError(f"{corefile}: {mismatch}")
    note = without_service(text)
    return f"{corefile}; {note}" if note else str(corefile)
