"""Planting probes in a system, and telling what became of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from mlplugin.bundled import selftest
from mlplugin.bundled.child import Printer
from mlplugin.bundled.ports import parse_endpoint
from mlplugin.bundled.probes import probes
from mlplugin.bundled.selftest import CONTROL, UNKNOWN, Target, own_system
from mlplugin.cli.client import Client
from mlplugin.cli.coredns import coredns_binary
from mlplugin.cli.output import Format, write_rows
from mlplugin.errors import ModelError, PortError
from mlplugin.model import load, shipped
from mlplugin.replay.history import History, check_url
from mlplugin.service.registry import Registry, chosen

COLUMNS = ("threat", "probe", "score", "detected", "action", "event", "search")


def run(
    server: str | None, service: str, data: Path, patience: float, form: Format, *, verbose: bool
) -> int:
    """Plant probes, list what became of them, and give the exit status.

    Args:
        server: the DNS server of a running system; one is started where that is None.
        service: of that system.
        data: the data directory whose promoted model is tried.
        patience: how many seconds to wait for events.
        form: of the list.
        verbose: whether to show what servers log.
    """
    place = _in_use(data) if server is None else _running(service, data)
    model = load(place)
    found = probes(model)
    missing = [threat.value for threat, group in found.items() if not group]
    with _target(server, service, place, verbose=verbose) as target:
        history = History(Client(target.service_url).request, time.time() - 0.001)
        planted = [probe for group in found.values() for probe in group]
        outcomes = selftest.run(
            target, planted, lambda filters: list(history.rows(filters)), patience
        )
    write_rows((outcome.row() for outcome in outcomes), COLUMNS, form)
    failed = sum(not outcome.passed for outcome in outcomes)
    click.echo(
        f"{len(outcomes) - failed} of {len(outcomes)} passed, model {model.version}", err=True
    )
    if missing:
        click.echo(f"not tried, the model is sure of no probe: {', '.join(missing)}", err=True)
    return 1 if failed or not planted else 0


def _in_use(data: Path) -> Path:
    """Give the directory of the model in use on a data directory."""
    return chosen(None, data) or shipped()


def _running(service: str, data: Path) -> Path:
    """Give the directory of the model that a running service judges with.

    If it is not here, that of the data directory has to do, which is said on stderr.
    """
    asked = {"names": [CONTROL]}
    answer = Client(check_url(service)).request("/api/v1/classify", method="POST", body=asked)
    version = answer["verdicts"][0]["model"]
    used = _in_use(data)
    for place in (used, shipped(), *Registry(data).directories()):
        with contextlib.suppress(ModelError):
            if load(place).version == version:
                return place
    click.echo(
        f"the service judges with model {version}, which is not in {data}: its directory is "
        f"named with --data; probes are picked with {load(used).version}",
        err=True,
    )
    return used


@contextlib.contextmanager
def _target(server: str | None, service: str, model: Path, *, verbose: bool) -> Iterator[Target]:
    if server is not None:
        endpoint = parse_endpoint(server, 53).reachable
        if not selftest.answers(endpoint):
            raise PortError(
                f"nothing answers at {endpoint} (UDP): start it with `mlplugin up`, or name "
                "another server with --dns"
            )
        yield Target({UNKNOWN: endpoint}, check_url(service))
        return
    binary = coredns_binary()
    with open_quietly(verbose=verbose) as printer, own_system(binary, printer, model) as target:
        yield target


@contextlib.contextmanager
def open_quietly(*, verbose: bool) -> Iterator[Printer]:
    """A printer for what the servers log: to stderr, or to nobody."""
    printer = Printer(sys.stderr if verbose else None)
    try:
        yield printer
    finally:
        printer.close()
