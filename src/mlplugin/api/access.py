"""Who may ask: a token, a session, names of this machine only, and no other site's pages."""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from flask import Flask, Response, redirect, request

from mlplugin.api.problems import problem
from mlplugin.api.sessions import Session, Sessions, Throttle
from mlplugin.service.password import Password

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
OPEN_PATHS = frozenset({"/healthz", SIGN_IN})
OPEN_FOLDER = "/assets/"
COOKIE = "mlplugin_session"
CSRF_HEADER = "X-CSRFToken"
# Where a request carries who asks, for the record of decisions.
WHO = "mlplugin.who"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# What stays as it is in the query of an address (RFC 3986, 3.4), with what is encoded already.
IN_QUERY = "!$&'()*+,;=:@/?%"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Nothing to others; with no-referrer a browser would not say where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """What a request must bring.

    Attributes:
        token: what `Authorization: Bearer` must carry (or Basic, as its password); None: nothing.
        loopback: whether only this machine reaches the service. Without a token it is
            then open, and the Host header must name this machine, so that no page of a site
            whose name is made to point here (DNS rebinding) can read anything.
        password: with which people sign in where it is not open; the token does it too.
    """

    token: str | None = None
    loopback: bool = True
    password: Password | None = None
    sessions: Sessions = field(default_factory=Sessions)
    throttle: Throttle = field(default_factory=Throttle)

    @property
    def open(self) -> bool:
        """Whether anybody on this machine may ask."""
        return self.token is None and self.loopback

    def register(self, app: Flask) -> None:
        """Guard every route of the application."""
        app.before_request(self._guard)
        app.after_request(_secured)

    def session(self) -> Session | None:
        """Give the session that a request belongs to."""
        return self.sessions.find(request.cookies.get(COOKIE), self.stamp())

    def stamp(self) -> str:
        """Give what changes with the password."""
        return self.password.stamp() if self.password else ""

    def knows(self, secret: str) -> bool:
        """Tell whether somebody may sign in with this."""
        if self.token is not None and hmac.compare_digest(secret.encode(), self.token.encode()):
            return True
        return self.password is not None and self.password.matches(secret)

    def _guard(self) -> Response | None:
        if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDER):
            return self._host() if self.open else None
        request.environ[WHO] = who()
        refused = self._host() if self.open else self._credentials()
        if refused is not None or request.method in READING:
            return refused
        return from_elsewhere()

    def _host(self) -> Response | None:
        if names_this_machine(request.host) or request.path == "/healthz":
            return None
        return problem(421, f"the host {request.host[:80]!r} is not served: use 127.0.0.1")

    def _credentials(self) -> Response | None:
        """Let in who has the token or a session."""
        if self.token is not None and request.authorization is not None:
            return None if self._authorised(self.token) else _sent_away()
        session = self.session()
        if session is None:
            return _sent_away()
        request.environ[WHO] = session.who
        if request.method not in READING and not hmac.compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()
        ):
            return problem(403, f"{CSRF_HEADER} does not say what the session's cookie says")
        return None

    def _authorised(self, token: str) -> bool:
        given = request.authorization
        if given is None:
            return False
        offered = given.token if given.type == "bearer" else given.password
        return hmac.compare_digest((offered or "").encode(), token.encode())


def from_elsewhere() -> Response | None:
    """Refuse what a page of another site sends."""
    refused = problem(403, "a page of another site may not do this")
    if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        return refused
    given = request.authorization
    origin = request.headers.get("Origin")
    if origin is None or (given is not None and given.type == "bearer"):
        return None
    return None if urlsplit(origin).netloc.lower() == request.host.lower() else refused


def _sent_away() -> Response:
    """Lead people to the sign-in page, and tell programs what is missing."""
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        # the path is decoded: as it is, a name with a `?` or `%` in it would be another page
        back = quote(request.path)
        if request.query_string:
            back += f"?{quote(request.query_string, safe=IN_QUERY)}"
        return redirect(f"{SIGN_IN}?next={quote(back, safe='')}", 303)  # type: ignore[return-value]
    # A page asks by itself: Basic would have the browser open its own window.
    basic = "" if "Sec-Fetch-Mode" in request.headers else ', Basic realm="mlplugin"'
    return problem(
        401,
        "a token is needed: Authorization: Bearer ...",
        headers={"WWW-Authenticate": f"Bearer{basic}"},
    )


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
    return named(user) if WHO not in request.environ else str(request.environ[WHO])


def named(user: str) -> str:
    """Give a user and the address that the request comes from."""
    return f"{user[:64]}@{address()}" if user else address()


def address() -> str:
    """Give the address that the request comes from; a proxy that is trusted says it in a text."""
    said = request.environ.get("REMOTE_ADDR") or "unknown"
    # The server lets only a trusted proxy's pass, and cuts one that ends like IPv4 in itself.
    told = request.headers.get("X-Forwarded-For", "")
    with contextlib.suppress(ValueError):
        mapped = ipaddress.IPv6Address(told.strip().strip("[]")).ipv4_mapped
        # as a socket of both families shows IPv4 (RFC 4291, section 2.5.5.2)
        said = said if mapped is None else str(mapped)
    if said.startswith("["):  # as an IPv6 address with a port is written
        said = said[1:].partition("]")[0]
    return str(said)[:64]


def _secured(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
