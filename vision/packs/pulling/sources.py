"""Sources of model files: the catalogue's addresses, or a mirror of the user.

A source puts a file into the folder of incoming files only with the catalogued content, whatever it offers.
None is trusted: sizes are bounded while the bytes arrive, and names in an archive are never paths.
"""

import hashlib
import importlib.metadata
import io
import ssl
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event
from typing import IO, Final, Protocol
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import pooch
import requests

from formats.private_files import READABLE, appearing
from formats.proxies import proxy_named
from vision.errors import FileNotOffered, FileRefused, MirrorUnusable, TimeRanOut, TransferFailed
from vision.packs.catalogue import CatalogueEntry, CataloguePack, StateFile
from vision.packs.minifasnet_state import minifasnet_to_onnx, read_state
from vision.packs.pulling.installed import sha256_of, unwritable, writing

LARGEST_FILE: Final = 2**31
"""Greatest size of a file of unknown size, in bytes."""
CONNECT_SECONDS: Final = 15.0
"""Limit for a connection, with name look-up and TLS."""
STALL_SECONDS: Final = 30.0
"""Limit without a single byte."""
TRIES: Final = 3
"""Tries for one file, including the first."""
PAUSE_SECONDS: Final = 1.0
"""Pause before the second try; doubled for the third."""

_CHUNK: Final = 1 << 16
_MOST_REDIRECTS: Final = 5
# Object stores answer 403 for a missing file if the caller may not list.
_NOT_OFFERED: Final = frozenset({401, 403, 404, 410})
_BUSY: Final = frozenset({408, 425, 429})
_MOST_MEMBERS: Final = 1000
_LARGEST_HEADER: Final = 1 << 16
_FILES: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})


class PullProgress(Protocol):
    """Receives the progress of a pull, from several threads."""

    def planned(self, file: str, *, size: int | None) -> None:
        """Announce that ``file`` will be fetched; ``size`` is in bytes, None if unknown."""
        ...

    def moved(self, file: str, *, done: int) -> None:
        """Report ``done`` bytes of ``file``; fewer than before if it restarts."""
        ...

    def ended(self, file: str, *, how: str) -> None:
        """Report the end of ``file``; ``how`` is the outcome in words."""
        ...

    def say(self, text: str) -> None:
        """Report a message that concerns no single file."""
        ...


class Stopped(Exception):
    """Another file of the pull failed, or the caller stopped the pull."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What the transfers of one pull share.

    Attributes:
        until: Time limit by the monotonic clock; None for none.
        stopped: Set when the pull has failed or was stopped.
        failing: The hosts whose failure was said, once for all files.
    """

    incoming: Path
    progress: PullProgress
    until: float | None
    stopped: Event = field(default_factory=Event)
    failing: dict[str, object] = field(default_factory=dict)

    def left(self, entry: CatalogueEntry) -> float:
        """Return the seconds that are left, at most ``STALL_SECONDS``.

        Raises:
            TimeRanOut: None are left.
            Stopped: The pull was stopped.
        """
        if self.stopped.is_set():
            raise Stopped
        left = STALL_SECONDS if self.until is None else self.until - time.monotonic()
        if left <= 0:
            raise TimeRanOut(
                f"time ran out before {entry.file_name} arrived. Files that arrived whole are kept: pull "
                "again with more time, or from a nearer mirror with --mirror."
            )
        return min(left, STALL_SECONDS)


class Source(Protocol):
    """A source of model files. Several are fetched at once, each in its own thread."""

    def fetch(self, entry: CatalogueEntry, transfer: Transfer) -> str:
        """Put the file into the folder of incoming files.

        Returns:
            The path or address that the bytes came from, to show to the user.

        Raises:
            PullError: The file is not offered, has another content, or does not arrive.
        """
        ...


def mirror_names(entry: CatalogueEntry) -> tuple[str, ...]:
    """Return the possible names of a file on a mirror: its own, then the last part of its address."""
    last = unquote(urlsplit(entry.url or "").path).rpartition("/")[2]
    return tuple(dict.fromkeys([*entry.names, *([last] if last else [])]))


def open_source(mirror: str | None, pack: CataloguePack) -> Source:
    """Open the source that ``mirror`` names: a folder, an uncompressed tar file, or a folder's https address.

    ``None`` takes each file from the address in the catalogue.

    Raises:
        MirrorUnusable: It is none of these, or cannot be read.
    """
    if mirror is None or "://" in mirror:
        return _HttpsSource(None if mirror is None else _mirror_address(mirror))
    path = Path(mirror).expanduser()
    try:
        return _FolderSource(path) if path.is_dir() else _TarSource(path, _tar_members(path, pack))
    except OSError as error:
        raise MirrorUnusable(
            f"the mirror {path} cannot be read: {error.strerror or error}. Expected a folder, a tar file or "
            "an address that begins with https://."
        ) from error


def copy_file(path: Path, entry: CatalogueEntry, transfer: Transfer) -> None:
    """Copy a file of this machine to the incoming ones, if it is the catalogued one.

    Raises:
        FileRefused: It has another content.
        MirrorUnusable: It cannot be read.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with stream:
        _copy(stream, entry, transfer, origin=str(path))


class _BoundedFile:
    """Passes bytes on, but no more than the catalogue states, and none after the pull has ended."""

    def __init__(self, stream: IO[bytes], entry: CatalogueEntry, transfer: Transfer) -> None:
        self._stream = stream
        self._entry = entry
        self._transfer = transfer
        self._limit = LARGEST_FILE if entry.size is None else entry.size
        self._size = 0

    def write(self, chunk: bytes) -> None:
        self._transfer.left(self._entry)
        self._size += len(chunk)
        if self._size > self._limit:
            raise FileRefused(
                f"{self._entry.file_name}: more than the {self._limit:,} bytes of the catalogued file were "
                "offered. It was deleted and nothing was installed. Pull from another mirror."
            )
        self._stream.write(chunk)
        self._transfer.progress.moved(self._entry.file_name, done=self._size)

    def flush(self) -> None:
        self._stream.flush()


class _HttpsSource:
    """Addresses, which ``pooch`` fetches. Implements ``Source``."""

    def __init__(self, mirror: SplitResult | None) -> None:
        """Fetch from below ``mirror``, or from the catalogue's addresses."""
        self._mirror = mirror
        pooch.get_logger().setLevel("ERROR")  # The progress says what it would.

    def fetch(self, entry: CatalogueEntry, transfer: Transfer) -> str:
        """Fetch the file from the first address that has it.

        Raises:
            FileNotOffered: None of the addresses has the file.
            FileRefused: A server offers another content than the catalogued one.
            TransferFailed: A server cannot be reached or fails, even after several tries.
            TimeRanOut: It does not arrive in time.
            FolderUnusable: The received data cannot be written.
        """
        refusals = []
        for url in self._addresses(entry):
            try:
                _fetch_patiently(url, entry, transfer)
            except FileNotOffered as error:
                refusals.append(str(error))
            else:
                return _shown(url)
        raise FileNotOffered(
            f"{entry.file_name} is not offered: "
            + ("; ".join(refusals) or "the catalogue has no address for it")
            + ". Give a mirror that has it with --mirror."
        )

    def _addresses(self, entry: CatalogueEntry) -> tuple[str, ...]:
        if self._mirror is None:
            return () if entry.url is None else (entry.url,)
        # The mirror's query is kept, because it can contain access tokens.
        folder = self._mirror.path.rstrip("/")
        return tuple(
            self._mirror._replace(path=f"{folder}/{quote(name)}").geturl() for name in mirror_names(entry)
        )


def _fetch_patiently(url: str, entry: CatalogueEntry, transfer: Transfer) -> None:
    pause = PAUSE_SECONDS
    for number in range(1, TRIES + 1):
        try:
            _fetch_once(url, entry, transfer)
        except requests.RequestException as error:
            left, why = transfer.left(entry), _reason(error, url)
            # No second try makes a certificate or an address valid.
            if number == TRIES or isinstance(error, requests.exceptions.SSLError | ValueError):
                raise TransferFailed(
                    f"{entry.file_name} could not be fetched from {_shown(url)}: {why}. Tried {number} "
                    "times. Pull again, or give another mirror with --mirror."
                ) from error
            host, mine = urlsplit(url).hostname or "", object()
            if transfer.failing.setdefault(host, mine) is mine:
                transfer.progress.say(f"{host}: {why}; trying again")
            transfer.stopped.wait(min(pause, left))
            pause *= 2
        except OSError as error:
            raise unwritable(transfer.incoming / entry.file_name, error) from error
        else:
            return


def _fetch_once(url: str, entry: CatalogueEntry, transfer: Transfer) -> None:
    authorities = ssl.get_default_verify_paths()
    left, answers, found = transfer.left(entry), list[requests.Response](), ""

    def examine(answer: requests.Response, **_: object) -> None:
        answers.append(answer)
        _examine(answer, entry=entry, url=url, redirects=len(answers))

    downloader = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=(min(CONNECT_SECONDS, left), left),
        # A compressed body would break the count of bytes.
        headers={
            "Accept-Encoding": "identity",
            "User-Agent": f"facegate/{importlib.metadata.version('facegate')}",
        },
        hooks={"response": examine},
        # The system's authorities, or those that SSL_CERT_FILE names.
        verify=authorities.cafile or authorities.capath or True,
    )

    def download(address: str, path: str, _: object) -> None:
        nonlocal found
        with Path(path).open("wb") as stream:
            downloader(address, _BoundedFile(stream, entry, transfer), None)
        found = sha256_of(Path(path))

    for sha256 in entry.sha256s:
        try:
            pooch.retrieve(
                url, known_hash=sha256, fname=entry.file_name, path=transfer.incoming, downloader=download
            )
        except requests.RequestException:
            raise
        except ValueError:
            continue  # Another content.
        finally:
            for answer in answers:
                answer.close()
            answers.clear()
        return
    raise _wrong_content(entry.file_name, _shown(url), expected=entry.sha256, found=found)


def _examine(answer: requests.Response, *, entry: CatalogueEntry, url: str, redirects: int) -> None:
    """Test the head of an answer: the target of a redirect, or the length of the file."""
    if answer.is_redirect:
        there = urlsplit(urljoin(answer.url, answer.headers["Location"]))
        if there.scheme != "https":
            raise TransferFailed(
                f"{_shown(url)} redirects to {_shown(there.geturl()) or 'nowhere'}, expected https: anybody "
                "on the network could replace the file. It was not followed. Give another mirror with "
                "--mirror."
            )
        if redirects > _MOST_REDIRECTS:
            raise TransferFailed(
                f"{_shown(url)} redirects in a loop, or more than {_MOST_REDIRECTS} times. Report it to "
                "the server's operator, or give another mirror with --mirror."
            )
        return
    status = f"{_shown(url)} answered {answer.status_code} {answer.reason}"
    if answer.status_code in _NOT_OFFERED:
        raise FileNotOffered(status)
    if answer.status_code in _BUSY or answer.status_code >= 500:
        return  # A later try may succeed.
    if answer.status_code != 200:
        raise TransferFailed(
            f"{status}, expected the file. Check the address, or give another mirror with --mirror."
        )
    offered = int(answer.headers.get("Content-Length", "0")) if entry.size is not None else 0
    if offered not in {0, entry.size}:
        raise FileRefused(
            f"{entry.file_name} at {_shown(url)} has {offered:,} bytes, expected {entry.size:,}. "
            "Nothing was installed. Pull from another mirror, or report it to the operator of this one."
        )


def _reason(error: requests.RequestException, url: str) -> str:
    """Return why a transfer failed; the text of the error itself can contain the address with its query."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    through = proxy_named(url, or_all=True)
    if isinstance(error, requests.Timeout):
        return f"no connection, or no byte, in time{through}"
    if isinstance(error, ValueError):
        whose = f"no connection{through}: expected http://host:port, but its" if through else "the"
        return f"{whose} address is malformed"
    cause = _first_cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection{through} ({cause}): check the clock and certificates (SSL_CERT_FILE)"
    if isinstance(cause, OSError) and cause is not error:
        return f"the connection{through} failed: {cause.strerror or cause}"
    return f"the connection{through} failed"


def _first_cause(error: BaseException) -> BaseException:
    """Return the innermost error, which says it in words; those around it name classes of libraries."""
    inner = next((part for part in error.args if isinstance(part, BaseException)), error.__cause__)
    return error if inner is None else _first_cause(inner)


def _shown(url: str) -> str:
    """Return an address without its parts that may be secret."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _mirror_address(mirror: str) -> SplitResult:
    try:
        parts = urlsplit(mirror)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError as error:
        raise MirrorUnusable(f"the mirror's address is malformed: {error}. Correct it.") from error
    if not usable:
        raise MirrorUnusable(
            f"a mirror with an address of the kind {parts.scheme}:// cannot be used. Expected https:// with "
            "a host, a folder or a tar file."
        )
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _FolderSource:
    """A folder of model files; its subfolders are not searched. Implements ``Source``."""

    folder: Path

    def fetch(self, entry: CatalogueEntry, transfer: Transfer) -> str:
        """Copy the file; return its path.

        If only the state file of the network's authors exists, its conversion is written.

        Raises:
            FileNotOffered: The file does not exist.
            FileRefused: The file, the state file or its conversion is not the catalogued one.
            MirrorUnusable: The file cannot be read.
        """
        names = mirror_names(entry)
        path = next((path for name in names if (path := self.folder / name).is_file()), None)
        if path is not None:
            copy_file(path, entry, transfer)
            return str(path)
        state = entry.state_file
        if state is not None and (self.folder / state.name).is_file():
            path = self.folder / state.name
            _convert(path, state, entry, transfer)
            return str(path)
        either = [*names, *([state.name] if state is not None else [])]
        raise FileNotOffered(
            f"{self.folder} has no {' or '.join(either)}. Put the file there, or give another mirror."
        )


def _convert(path: Path, state: StateFile, entry: CatalogueEntry, transfer: Transfer) -> None:
    """Write the network of a state file to the incoming files."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    found = hashlib.sha256(content).hexdigest()
    if found != state.sha256:
        raise _wrong_content(state.name, str(path.parent), expected=state.sha256, found=found)
    graph = minifasnet_to_onnx(read_state(content))
    if hashlib.sha256(graph).hexdigest() not in entry.sha256s:
        raise FileRefused(
            f"{path} gives another network here than the catalogued one: the installed version of onnx "
            f"writes it otherwise. Nothing was installed. Put {entry.file_name} there, or name the "
            f"folder itself as the pack: open:{path.parent}"
        )
    _copy(io.BytesIO(graph), entry, transfer, origin=str(path))


@dataclass(frozen=True, slots=True, eq=False)
class _TarSource:
    """A bundle, or any other plain tar file of model files, by their names without folders.

    Implements ``Source``.
    """

    path: Path
    members: Mapping[str, tarfile.TarInfo]

    def fetch(self, entry: CatalogueEntry, transfer: Transfer) -> str:
        """Copy the member.

        Raises:
            FileNotOffered: The archive does not have it.
            FileRefused: It is not the catalogued file.
            MirrorUnusable: The archive cannot be read.
        """
        names = mirror_names(entry)
        member = next((self.members[name] for name in names if name in self.members), None)
        if member is None:
            raise FileNotOffered(
                f"{self.path} has no {' or '.join(names)}. Bundle the pack again, or give another mirror."
            )
        if entry.size not in {None, member.size}:
            raise FileRefused(
                f"{member.name} in {self.path} has {member.size:,} bytes, expected {entry.size:,}. "
                "Nothing was installed. Bundle the pack again."
            )
        origin = f"{self.path}: {member.name}"
        try:
            stream = self.path.open("rb")
            stream.seek(member.offset_data)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        with stream:
            _copy(stream, entry, transfer, origin=origin, size=member.size)
        return origin


def _tar_members(path: Path, pack: CataloguePack) -> dict[str, tarfile.TarInfo]:
    """Return the regular files of an uncompressed archive that have a name of a file of the pack.

    Everything else in it, such as links, devices and files of other names, is passed over. If two members
    have the same name, the first counts.

    Raises:
        MirrorUnusable: It is no such archive, or has too many members or too long headers.
        OSError: It cannot be read.
    """
    wanted = {name for entry in pack.members for name in mirror_names(entry)}
    found: dict[str, tarfile.TarInfo] = {}
    try:
        with _Headers(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= _MOST_MEMBERS:
                    raise tarfile.ReadError(f"it has more than {_MOST_MEMBERS} members")
                name = PurePosixPath(member.name).name
                if name in wanted and member.type in _FILES and not member.issparse():
                    found.setdefault(name, member)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise MirrorUnusable(
            f"{path} is refused: {error}. Expected an uncompressed tar file of model files, as "
            "`facegate models bundle` writes it. Nothing of it was used."
        ) from error
    return found


class _Headers(io.FileIO):
    """Reads the headers of an archive, of which ``tarfile`` takes any length into memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a header, or a part of one."""
        if size is None or not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header is longer than {_LARGEST_HEADER:,} bytes")
        return super().read(size) or b""


def _copy(
    stream: IO[bytes], entry: CatalogueEntry, transfer: Transfer, *, origin: str, size: int | None = None
) -> None:
    """Copy a stream, or its next ``size`` bytes, to the incoming files if it is the catalogued file."""
    final = transfer.incoming / entry.file_name
    left = LARGEST_FILE + 1 if size is None else size
    with writing(final), appearing(final, mode=READABLE) as file:
        bounded = _BoundedFile(file, entry, transfer)
        while chunk := _read(stream, min(_CHUNK, left), origin):
            bounded.write(chunk)
            left -= len(chunk)
        bounded.flush()
        found = sha256_of(Path(file.name))
        if found not in entry.sha256s:
            raise _wrong_content(entry.file_name, origin, expected=entry.sha256, found=found)


def _read(stream: IO[bytes], size: int, origin: str) -> bytes:
    try:
        return stream.read(size)
    except OSError as error:
        raise _unreadable(origin, error) from error


def _unreadable(path: Path | str, error: OSError) -> MirrorUnusable:
    return MirrorUnusable(
        f"{path} cannot be read: {error.strerror or error}. Correct it, or give another mirror."
    )


def _wrong_content(name: str, origin: str, *, expected: str, found: str) -> FileRefused:
    return FileRefused(
        f"{name} from {origin} is not the catalogued file: expected SHA-256 {expected}, found {found}. "
        "It was deleted, nothing was installed. Pull from another mirror, or report "
        "it to the operator of this one."
    )
