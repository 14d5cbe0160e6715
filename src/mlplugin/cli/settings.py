"""The configuration as defaults of options, so that no command has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

# Commands whose options are about something else than the running system.
UNCONFIGURED = frozenset({"train", "evaluate", "coredns"})

# Which value of the configuration an option stands for.
OPTIONS = {
    "--dns": ("dns", "listen"),
    "--forward": ("dns", "forward"),
    "--corefile": ("dns", "corefile"),
    "--http": ("service", "http"),
    "--threads": ("service", "threads"),
    "--trusted-proxy": ("service", "trusted_proxy"),
    "--store": ("store", "url"),
    "--retention-days": ("store", "retention_days"),
    "--max-bytes": ("store", "max_bytes"),
    "--data": ("data", "dir"),
    "--model": ("model", "dir"),
}

# Where something that listens on every address is found on this machine.
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104

Defaults = dict[str, Any]


def is_needed(path: Path | None, environment: Mapping[str, str]) -> bool:
    """Tell whether anything is configured, cheaply: most calls have nothing to read."""
    from_here = ("DNS_", "SERVICE_", "STORE_", "DATA_", "MODEL_")
    return path is not None or any(
        name.removeprefix("MLPLUGIN_").startswith(from_here)
        for name in environment
        if name.startswith("MLPLUGIN_")
    )


def defaults(command: click.Command, path: Path | None) -> Defaults:
    """Give what the configuration says of a command's options, by their parameter names.

    Only what is set there; the rest keeps the default that the command gives it.

    Raises:
        ConfigError: if the configuration is wrong.
    """
    from mlplugin.config import load  # noqa: PLC0415 - slow to import, and rarely wanted

    config = load(path)
    values: dict[str, Any] = {}
    if command.name in UNCONFIGURED:
        return values
    for option, (section, name) in OPTIONS.items():
        part = getattr(config, section)
        if name in part.model_fields_set:
            values[option] = getattr(part, name)
    if "--http" in values:
        values["--service"] = f"http://{_reachable(values['--http'])}"
    return _of(command, values, frozenset())


def _of(command: click.Command, values: Mapping[str, Any], above: frozenset[str]) -> Defaults:
    """Give the values of a command's options, and those of the commands within it.

    What the group itself takes (`above`) is not repeated within: an option that is written
    before the inner command's name goes before the configuration.
    """
    found: Defaults = {
        parameter.name: _as_written(values[option], parameter)
        for parameter in command.params
        for option in parameter.opts
        if option in values and option not in above and parameter.name
    }
    if isinstance(command, click.Group):
        own = above | {option for parameter in command.params for option in parameter.opts}
        for name, inner in command.commands.items():
            if within := _of(inner, values, own):
                found[name] = within
    return found


def _as_written(value: object, parameter: click.Parameter) -> object:
    """Give a value as it would be typed; the command's own types and checks take it from there."""
    if isinstance(value, list):
        return [str(part) for part in value] if parameter.multiple else ",".join(map(str, value))
    return None if value is None else str(value)


def _reachable(endpoint: str) -> str:
    """Give the address by which this machine reaches something that listens there."""
    host, _, port = endpoint.rpartition(":")
    return f"{EVERYWHERE.get(host, host)}:{port}"
