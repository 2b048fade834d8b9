"""Reads the index of an untrusted tar file: only regular files inside the archive, without extraction.

``tarfile`` follows links, long names and sparse maps, and reads extended headers of any size into
memory. A mirror needs none of these: this module reads the headers itself, accepts regular files and
refuses everything else.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Final

from cli.errors import MirrorUnusable

__all__ = ["LARGEST_MEMBER", "TarMember", "read_index"]

LARGEST_MEMBER: Final = 2**31
"""Greatest size of a member in bytes."""

_BLOCK: Final = 512
_MOST_MEMBERS: Final = 1000
_LARGEST_NOTE: Final = 1 << 16
_FILES: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})
# Extended headers contain times and the like. Their names are not used, so they are skipped.
_NOTES: Final = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE})


@dataclass(frozen=True, slots=True)
class TarMember:
    """One regular file.

    Attributes:
        name: Its path in the archive, relative and without ``..``.
        offset: Offset of its first byte in the archive.
        size: Its size in bytes.
    """

    name: PurePosixPath
    offset: int
    size: int


def read_index(stream: IO[bytes], *, source: str) -> tuple[TarMember, ...]:
    """Returns the regular files of an uncompressed tar archive.

    Args:
        stream: The archive, seekable, at its start.
        source: Its name, for error messages.

    Raises:
        MirrorUnusable: It is no such archive, is truncated, has too many or too large members, or one that
            is not a regular file or has a path outside the archive.
        OSError: The archive cannot be read.
    """
    end = stream.seek(0, io.SEEK_END)
    position, members, headers = 0, list[TarMember](), 0
    while True:
        stream.seek(position)
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK or not any(block):
            break
        headers += 1
        if headers > _MOST_MEMBERS:
            raise _refused(source, f"it has more than {_MOST_MEMBERS} members")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise _refused(source, f"it is not a tar file, or it is damaged ({error})") from error
        offset, size = position + _BLOCK, _checked_size(info, source)
        if offset + size > end:
            raise _refused(source, f"it is truncated in {info.name!r}")
        if info.type in _FILES:
            members.append(TarMember(name=_inside(info.name, source), offset=offset, size=size))
        elif info.type != tarfile.DIRTYPE and info.type not in _NOTES:
            raise _refused(source, f"{info.name!r} is neither a file nor a folder")
        position = offset + -(-size // _BLOCK) * _BLOCK
    if not members:
        raise _refused(source, "it contains no files")
    return tuple(members)


def _checked_size(info: tarfile.TarInfo, source: str) -> int:
    limit = _LARGEST_NOTE if info.type in _NOTES else LARGEST_MEMBER
    if not 0 <= info.size <= limit:
        raise _refused(source, f"{info.name!r} has {info.size:,} bytes; at most {limit:,} are allowed")
    return info.size


def _inside(name: str, source: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise _refused(source, f"{name!r} has a path outside the archive")
    return path


def _refused(source: str, why: str) -> MirrorUnusable:
    return MirrorUnusable(
        f"{source} is refused: {why}. Expected an uncompressed tar file of model files, as "
        "`facegate models bundle` writes it. Nothing of it was used."
    )
