"""One file over HTTP: bounded in time and size, whole or not at all, and only if it changed."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO

from mlplugin import __version__
from mlplugin.feeds.fault import FeedError

AGENT = f"mlplugin/{__version__} (+https://github.com/mlplugin/mlplugin)"
CHUNK = 1 << 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
NOT_MODIFIED = 304
# Answers that another try may change.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_PAUSE = 60.0
ADVICE = {
    401: "it wants a key, or another one",
    403: "it lets nobody in without a key, or not from here",
    404: "it has moved or is gone",
    410: "it is gone",
    429: "it was asked too often; try again later",
}


@dataclass(frozen=True)
class Limits:
    """Bounds of one download.

    Attributes:
        timeout: seconds without a byte after which a server counts as dead.
        whole: seconds that one try may take in all.
        most_bytes: of the body on the wire.
        most_unpacked: bytes of the body and of its archive, unpacked.
        tries: in all.
        pause: seconds before the second try; doubled each time, a server's own wish respected
            up to a minute.
        redirects: that are followed.
    """

    timeout: float = 30.0
    whole: float = 900.0
    most_bytes: int = 256 << 20
    most_unpacked: int = 1 << 30
    tries: int = 4
    pause: float = 2.0
    redirects: int = 5


@dataclass(frozen=True)
class Stamp:
    """By what a later fetch knows whether a file has changed."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True)
class Request:
    """What to get.

    Attributes:
        url: with its key, if that goes there; no message shows it.
        secret_headers: sent to the first host alone, not along a redirect.
        known: of the copy that is here.
    """

    url: str
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    known: Stamp = field(default_factory=Stamp)


@dataclass(frozen=True)
class Fetched:
    """A file that was written, with the SHA-256 and the number of its bytes."""

    stamp: Stamp
    sha256: str
    size: int


class _PassingError(Exception):
    """A fault that another try may not meet; ``after`` is the server's wish in seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https alone, and not for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._done = 0

    def redirect_request(  # noqa: PLR0917 - the signature is that of the base class
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse what is not https; a loopback server may stay on loopback."""
        if not _allowed(newurl) or (_is_loopback(newurl) and not _is_loopback(req.full_url)):
            host = urllib.parse.urlsplit(newurl).hostname
            fp.close()
            raise FeedError(f"it redirects to {host}, which is not https")
        self._done += 1
        if self._done > self._most:
            fp.close()
            raise FeedError(f"more than {self._most} redirects")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    request: Request,
    target: Path,
    limits: Limits,
    advance: Callable[[int], object] = lambda _: None,
    sleep: Callable[[float], object] = time.sleep,
) -> Fetched | None:
    """Write a file, or give None if the known copy is still the right one.

    A compressed transfer is unpacked. On any fault nothing is left at ``target``.

    Args:
        request: what to get.
        target: where to write; its folder is there.
        limits: how long, how much, how often.
        advance: told the number of bytes that have come, again and again.
        sleep: waits before another try.

    Raises:
        FeedError: if it cannot be had.
    """
    if not _allowed(request.url):
        raise FeedError("its URL is not https, which alone is safe")
    for attempt in range(limits.tries):
        try:
            return _attempt(request, target, limits, advance)
        except _PassingError as fault:
            if attempt + 1 == limits.tries:
                raise FeedError(str(fault)) from fault
            wait = limits.pause * 2**attempt if fault.after is None else fault.after
            sleep(min(wait, LONGEST_PAUSE))
    raise FeedError("no try was allowed")


def _attempt(
    request: Request, target: Path, limits: Limits, advance: Callable[[int], object]
) -> Fetched | None:
    part = target.with_name(target.name + ".part")
    try:
        with _opened(request, limits) as answer:
            got = _written(answer, part, limits, advance)
        part.replace(target)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == NOT_MODIFIED:
                return None
            raise _refusal(error) from None
    except (TimeoutError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _PassingError(f"no answer within {limits.timeout:g} s") from error
        what = getattr(reason, "strerror", None) or type(reason).__name__
        raise _PassingError(f"cannot connect: {what}") from error
    except http.client.InvalidURL as error:
        raise FeedError("its URL is not valid") from error
    except (http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
        raise _PassingError("the transfer broke off") from error
    finally:
        part.unlink(missing_ok=True)
    return got


def _opened(request: Request, limits: Limits) -> http.client.HTTPResponse:
    handlers: list[urllib.request.BaseHandler] = [_Redirects(limits.redirects)]
    if _is_loopback(request.url):
        handlers.append(urllib.request.ProxyHandler({}))
    headers = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"}
    if request.known.etag:
        headers["If-None-Match"] = request.known.etag
    if request.known.last_modified:
        headers["If-Modified-Since"] = request.known.last_modified
    ask = urllib.request.Request(request.url, headers=headers)  # noqa: S310 - checked by `_allowed`
    for name, value in request.secret_headers.items():
        ask.add_unredirected_header(name, value)
    opened: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(
        ask, timeout=limits.timeout
    )
    return opened


def _written(
    answer: http.client.HTTPResponse,
    part: Path,
    limits: Limits,
    advance: Callable[[int], object],
) -> Fetched:
    hashed, size = hashlib.sha256(), 0
    with part.open("wb") as out:
        for block in _unpacked(_wire(answer, limits, advance), answer.headers, limits):
            size += len(block)
            hashed.update(block)
            out.write(block)
    stamp = Stamp(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
    return Fetched(stamp, hashed.hexdigest(), size)


def _wire(
    answer: http.client.HTTPResponse, limits: Limits, advance: Callable[[int], object]
) -> Iterator[bytes]:
    """The body as it comes, no more and no less than was announced."""
    announced = answer.headers.get("Content-Length", "")
    promised = int(announced) if announced.isdecimal() else None
    too_much = f"it is larger than {limits.most_bytes:,} bytes; --max-bytes sets the limit"
    if promised is not None and promised > limits.most_bytes:
        raise FeedError(too_much)
    came, deadline = 0, time.monotonic() + limits.whole
    while block := answer.read1(CHUNK):
        came += len(block)
        if came > limits.most_bytes:
            raise FeedError(too_much)
        if time.monotonic() > deadline:
            raise _PassingError(f"not done within {limits.whole:g} s")
        advance(len(block))
        yield block
    if promised is not None and came < promised:
        raise _PassingError(f"the transfer broke off after {came:,} of {promised:,} bytes")


def _unpacked(blocks: Iterator[bytes], headers: Message, limits: Limits) -> Iterator[bytes]:
    """Undo a gzip transfer, in bounds."""
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding in {"identity", ""}:
        yield from blocks
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise FeedError(f"it comes in the encoding {encoding[:20]!r}, which was not asked for")
    engine, size = zlib.decompressobj(wbits=31), 0
    try:
        for block in blocks:
            rest = block
            while rest and not engine.eof:
                piece = engine.decompress(rest, CHUNK)
                rest = engine.unconsumed_tail
                size += len(piece)
                if size > limits.most_unpacked:
                    raise FeedError(f"it unpacks to more than {limits.most_unpacked:,} bytes")
                yield piece
    except zlib.error as error:
        raise _PassingError("its compressed transfer is damaged") from error
    if not engine.eof:
        raise _PassingError("its compressed transfer is cut short")


def _refusal(error: urllib.error.HTTPError) -> Exception:
    if 300 <= error.code < 400:
        return FeedError("it redirects in a circle or to nowhere")
    advice = ADVICE.get(error.code, "it is out of order" if error.code >= 500 else "it refuses")
    message = f"HTTP {error.code}: {advice}"
    if error.code not in PASSING:
        return FeedError(message)
    after = error.headers.get("Retry-After", "")
    return _PassingError(message, float(after) if after.isdecimal() else None)


def _allowed(url: str) -> bool:
    scheme = urllib.parse.urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and _is_loopback(url))


def _is_loopback(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in LOOPBACK
