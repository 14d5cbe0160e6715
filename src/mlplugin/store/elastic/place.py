"""Where a cluster is, and who asks there: a URL, and what a URL must not hold."""

from __future__ import annotations

import base64
import ipaddress
import re
import urllib.parse
from dataclasses import dataclass, field

from elastic_transport import NodeConfig

from mlplugin.errors import StoreError
from mlplugin.store.options import Options

PORTS = {"http": 9200, "https": 9200}
INDEX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """The nodes of a cluster, and what every request carries.

    Attributes:
        shown: the URL, for people.
    """

    shown: str
    nodes: tuple[NodeConfig, ...]
    headers: dict[str, str] = field(repr=False)
    index: str

    @classmethod
    def read(cls, url: str, options: Options) -> Place:
        """Read a URL such as `https://user@host:9200`, or with more hosts by commas.

        Raises StoreError.
        """
        parts = urllib.parse.urlsplit(url)
        who, _, hosts = parts.netloc.rpartition("@")
        shown = f"{parts.scheme}://{hosts}{parts.path.rstrip('/')}"
        user, colon, _ = who.partition(":")
        if colon:
            raise StoreError(
                f"store {shown}: no password belongs into a URL, where others see it: put it "
                "into MLPLUGIN_STORE_PASSWORD, or into a file that store.password_file names"
            )
        if parts.query or parts.fragment:
            raise StoreError(f"store {shown}: leave out what stands behind ? or # in the URL")
        if not INDEX.fullmatch(options.index):
            raise StoreError(
                f"store.index {options.index!r} is no prefix of index names: write small letters, "
                "digits, - and _, at most 64"
            )
        user = urllib.parse.unquote(user) or options.user or ""
        headers = _authorization(user, options, shown)
        nodes = tuple(
            _node(parts.scheme, host, parts.path, options, secret=bool(headers), shown=shown)
            for host in hosts.split(",")
        )
        return cls(shown, nodes, headers, options.index)


def _authorization(user: str, options: Options, shown: str) -> dict[str, str]:
    given = [
        name for name in ("password", "api_key", "token") if getattr(options, name) is not None
    ]
    if len(given) > 1:
        raise StoreError(f"store {shown}: {' and '.join(given)} are given: one must be enough")
    if options.api_key is not None:
        value = f"ApiKey {options.api_key}"
    elif options.token is not None:
        value = f"Bearer {options.token}"
    elif options.password is not None:
        if not user:
            raise StoreError(f"store {shown}: a password and no user: write https://USER@HOST:9200")
        pair = f"{user}:{options.password}".encode()
        value = f"Basic {base64.b64encode(pair).decode()}"
    elif user:
        raise StoreError(
            f"store {shown}: a user and no password: set MLPLUGIN_STORE_PASSWORD, or name a file "
            "that holds it in MLPLUGIN_STORE_PASSWORD_FILE"
        )
    else:
        return {}
    if not value.isprintable() or not value.isascii():
        raise StoreError(f"store {shown}: the {given[0]} has other than printable characters")
    return {"authorization": value}


def _node(
    scheme: str, text: str, path: str, options: Options, *, secret: bool, shown: str
) -> NodeConfig:
    try:
        parts = urllib.parse.urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port or PORTS[scheme]
    except (ValueError, KeyError):
        host, port = None, 0
    if not host or not 0 < port < 65536:
        raise StoreError(f"store {shown}: {text!r} is no host: write https://HOST:9200")
    local = is_loopback(host)
    if secret and scheme == "http" and not local and not options.plain_secrets:
        raise StoreError(
            f"store {shown}: without TLS others on the way read the credentials: write https://, "
            "or set store.plain_secrets"
        )
    ca_file = options.ca_file
    if scheme == "https" and ca_file is not None and not ca_file.is_file():
        raise StoreError(f"store.ca_file {ca_file}: there is no such file")
    return NodeConfig(
        scheme,
        host,
        port,
        path_prefix=path.rstrip("/"),
        connections_per_node=CONNECTIONS,
        http_compress=not local,
        ca_certs=str(ca_file) if scheme == "https" and ca_file else None,
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
