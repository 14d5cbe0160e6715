"""`mlplugin password`: the password of the dashboard."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import platformdirs

from mlplugin.errors import UsageError
from mlplugin.service.password import LONGEST, Password

EXAMPLES = """\b
Examples:
  mlplugin password
  mlplugin password --data /var/lib/mlplugin
  openssl rand -base64 18 | tee /dev/stderr | mlplugin password
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The service's data directory.  [default: the user's data folder]",
)
@click.option("--remove", is_flag=True, help="Take the password away; who has signed in is out.")
def password(*, data: Path | None, remove: bool) -> None:
    """Set the password with which people sign in to the dashboard.

    It is asked for where the service listens beyond this machine, or has a token. A running
    service takes it at once, and signs everybody out. In a pipe it is the first line of stdin.
    """
    kept = Password(data or platformdirs.user_data_path("mlplugin", appauthor=False))
    if remove:
        kept.path.unlink(missing_ok=True)
        click.echo(f"{kept.path} is gone: nobody can sign in with a password", err=True)
        return
    kept.set(_asked())
    click.echo(f"its hash is in {kept.path}, for this account alone", err=True)


def _asked() -> str:
    """Ask for it twice, or read it from a pipe."""
    if sys.stdin.isatty():
        text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return text
    line = sys.stdin.readline(LONGEST + 2).rstrip("\r\n")
    if not line:
        raise UsageError("there is no password on stdin: write it there as one line")
    return line
