"""The production server: one port, a pool of threads, a clean end."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from types import FrameType
from typing import Any

import waitress.server
from flask import Flask

from mlplugin.api.room import ROOM, THREADS
from mlplugin.errors import PortError
from mlplugin.service.batch import MOST_BYTES

# Bodies up to this size wait in memory, longer ones in a temporary file.
MEMORY_BYTES = 8 << 20
# What a reader has not fetched yet stays in memory: waitress holds a thread back at half of this,
# and a temporary file would want a disk that is not full.
OUTPUT_BYTES = 32 << 20
# A batch has a megabyte and more: at waitress's 8 KiB a turn of its loop costs more than the read.
RECEIVE_BYTES = 1 << 18
# What of an application is called in a thread of its own so many seconds after it has begun.
BEGINNING, BEGIN_SECONDS = "mlplugin.beginning", 1.0
# What of an application is called at the end, so that answers without an end come to one.
ENDING = "mlplugin.ending"
# How long requests that are under way may take at the end, and how often output is flushed.
PATIENCE_SECONDS = 10
FLUSHES = 20


class Server:
    """Serves an application on an address; `port` is the one that it got."""

    def __init__(
        self,
        app: Flask,
        host: str,
        port: int,
        threads: int = THREADS,
        trusted_proxy: str | None = None,
    ) -> None:
        """Listen. Raises PortError, in one line that says what to do.

        Args:
            app: what is served.
            host: the address to listen on.
            port: 0 takes a free one.
            threads: how many requests are served at once.
            trusted_proxy: the address of a proxy in front, which is believed about who asks.
        """
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        listening = _listen(host, port)
        self.port: int = listening.getsockname()[1]
        self._stopping = threading.Event()
        self._release = app.extensions.get(ENDING)
        self._begin = threading.Timer(BEGIN_SECONDS, app.extensions.get(BEGINNING, lambda: None))
        self._begin.daemon = True
        if ROOM in app.extensions:
            app.extensions[ROOM].resize(threads)
        self._server: Any = waitress.server.create_server(
            app,
            sockets=[listening],
            threads=threads,
            ident="mlplugin",
            connection_limit=1000,
            channel_timeout=120,
            max_request_body_size=MOST_BYTES + (1 << 16),
            inbuf_overflow=MEMORY_BYTES,
            outbuf_overflow=OUTPUT_BYTES,
            recv_bytes=RECEIVE_BYTES,
            clear_untrusted_proxy_headers=True,
            trusted_proxy=trusted_proxy,
            # the last entry, which is the proxy's own: what stands before it anybody may write
            trusted_proxy_headers={"x-forwarded-for"} if trusted_proxy else set(),
        )

    def run(self) -> None:
        """Serve until `stop`; requests that are under way are answered."""
        server = self._server
        self._begin.start()
        while not self._stopping.is_set():
            server.asyncore.loop(timeout=1, map=server._map, count=1)
        self._begin.cancel()
        server.accepting = False
        if self._release is not None:
            self._release()
        server.task_dispatcher.shutdown(timeout=PATIENCE_SECONDS)
        for _ in range(FLUSHES):  # what the threads have just written
            server.asyncore.loop(timeout=0.01, map=server._map, count=1)
        server.asyncore.close_all(server._map)

    def stop(self) -> None:
        """End `run`, from any thread or a signal handler."""
        self._stopping.set()
        self._server.pull_trigger()


def end_on_signals(server: Server) -> list[int]:
    """Let SIGTERM and SIGINT end `Server.run`; the list has those that came."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return came


def require_free(host: str, port: int) -> None:
    """Raise PortError where `Server` could not listen, before anything is made for it."""
    _listen(host, port).close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as fault:
        listening.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        why = {
            errno.EADDRINUSE: "is in use: stop what listens there, or choose another with --http",
            errno.EACCES: "is forbidden to this user: choose a port from 1024 up with --http",
            errno.EADDRNOTAVAIL: "is no address of this machine: choose one with --http",
        }.get(fault.errno or 0, f"cannot be listened on ({fault.strerror})")
        raise PortError(f"{where} {why}") from None
    return listening
