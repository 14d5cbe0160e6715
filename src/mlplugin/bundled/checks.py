"""Is everything there that a start needs: Corefile, model, store, ports; each fault one line."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.ports import Endpoint, parse_endpoint, require_free, who_listens
from mlplugin.bundled.supervisor import answers_ok
from mlplugin.config import Config
from mlplugin.config import load as load_config
from mlplugin.errors import MlpluginError
from mlplugin.model import load
from mlplugin.store import open_store
from mlplugin.store.port import Filter

VALIDATION_SECONDS = 60
DEFAULT_PORTS = {"dns": 53, "tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}
STREAMS = frozenset({"tls", "grpc", "https"})
DATAGRAMS = frozenset({"quic", "https3"})
# A server that runs already is no fault of the configuration.
OUR_PROGRAMS = ("coredns", "mlplugin")


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


def model_finding(path: Path | None) -> Finding:
    """Read the model directory, the shipped one if None, as a start does."""

    def look() -> str:
        model = load(path)
        return f"{model.version}, SHA-256 {model.sha256[:16]}…"

    return checked("model", look)


def store_finding(url: str | None, data: Path, http: Endpoint) -> Finding:
    """Open the store to read; one that the running service holds is fine."""

    def look() -> str:
        if url is None and not data.exists():
            parent = next(place for place in data.absolute().parents if place.exists())
            if os.access(parent, os.W_OK):
                return f"{data}: not there yet, will be made"
        if url is None and data.exists() and not os.access(data, os.W_OK):
            raise MlpluginError(f"{data} cannot be written: choose another directory with --data")
        if answers_ok(f"http://{http.reachable}/healthz"):
            return f"{url or data}: held by the service that runs on {http}"
        if url is None and not any(data.glob("*.duckdb")):
            return f"{data}: empty"
        store = open_store(url, data, read_only=True)
        try:
            count = store.stats(Filter()).queries
        finally:
            store.close()
        return f"{url or data}: {count:,} queries"

    return checked("store", look)


def port_finding(name: str, endpoint: Endpoint, kinds: tuple[socket.SocketKind, ...]) -> Finding:
    """See whether an endpoint can be listened on; one that we hold already is fine."""

    def look() -> str:
        try:
            require_free(endpoint, kinds, f"--{name}")
        except MlpluginError:
            user = next(filter(None, (who_listens(endpoint, kind) for kind in kinds)), "")
            ours = user.startswith(OUR_PROGRAMS) or answers_ok(
                f"http://{endpoint.reachable}/healthz"
            )
            if not ours:
                raise
            return f"{endpoint}: in use by {user or 'the service that runs'}"
        return f"{endpoint}: free"

    return checked(f"port {name}", look)


def corefile_findings(corefile: Path, binary: Path) -> Iterator[Finding]:
    """Have CoreDNS read a Corefile and set up its plugins, and look at the ports it asks for."""

    def look() -> str:
        try:
            done = subprocess.run(
                [str(binary), "-validate", str(corefile.resolve())],
                cwd=Path.cwd(),
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
        return str(corefile)

    if not corefile.is_file():
        yield Finding("Corefile", f"{corefile}: there is no such file", fault=True)
        return
    finding = checked("Corefile", look)
    yield finding
    if finding.fault:
        return
    for scheme, endpoint in listeners(corefile.read_text(encoding="utf-8", errors="replace")):
        kinds: tuple[socket.SocketKind, ...] = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        if scheme in STREAMS:
            kinds = (socket.SOCK_STREAM,)
        elif scheme in DATAGRAMS:
            kinds = (socket.SOCK_DGRAM,)
        yield port_finding(scheme, endpoint, kinds)


def listeners(corefile: str) -> list[tuple[str, Endpoint]]:
    """(scheme, endpoint) of every server block: its zones' ports on the addresses of `bind`.

    Interface names and what comes by `import` or from the environment is left out.
    """
    found: dict[tuple[str, Endpoint], None] = {}
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", corefile)
    for keys, block in _blocks(text):
        bound = re.search(r"(?m)^\s*bind\s+([^{\n]+)", block)
        hosts = bound[1].split() if bound else ["0.0.0.0"]  # noqa: S104 - CoreDNS's default
        for key in re.split(r"[\s,]+", keys.strip()):
            match = re.fullmatch(r"(?:(\w+)://)?[^:\s]*?(?::(\d+))?", key)
            if match is None or "{" in key or key.startswith("("):
                continue
            scheme = match[1] or "dns"
            port = int(match[2]) if match[2] else DEFAULT_PORTS.get(scheme, 53)
            for host in hosts:
                try:
                    endpoint = parse_endpoint(f"[{host}]:{port}", port)
                except MlpluginError:
                    continue
                found[scheme, endpoint] = None
    return list(found)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(keys, body) of every block at the top level."""
    depth, start, keys = 0, 0, ""
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            if depth == 0:
                keys, start = text[start : brace.start()], brace.end()
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                yield keys, text[start : brace.start()]
                start = brace.end()
