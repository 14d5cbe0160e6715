"""Which model is meant: a directory, or a version that is here already."""

from __future__ import annotations

from pathlib import Path

from mlplugin.errors import UsageError
from mlplugin.model import shipped
from mlplugin.service.registry import NAME, SHADOW, Registry


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
