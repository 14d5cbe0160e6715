"""Sessions: how one begins, what it may do, what ends it, and who guesses."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from mlplugin.api.access import Access
from mlplugin.api.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions, Throttle
from mlplugin.errors import ConfigError, UsageError
from mlplugin.service.password import Password
from tests.api.conftest import Answer, Live, Start

SECRET = "correct horse battery"
TOKEN = "0123456789abcdef0123456789abcdef"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE = "/api/v1/overrides/example.org"


@pytest.fixture
def password(tmp_path: Path) -> Password:
    found = Password(tmp_path)
    found.set(SECRET)
    return found


def closed(password: Password) -> Access:
    """For those who sign in. No wait is over while a test runs, however long a hash takes."""
    return Access(None, loopback=False, password=password, throttle=Throttle(lambda: 0.0))


@pytest.fixture
def live(start: Start, password: Password) -> Live:
    return start(closed(password))


def sign_in(live: Live, secret: str = SECRET, **said: str) -> Answer:
    body = urlencode({"password": secret, **said}).encode()
    return live.ask("POST", "/sign-in", body, FORM)


def cookies(answer: Answer) -> dict[str, str]:
    """What the answer sets; the test's client joins headers of one name no further than this."""
    found = {}
    for part in answer.cookies:
        name, _, value = part.partition(";")[0].partition("=")
        found[name] = value
    return found


def session(live: Live, secret: str = SECRET) -> tuple[dict[str, str], str]:
    """The headers of a session, and its CSRF token."""
    found = cookies(sign_in(live, secret))
    cookie = "; ".join(f"{name}={value}" for name, value in found.items())
    return {"Cookie": cookie}, found["_csrf_token"]


def test_nobody_without_a_session(live: Live) -> None:
    assert live.ask("GET", "/api/v1/queries").status == 401
    assert live.ask("GET", "/_dash-layout").status == 401
    answer = live.ask("GET", "/queries?client=192.0.2.1", headers={"Accept": "text/html"})
    assert answer.status == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fqueries%3Fclient%3D192.0.2.1"
    assert live.ask("GET", "/sign-in").status == 200
    assert live.ask("GET", "/assets/dashboard.css").status == 200
    assert live.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "there",
    ["/domain/a%3Fb.example", "/domain/a%25b.example?since=all", "/domain/m%C3%BCnchen.example",
     "/queries?qname=%2A.example&client=2001:db8::1", "/queries?qname=m%C3%BC*"],
)  # fmt: skip
def test_after_the_sign_in_comes_the_page_that_was_asked_for(there: str, live: Live) -> None:
    answer = live.ask("GET", there, headers={"Accept": "text/html"})
    (asked,) = parse_qs(urlsplit(answer.headers["location"]).query)["next"]
    assert sign_in(live, next=asked).headers["location"] == there


def test_a_session(live: Live) -> None:
    answer = sign_in(live, next="/queries?sort=time", name="ann")
    assert (answer.status, answer.headers["location"]) == (303, "/queries?sort=time")
    for cookie in answer.cookies:
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie, "this is no https"
    assert ["HttpOnly" in cookie for cookie in answer.cookies] == [True, False]
    headers, _ = session(live)
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 200
    assert live.ask("GET", "/api/v1/export?format=csv", headers=headers).status == 200


def test_behind_https_cookies_are_secure(live: Live) -> None:
    host = f"127.0.0.1:{live.port}"
    headers = {**FORM, "Origin": f"https://{host}", "Host": host}
    answer = live.ask("POST", "/sign-in", urlencode({"password": SECRET}).encode(), headers)
    assert all("Secure" in cookie for cookie in answer.cookies)
    assert len(answer.cookies) == 2


@pytest.mark.parametrize(
    "there", ["https://example.org/", "//example.org", "/\\example.org", "javascript:x", ""]
)
def test_nobody_is_led_elsewhere(there: str, live: Live) -> None:
    assert sign_in(live, next=there).headers["location"] == "/"


def test_what_changes_something_wants_the_token_of_the_page(live: Live) -> None:
    headers, csrf = session(live)
    body = {"status": "blocked"}
    assert live.ask("PUT", ONE, body, headers).status == 403
    assert live.ask("PUT", ONE, body, {**headers, "X-CSRFToken": "wrong"}).status == 403
    right = {**headers, "X-CSRFToken": csrf}
    assert live.ask("PUT", ONE, body, {**right, "Origin": "https://example.org"}).status == 403
    assert live.ask("PUT", ONE, body, {**right, "Origin": "null"}).status == 403
    assert live.ask("PUT", ONE, body, {**right, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert live.ask("PUT", ONE, body, right).status == 200
    assert live.ask("POST", "/_dash-update-component", {}, headers).status == 403


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1:1"])
def test_nobody_is_signed_in_by_another_site(origin: str, live: Live) -> None:
    body = urlencode({"password": SECRET}).encode()
    answer = live.ask("POST", "/sign-in", body, {**FORM, "Origin": origin})
    assert (answer.status, answer.cookies) == (403, [])


def test_signing_out(live: Live) -> None:
    headers, csrf = session(live)
    assert live.ask("POST", "/sign-out", headers=headers).status == 403
    assert live.ask("POST", "/sign-out", headers={**headers, "X-CSRFToken": csrf}).status == 204
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 401


def test_another_password_signs_everybody_out(live: Live, password: Password) -> None:
    headers, _ = session(live)
    password.set("another horse battery")
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 401
    assert sign_in(live).status == 401
    assert sign_in(live, "another horse battery").status == 303


def test_the_token_signs_in_too(start: Start, password: Password) -> None:
    live = start(Access(TOKEN, password=password))
    headers, _ = session(live, TOKEN)
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 200
    assert sign_in(live).status == 303
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert live.ask("PUT", ONE, {"status": "blocked"}, bearer).status == 200


def test_on_loopback_nobody_is_asked(start: Start, password: Password) -> None:
    live = start(Access(password=password))
    assert live.ask("GET", "/api/v1/queries").status == 200
    assert live.ask("GET", "/sign-in").status == 303
    assert live.ask("GET", "/sign-in", headers={"Host": "example.org"}).status == 421


def test_guessing_gets_slow(live: Live) -> None:
    for _ in range(5):
        assert sign_in(live, "a wrong password").status == 401
    answer = sign_in(live)
    assert answer.status == 429, "the right one has to wait too"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.cookies == []


def test_behind_a_trusted_proxy_each_guesses_for_himself(start: Start, password: Password) -> None:
    live = start(closed(password), trusted_proxy="127.0.0.1")

    def answer(secret: str, came_from: str) -> int:
        body = urlencode({"password": secret}).encode()
        return live.ask("POST", "/sign-in", body, {**FORM, "X-Forwarded-For": came_from}).status

    for number in range(5):
        assert answer("a wrong password", f"203.0.113.{number}, 192.0.2.1") == 401
    assert answer(SECRET, "203.0.113.9, 192.0.2.1") == 429, "what the client says of itself"
    assert answer(SECRET, "192.0.2.2") == 303


def test_nobody_else_is_believed_about_who_asks(live: Live) -> None:
    for number in range(6):
        headers = {**FORM, "X-Forwarded-For": f"::ffff:192.0.2.{number}"}
        answer = live.ask("POST", "/sign-in", b"password=wrong", headers)
    assert answer.status == 429


def test_the_record_has_the_address_that_a_trusted_proxy_tells(start: Start) -> None:
    live = start(Access(TOKEN), trusted_proxy="127.0.0.1")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for given, kept in (
        ({"X-Forwarded-For": "192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "[2001:db8::7]:99"}, "2001:db8::7"),
        ({"X-Forwarded-For": "::ffff:192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "x" * 9000}, "x" * 64),
        ({}, "127.0.0.1"),
    ):
        assert live.ask("PUT", ONE, {"status": "blocked"}, {**bearer, **given}).status == 200
        assert live.service.store.changes(1)[0].who == kept


def test_sign_ins_are_in_the_log_without_any_secret(
    start: Start, password: Password, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    live = start(Access(None, loopback=False, password=password), trusted_proxy="127.0.0.1")
    for secret, name, came_from in (
        ("a wrong password", SECRET, "192.0.2.1"),
        (SECRET, "ann\nERROR all is lost", "192.0.2.2"),
        ("wrong", "", "x\x85y"),
    ):
        body = urlencode({"password": secret, "name": name}).encode()
        live.ask("POST", "/sign-in", body, {**FORM, "X-Forwarded-For": came_from})
    said = [one for one in caplog.messages if "sign" in one]
    assert said == [
        "a sign-in from 192.0.2.1 was refused",
        "annERROR all is lost@192.0.2.2 signed in",
        "a sign-in from x\\x85y was refused",
    ]
    assert SECRET not in caplog.text


def test_those_who_sign_in_leave_threads_to_others(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparing, go_on = threading.Semaphore(0), threading.Event()

    def matches(_self: Password, _text: str) -> bool:
        comparing.release()
        return go_on.wait(20)

    monkeypatch.setattr(Password, "matches", matches)
    threads = [threading.Thread(target=sign_in, args=(live,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(comparing.acquire(timeout=20) for _ in threads)
        answer = sign_in(live)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    finally:
        go_on.set()
    for thread in threads:
        thread.join(20)
    assert sign_in(live).status == 303


def test_a_password_that_is_set_meanwhile_ends_the_session(
    live: Live, password: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    def matches(_self: Password, _text: str) -> bool:
        password.set("another horse battery")
        return True

    monkeypatch.setattr(Password, "matches", matches)
    headers, _ = session(live)
    assert live.ask("GET", "/api/v1/queries", headers=headers).status == 401


def test_what_is_no_sign_in(live: Live) -> None:
    assert live.ask("POST", "/sign-in", b"x" * 10_000, FORM).status == 413
    assert sign_in(live, "").status == 401
    assert sign_in(live, "x" * 5000).status == 401
    page = sign_in(live, "wrong", next='"><script>alert(1)</script>')
    assert b"<script" not in page.body


class TestThrottle:
    def test_waits_double(self) -> None:
        now = 0.0
        throttle = Throttle(lambda: now)
        assert [throttle.attempt("192.0.2.1") for _ in range(5)] == [0.0] * 5
        assert throttle.attempt("192.0.2.1") == 2.0
        assert throttle.attempt("192.0.2.2") == 0.0
        waits = []
        for _ in range(12):
            wait = throttle.attempt("192.0.2.1")
            waits.append(wait)
            now += wait
            assert throttle.attempt("192.0.2.1") == 0.0
        assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
        assert waits[-1] == 900.0
        throttle.succeeded("192.0.2.1")
        assert throttle.attempt("192.0.2.1") == 0.0

    def test_a_network_of_64_bits_is_one(self) -> None:
        throttle = Throttle(lambda: 0.0)
        for number in range(5):
            assert throttle.attempt(f"2001:db8::{number}") == 0.0
        assert throttle.attempt("2001:db8::ffff") > 0
        assert throttle.attempt("2001:db8:0:1::1") == 0.0


class TestSessions:
    def test_they_end(self) -> None:
        now = 0.0
        sessions = Sessions(lambda: now)
        key, _ = sessions.begin("ann", "")
        now += IDLE_SECONDS - 1
        assert sessions.find(key, "") is not None
        now += IDLE_SECONDS + 1
        assert sessions.find(key, "") is None
        key, _ = sessions.begin("ann", "")
        for _ in range(int(LONGEST_SECONDS / IDLE_SECONDS) * 2):
            now += IDLE_SECONDS / 2
            sessions.find(key, "")
        now += 1
        assert sessions.find(key, "") is None
        assert sessions.find(None, "") is None


class TestPassword:
    def test_only_a_hash_is_kept_and_only_for_this_account(self, password: Password) -> None:
        kept = password.path.read_text()
        assert kept.startswith("$argon2id$")
        assert SECRET not in kept
        assert stat.S_IMODE(password.path.stat().st_mode) == 0o600
        assert password.matches(SECRET)
        assert not password.matches(SECRET + " ")

    @pytest.mark.parametrize("text", ["", "eleven char", "x" * 1025])
    def test_too_short_or_too_long(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="12 to 1024"):
            Password(tmp_path).set(text)
        assert not Password(tmp_path).exists()

    def test_a_broken_file(self, password: Password, live: Live) -> None:
        password.path.write_text("nonsense")
        with pytest.raises(ConfigError, match="mlplugin password"):
            password.matches(SECRET)
        assert sign_in(live).status == 503
