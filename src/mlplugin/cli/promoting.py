"""The models that there are as rows, and another in use in place of the one that is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlplugin.cli.extra import missing
from mlplugin.cli.output import Format, write_rows
from mlplugin.cli.which_model import directory_of
from mlplugin.errors import ModelError, RefusedError
from mlplugin.model import load, shipped
from mlplugin.service import comparison, promotion
from mlplugin.service.in_use import newer_shipped
from mlplugin.service.lineage import NOTHING_TOLD
from mlplugin.service.registry import LINK, NAME, Instead, Registry, check_version

COLUMNS = (
    "version", "in_use", "state", "parent", "who", "data_cutoff", "sha256", "directory", "error",
)  # fmt: skip


def write_models(registry: Registry, folder: Path | None, form: Format) -> None:
    """List models: those of a folder, or the shipped one and those of the registry."""
    write_rows(_rows(folder, registry), COLUMNS, form)
    note = newer_shipped(registry) if folder is None else None
    if note:
        click.echo(note, err=True)


def _rows(folder: Path | None, registry: Registry) -> Iterator[dict[str, Any]]:
    """One row a model: of the folder, or of what is shipped and what was promoted."""
    fault = None
    try:
        used = registry.in_use() or shipped()
    except ModelError as error:
        fault, used = str(error), registry.link
    folders = [folder] if folder else [shipped().parent]
    places = [path.parent for one in folders for path in one.glob("*/config.json")]
    places = sorted(path for path in places if NAME.fullmatch(path.name))
    if folder is None:
        places += registry.directories()
    if fault is not None:
        yield {"version": LINK, "in_use": True, "directory": str(registry.link), "error": fault}
    origins = registry.origins()
    for place in places:
        in_use = fault is None and place.resolve() == used.resolve()
        known = place.name if place.parent == registry.folder else None
        row = _row(place, in_use=in_use)
        if folder is None:
            row["state"] = registry.state_of(known).value
        origin = origins.get(str(row.get("sha256")))
        yield row | (NOTHING_TOLD if origin is None else origin.listed())


def _row(place: Path, *, in_use: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"version": place.name, "in_use": in_use, "state": None}
    try:
        model = load(place)
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        row |= {
            "version": model.version,
            "data_cutoff": config.get("data_cutoff"),
            "sha256": model.sha256,
            "error": None,
        }
    except ModelError as error:
        row["error"] = str(error)
    return row | {"directory": str(place)}


def put_in_use(
    registry: Registry, model: str, names: Path | None, form: Format, *, force: bool
) -> None:
    """Promote a model that is not worse, or whatever it is.

    Args:
        registry: of the data directory.
        model: a directory, or a version that is here.
        names: a folder of labelled names to measure both models on first.
        form: of the list of what was measured.
        force: promote it although it is worse, or cannot be compared.

    Raises:
        RefusedError: if it is worse, or cannot be compared.
        ModelError: if it is none.
        UsageError: if there is none of that name.
    """
    directory = directory_of(model, registry)
    candidate = load(directory)
    version = check_version(candidate.version)
    instead = Instead(registry.serving())
    used = _in_use(registry)
    refusal = None
    if used is not None and used.resolve() != directory.resolve():
        refusal = _compared(used, directory, names, form)
    if refusal and not force:
        raise RefusedError(f"{version} is not promoted, {refusal}; --force does it all the same")
    entry = registry.promote(directory, forced=refusal is not None, instead=instead)
    if refusal:
        click.echo(f"--force: {version} is promoted although {refusal}", err=True)
    if entry is None:
        click.echo(f"{version} is in use already", err=True)
    else:
        click.echo(f"{version} is in use in place of {named(entry.previous)}", err=True)


def _in_use(registry: Registry) -> Path | None:
    """Give the directory of the model in use; None, said on stderr, where it cannot be used."""
    try:
        used = registry.in_use() or shipped()
        load(used)
    except ModelError as fault:
        click.echo(f"nothing to compare with: {fault}", err=True)
        return None
    return used


def _compared(used: Path, candidate: Path, names: Path | None, form: Format) -> str | None:
    """List what was measured of both, and give the reason to refuse the candidate."""
    model = load(used)
    how = "" if names else ": `--names DIR` measures both on the same labelled names"
    seen = None
    try:
        before, after = _measured(used, names), _measured(candidate, names)
        about = _retraining(candidate, needed=names is None)
    except ModelError as fault:
        return f"it cannot be compared with {model.version}: {fault}"
    if about is not None:
        basis = promotion.basis(about, model)
        if not isinstance(basis, str):
            before, seen = before if names else basis, about.get("network")
        elif names is None:
            return basis
    rows = comparison.compare(before, after) if before and after else []
    if rows:
        write_rows((row.listed() for row in rows), comparison.COLUMNS, form)
    if about is not None and before is not None and after is not None:
        found = [*promotion.reasons(before, after, model.version), *_eroded(candidate, about)]
    else:
        found = promotion.trained(before, after, model.version, how)
    return " and ".join([*found, *promotion.too_many(seen, model.version)]) or None


def _retraining(candidate: Path, *, needed: bool) -> dict[str, Any] | None:
    """Give what a model tells of its retraining. Raises ModelError only where that is needed."""
    try:
        return promotion.retraining_of(comparison.metrics_of(candidate, load(candidate).sha256))
    except ModelError:
        if needed:
            raise
        return None


def _eroded(candidate: Path, about: dict[str, Any]) -> list[str]:
    """Give what its retraining found beside the model that its line began with."""
    told = comparison.metrics_of(candidate, load(candidate).sha256)
    return [] if told is None else promotion.erosion(about, told)


def _measured(directory: Path, names: Path | None) -> comparison.Metrics | None:
    """Give what was measured of a model: now, on a folder of names, or before, as it tells."""
    if names is None:
        return comparison.metrics_of(directory, load(directory).sha256)
    try:
        from mlplugin.training import evaluation  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise missing(error) from error
    request = evaluation.Request(directory, names)
    return evaluation.evaluate(request, lambda line: click.echo(line, err=True))


def named(version: str | None) -> str:
    """Give a version in words; None is the shipped model."""
    return version if version is not None else f"the shipped model {load().version}"
