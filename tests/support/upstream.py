"""The scripted upstream in a process of its own, so that it costs the test no time of its core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlplugin.bundled.upstream import Record, Reply, Script

__all__ = ["Record", "Reply", "Script", "UpstreamProcess"]


class UpstreamProcess:
    """A scripted DNS server on 127.0.0.1, UDP and TCP; `port` says where. A context manager.

    >>> script = Script(names={"a.example.org": Reply(records=(Record("A", "192.0.2.7"),))})
    >>> with UpstreamProcess(script, tmp_path) as upstream: ...
    """

    def __init__(self, script: Script, folder: Path) -> None:
        self._place = folder / "upstream.json"
        self._place.write_text(script.to_json())
        self.port = 0
        self.queries: int | None = None  # known once it has stopped

    def __enter__(self) -> UpstreamProcess:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "mlplugin.bundled.upstream", str(self._place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        out, _err = self._child.communicate("", timeout=30)
        self.queries = int(out)
        assert self._child.returncode == 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"
