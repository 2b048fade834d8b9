"""A partial model file: written and hashed as data arrives, and kept for the next pull if interrupted."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import IO, Final

from cli.errors import WrongSize
from cli.models.files import CHUNK, sync_folder, writing
from cli.models.progress import PullProgress
from vision.packs import CatalogueEntry

__all__ = ["LARGEST_FILE", "PartFile"]

LARGEST_FILE: Final = 2**31
"""Greatest size of a file of unknown size, in bytes."""


class PartFile:
    """``<file>.part`` in a folder of incoming files, and beside it the validator of an HTTP server.

    Attributes:
        entry: The file's entry in the catalogue.
        size: Number of bytes so far.
        patched: Whether the bytes came in more than one response, so that they may be of two versions.
    """

    def __init__(self, entry: CatalogueEntry, folder: Path, progress: PullProgress) -> None:
        """Resumes the part of the file in ``folder`` if there is one: reads and hashes it.

        Raises:
            FolderUnusable: It cannot be read or written.
        """
        self.entry = entry
        self._final = folder / entry.file_name
        self._path = folder / f"{entry.file_name}.part"
        self._note = folder / f"{entry.file_name}.part.json"
        self._progress = progress
        self._hash = hashlib.sha256()
        self.size = 0
        with writing(self._path):
            # Not "a": a restart truncates in place.
            self._stream: IO[bytes] = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
            try:
                self._read_back()
            except BaseException:
                self._stream.close()
                raise
        self.patched = self.size > 0

    @property
    def limit(self) -> int:
        """Greatest allowed size of the file in bytes."""
        return LARGEST_FILE if self.entry.size is None else self.entry.size

    @property
    def whole(self) -> bool:
        """Whether the part has the catalogued size; False if the catalogue states none."""
        return self.size == self.entry.size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, lower-case hex."""
        return self._hash.hexdigest()

    def validator(self, url: str) -> str | None:
        """Returns the validator (ETag or date) of the server at ``url`` for these bytes; None without one."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(note, dict) and note.get("url") == url
        value = note.get("validator") if known else None
        # It becomes a header, so only printable ASCII is allowed.
        return value if isinstance(value, str) and value.isascii() and value.isprintable() else None

    def save_validator(self, url: str, validator: str | None) -> None:
        """Stores the validator of the server at ``url`` for the next pull.

        Raises:
            FolderUnusable: It cannot be written.
        """
        with writing(self._note):
            self._note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def append(self, chunk: bytes) -> None:
        """Appends bytes.

        Raises:
            WrongSize: There are more bytes than the file has; the part was deleted.
            FolderUnusable: The bytes cannot be written.
        """
        if self.size + len(chunk) > self.limit:
            self.discard()
            raise WrongSize(
                f"{self.entry.file_name}: more than the {self.limit:,} bytes of the catalogued file were "
                "offered. It was deleted and nothing was installed. Pull from another mirror."
            )
        with writing(self._path):
            self._stream.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)
        self._progress.moved(self.entry.file_name, done=self.size)

    def restart(self) -> None:
        """Deletes the bytes and restarts at the first byte.

        Raises:
            FolderUnusable: The file cannot be written.
        """
        with writing(self._path):
            self._empty()
        self.patched = False
        self._progress.moved(self.entry.file_name, done=0)

    def discard(self) -> None:
        """Deletes the part."""
        self._stream.close()
        for path in (self._path, self._note):
            with contextlib.suppress(OSError):
                path.unlink()

    def keep(self) -> None:
        """Closes the part and keeps it for the next pull; deletes an empty one."""
        if self.size == 0:
            self.discard()
            return
        with contextlib.suppress(OSError):
            self._stream.close()  # Flushes; data that no longer fits is fetched again.

    def complete(self) -> Path:
        """Renames the part to the file, durably. The caller has compared the hash.

        Raises:
            FolderUnusable: It cannot be written.
        """
        with writing(self._path):
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._path.replace(self._final)
            self._note.unlink(missing_ok=True)
            sync_folder(self._final.parent)
        return self._final

    def _read_back(self) -> None:
        while chunk := self._stream.read(CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)
            if self.size > self.limit:
                self._empty()  # Longer than the file: useless.
                break

    def _empty(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._hash = hashlib.sha256()
        self.size = 0
