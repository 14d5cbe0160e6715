"""The password of the dashboard: its hash in a file that only the service's account can read."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from mlplugin.errors import ConfigError, UsageError

FILE = "password"
SHORTEST = 12
LONGEST = 1024
PRIVATE = 0o600


class Password:
    """The password whose hash lies in a data directory, if one was ever set there.

    It is read anew each time, so that another one holds at once.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FILE
        # A hash takes 64 MiB and a good part of a second on purpose: one at a time.
        self._lock = threading.Lock()

    def exists(self) -> bool:
        """Tell whether there is one."""
        return self.path.is_file()

    def stamp(self) -> str:
        """Give what changes with the password; empty for none."""
        try:
            found = self.path.stat()
        except OSError:
            return ""
        return f"{found.st_ino}:{found.st_mtime_ns}"

    def set(self, text: str) -> None:
        """Take a password in place of the one before. Raises UsageError or ConfigError."""
        if not SHORTEST <= len(text) <= LONGEST:
            raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
        from argon2 import PasswordHasher  # noqa: PLC0415 - rarely wanted

        line = PasswordHasher().hash(text) + "\n"
        partial = self.path.with_name(f".{FILE}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileNotFoundError):
                partial.unlink()
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self.path)
        except OSError as fault:
            raise ConfigError(f"{self.path} cannot be written: {fault.strerror}") from None

    def matches(self, text: str) -> bool:
        """Tell whether this is it; False where there is none. Raises ConfigError."""
        from argon2 import PasswordHasher  # noqa: PLC0415
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

        if not self.exists() or len(text) > LONGEST:
            return False
        try:
            kept = self.path.read_text(encoding="ascii").strip()
            with self._lock:
                return PasswordHasher().verify(kept, text)
        except VerificationError:
            return False
        except (OSError, UnicodeDecodeError, InvalidHashError):
            raise ConfigError(
                f"{self.path} holds no password that can be read: `mlplugin password` sets one"
            ) from None
