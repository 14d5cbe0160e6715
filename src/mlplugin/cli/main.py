"""The command group: commands by a table, imported when called; errors as one line."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from mlplugin import __version__
from mlplugin.cli.settings import defaults, is_needed
from mlplugin.errors import MlpluginError

CONFIG_VARIABLE = "MLPLUGIN_CONFIG"
EXIT_USAGE = 2
EXIT_PART_MISSING = 3
EXIT_INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a command is, and what the list of commands says of it."""

    place: str  # module:attribute
    says: str


# In the order in which help lists them. Only the module of the command that runs is imported.
COMMANDS = {
    "up": Entry("mlplugin.cli.up:up", "Run a resolver that judges every query."),
    "replay": Entry("mlplugin.cli.replay:replay", "Send a capture, log or list through DNS."),
    "classify": Entry("mlplugin.cli.classify:classify", "Judge names offline."),
    "queries": Entry("mlplugin.cli.queries:queries", "Search the history."),
    "hindsight": Entry(
        "mlplugin.cli.hindsight:hindsight", "Say what another model or policy would have blocked."
    ),
    "hunt": Entry("mlplugin.cli.hindsight:hunt", "List past names that are malicious now."),
    "vet": Entry("mlplugin.cli.vet:vet", "Say what a name is: benign, honeypot or blocked."),
    "serve": Entry("mlplugin.cli.serve:serve", "Run the service alone."),
    "password": Entry("mlplugin.cli.password:password", "Set the password of the dashboard."),
    "export": Entry("mlplugin.cli.export:export", "Write the history to a file."),
    "check": Entry("mlplugin.cli.check:check", "See whether a start would work."),
    "selftest": Entry("mlplugin.cli.selftest:selftest", "See whether detection works, end to end."),
    "coredns": Entry("mlplugin.cli.coredns:coredns", "Run the bundled CoreDNS as it is."),
    "feeds": Entry("mlplugin.cli.feeds:feeds", "Fetch public lists as labelled names."),
    "train": Entry("mlplugin.cli.train:train", "Fit a model."),
    "evaluate": Entry("mlplugin.cli.evaluate:evaluate", "Measure a model."),
    "store": Entry(
        "mlplugin.cli.store:store", "Look after the store: check, migrate, copy, prune."
    ),
    "models": Entry("mlplugin.cli.models:models", "List, promote and roll back models."),
}


class Commands(click.Group):
    """A group that knows its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name every command."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and give a command, None if there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.place.split(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            raise _lacking(cmd_name, error) from error
        if not isinstance(found, click.Command):
            raise TypeError(f"{entry.place} is no click command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find what is called; of a command that is not there, name the one that was meant."""
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a reader that goes away, as `| head` does, is no failure."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
            return 0
        except ModuleNotFoundError as error:  # commands import what is slow when they begin
            if _is_ours(error):
                raise
            raise _lacking(ctx.invoked_subcommand, error) from error
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.says) for name, entry in COMMANDS.items()])


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Whether it is a bug of ours, and nothing that can be installed."""
    return error.name is None or error.name.partition(".")[0] == "mlplugin"


def _lacking(command: str | None, error: ModuleNotFoundError) -> MlpluginError:
    """Give the error that tells how to install what a command needs."""
    return MlpluginError(
        f"`{command}` needs the module {error.name}, which is not installed: "
        f"pip install 'mlplugin[train]' has everything"
    )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: mlplugin classify --explain example.org",
)
@click.version_option(__version__, prog_name="mlplugin")
@click.option(
    "--config",
    envvar=CONFIG_VARIABLE,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The configuration, a TOML file; MLPLUGIN_CONFIG names it too.",
)
@click.pass_context
def cli(ctx: click.Context, *, config: Path | None) -> None:
    """Judge DNS queries with a trained model, act on them, and keep their history."""
    name = ctx.invoked_subcommand
    command = cli.get_command(ctx, name) if name else None
    if name is None or command is None or not is_needed(config, os.environ):
        return
    ctx.default_map = {name: defaults(command, config)}
    if config is not None:
        ctx.with_resource(_environment(CONFIG_VARIABLE, str(config.resolve())))


@contextmanager
def _environment(variable: str, value: str) -> Iterator[None]:
    """Set a variable for what a command starts, such as the service of `up`."""
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give the exit status: 0, 1, 2, 3 or 130, never a stack trace for a mistake.

    Args:
        arguments: in place of those of the process.
    """
    try:
        status = cli.main(arguments, prog_name="mlplugin", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except (MlpluginError, click.ClickException, OSError) as error:
        return _complain(error)
    return status if isinstance(status, int) else 0


def _complain(error: MlpluginError | click.ClickException | OSError) -> int:
    """Say in one line what went wrong, and give the exit status."""
    if isinstance(error, MlpluginError):
        message, status = str(error), error.exit_code
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EXIT_USAGE
    elif isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "mlplugin"
        said = error.format_message().rstrip(".")
        joint = "" if said.endswith("?") else ";"
        message = f"{said}{joint} `{command} --help` says what there is"
        status = EXIT_USAGE
    else:
        where = f": {error.filename}" if error.filename else ""
        message, status = f"{error.strerror or error}{where}", EXIT_PART_MISSING
        if error.errno == errno.ENOSPC:
            _discard_stdout()
    click.echo(f"mlplugin: {' '.join(message.split())}", err=True)
    return status


def _discard_stdout() -> None:
    """Send what is still buffered nowhere, so that the end of the process does not trip over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
