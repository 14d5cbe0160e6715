"""`mlplugin replay`: a capture, a log or a list through a live DNS server, and what was flagged."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import dns.rcode

from mlplugin.bundled.ports import parse_endpoint
from mlplugin.cli.client import DEFAULT_SERVICE, Client
from mlplugin.cli.output import Format, format_option, write_rows
from mlplugin.errors import UsageError
from mlplugin.replay.history import History, check_url
from mlplugin.replay.sender import Sender, Tally
from mlplugin.replay.source import Source

EXAMPLES = """\b
Examples:
  mlplugin replay dns.log.gz --rate 1000
  mlplugin replay capture.pcap --clients keep
  echo example.org | mlplugin replay - --dns 127.0.0.1:1053
"""
COLUMNS = ("qname", "verdict", "threat", "score", "count", "clients", "reason")
# Clocks of two machines may differ a little; a run that begins is not older than this.
CLOCK_SLACK_SECONDS = 0.001


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE")
@click.option(
    "--dns",
    "server",
    default="127.0.0.1:1053",
    show_default=True,
    metavar="ADDR",
    help="The DNS server to send to; an address alone means port 1053.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Queries a second.  [default: as fast as it goes]",
)
@click.option(
    "--clients",
    type=click.Choice(["own", "keep"]),
    default="own",
    show_default=True,
    help="keep: carry the capture's client addresses by PROXY protocol, which the server must "
    "take (one that `mlplugin up` runs does, from this machine).",
)
@click.option(
    "--service",
    default=DEFAULT_SERVICE,
    show_default=True,
    metavar="URL",
    help="The service that is asked what was flagged; `none` asks nobody.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer before a query is sent again.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    metavar="N",
    help="How often to send again; what was lost on the way back is served, and stored, twice.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long at most to wait until the service has the run's events.",
)
@format_option
def replay(
    *,
    file: Path,
    server: str,
    rate: float | None,
    clients: str,
    service: str,
    timeout: float,
    retries: int,
    wait: float,
    output_format: Format,
) -> int:
    """Send the queries of FILE through a live DNS server and list what was flagged.

    FILE is a Zeek dns.log (tab-separated or JSON), a pcap or pcapng (queries to port 53), or a
    list of names, one a line with an optional type behind it; gzip too; `-` is standard input.
    What is neither is counted as skipped.
    """
    endpoint = parse_endpoint(server, 1053).reachable
    if service != "none":
        check_url(service)
    with Source(file) as source:
        if clients == "keep" and not source.has_clients:
            raise UsageError(f"{file} is a list of names, which has no clients to keep")
        sender = Sender(
            (endpoint.host, endpoint.port),
            rate=rate,
            timeout=timeout,
            retries=retries,
            proxy=clients == "keep",
        )
        began = time.time() - CLOCK_SLACK_SECONDS
        try:
            with _bar(source) as report:
                sender.run(source.queries(), report)
        except UsageError as fault:
            raise UsageError(f"{file}: {fault}") from None
        except KeyboardInterrupt:
            _summary(sender.tally, source)
            raise
        _summary(sender.tally, source)
    if service != "none":
        _flagged(
            History(Client(service).request, began), sender.tally.answered, wait, output_format
        )
    if source.fault:
        raise UsageError(f"{file}: {source.fault}; what stood before that was sent")
    return 0


@contextmanager
def _bar(source: Source) -> Iterator[Callable[[Tally], None]]:
    """A progress bar by how much of the file is read, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and rarely wanted
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("replay"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[speed]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=source.size, sent=0, speed=0.0)

        def report(tally: Tally) -> None:
            speed = tally.sent / tally.seconds if tally.seconds else 0.0
            bar.update(task, completed=source.position(), sent=tally.sent, speed=speed)

        yield report


def _summary(tally: Tally, source: Source) -> None:
    """What was sent and what came back, on stderr."""
    speed = tally.sent / tally.seconds if tally.seconds else 0.0
    lines = [
        f"sent      {tally.sent:,} in {tally.seconds:.1f} s, {speed:,.0f} a second",
        f"answered  {tally.answered:,}{_rcodes(tally)}",
    ]
    if tally.timeouts:
        lines.append(f"timeouts  {tally.timeouts:,}")
    if tally.resent:
        lines.append(f"resent    {tally.resent:,}")
    median, late = tally.percentile(0.5), tally.percentile(0.99)
    if median is not None and late is not None:
        lines.append(f"latency   p50 {median * 1000:.2f} ms, p99 {late * 1000:.2f} ms")
    lines += [f"skipped   {count:,}: {reason}" for reason, count in source.skipped.most_common()]
    for line in lines:
        click.echo(line, err=True)


def _rcodes(tally: Tally) -> str:
    parts = [
        f"{dns.rcode.to_text(dns.rcode.Rcode(code))} {count:,}"
        for code, count in tally.rcodes.most_common()
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _flagged(history: History, answered: int, wait: float, output_format: Format) -> None:
    """List what was flagged once the service has the run, and say so where it has not all."""
    stored = history.wait_for(answered, wait, lambda _: None)
    if stored < answered:
        click.echo(
            f"stored    {stored:,}: fewer than were answered, because another server or plugin "
            "answered them, or events are still on their way",
            err=True,
        )
    else:
        click.echo(f"stored    {stored:,}", err=True)
    names = history.flagged()
    flagged = sum(name.count for name in names)
    click.echo(f"flagged   {flagged:,} queries for {len(names):,} names", err=True)
    if names:
        write_rows((name.row() for name in names), COLUMNS, output_format)
