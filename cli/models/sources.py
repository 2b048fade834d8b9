"""Sources of model files: the catalogue's addresses, or a mirror of the user."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

from yarl import URL

from cli.errors import FileNotOffered, FileRefused, MirrorUnusable, WrongContent, WrongSize
from cli.models.files import CHUNK
from cli.models.http_source import HttpSource, Patience, open_session
from cli.models.part_file import PartFile
from cli.models.progress import PullProgress
from cli.models.tar_index import TarMember, read_index
from vision.packs import CatalogueEntry, StateFile, minifasnet_to_onnx, read_state

__all__ = ["DirectorySource", "Source", "TarSource", "copy_file", "mirror_names", "open_source"]


class Source(Protocol):
    """A source of model files. Several are fetched at once."""

    async def fetch(self, part: PartFile) -> str:
        """Appends the missing bytes to ``part``. The caller compares the hash.

        Returns:
            The path or address that the bytes came from, to show to the user.

        Raises:
            ModelsError: The file is not offered, has another size, or does not arrive.
        """
        ...


def mirror_names(entry: CatalogueEntry) -> tuple[str, ...]:
    """Returns the possible names of a file on a mirror: its own, then the last part of its address."""
    last = unquote(urlsplit(entry.url or "").path).rpartition("/")[2]
    return tuple(dict.fromkeys([*entry.names, *([last] if last else [])]))


@asynccontextmanager
async def open_source(
    mirror: str | None, *, progress: PullProgress, patience: Patience
) -> AsyncIterator[Source]:
    """Opens the source that ``mirror`` names.

    Args:
        mirror: A folder, an uncompressed tar file, or an ``http`` or ``https`` address of a folder; None
            takes each file from the address in the catalogue.
        progress: Receives messages on repeated tries.
        patience: Time limits and retries for servers.

    Raises:
        MirrorUnusable: It is none of these, or cannot be read.
    """
    if mirror is not None and "://" not in mirror:
        yield await asyncio.to_thread(_local, mirror)
        return
    base = None if mirror is None else _base(mirror)
    async with open_session(patience) as session:
        yield HttpSource(
            session,
            addresses=_pinned if base is None else lambda entry: _below(base, entry),
            progress=progress,
            patience=patience,
        )


class DirectorySource:
    """A folder of model files. Implements ``Source``."""

    def __init__(self, folder: Path) -> None:
        """Offers the files of ``folder``; its subfolders are not searched."""
        self._folder = folder

    async def fetch(self, part: PartFile) -> str:
        """Copies the missing bytes of the file to ``part``; returns the path of the file.

        If only the state file of the network's authors exists, its conversion is written.

        Raises:
            FileNotOffered: The file does not exist.
            WrongSize: The file is longer than the catalogue states.
            WrongContent: The state file is not the catalogued one.
            FileRefused: The conversion of the state file is not the catalogued one.
            MirrorUnusable: The file cannot be read.
        """
        names = mirror_names(part.entry)
        path = next((path for name in names if (path := self._folder / name).is_file()), None)
        if path is not None:
            await copy_file(path, part)
            return str(path)
        state = part.entry.state_file
        if state is not None and (self._folder / state.name).is_file():
            return await _convert(self._folder / state.name, state, part)
        either = [*names, *([state.name] if state is not None else [])]
        raise FileNotOffered(
            f"{self._folder} has no {' or '.join(either)}. Put the file there, or give another mirror."
        )


class TarSource:
    """A bundle, or any other plain tar file of model files. Implements ``Source``."""

    def __init__(self, path: Path, members: tuple[TarMember, ...]) -> None:
        """Offers ``members`` of the archive at ``path``, from any folder in it."""
        self._path = path
        self._members = {member.name.name: member for member in reversed(members)}

    async def fetch(self, part: PartFile) -> str:
        """Copies the member.

        Raises:
            FileNotOffered: The archive does not have it.
            WrongSize: It has another size than the catalogue states.
            MirrorUnusable: The archive cannot be read.
        """
        names = mirror_names(part.entry)
        member = next((self._members[name] for name in names if name in self._members), None)
        if member is None:
            raise FileNotOffered(
                f"{self._path} has no {' or '.join(names)}. Bundle the pack again, or give another mirror."
            )
        if part.entry.size not in {None, member.size}:
            raise WrongSize(
                f"{member.name} in {self._path} has {member.size:,} bytes, expected {part.entry.size:,}. "
                "Nothing was installed. Bundle the pack again."
            )
        await _copy(self._path, part, offset=member.offset, size=member.size)
        return f"{self._path}: {member.name}"


async def copy_file(path: Path, part: PartFile) -> None:
    """Makes ``part`` a copy of a file, up to the catalogued size.

    Raises:
        WrongSize: The file is longer.
        MirrorUnusable: It cannot be read.
    """
    await _copy(path, part, offset=0, size=None)


async def _convert(path: Path, state: StateFile, part: PartFile) -> str:
    """Writes the network of a state file to ``part``; returns the path of the state file."""
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise _unreadable(path, error) from error
    found = hashlib.sha256(content).hexdigest()
    if found != state.sha256:
        raise WrongContent(name=state.name, origin=str(path.parent), expected=state.sha256, found=found)
    graph = await asyncio.to_thread(lambda: minifasnet_to_onnx(read_state(content)))
    if hashlib.sha256(graph).hexdigest() not in part.entry.sha256s:
        raise FileRefused(
            f"{path} gives another network here than the catalogued one: the installed version of onnx "
            f"writes it otherwise. Nothing was installed. Put {part.entry.file_name} there, or name the "
            f"folder itself as the pack: open:{path.parent}"
        )
    part.restart()
    part.append(graph)
    return str(path)


async def _copy(path: Path, part: PartFile, *, offset: int, size: int | None) -> None:
    part.restart()  # A new copy is faster than testing whether the bytes belong together.
    try:
        with _opened(path, offset) as stream:
            chunks = _chunks(stream, size)
            while chunk := await asyncio.to_thread(next, chunks, b""):
                part.append(chunk)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> MirrorUnusable:
    return MirrorUnusable(
        f"{path} cannot be read: {error.strerror or error}. Correct it, or give another mirror."
    )


def _opened(path: Path, offset: int) -> IO[bytes]:
    stream = path.open("rb")
    stream.seek(offset)
    return stream


def _chunks(stream: IO[bytes], size: int | None) -> Iterator[bytes]:
    """Yields chunks up to the stream's end, or up to ``size`` bytes."""
    left = size
    while chunk := stream.read(CHUNK if left is None else min(CHUNK, left)):
        yield chunk
        left = None if left is None else left - len(chunk)


def _local(mirror: str) -> Source:
    path = Path(mirror).expanduser()
    if path.is_dir():
        return DirectorySource(path)
    try:
        with path.open("rb") as stream:
            return TarSource(path, read_index(stream, source=str(path)))
    except OSError as error:
        raise MirrorUnusable(
            f"the mirror {path} cannot be read: {error.strerror or error}. Expected a folder, a tar file or "
            "an address that begins with https://."
        ) from error


def _base(mirror: str) -> URL:
    try:
        url = URL(mirror)
    except ValueError as error:
        raise MirrorUnusable(f"the mirror's address is malformed: {error}. Correct it.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise MirrorUnusable(
            f"a mirror with an address of the kind {url.scheme}:// cannot be used. Expected http:// or "
            "https://, a folder or a tar file."
        )
    return url


def _pinned(entry: CatalogueEntry) -> tuple[URL, ...]:
    return () if entry.url is None else (URL(entry.url),)


def _below(base: URL, entry: CatalogueEntry) -> tuple[URL, ...]:
    """Returns addresses below the mirror's. Its query is kept, because it can contain access tokens."""
    return tuple((base / name).with_query(base.query) for name in mirror_names(entry))
