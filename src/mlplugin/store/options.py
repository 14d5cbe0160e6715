"""What is said of a store beside its URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What is said of a cluster beside its URL.

    Attributes:
        index: what the names of all indices begin with.
        user: for `password`; the URL may name one as well.
        api_key: as the cluster gave it, in base64.
        token: a bearer token.
        ca_file: certificates to trust in place of the system's.
        plain_secrets: send secrets over HTTP without TLS, also beyond this machine.
    """

    index: str = "mlplugin"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    plain_secrets: bool = False
