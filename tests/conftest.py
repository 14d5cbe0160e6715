"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# How long one example takes says more of a shared machine than of the code.
settings.register_profile("mlplugin", deadline=None)
settings.load_profile("mlplugin")
