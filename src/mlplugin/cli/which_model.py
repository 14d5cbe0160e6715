"""Which model is meant: a directory, or a version that is here already."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import click
import platformdirs

from mlplugin.cli.client import DEFAULT_SERVICE, Client, NobodyError
from mlplugin.errors import MlpluginError, UsageError
from mlplugin.model import shipped
from mlplugin.service.registry import NAME, SHADOW, Registry

ANSWER_SECONDS = 3.0
HERE = frozenset({"127.0.0.1", "::1", "localhost"})


def data_directory(named: Path | None, service: str = DEFAULT_SERVICE) -> Path:
    """Give the data directory whose models are meant.

    It is the one that was named, or that of a service that runs on this machine, which is told
    on stderr where it is another one than the user's own, or the user's own.
    """
    own = platformdirs.user_data_path("mlplugin", appauthor=False)
    if named is not None:
        return named
    if urllib.parse.urlsplit(service).hostname not in HERE:
        return own
    try:
        said = Client(service, ANSWER_SECONDS).request("/api/v1/models").get("data")
    except NobodyError:
        return own
    except (MlpluginError, AttributeError) as fault:
        click.echo(f"mlplugin: {fault}; what is meant are the models in {own}", err=True)
        return own
    if said is None or Path(said).resolve() == own.resolve() or not Path(said).is_dir():
        return own
    click.echo(f"mlplugin: the service at {service} has its models in {said}", err=True)
    return Path(said)


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
