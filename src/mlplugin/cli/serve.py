"""`mlplugin serve`: the service alone."""

from __future__ import annotations

import ipaddress
import logging
import os
import shlex
import signal
from pathlib import Path

import click
import platformdirs
from click.core import ParameterSource

from mlplugin.bundled.ports import parse_endpoint
from mlplugin.cli.stores import opened
from mlplugin.errors import ConfigError, UsageError
from mlplugin.service.password import Password

EXAMPLES = """\b
Examples:
  mlplugin serve
  mlplugin serve --http 127.0.0.1:8080 --data /var/lib/mlplugin --retention-days 30
  MLPLUGIN_SERVICE_TOKEN_FILE=/etc/mlplugin/token mlplugin serve --http 0.0.0.0:5000
"""
SHORTEST_TOKEN = 16
EXIT_INTERRUPTED = 130
# Who asked for what is the business of the account that runs this, and of nobody else.
PRIVATE = 0o077


token_option = click.option(
    "--token-file",
    envvar="MLPLUGIN_SERVICE_TOKEN_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Programs must send the token in it (Authorization: Bearer); people may sign in with it.",
)


@click.command(epilog=EXAMPLES)
@click.option(
    "--http",
    default="127.0.0.1:5000",
    show_default=True,
    metavar="ADDR",
    help="Where it listens.  Beyond this machine only with a token or a password.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the history is kept.  [default: the user's data folder]",
)
@click.option("--store", metavar="URL", help="The store, where it is not the embedded one.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The model directory.  [default: the promoted one, else the shipped one]",
)
@click.option(
    "--retention-days",
    type=click.FloatRange(min=0, min_open=True),
    default=90.0,
    show_default=True,
    help="Older events are deleted.",
)
@click.option(
    "--max-bytes",
    default="10GB",
    show_default=True,
    metavar="SIZE",
    help="The oldest events go when the history grows over this; a cluster has no such default.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="How many requests are served at once.",
)
@token_option
@click.option(
    "--trusted-proxy",
    metavar="ADDR",
    help="The address of a proxy in front: its X-Forwarded-For says who asks.",
)
def serve(
    *,
    http: str,
    data: Path | None,
    store: str | None,
    model: Path | None,
    retention_days: float,
    max_bytes: str,
    threads: int,
    token_file: Path | None,
    trusted_proxy: str | None,
) -> int:
    """Run the service: events in, verdicts, history and decisions out; SIGTERM ends it.

    The token may also be given in MLPLUGIN_SERVICE_TOKEN.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    listen = parse_endpoint(http, 5000)
    place = data or platformdirs.user_data_path("mlplugin", appauthor=False)
    token, password = read_token(token_file), Password(place)
    proxy = None if trusted_proxy is None else proxy_address(trusted_proxy)
    # A proxy on this machine brings others here.
    alone = ipaddress.ip_address(listen.host).is_loopback and proxy is None
    if token is None and not alone and not password.exists():
        where = f" --data {shlex.quote(str(data))}" if data is not None else ""
        raise UsageError(
            f"--http {listen} is open to other machines{' by the proxy' if proxy else ''}: set a "
            f"password with `mlplugin password{where}`, give a token in --token-file or "
            "MLPLUGIN_SERVICE_TOKEN, or listen on 127.0.0.1 without a proxy"
        )
    from mlplugin.api import create_app  # noqa: PLC0415 - slow to import
    from mlplugin.api.access import Access  # noqa: PLC0415
    from mlplugin.api.server import Server, end_on_signals, require_free  # noqa: PLC0415
    from mlplugin.model import load  # noqa: PLC0415
    from mlplugin.service.registry import Registry  # noqa: PLC0415
    from mlplugin.service.retention import Bounds  # noqa: PLC0415
    from mlplugin.service.service import assemble  # noqa: PLC0415

    os.umask(PRIVATE)  # after the imports: what Python compiles of them is for everyone
    bounds = Bounds(retention_days, _most_bytes(max_bytes, store))
    require_free(listen.host, listen.port)
    registry = None if model is not None else Registry(place)
    judge = load(registry.in_use() if registry else model)
    service = assemble(opened(store, place), judge, bounds, registry, place)
    try:
        app = create_app(service, Access(token, alone, password))
        server = Server(app, listen.host, listen.port, threads, proxy)
        came = end_on_signals(server)
        logging.getLogger(__name__).info(
            "listening on %s, model %s, history in %s",
            f"{listen.host}:{server.port}" if ":" not in listen.host else listen,
            judge.version,
            store or place,
        )
        server.run()
    finally:
        service.close()
    return EXIT_INTERRUPTED if signal.SIGINT in came else 0


def _most_bytes(text: str, store: str | None) -> int | None:
    """Give the bound of the history; a cluster has none unless one is set. Raises UsageError."""
    from mlplugin.config import size_in_bytes  # noqa: PLC0415
    from mlplugin.store import is_cluster  # noqa: PLC0415

    if is_cluster(store) and is_default("max_bytes"):
        return None
    try:
        return size_in_bytes(text)
    except ValueError as fault:
        raise UsageError(f"--max-bytes: {fault}") from None


def proxy_address(text: str) -> str:
    """Give the address of a trusted proxy as a peer has it. Raises UsageError."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise UsageError(
            f"--trusted-proxy {text[:60]!r} is no address: write the proxy's own, such as 127.0.0.1"
        ) from None


def is_default(parameter: str) -> bool:
    """Whether an option has the command's own default, set neither here nor by a configuration."""
    context = click.get_current_context()
    return context.get_parameter_source(parameter) is ParameterSource.DEFAULT


def read_token(path: Path | None) -> str | None:
    """Give the token of a file, or of the environment, None for none. Raises ConfigError."""
    token = os.environ.get("MLPLUGIN_SERVICE_TOKEN")
    where = "MLPLUGIN_SERVICE_TOKEN"
    if path is not None:
        where = str(path)
        try:
            token = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            why = getattr(fault, "strerror", None) or "no text"
            raise ConfigError(f"the token file {path} cannot be read: {why}") from None
    if not token:
        return None
    token = token.strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token in {where} must have {SHORTEST_TOKEN} or more printable characters: "
            "`openssl rand -hex 32` makes one"
        )
    return token
