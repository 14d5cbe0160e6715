"""Which model is meant: a directory, or a version that is here already."""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from pathlib import Path

import click
import platformdirs

from mlplugin.cli.client import DEFAULT_SERVICE, Client, NobodyError
from mlplugin.errors import MlpluginError, UsageError
from mlplugin.model import shipped
from mlplugin.service.registry import NAME, SHADOW, Registry

ANSWER_SECONDS = 3.0


def data_directory(named: Path | None, service: str = DEFAULT_SERVICE) -> Path:
    """Give the data directory whose models are meant.

    It is the one that was named, or that of a service that runs on this machine, or the user's
    own. What is not to be expected of that is told on stderr.
    """
    own = platformdirs.user_data_path("mlplugin", appauthor=False)
    if named is not None:
        return named
    client = Client(service, ANSWER_SECONDS)
    if not _is_here(client.url):
        return own
    meant = f"what is meant are the models in {own}, and others with --data"
    try:
        said = _told_by(client)
    except MlpluginError as fault:
        if not isinstance(fault, NobodyError) or fault.listens:
            click.echo(f"mlplugin: {fault}; {meant}", err=True)
        return own
    if said is None or os.path.realpath(said) == os.path.realpath(own):
        return own
    told = f"mlplugin: the service at {service} has its models in {said}"
    if os.path.isdir(said) and os.access(said, os.R_OK | os.X_OK):  # noqa: PTH112 - no error
        click.echo(told, err=True)
        return Path(said)
    click.echo(f"{told}, which this user cannot read here; {meant}", err=True)
    return own


def _told_by(client: Client) -> str | None:
    """Give what a service says of its data directory, None where it says nothing."""
    answer = client.request("/api/v1/models")
    said = answer.get("data") if isinstance(answer, dict) else None
    return said if isinstance(said, str) else None


def _is_here(url: str) -> bool:
    """Whether a service is on this machine for sure."""
    host = (urllib.parse.urlsplit(url).hostname or "").removesuffix(".")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def directory_of(text: str, registry: Registry, option: str = "") -> Path:
    """Give the directory of a model; one that is named goes before a version of the same name.

    Args:
        text: a directory, or a version of the registry or the shipped one.
        registry: of the data directory.
        option: that the text was given to, for the error.

    Raises:
        UsageError: if there is none; it says where it looked.
    """
    places = [Path(text)]
    if NAME.fullmatch(text):
        places += [registry.folder / text, shipped().parent / text]
    for place in places:
        if place.is_dir():
            return place
    what = f"{option} {text}" if option else text
    if "/" in text:
        raise UsageError(f"{what}: there is no such directory")
    raise UsageError(
        f"{what}: there is no such directory, and no such version in {registry.folder}: "
        "`mlplugin models` lists what is there, --data DIR is where else to look"
    )


def with_shadow(text: str, registry: Registry, option: str) -> Path:
    """Give what `directory_of` does, and for ``shadow`` the model that judges beside another.

    Raises:
        UsageError: if there is none.
    """
    if text != SHADOW or Path(text).is_dir():
        return directory_of(text, registry, option)
    if not registry.shadow_link.is_dir():
        raise UsageError(
            f"{option} {text}: no model is the shadow in {registry.folder}: "
            "`mlplugin models shadow VERSION` makes one"
        )
    return registry.shadow_link
