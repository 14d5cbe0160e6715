"""`mlplugin train --from-history`: a candidate from the model in use and what people decided."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from mlplugin.cli.client import Client, NobodyError
from mlplugin.cli.extra import missing
from mlplugin.cli.stores import opened
from mlplugin.cli.wishes import Wishes
from mlplugin.errors import MlpluginError, ModelError, RefusedError, StoreError, UsageError
from mlplugin.model import load, shipped
from mlplugin.service import ancestry, outcome
from mlplugin.service.in_use import ModelInUse
from mlplugin.service.job_files import JobState
from mlplugin.service.material import Material, counted, gathered, summary
from mlplugin.service.registry import Registry, check_version
from mlplugin.service.retraining import chosen
from mlplugin.service.vetting import Vetting

if TYPE_CHECKING:
    from mlplugin.training.progress import Reporter

LOOK_SECONDS = 2.0
SHOWN = 10  # names whose verdict would change
_SIDES = {None: "", True: ", as decided", False: ", against a decision"}


def from_history(wishes: Wishes, reporters: list[Reporter]) -> dict[str, Any]:
    """Have the running service do it, or do it here on the store if none runs; the report.

    Raises:
        RefusedError: if a job runs already.
        UsageError: if nothing can be learnt.
        MlpluginError: if it cannot be done.
    """
    if wishes.is_local:
        return _here(wishes, reporters)
    client = Client(wishes.service)
    try:
        client.request("/healthz")
    except NobodyError:
        return _here(wishes, reporters)
    return _there(client, wishes)


def _there(client: Client, wishes: Wishes) -> dict[str, Any]:
    """Start a job of the service and follow it; Ctrl-C cancels it."""
    body = {"kind": "train", "threat": wishes.threat, "since": wishes.since}
    job = client.request("/api/v1/jobs", method="POST", body=body)
    path = f"/api/v1/jobs/{job['id']}"
    click.echo(f"job {job['id']} of {client.url} retrains {job['parent']}", err=True)
    _tell_harm(job.get("material") or {})
    try:
        for told in _followed(client, path):
            if told.get("event") == "line":
                click.echo(str(told.get("text")), err=True)
            elif told.get("event") == "progress" and told.get("measured"):
                click.echo(
                    f"pass {told.get('pass')} of {told.get('passes')}: loss {told.get('loss')}",
                    err=True,
                )
    except KeyboardInterrupt:
        client.request(path, method="DELETE")
        click.echo("cancelled", err=True)
        raise
    found = client.request(path)
    if found["state"] != JobState.DONE:
        raise MlpluginError(f"the job is {found['state']}: {found['reason']}")
    report: dict[str, Any] = found["report"]
    return report


def _followed(client: Client, path: str) -> Iterator[dict[str, Any]]:
    """What a job tells, until it is over.

    Where it cannot be listened to, or not any longer, it is asked now and then how it stands.
    """
    try:
        with client.open(f"{path}/events") as answer:
            for line in answer:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])
    except MlpluginError as fault:  # others follow it already, or the connection broke
        click.echo(f"the job goes on: {fault}", err=True)
    while client.request(path)["state"] == JobState.RUNNING:
        time.sleep(LOOK_SECONDS)


def _here(wishes: Wishes, reporters: list[Reporter]) -> dict[str, Any]:
    """Do it in this process, on the store as it is."""
    try:
        from mlplugin.training.progress import Course  # noqa: PLC0415
        from mlplugin.training.retraining.learn import Recipe  # noqa: PLC0415
        from mlplugin.training.retraining.run import Order, retrain  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing(error) from error
    data = wishes.data or platformdirs.user_data_path("mlplugin", appauthor=False)
    registry = Registry(data)
    parent = registry.in_use() or shipped()
    material = _material(wishes, data, parent)
    _tell_harm(summary(material))
    version = check_version(wishes.version or ancestry.next_version(registry, load(parent).version))
    if (registry.folder / version).exists():
        raise UsageError(f"{version} is here already: give the new model another --version")
    if wishes.out is not None and wishes.out.exists() and any(wishes.out.iterdir()):
        raise UsageError(f"{wishes.out} is there and not empty: name a new directory with --out")
    with tempfile.TemporaryDirectory(prefix="mlplugin-") as folder:
        out = Path(folder) / "model"
        course = Course(reporters)
        try:
            report = retrain(
                Order(
                    parent,
                    material,
                    out,
                    version,
                    wishes.names,
                    Recipe(seed=wishes.seed),
                    root=ancestry.root(parent.resolve(), registry),
                ),
                course,
            )
        finally:
            course.close()
        try:
            registry.add(
                out,
                parent=report["parent"]["version"],
                parent_sha256=report["parent"]["sha256"],
                data_sha256=report["data_sha256"],
            )
        except ModelError as fault:
            raise ModelError(_with_our_option(fault)) from fault
        if wishes.out is not None:
            shutil.copytree(out, wishes.out, dirs_exist_ok=True)
    return report


def _material(wishes: Wishes, data: Path, parent: Path) -> Material:
    choice = chosen(None, wishes.threat, wishes.since, None)
    try:
        store = opened(wishes.store, data, read_only=True)
    except StoreError as fault:
        raise StoreError(
            f"{_with_our_option(fault)}; where a service runs on it, leave --data-dir and --store "
            "out, and it does the work"
        ) from None
    try:
        model = load(parent)
        return gathered(store, Vetting(store, ModelInUse(model)).all(), model, choice)
    finally:
        store.close()


def _with_our_option(fault: MlpluginError) -> str:
    """What is wrong with the place that other commands call --data: here, that is for names."""
    return str(fault).replace("with --data", "with --data-dir")


def _tell_harm(material: dict[str, Any]) -> None:
    """Say what vetted names are taken for, before the work: a wrong guess teaches badly."""
    if harm := outcome.taken(material):
        click.echo(
            f"vetted names are taken for: {harm}; where that is wrong, `--threat` says the harm of "
            "those that were never flagged",
            err=True,
        )


def told(report: dict[str, Any]) -> Iterator[str]:
    """Give what a retraining came to, in lines for people."""
    for title, row in (("learnt from", "learnt"), ("held back", "held_back")):
        before, after = report["decided"][row]["before"], report["decided"][row]["after"]
        yield (
            f"decided names {title}: {after['found']:,} of {after['malicious']:,} malicious ones "
            f"found (before {before['found']:,}), {after['let_be']:,} of {after['benign']:,} "
            f"benign ones let be (before {before['let_be']:,})"
        )
    before, after = report["guard"]["before"], report["guard"]["after"]
    root = report["root"]
    for part, what in (("false_positives", "flagged"), ("finds", "found")):
        for name, now in after[part].items():
            then = f"before {before[part][name]['suspicious or worse']:.2%}"
            if root["measured"] is not None:
                first = root["measured"][part][name]["suspicious or worse"]
                then += f", {root['version']} {first:.2%}"
            yield (
                f"{name}: {now['suspicious or worse']:.2%} {what} ({then}), {now['names']:,} names"
            )
    for way, rows in report["changes"].items():
        for row in rows[:SHOWN]:
            yield (
                f"{way}: {row['name']} {row['before']} -> {row['after']}, "
                f"{counted(row['queries'], 'query', 'queries')}"
                + _SIDES[outcome.agrees(way, row["decided"])]
            )
    for why in report["refused"]:
        yield f"not to be promoted: {why}"


def conclude(report: dict[str, Any]) -> None:
    """Say what to do with the candidate. Raises RefusedError if it is not to be promoted."""
    for line in told(report):
        click.echo(line, err=True)
    version, little = report["version"], outcome.little(report)
    if little:
        click.echo(little, err=True)
    if report["refused"]:
        raise RefusedError(
            f"{version} is here and not to be promoted: {'; '.join(report['refused'])}"
        )
    what = "a candidate that learnt little" if little else "a candidate"
    click.echo(f"{version} is {what}: `mlplugin models promote {version}` puts it in use")
