"""The configuration: one TOML file, and environment variables that win over it.

Every value has a default. ``MLPLUGIN_<SECTION>_<NAME>`` overrides the value NAME of SECTION;
a list is written with commas. What is not known is refused, with the nearest right name.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from mlplugin.errors import ConfigError

PREFIX = "MLPLUGIN_"
SCHEMA_ID = "https://raw.githubusercontent.com/mlplugin/mlplugin/main/docs/config.schema.json"

# Bytes in the units that people write.
_UNITS = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb"))},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), 1)},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.I)
# Set in the environment alone, so that no secret stands in a configuration file.
_SECRETS = frozenset(
    {
        ("service", "token"), ("service", "token_file"),
        ("store", "password"), ("store", "api_key"), ("store", "token"),
    }
)  # fmt: skip
# The last colon parts address and port; an IPv6 address stands in brackets.
_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]]*):(\d{1,5})")


def size_in_bytes(value: object) -> int:
    """Read a size such as ``10GB``, ``512 MiB`` or a number of bytes.

    Raises:
        ValueError: if it is no size.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool) or match[2].lower() not in _UNITS:
        raise ValueError(f"{value!r} is no size: write 10GB, 512MiB or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _endpoint(value: object) -> object:
    match = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > 65535:
        raise ValueError(f"{value!r} is no ADDRESS:PORT: write 127.0.0.1:5000 or [::1]:5000")
    return value


def _comma_list(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Endpoint = Annotated[
    str,
    BeforeValidator(_endpoint),
    WithJsonSchema({"type": "string", "pattern": rf"^{_ENDPOINT.pattern}$"}),
]
Size = Annotated[
    int,
    BeforeValidator(size_in_bytes),
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*([kKmMgGtT]?[iI]?[bB])?$"},
            ]
        }
    ),
]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_comma_list)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Dns(_Section):
    """CoreDNS, as `mlplugin up` runs it."""

    listen: Endpoint = Field(default="127.0.0.1:1053", description="Where DNS listens.")
    forward: Names = Field(
        default_factory=list,
        description="Resolvers to forward to; those of the machine if empty.",
    )
    corefile: Path | None = Field(
        default=None, description="A Corefile to use as it is, in place of a written one."
    )


class Service(_Section):
    """The service."""

    http: Endpoint = Field(default="127.0.0.1:5000", description="Where the service listens.")
    threads: int = Field(
        default=8, ge=1, le=256, description="How many requests it serves at once."
    )
    trusted_proxy: str | None = Field(
        default=None,
        min_length=1,
        description="The address of a proxy in front: its X-Forwarded-For says who asks.",
    )


class Store(_Section):
    """The history."""

    url: str | None = Field(
        default=None,
        min_length=1,
        description="The store; none is a DuckDB file in the data directory, "
        "https://HOST:9200 is Elasticsearch or OpenSearch.",
    )
    index: str = Field(
        default="mlplugin",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="What the names of all indices of a cluster begin with.",
    )
    user: str | None = Field(
        default=None, min_length=1, description="Who asks a cluster; the URL may say it as well."
    )
    password_file: Path | None = Field(
        default=None, description="A file with the password for a cluster."
    )
    api_key_file: Path | None = Field(
        default=None, description="A file with an API key for a cluster, in place of a password."
    )
    token_file: Path | None = Field(
        default=None, description="A file with a bearer token for a cluster."
    )
    ca_file: Path | None = Field(
        default=None, description="The certificates to trust, where a cluster's are not public."
    )
    plain_secrets: bool = Field(
        default=False,
        description="Send secrets to a cluster over plain HTTP, also beyond this machine.",
    )
    retention_days: float = Field(default=90, gt=0, description="Older events are deleted; days.")
    max_bytes: Size = Field(
        default=10_000_000_000,
        description="The oldest events go when the store grows over this; bytes, or 10GB, 512MiB. "
        "A cluster has no such bound unless one is set.",
    )


class Data(_Section):
    """Files that mlplugin keeps."""

    dir: Path | None = Field(default=None, description="Where; the user's data directory if none.")


class ModelChoice(_Section):
    """The model."""

    dir: Path | None = Field(
        default=None,
        description="A model directory; none is the promoted one, else the one that is shipped.",
    )


class Config(_Section):
    """Everything that can be configured."""

    dns: Dns = Field(default_factory=Dns)
    service: Service = Field(default_factory=Service)
    store: Store = Field(default_factory=Store)
    data: Data = Field(default_factory=Data)
    model: ModelChoice = Field(default_factory=ModelChoice)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Give the JSON schema of the file."""
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
        return {**schema, **cls.model_json_schema(), "title": "mlplugin configuration"}


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    >>> load(None, {"MLPLUGIN_STORE_RETENTION_DAYS": "30"}).store.retention_days
    30.0

    Args:
        path: the TOML file, if there is one; paths in it are relative to its folder.
        environment: that of the process if None.

    Raises:
        ConfigError: if the file cannot be read, or a key or a value is wrong.
    """
    found: dict[str, Any] = {} if path is None else _file(path)
    variables = _variables(os.environ if environment is None else environment)
    for (section, name), (_, value) in variables.items():
        if isinstance(found.setdefault(section, {}), dict):
            found[section][name] = value
    try:
        config = Config.model_validate(found)
    except ValidationError as error:
        raise ConfigError(_explained(error, path, variables)) from error
    return config if path is None else _anchored(config, path.parent, variables)


def _file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error


# Variable and value by section and name.
Variables = dict[tuple[str, str], tuple[str, str]]


def _section_of(variable: str) -> str | None:
    sections = (
        name for name in Config.model_fields if variable.startswith(f"{PREFIX}{name.upper()}_")
    )
    return next(sections, None)


def _variables(environment: Mapping[str, str]) -> Variables:
    """Give the variables that are set; an empty one is not, as usual in containers."""
    found: Variables = {}
    for variable, value in environment.items():
        section = _section_of(variable)
        if section and value:
            name = variable.removeprefix(f"{PREFIX}{section.upper()}_").lower()
            if (section, name) not in _SECRETS:
                found[section, name] = (variable, value)
    return found


def _anchored(config: Config, folder: Path, variables: Variables) -> Config:
    """Take the file's relative paths from its folder; those of variables stay as they are."""
    changed: dict[str, _Section] = {}
    for section in Config.model_fields:
        part: _Section = getattr(config, section)
        paths = {
            name: folder / value
            for name, value in part
            if isinstance(value, Path) and (section, name) not in variables
        }
        changed[section] = part.model_copy(update=paths)
    return config.model_copy(update=changed)


def _explained(error: ValidationError, path: Path | None, variables: Variables) -> str:
    """Say in one line what is wrong first, and where."""
    fault = error.errors(include_url=False)[0]
    place = tuple(str(part) for part in fault["loc"])
    variable = variables.get((place[0], place[1])) if len(place) > 1 else None
    where = variable[0] if variable else f"{path}: {'.'.join(place)}"
    if fault["type"] == "extra_forbidden":
        known: Iterable[str] = Config.model_fields
        if len(place) > 1:
            known = type(getattr(Config(), place[0])).model_fields
        if variable:
            prefix = f"{PREFIX}{place[0].upper()}_"
            known = [f"{prefix}{name.upper()}" for name in known]
        return f"{where} is not known; {_nearest(variable[0] if variable else place[-1], known)}"
    if fault["type"] == "model_type":
        return f"{where} is a section: write [{place[0]}] and its values below"
    what = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
