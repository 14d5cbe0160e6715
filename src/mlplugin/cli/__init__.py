"""The command line, one module a command; ``main`` is the console script."""

from mlplugin.cli.main import main

__all__ = ["main"]
