"""One JSON document over HTTPS: bounded in time and size, from public addresses alone.

Where to ask comes from documents of others, redirects above all, so that nothing of it is trusted:
a host must have public addresses only, and the address that was looked at is the one connected to.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlplugin import __version__
from mlplugin.errors import MlpluginError

AGENT = f"mlplugin/{__version__} (+https://github.com/mlplugin/mlplugin)"
ACCEPT = "application/rdap+json, application/json"
HTTPS_PORT = 443
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK = 1 << 16
# As http.client tells of it.
REFUSED_BY_PROXY = "Tunnel connection failed: 407"
# NAT64 (RFC 6052): the last four octets are an IPv4 address, which must be public too.
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All of IPv6 that is given out as global unicast.
UNICAST = ipaddress.ip_network("2000::/3")

Resolve = Callable[[str, int], Sequence[str]]


class FetchError(MlpluginError):
    """A document that cannot be had.

    Attributes:
        status: of the answer, if one came.
        retry_after: seconds after which the server wants to be asked again.
    """

    def __init__(
        self, message: str, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """Bounds: seconds of all that is asked for one domain, bytes of a document, its redirects."""

    seconds: float = 8.0
    most_bytes: int = 2 << 20
    redirects: int = 3


def resolved(host: str, port: int) -> list[str]:
    """Give the addresses of a host as the machine's resolver knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet, whichever way it is wrapped."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            address = wrapped
        elif address not in UNICAST:  # site-local and IPv4-compatible ones, which were once global
            return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True)
class Fetcher:
    """Gets JSON documents.

    Attributes:
        limits: of each question.
        trusted: `host:port` that are asked over plain HTTP and at any address, such as a mirror
            on this machine; never along a redirect from elsewhere.
        resolve: gives the addresses of a host.
    """

    limits: Limits = field(default_factory=Limits)
    trusted: frozenset[str] = frozenset()
    resolve: Resolve = resolved

    @property
    def late(self) -> str:
        """What is said where nothing comes in time."""
        return f"no answer within {self.limits.seconds:g} s: try again later"

    def get(self, url: str, seconds: float | None = None) -> Any:
        """Give the document at a URL, waiting so long at most. Raises FetchError."""
        left = self.limits.seconds if seconds is None else seconds
        if left <= 0:
            raise FetchError(self.late)
        question = _Question(self, url, left)
        # a thread, because a resolver and a handshake keep to no deadline of ours
        worker = threading.Thread(target=question.run, name="rdap", daemon=True)
        worker.start()
        worker.join(left)
        if worker.is_alive():
            question.abandon()
            raise FetchError(self.late)
        if question.fault is not None:
            raise question.fault
        return question.found


class _Question:
    """One document, asked for in a thread of its own."""

    def __init__(self, fetcher: Fetcher, url: str, seconds: float) -> None:
        self._fetcher = fetcher
        self._url = url
        self._seconds = seconds
        self._connection: http.client.HTTPConnection | None = None
        self._abandoned = False
        self.found: Any = None
        self.fault: FetchError | None = None

    def run(self) -> None:
        try:
            self.found = self._followed()
        except FetchError as fault:
            self.fault = fault
        except TimeoutError:
            self.fault = FetchError(self._fetcher.late)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.fault = FetchError(_said(fault))
        finally:
            if self._connection is not None:
                self._connection.close()

    def abandon(self) -> None:
        """Have the thread end, wherever it is."""
        self._abandoned = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _followed(self) -> Any:
        url = self._url
        for _ in range(self._fetcher.limits.redirects + 1):
            with self._asked(url) as answer:
                if answer.status not in REDIRECTS:
                    return self._read(answer)
                target = urllib.parse.urljoin(url, answer.headers.get("Location", ""))
            if self._is_trusted(target) and not self._is_trusted(url):
                raise FetchError("the registry's server redirects to this network, refused")
            url = target
        raise FetchError("the registry's server redirects in a circle")

    def _is_trusted(self, url: str) -> bool:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme == "http" and parts.netloc in self._fetcher.trusted

    def _asked(self, url: str) -> http.client.HTTPResponse:
        if self._connection is not None:
            self._connection.close()
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        if self._is_trusted(url):
            self._connection = http.client.HTTPConnection(
                host, parts.port or 80, timeout=self._seconds
            )
        elif parts.scheme != "https" or parts.username is not None or not host:
            raise FetchError("the registry's server is not reached over https, which alone is safe")
        elif parts.port not in {None, HTTPS_PORT}:
            raise FetchError("the registry's server is at a port of its own, refused")
        else:
            self._connection = self._secure(host)
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        if self._abandoned:
            raise FetchError("given up")
        headers = {"Accept": ACCEPT, "User-Agent": AGENT, "Connection": "close"}
        self._connection.request("GET", target, headers=headers)
        return self._connection.getresponse()

    def _secure(self, host: str) -> http.client.HTTPSConnection:
        """Connect to an address that was seen to be public, or to the proxy that is set."""
        seconds, context = self._seconds, ssl.create_default_context()
        proxy = urllib.request.getproxies().get("https")
        if proxy and not urllib.request.proxy_bypass(host):
            _refuse_private([host] if _is_address(host) else [])
            through = urllib.parse.urlsplit(proxy if "://" in proxy else f"//{proxy}")
            tunnel = http.client.HTTPSConnection(
                through.hostname or "", through.port or 80, timeout=seconds, context=context
            )
            tunnel.set_tunnel(host, HTTPS_PORT, _credentials(through))
            return tunnel
        addresses = list(self._fetcher.resolve(host, HTTPS_PORT))
        if not addresses:
            raise FetchError("the registry's server has no address")
        _refuse_private(addresses)
        connection = http.client.HTTPSConnection(host, HTTPS_PORT, timeout=seconds, context=context)
        raw = _first(addresses, seconds)
        connection.sock = context.wrap_socket(raw, server_hostname=host)
        return connection

    def _read(self, answer: http.client.HTTPResponse) -> Any:
        if answer.status != 200:
            after = answer.headers.get("Retry-After", "")
            wait = float(after) if after.isdecimal() else None
            raise FetchError(f"HTTP {answer.status}", answer.status, wait)
        blocks, came, most = [], 0, self._fetcher.limits.most_bytes
        while block := answer.read1(CHUNK):
            came += len(block)
            if came > most:
                raise FetchError(f"the answer is larger than {most:,} bytes, refused")
            blocks.append(block)
        try:
            return json.loads(b"".join(blocks))
        except (ValueError, RecursionError):
            raise FetchError("the answer is no JSON", answer.status) from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse_private(addresses: Sequence[str]) -> None:
    if not all(map(is_public, addresses)):
        raise FetchError("the registry's server has an address that is not public, refused")


def _first(addresses: Sequence[str], seconds: float) -> socket.socket:
    """Connect to the first address that answers."""
    fault: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, HTTPS_PORT), timeout=seconds)
        except OSError as error:
            fault = error
    raise fault or OSError("no address")


def _credentials(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    """What a proxy wants of whoever its URL names (RFC 7617); nothing where it names nobody."""
    if proxy.username is None:
        return {}
    user, password = (urllib.parse.unquote(part or "") for part in (proxy.username, proxy.password))
    said = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {said}"}


def _said(fault: Exception) -> str:
    """Say what is wrong with the way there."""
    if REFUSED_BY_PROXY in str(fault):
        return "the proxy that https_proxy names wants other credentials (407)"
    if isinstance(fault, socket.gaierror):
        return "no network: the registry's server has no address here"
    if isinstance(fault, ssl.SSLError):
        return "the registry's server has no certificate that is trusted here"
    if isinstance(fault, OSError):
        return f"no network: {fault.strerror or 'the connection broke off'}"
    return "the registry's server breaks off, or does not speak HTTP"
