"""Signing in and out: a page that works without scripts."""

from __future__ import annotations

import logging
import math
import threading

from flask import Flask, Response, make_response, redirect, render_template, request

from mlplugin.api.access import COOKIE, SIGN_IN, SIGN_OUT, Access, address, from_elsewhere, named
from mlplugin.api.problems import problem
from mlplugin.api.sessions import LONGEST_SECONDS
from mlplugin.errors import ConfigError

LOG = logging.getLogger(__name__)
MOST_BODY_BYTES = 8192
CSRF_COOKIE = "_csrf_token"
# A password takes a good part of a second to compare, one after another: so many at most keep a
# thread of the server with it, whoever asks, and from however many addresses.
MOST_AT_ONCE = 2
WRONG = "That is neither the password nor the token."


def register(app: Flask, access: Access) -> None:
    """Add the routes."""
    door = _Door(access)
    app.add_url_rule(SIGN_IN, "sign_in.show", door.show)
    app.add_url_rule(SIGN_IN, "sign_in.take", door.take, methods=["POST"])
    app.add_url_rule(SIGN_OUT, "sign_in.end", door.end, methods=["POST"])


class _Door:
    """Where people come in."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def show(self) -> Response:
        """Show the form; where no sign-in is needed, lead on."""
        there = _local(request.args.get("next"))
        if self._access.open or self._access.session() is not None:
            return _led(there)
        return _form(there)

    def take(self) -> Response:
        """Take what was filled in."""
        refused = from_elsewhere()
        if refused is not None:
            return refused
        if (request.content_length or 0) > MOST_BODY_BYTES:
            return problem(413, f"a sign-in may have at most {MOST_BODY_BYTES} bytes")
        there = _local(request.form.get("next"))
        if not self._room.acquire(blocking=False):
            answer = _form(there, "Others are signing in just now: try again.", 503)
            answer.headers["Retry-After"] = "1"
            return answer
        try:
            return self._compared(there)
        finally:
            self._room.release()

    def _compared(self, there: str) -> Response:
        """Sign in whoever knows the password or the token."""
        came_from = address()
        wait = self._access.throttle.attempt(came_from)
        if wait:
            seconds = math.ceil(wait)
            answer = _form(there, f"Too many attempts: wait {seconds} s.", 429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        # before the comparison: a password that is set meanwhile ends this session, too
        stamp = self._access.stamp()
        try:
            known = self._access.knows(request.form.get("password", ""))
        except ConfigError as fault:
            return _form(there, str(fault), 503)
        if not known:
            # no name: people write their password there, too
            LOG.warning("a sign-in from %s was refused", _plain(came_from))
            return _form(there, WRONG, 401)
        self._access.throttle.succeeded(came_from)
        return _signed_in(self._access, there, stamp)

    def end(self) -> Response:
        """End the session."""
        self._access.sessions.end(request.cookies.get(COOKIE))
        answer = Response(status=204)
        for name in (COOKIE, CSRF_COOKIE):
            answer.delete_cookie(name, path="/", samesite="Strict")
        return answer


def _form(there: str, fault: str = "", status: int = 200) -> Response:
    return make_response(render_template("sign_in.html", next=there, fault=fault), status)


def _signed_in(access: Access, there: str, stamp: str) -> Response:
    """Begin a session and lead on to where somebody wanted to go."""
    name = "".join(char for char in request.form.get("name", "").strip() if char.isprintable())
    key, session = access.sessions.begin(named(name), stamp)
    LOG.info("%s signed in", _plain(session.who))
    answer = _led(there)
    # A proxy in front may speak TLS: what the browser calls this place says so.
    secure = request.is_secure or request.headers.get("Origin", "").startswith("https:")
    for cookie, value, hidden in ((COOKIE, key, True), (CSRF_COOKIE, session.csrf, False)):
        answer.set_cookie(
            cookie,
            value,
            max_age=int(LONGEST_SECONDS),
            httponly=hidden,
            samesite="Strict",
            secure=secure,
            path="/",
        )
    return answer


def _plain(text: str) -> str:
    """A text as one that can stand in a log."""
    return ascii(text)[1:-1]


def _led(there: str) -> Response:
    return make_response(redirect(there, 303))


def _local(there: str | None) -> str:
    """Give an address within this service, the overview in place of any other."""
    plain = there and there.isascii() and there.isprintable() and "\\" not in there
    if not there or not plain or not there.startswith("/") or there.startswith("//"):
        return "/"
    return there
