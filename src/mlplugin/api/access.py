"""Who may ask: the token, names of this machine only, and no other site's pages."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from flask import Flask, Response, request

from mlplugin.api.problems import problem

OPEN_PATHS = frozenset({"/healthz"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """What a request must bring.

    Attributes:
        token: what `Authorization: Bearer` must carry (or Basic, as its password); None: nothing.
        loopback: whether the service listens on a loopback address only. Without a token the
            Host header must then name this machine, so that no page of a site whose name
            is made to point here (DNS rebinding) can read anything.
    """

    token: str | None = None
    loopback: bool = True

    def register(self, app: Flask) -> None:
        """Guard every route of the application."""
        app.before_request(self._guard)
        app.after_request(_secured)

    def _guard(self) -> Response | None:
        if request.path in OPEN_PATHS:
            return None
        if self.token is not None:
            if not self._authorised(self.token):
                headers = {"WWW-Authenticate": 'Bearer, Basic realm="mlplugin"'}
                return problem(401, "a token is needed: Authorization: Bearer ...", headers=headers)
        elif self.loopback and not names_this_machine(request.host):
            return problem(421, f"the host {request.host[:80]!r} is not served: use 127.0.0.1")
        other_site = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
        if other_site and request.method not in READING:
            return problem(403, "a page of another site may not do this")
        return None

    def _authorised(self, token: str) -> bool:
        given = request.authorization
        if given is None:
            return False
        offered = given.token if given.type == "bearer" else given.password
        return hmac.compare_digest((offered or "").encode(), token.encode())


def names_this_machine(host: str) -> bool:
    """Whether a Host header names a loopback address or localhost."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def who() -> str:
    """Who asks, for the record of decisions: the user if one is named, and the address."""
    given = request.authorization
    user = (given.username or "") if given is not None and given.type == "basic" else ""
    address = request.remote_addr or "unknown"
    return f"{user[:64]}@{address}" if user else address


def _secured(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
