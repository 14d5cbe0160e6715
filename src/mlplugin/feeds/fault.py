"""What can go wrong with one feed; the others go on."""

from __future__ import annotations

from mlplugin.errors import MlpluginError


class FeedError(MlpluginError):
    """A feed that cannot be fetched or read; the message says what to do, without its name."""
