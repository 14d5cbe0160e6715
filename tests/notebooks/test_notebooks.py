"""The notebook runs from top to bottom, as its own first cell says how."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from mlplugin.model import load
from mlplugin.service.registry import Registry
from mlplugin.training import sample

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WALK = FOLDER / "from-names-to-a-promoted-model.ipynb"
# Warnings are errors, but for what the kernel says of itself when it ends.
STRICT = "import warnings\nwarnings.simplefilter('error')\nwarnings.filterwarnings('default', module='ipykernel')"  # noqa: E501


def notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def commands() -> Iterator[list[str]]:
    """Every line of a shell block in a notebook's text."""
    for path in NOTEBOOKS:
        for cell in notebook(path).cells:
            if cell.cell_type == "markdown":
                for block in re.findall(r"```sh\n(.*?)```", cell.source, re.S):
                    yield from map(shlex.split, block.splitlines())


def test_there_is_one() -> None:
    assert WALK in NOTEBOOKS
    assert len(list(commands())) == 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path: Path) -> None:
    found = notebook(path)
    nbformat.validate(found)
    for cell in found.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [], cell.id
            assert cell.execution_count is None
            assert set(cell.metadata) <= {"tags"}
    assert set(found.metadata) == {"kernelspec", "language_info"}
    assert set(found.metadata.language_info) == {"name"}, "of one Python version only"
    assert path.read_text() == nbformat.writes(found) + "\n", "save it as nbformat does"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_code_is_in_style(path: Path) -> None:
    ruff = str(Path(sys.executable).with_name("ruff"))
    # A notebook shows by bare expressions and prints, and asserts what it relies on.
    ignored = "D1,S101,S311,S603,PLR2004,RUF001,ARG002"
    done = subprocess.run(
        [ruff, "check", "--extend-ignore", ignored, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_what_it_links_to_is_there() -> None:
    for path in NOTEBOOKS:
        text = "\n".join(c.source for c in notebook(path).cells if c.cell_type == "markdown")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / target).is_file(), target


def test_the_group_brings_what_opens_it() -> None:
    """From the lock file alone, so that nothing is fetched."""
    (words,) = [words for words in commands() if "lab" in words]
    assert words[:2] == ["uv", "run"]
    assert words[4:6] == ["jupyter", "lab"]
    assert (ROOT / words[6]).is_file()
    done = subprocess.run(
        ["uv", "export", "--locked", "--quiet", *words[2:4], "--no-dev", "--no-hashes"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^jupyterlab==", done.stdout, re.M)
    assert re.search(r"^numba==", done.stdout, re.M)


def executed(folder: Path, parameters: str) -> Any:
    """Run it as its first cell says, in a folder of its own; give it with its outputs."""
    (words,) = [words for words in commands() if "execute" in words]
    assert words[:4] == ["uv", "run", "jupyter", "execute"]
    assert ROOT / words[4] == WALK
    found = notebook(WALK)
    (at,) = [n for n, c in enumerate(found.cells) if "parameters" in c.metadata.get("tags", [])]
    found.cells.insert(at + 1, nbformat.v4.new_code_cell(f"{STRICT}\n{parameters}"))
    path = folder / WALK.name
    nbformat.write(found, path)
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", str(path), *words[5:]],
        cwd=folder, capture_output=True, text=True, check=False, timeout=580,
        env={**os.environ, "IPYTHONDIR": str(folder / "ipython"), "OMP_NUM_THREADS": "1",
             "JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_PREFER_ENV_PATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (written,) = [word.partition("=")[2] for word in words if word.startswith("--output=")]
    return notebook(folder / written)


def outputs(found: Any, kind: str) -> dict[str, int]:
    """How many pictures of a kind each cell made."""
    return {
        cell.id: sum(kind in output.get("data", {}) for output in cell.outputs)
        for cell in found.cells
        if cell.cell_type == "code"
    }


def said(found: Any, name: str) -> str:
    (cell,) = [cell for cell in found.cells if cell.id == name]
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.slow
def test_it_runs_on_the_sample(tmp_path: Path) -> None:
    found = executed(tmp_path, f"OUT = {str(tmp_path / 'out')!r}")
    for cell in found.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert all(output.output_type != "error" for output in cell.outputs)
    pictures = outputs(found, "image/png")
    wanted = {"names-plot", "traps-granularity", "traps-hosting", "train-plot", "thresholds",
              "explain", "compare-plot"}  # fmt: skip
    assert {name for name, count in pictures.items() if count} == wanted
    assert outputs(found, "image/svg+xml")["measure-plots"] == 3
    assert all((tmp_path / "out" / "plots" / f"{name}.svg").is_file()
               for name in ("roc", "reliability", "families"))  # fmt: skip
    registry = Registry(tmp_path / "out" / "data")
    promoted = registry.in_use()
    assert promoted is not None
    assert load(promoted).version == "2026.12.0"
    assert [entry.action for entry in registry.history()] == ["promote", "rollback", "promote"]
    # The traps are there to be seen, and the model has learnt something.
    noise = said(found, "traps-noise")
    assert re.search(r"benign_popular +\d+ +[1-9]\d* ", noise)
    assert re.search(r"mal_phishing +\d+ +[1-9]\d* ", noise)
    flagged = re.search(r"2,040 names, (\d+) flagged, (\d+) of them", said(found, "replay"))
    assert flagged is not None
    assert int(flagged[1]) - int(flagged[2]) >= 5
    assert int(flagged[2]) <= 10
    metrics = json.loads((promoted / "metrics.json").read_text())
    assert all(row["own"]["0.10%"] > 0.5 for row in metrics["macro"].values())


@pytest.mark.slow
def test_it_runs_on_a_folder_of_ones_own(tmp_path: Path) -> None:
    """Two plain files, no host names, no generators, no shared hosting."""
    folder, rng = tmp_path / "names", random.Random(5)
    folder.mkdir()
    good = [(n, "benign", "popular", "", *sample.LISTED) for n in sample.benign(rng, 9000)]
    bad = [(n, "malicious", "malware", "", "2025-01-01", "mine") for n in sample.noise(rng, 3000)]
    for name, rows in (("benign_popular", good), ("mal_malware", bad)):
        text = sample.HEADER + "".join("\t".join(row) + "\n" for row in rows)
        (folder / f"{name}.tsv").write_text(text)
    place = tmp_path / "out"
    found = executed(
        tmp_path,
        f"DATA, OUT, VERSION = {str(folder)!r}, {str(place)!r}, '1.0'\n"
        "from mlplugin.training.sample import RECIPE",
    )
    assert load(Registry(place / "data").in_use()).version == "1.0"
    assert re.search(r"^\d+ names, [1-9]\d* flagged", said(found, "replay"))
    assert json.loads((place / "model" / "config.json").read_text())["version"] == "1.0"
