"""Log files that stay small whatever is written to them, and never hold a secret."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from sandboxes.protocol import LOG_BYTES

LINE_BYTES = 4_096


class LineLog(ABC):
    """Takes in what a process prints: whole lines, long ones cut and secrets replaced."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets if secret)
        self._partial = b""

    @abstractmethod
    def _put(self, line: bytes) -> None:
        """Keep one line, which ends with a newline."""

    def write(self, data: bytes) -> None:
        """Take in what a process printed."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        # A secret may be cut in two by the end of the data, so an unfinished line waits, but not without bound.
        if len(self._partial) > 4 * LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        self._store(lines)

    def line(self, text: str) -> None:
        """Write one line of our own."""
        self._store([text.replace("\n", " ").encode(errors="replace")])

    def close(self) -> None:
        """Write what is left."""
        if self._partial:
            self._store([self._partial])
            self._partial = b""

    def _store(self, lines: list[bytes]) -> None:
        for line in lines:
            for secret in self._secrets:
                line = line.replace(secret, b"[hidden]")
            if len(line) > LINE_BYTES:
                line = line[:LINE_BYTES] + b" [cut]"
            self._put(line + b"\n")


class BoundedLog(LineLog):
    """A log file that is turned over at a size, with one older part."""

    def __init__(self, path: Path, secrets: tuple[str, ...] = (), size: int = LOG_BYTES) -> None:
        super().__init__(secrets)
        self.path = path
        self._size = size
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def close(self) -> None:
        """Write what is left and close."""
        super().close()
        self._file.close()

    def _put(self, line: bytes) -> None:
        if self._file.closed:
            return
        try:
            self._file.write(line)
            if self._file.tell() > self._size:
                self._file.close()
                self.path.replace(self.path.with_suffix(".old"))
                self._file = self.path.open("ab", buffering=0)
        except OSError:  # a full disk must not stop the agent
            return
