"""What can go wrong that a user can do something about.

The message of each error is one line: what is wrong, and what to do. The command line
prints it on stderr and leaves with ``exit_code``; the service turns it into a problem document.
"""

from __future__ import annotations


class MlpluginError(Exception):
    """The root of all our errors; ``exit_code`` is the command line's exit status for it."""

    exit_code = 3


class UsageError(MlpluginError):
    """A command or request that makes no sense as it is."""

    exit_code = 2


class ConfigError(MlpluginError):
    """A configuration that cannot be used."""

    exit_code = 2


class InvalidNameError(MlpluginError):
    """A text that is no domain name."""

    exit_code = 2


class ModelError(MlpluginError):
    """A model directory that is missing, damaged, or of another format."""


class RefusedError(MlpluginError):
    """Something that could be done and had better not be: the answer is no."""

    exit_code = 1


class StoreError(MlpluginError):
    """A store that cannot be opened, read or written."""


class PortError(MlpluginError):
    """An address to listen on that is taken or forbidden, or a service that does not answer."""
