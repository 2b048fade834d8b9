"""Reads MediaPipe's ``.task`` files, zip archives of networks, without trusting them."""

import io
import zipfile
import zlib
from collections.abc import Sequence

from vision.errors import PackFileUnusable

__all__ = ["read_task_members"]

_MOST_BYTES = 32 * 1024 * 1024
_PLAIN = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def read_task_members(content: bytes, *, name: str, members: Sequence[str]) -> tuple[bytes, ...]:
    """Return the named members of an archive; the others are not unpacked.

    Args:
        content: The archive.
        name: The file's name, for messages.
        members: Exact names, without folders.

    Returns:
        The content of each, in the order of ``members``; each at most 32 MiB, its checksum verified.

    Raises:
        PackFileUnusable: The content is not a zip archive, or a member is missing, contained twice,
            encrypted, compressed in an unusual way, too large, or damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(_read(archive, member, name) for member in members)
    # The exceptions that zipfile and the decompressor raise for archives that break the rules.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise PackFileUnusable(
            f"{name} is not a readable MediaPipe .task file ({type(error).__name__}): expected a zip archive "
            f"with {' and '.join(members)}. Fetch the file again from its source."
        ) from error


def _read(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    found = [info for info in archive.infolist() if info.filename == member]
    if len(found) != 1:
        raise PackFileUnusable(
            f"{name} contains {member} {len(found)} times, expected once: it is another kind of .task file. "
            "Use MediaPipe's face_landmarker.task."
        )
    (info,) = found
    if info.compress_type not in _PLAIN or info.file_size > _MOST_BYTES:
        raise PackFileUnusable(
            f"{member} in {name} is {info.file_size} bytes in compression method {info.compress_type}: "
            f"expected at most {_MOST_BYTES} bytes, stored or deflated. Fetch the file again from its source."
        )
    # Data that unpack to more than the header states are cut there, and then fail the checksum.
    return archive.read(info)
