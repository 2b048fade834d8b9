"""A file that is read again when it changes, while the server runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from server.base.errors import ConfigurationError

__all__ = ["WatchedFile", "file_state"]

_Content = TypeVar("_Content")


class WatchedFile(Generic[_Content]):
    """The content of a file when it was last read. Reading blocks for a moment."""

    def __init__(self, path: Path, reader: Callable[[Path], _Content]) -> None:
        """Reads the file.

        Args:
            path: The file.
            reader: Reads the file, or raises a ``ConfigurationError``.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        self.path = path
        self._reader = reader
        self._seen = self._state()
        self.content = reader(path)

    def refresh(self) -> bool:
        """Reads the file again if it changed; returns whether it did.

        Raises:
            ConfigurationError: The file cannot be read; ``content`` does not change.
        """
        # Taken before the file is read, so that a concurrent write is noticed by the next call.
        seen = self._state()
        if seen == self._seen:
            return False
        self.content = self._reader(self.path)
        self._seen = seen
        return True

    def _state(self) -> tuple[int, int, int, int]:
        try:
            return file_state(self.path)
        except OSError as error:
            raise ConfigurationError(f"{self.path}: cannot be read: {error.strerror or error}") from error


def file_state(path: Path) -> tuple[int, int, int, int]:
    """Returns values that change when a file is written or replaced: its times, size and inode.

    Raises:
        OSError: The file does not exist.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
