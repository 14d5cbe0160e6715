"""What to say where a command needs modules that only the `train` extra brings."""

from __future__ import annotations

from mlplugin.errors import MlpluginError


def missing(error: ModuleNotFoundError) -> MlpluginError:
    """Give the error that tells how to install what could not be imported."""
    return MlpluginError(
        f"{error.name} is missing: this needs the `train` extra: "
        "`uv sync --extra train` or `pip install 'mlplugin[train]'`"
    )
