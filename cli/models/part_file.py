"""A model file on its way: written and hashed as it comes, and kept for the next time if it breaks off."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import IO, Final

from cli.errors import WrongSize
from cli.models.files import CHUNK, sync_folder, writing
from cli.models.progress import PullProgress
from vision.packs.catalogue import CatalogueEntry

__all__ = ["LARGEST_FILE", "PartFile"]

LARGEST_FILE: Final = 2**31
"""Bytes that a file of unknown size may have at most."""


class PartFile:
    """``<file>.part`` in a folder of incoming files, and beside it what an HTTP server said of it.

    Attributes:
        entry: What the file must become.
        size: Bytes that are here.
        patched: Whether these came in more than one answer, so that a wrong hash may come from the seam.
    """

    def __init__(self, entry: CatalogueEntry, folder: Path, progress: PullProgress) -> None:
        """Takes up ``folder``'s part of the file where there is one; reads and hashes it.

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
        """Bytes that the file may have at most."""
        return LARGEST_FILE if self.entry.size is None else self.entry.size

    @property
    def whole(self) -> bool:
        """Whether as many bytes are here as the catalogue states; False where it states none."""
        return self.size == self.entry.size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes that are here, lower-case hex."""
        return self._hash.hexdigest()

    def validator(self, url: str) -> str | None:
        """What the server at ``url`` called the version of these bytes (ETag or date), if it did."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(note, dict) and note.get("url") == url
        value = note.get("validator") if known else None
        # It becomes a header: nothing but printable ASCII may.
        return value if isinstance(value, str) and value.isascii() and value.isprintable() else None

    def remember(self, url: str, validator: str | None) -> None:
        """Keeps what the server at ``url`` called this version, for the next time.

        Raises:
            FolderUnusable: It cannot be written.
        """
        with writing(self._note):
            self._note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def append(self, chunk: bytes) -> None:
        """The next bytes.

        Raises:
            WrongSize: More bytes than the file has; what is here was deleted.
            FolderUnusable: They cannot be written.
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
        """Drops what is here and starts at the first byte.

        Raises:
            FolderUnusable: The file cannot be written.
        """
        with writing(self._path):
            self._empty()
        self.patched = False
        self._progress.moved(self.entry.file_name, done=0)

    def discard(self) -> None:
        """Deletes what is here."""
        self._stream.close()
        for path in (self._path, self._note):
            with contextlib.suppress(OSError):
                path.unlink()

    def keep(self) -> None:
        """Closes the part and leaves it for the next time; deletes one without any byte."""
        if self.size == 0:
            self.discard()
            return
        with contextlib.suppress(OSError):
            self._stream.close()  # Flushes; what does not fit any more is fetched again.

    def complete(self) -> Path:
        """Makes the part the file, durably. The caller has compared the hash.

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
                self._empty()  # Longer than the file can be: of no use.
                break

    def _empty(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._hash = hashlib.sha256()
        self.size = 0
