"""The stores of trusted images: a folder, or an S3 bucket with the file of its credentials.

::

    TrustedImagesError
    ├── ReferenceInvalid        the reference is malformed, contains a link, or names no regular file
    ├── ReferenceNotFound       nothing exists at the reference
    ├── ReferencedImageTooLarge the image has more bytes than are allowed
    ├── TenantHasNoImages       the name of the tenant cannot be a folder in the store
    └── StoreUnavailable        the store did not answer, or refuses this server; a retry may help

Invalid settings of the store raise ``server.base.errors.ConfigurationError``.

A reference may be personal data, so no message repeats it. The messages of exceptions of obstore and of the
file system do. Such an exception does not leave this package: it becomes the ``__cause__`` of one of the
above and is never logged.
"""

import errno
import os
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from formats.errors import TomlMalformed
from formats.toml import read_toml
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_private_file


class TrustedImagesError(Exception):
    """Base class of the errors of the store of trusted images."""


class ReferenceInvalid(TrustedImagesError):
    """The reference is malformed, or names something other than a regular file of the store.

    Attributes:
        problem: A description that continues "image_reference"; never contains the reference itself.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"the reference {problem}")
        self.problem = problem


class ReferenceNotFound(TrustedImagesError):
    """Nothing exists at the reference."""


class ReferencedImageTooLarge(TrustedImagesError):
    """The image has more bytes than are allowed; no more than one byte above the limit was read.

    Attributes:
        size: The size that the store reports, or the number of bytes that were read.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the referenced image has {size} bytes, more than {limit}")
        self.size = size
        self.limit = limit


class TenantHasNoImages(TrustedImagesError):
    """The name of the tenant cannot be a folder name, so the tenant has no images in the store."""


class StoreUnavailable(TrustedImagesError):
    """The store did not answer, did not answer in time, or refuses this server.

    Attributes:
        cause: The name of the error for the operator's log, never its text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"the store of trusted images is not available ({cause})")
        self.cause = cause


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_INNER: Final = _FOLDER | os.O_NOFOLLOW
# Without O_NONBLOCK, a pipe that replaces the file after the first test would block for ever.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})
_RETRIES: Final = 3
_CONNECT_SECONDS: Final = 3.0
TIMEOUT_SECONDS: Final = 10.0
"""The longest reading of one image, all tries together; an orchestrator waits for it."""
_NO_BUCKET: Final = "<Code>NoSuchBucket</Code>"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_MAX_BYTES: Final = 16_384
_REQUIRED: Final = frozenset({"access_key_id", "secret_access_key"})
_KNOWN: Final = _REQUIRED | {"session_token"}


class ImageFolder:
    """A folder of trusted images, opened segment by segment, so that no reference can leave the folder.

    Every segment is opened relative to the open folder before it (``openat``), never by a path, and links are
    not followed. Neither an existing link nor one that is created between two operations can lead elsewhere.
    """

    def __init__(self, folder: Path) -> None:
        """Set the folder. Links in its own path belong to the operator and are followed."""
        self._folder = folder

    def require_readable(self) -> None:
        """Verify that the folder exists and can be opened.

        Raises:
            OSError: The folder cannot be opened.
        """
        os.close(os.open(self._folder, _FOLDER))

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        """Return the bytes of a file.

        Blocks; at most ``max_bytes + 1`` bytes are read.

        Args:
            segments: The folders below this one and the name of the file, without ``.``, ``..``, ``/`` and
                NUL.
            max_bytes: The maximum size of the file.

        Raises:
            ReferenceInvalid: A segment is a link, or the file has several hard links or is not a regular
                file.
            ReferenceNotFound: The file does not exist.
            ReferencedImageTooLarge: The file has more than ``max_bytes`` bytes.
            StoreUnavailable: The folder cannot be read.
        """
        *folders, name = (segment.encode() for segment in segments)
        try:
            handle = os.open(self._folder, _FOLDER)
        except OSError as error:
            raise StoreUnavailable(_name_of(error)) from error
        try:
            # Only one folder is open at a time, regardless of the depth of the reference.
            for folder in folders:
                handle = _entered(handle, folder)
            return _read_file(handle, name, max_bytes)
        except OSError as error:
            raise _translated(error) from error
        finally:
            os.close(handle)


def _entered(folder: int, name: bytes) -> int:
    """Open the folder ``name`` in ``folder``, close ``folder``, and return the new handle."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise _over_a_link()
    inner = os.open(name, _INNER, dir_fd=folder)
    os.close(folder)
    return inner


def _read_file(folder: int, name: bytes, max_bytes: int) -> bytes:
    # The type is tested before the file is opened, because opening a device may have effects.
    _require_plain_file(os.stat(name, dir_fd=folder, follow_symlinks=False))
    with open(os.open(name, _FILE, dir_fd=folder), "rb", buffering=0) as file:  # noqa: PTH123 - relative to a handle
        status = os.fstat(file.fileno())
        _require_plain_file(status)
        if status.st_size > max_bytes:
            raise ReferencedImageTooLarge(status.st_size, max_bytes)
        # A file may grow while it is read.
        pieces: list[bytes] = []
        size = 0
        while size <= max_bytes:
            piece = file.read(max_bytes + 1 - size)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
    raise ReferencedImageTooLarge(size, max_bytes)


def _require_plain_file(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _over_a_link()
    if not stat.S_ISREG(status.st_mode):
        raise ReferenceInvalid("names something that is not a regular file")
    if status.st_nlink > 1:
        raise ReferenceInvalid("names a file with several hard links; another one may be outside the store")


def _over_a_link() -> ReferenceInvalid:
    return ReferenceInvalid("contains a link; links are not followed")


def _translated(error: OSError) -> ReferenceInvalid | ReferenceNotFound | StoreUnavailable:
    if error.errno == errno.ELOOP:
        # The link was created after the first test.
        return _over_a_link()
    if error.errno in _NOT_THERE:
        return ReferenceNotFound("there is nothing under the reference")
    return StoreUnavailable(_name_of(error))


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


if TYPE_CHECKING:
    from obstore.store import S3Config


class ImageBucket:
    """A bucket of trusted images. Each call reads only the object at the given segments.

    It uses the blocking calls of obstore in its own threads. If a Python interpreter ends right after an
    asynchronous call of obstore, it may be aborted, because threads of obstore still wait for it.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str | None,
        credentials: Mapping[str, str],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Configure the bucket; send no request.

        Args:
            endpoint: URL of an S3 service other than Amazon's; ``None`` for ``AWS_ENDPOINT_URL`` of the
                environment, or Amazon's.
            region: The region of the bucket; ``None`` for ``AWS_REGION`` of the environment.
            credentials: ``access_key_id``, ``secret_access_key`` and optionally ``session_token``; empty for
                the credentials of the environment or of the machine, as obstore finds them.
            timeout_seconds: Maximum duration of one response, and of all retries together.
        """
        config: S3Config = {}
        if endpoint is not None:
            config["endpoint"] = endpoint
        if region is not None:
            config["region"] = region
        if credentials:
            config["access_key_id"] = credentials["access_key_id"]
            config["secret_access_key"] = credentials["secret_access_key"]
        if "session_token" in credentials:
            config["session_token"] = credentials["session_token"]
        limit = timedelta(seconds=timeout_seconds)
        self._store = S3Store(
            bucket,
            config=config,
            client_options={
                # These options, including this one, replace those of the environment.
                "allow_http": _allows_http(endpoint),
                "timeout": limit,
                "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, timeout_seconds)),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": limit},
        )

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        """Return the bytes of an object.

        Blocks; the body of an object of more than ``max_bytes`` is not read.

        Args:
            max_bytes: The maximum size of the object.

        Raises:
            ReferenceInvalid: The segments are not a valid key.
            ReferenceNotFound: The object does not exist.
            ReferencedImageTooLarge: The object has more than ``max_bytes`` bytes.
            StoreUnavailable: The store does not answer, the bucket does not exist, or this server may not
                read it.
        """
        try:
            answer = obstore.get(self._store, "/".join(segments))
            size = answer.meta["size"]
            if size > max_bytes:
                raise ReferencedImageTooLarge(size, max_bytes)
            content = bytes(answer.bytes())
        except (NotFoundError, FileNotFoundError) as error:
            if _NO_BUCKET in str(error):
                raise StoreUnavailable("NoSuchBucket") from error
            raise ReferenceNotFound("there is nothing under the reference") from error
        except (BaseError, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        except ValueError as error:
            # obstore raises it for an invalid path.
            raise ReferenceInvalid("is not a key of the store") from error
        if len(content) > max_bytes:
            raise ReferencedImageTooLarge(len(content), max_bytes)
        return content


def _allows_http(endpoint: str | None) -> bool:
    if endpoint is not None:
        return endpoint.startswith("http://")
    return os.environ.get("AWS_ALLOW_HTTP", "").strip().lower() in _TRUE


class CredentialsUnusable(ConfigurationError):
    """The file of credentials cannot be read, is accessible to others, or violates the schema."""


def read_credentials(path: Path) -> dict[str, str]:
    """Return the credentials of the bucket by their names.

    The file is TOML::

        access_key_id = "AKIA..."
        secret_access_key = "..."
        session_token = "..."               # only with temporary credentials

    Raises:
        CredentialsUnusable: The file cannot be read, is accessible to others, or has missing or unknown
            entries. The message repeats no value.
    """
    try:
        content = read_private_file(path, max_bytes=_MAX_BYTES)
    except PrivateFileError as error:
        raise CredentialsUnusable(f"trusted_images.s3.credentials_file: {error}") from error
    try:
        table = read_toml(content)
    except TomlMalformed as error:
        # The message of the parser is left out, because it may repeat a part of the file.
        raise CredentialsUnusable(
            f'{path}: not TOML in UTF-8; write access_key_id = "..." and so on'
        ) from error
    found = {name: value for name, value in table.items() if isinstance(value, str) and value}
    names = found.keys()
    if len(found) != len(table) or _REQUIRED - names or names - _KNOWN:
        raise CredentialsUnusable(
            f"{path}: expected the texts access_key_id, secret_access_key and, with temporary credentials, "
            "session_token, and nothing else"
        )
    return found
