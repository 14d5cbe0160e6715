"""Fitting, calibrating, measuring and writing a model; only commands and the registry import it.

The readers in :mod:`mlplugin.model` and in the plugin know nothing of this package:
what passes between them is the directory described in ``docs/model-format.md``.
"""
