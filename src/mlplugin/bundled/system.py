"""What `mlplugin up` runs: a data directory, a Corefile, the service and CoreDNS."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import re
import socket
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplugin.bundled.child import STORE_VARIABLES, Child, Printer
from mlplugin.bundled.corefile import Layout, check_rule, forward_targets, uncovered
from mlplugin.bundled.ports import Endpoint, free_port, require_free
from mlplugin.bundled.reading import (
    WITHOUT_PLUGIN,
    has_plugin,
    metrics_of,
    model_mismatch,
    read_corefile,
    service_mismatch,
    without_service,
)
from mlplugin.bundled.supervisor import (
    COREDNS_PATIENCE,
    SERVICE_HEAD_START,
    SERVICE_PATIENCE,
    Part,
    Supervisor,
    answers_ok,
)
from mlplugin.errors import ConfigError, PortError, StoreError
from mlplugin.model import load
from mlplugin.service.registry import Registry, chosen

BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
METRICS = Endpoint("127.0.0.1", 9153)
BANNER = re.compile(r"CoreDNS-\d")
LISTENS = re.compile(r"(?:\w+://)?\S*:\d+(?: on \S+)?")


@dataclass(frozen=True)
class Wishes:
    """What the user asked `up` for. `corefile`, if given, is used as it is."""

    dns: Endpoint
    http: Endpoint
    data: Path
    forward: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    store: str | None = None
    corefile: Path | None = None
    model: Path | None = None
    trusted_proxy: str | None = None
    token: str | None = None


@dataclass
class System:
    """A system that is ready to be started, and what can be said about it."""

    supervisor: Supervisor
    coredns: Child
    service_url: str
    ready_url: str | None
    metrics_url: str | None
    forward: tuple[str, ...]

    def listening(self) -> list[str]:
        """The lines in which CoreDNS says where it listens."""
        return [line for line in self.coredns.said() if LISTENS.fullmatch(line)]


@contextlib.contextmanager
def held(data: Path) -> Iterator[None]:
    """Make the data directory and hold it, so that no second system runs on it.

    Raises ConfigError if it cannot be made or written, StoreError if it is held.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        handle = (data / "up.lock").open("a+")
    except OSError as fault:
        raise ConfigError(
            f"the data directory {data} cannot be used ({fault.strerror}): choose one with --data"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "another process"
            raise StoreError(
                f"{data} is in use by another `mlplugin up` (process {holder}): "
                "stop it, or choose another directory with --data"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def assemble(wishes: Wishes, binary: Path, printer: Printer, say: Callable[[str], None]) -> System:
    """Check what can be checked beforehand, write the Corefile, and set up both parts.

    Raises the errors of `errors` with one line each: ports in use, wrong rules, no resolver.
    """
    require_free(wishes.http, (socket.SOCK_STREAM,), "--http")
    load(chosen(wishes.model, wishes.data))  # better one line from here than one from each part
    service_url = f"http://{wishes.http.reachable}"
    layout = None if wishes.corefile else _layout(wishes, service_url, say)
    corefile = _written(wishes, layout, say)
    command = [str(binary), "-conf", str(corefile)]
    coredns = Child("coredns", command, printer, withheld=STORE_VARIABLES)
    said = {"MLPLUGIN_MODEL_DIR": str(wishes.model.resolve())} if wishes.model else {}
    if wishes.token is not None:
        said["MLPLUGIN_SERVICE_TOKEN"] = wishes.token
    service = Child("service", _service_command(wishes), printer, said)
    ready_url = f"http://{layout.ready}/ready" if layout else None

    metrics = str(layout.metrics) if layout else metrics_of(read_corefile(corefile))

    def coredns_ready() -> bool:
        started = any(BANNER.match(line) for line in coredns.said())
        return started and (ready_url is None or answers_ok(ready_url))

    def service_ready() -> bool:
        return answers_ok(f"{service_url}/readyz", wishes.token)

    # CoreDNS stops first, so that its last events arrive, and starts last, so that it finds
    # the service when it asks for the policy.
    parts = [
        Part(coredns, coredns_ready, COREDNS_PATIENCE),
        Part(service, service_ready, SERVICE_PATIENCE, SERVICE_HEAD_START),
    ]
    return System(
        supervisor=Supervisor(parts, say),
        coredns=coredns,
        service_url=service_url,
        ready_url=ready_url,
        metrics_url=f"http://{metrics}/metrics" if metrics else None,
        forward=layout.forward if layout else (),
    )


def _layout(wishes: Wishes, service_url: str, say: Callable[[str], None]) -> Layout:
    forward = forward_targets(wishes.forward, wishes.dns)
    rules = tuple(check_rule(rule) for rule in wishes.rules)
    if forgotten := uncovered(rules):
        say(f"warning: {forgotten}")
    require_free(wishes.dns, BOTH, "--dns")
    if not ipaddress.ip_address(wishes.dns.host).is_loopback:
        say(
            f"warning: DNS on {wishes.dns} answers anybody who can reach it: limit that with "
            "`acl` in a Corefile of your own (--corefile)"
        )
    loopback = "127.0.0.1"
    registry = Registry(wishes.data.resolve())
    return Layout(
        dns=wishes.dns,
        service=_with_token(service_url, wishes.token),
        spool=wishes.data.resolve() / "spool",
        ready=Endpoint(loopback, free_port(loopback)),
        metrics=_metrics(say),
        forward=forward,
        rules=rules,
        model=wishes.model.resolve() if wishes.model else registry.link,
        model_or_builtin=wishes.model is None,
        shadow=registry.shadow_link,
    )


def _metrics(say: Callable[[str], None]) -> Endpoint:
    """Where CoreDNS shows its metrics: always in the same place, unless that is taken."""
    try:
        require_free(METRICS, (socket.SOCK_STREAM,), "")
    except PortError:
        other = Endpoint(METRICS.host, free_port(METRICS.host))
        say(f"{METRICS} is in use: CoreDNS's metrics are at {other} this time")
        return other
    return METRICS


def _with_token(url: str, token: str | None) -> str:
    """The service's URL as the plugin sends to it, the token as the password in it."""
    if token is None:
        return url
    return url.replace("://", f"://mlplugin:{urllib.parse.quote(token, safe='')}@", 1)


def _written(wishes: Wishes, layout: Layout | None, say: Callable[[str], None]) -> Path:
    if layout is None:
        given = wishes.corefile
        if given is None or not given.is_file():
            raise ConfigError(f"--corefile {given}: there is no such file")
        text = read_corefile(given)
        if not has_plugin(text):
            raise ConfigError(f"--corefile {given} has no mlplugin block: {WITHOUT_PLUGIN}")
        registry = Registry(wishes.data.resolve())
        promoted = wishes.model is None and registry.in_use() is not None
        lacking = without_service(text)
        mismatches = (
            lacking
            and f"--corefile {given}: {lacking}: add `service http://{wishes.http.reachable}`",
            service_mismatch(text, wishes.http),
            model_mismatch(text, registry.link) if promoted else None,
        )
        for mismatch in filter(None, mismatches):
            say(f"warning: {mismatch}")
        return given.resolve()
    corefile = wishes.data.resolve() / "Corefile"
    try:
        corefile.touch(mode=0o600)
        corefile.chmod(0o600)  # it may hold the service's token
        corefile.write_text(layout.text(), encoding="utf-8")
    except OSError as fault:
        raise ConfigError(f"{corefile} cannot be written: {fault.strerror}") from None
    return corefile


def _service_command(wishes: Wishes) -> list[str]:
    command = [sys.executable, "-P", "-m", "mlplugin", "serve"]
    command += ["--http", str(wishes.http), "--data", str(wishes.data)]
    if wishes.trusted_proxy:
        command += ["--trusted-proxy", wishes.trusted_proxy]
    return [*command, "--store", wishes.store] if wishes.store else command
