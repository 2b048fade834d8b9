"""Reads trusted images by reference: in the part of the tenant, with a timeout, outside the event loop."""

import asyncio
import re
import unicodedata
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from server.base.errors import ConfigurationError
from server.trusted_images.settings import (
    TENANT,
    BucketSource,
    TrustedImageSettings,
    parse_source,
    tenant_segment,
)
from server.trusted_images.stores import (
    TIMEOUT_SECONDS,
    ImageBucket,
    ImageFolder,
    ReferenceInvalid,
    StoreUnavailable,
    TenantHasNoImages,
    read_credentials,
)

MAX_REFERENCE_BYTES: Final = 512
"""Maximum size of a reference in UTF-8; a limit of the wire contract."""

_MAX_SEGMENT_BYTES: Final = 255
"""``NAME_MAX`` of Linux."""
_ASCII: Final = re.compile(r"[A-Za-z0-9 !$&'()+,\-.=@_;~#\[\]{}^]")
_ALLOWED: Final = "letters, digits, spaces and !#$&'()+,-.;=@[]^_{}~"
# Letters, marks and numbers of any script; no symbols, controls, formats (such as those that change the
# direction of text), private or unassigned characters.
_CATEGORIES: Final = ("L", "M", "N")


def parse_reference(text: str) -> tuple[str, ...]:
    """Split a reference, a relative path such as ``2031/05/4711.jpg``, into its segments.

    It has the same form for a folder and for a bucket, and is never decoded, cleaned or truncated. Characters
    that a file system, gateway or decoder could interpret in another way are refused before the store is
    accessed.

    Segments are joined by ``/``. A segment has 1 to 255 bytes of letters, digits and marks of any script, and
    of the ASCII characters ``!#$&'()+,-.;=@[]^_{}~`` and space. It does not begin with a dot, which excludes
    ``.``, ``..``, and hidden files such as the snapshots of deleted files. It does not begin or end with a
    space. A reference thus cannot be an absolute path or a URL, or contain ``%``-encoding, a backslash
    or a drive. It also has no character whose compatibility form (Unicode NFKC, which some file systems and
    gateways apply) contains a character with a meaning in a path, such as U+FF0F or U+2025.

    Args:
        text: The reference that the caller sent.

    Raises:
        ReferenceInvalid: The text is not such a path.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ReferenceInvalid("is not valid Unicode") from error
    if not text:
        raise ReferenceInvalid("is empty")
    if size > MAX_REFERENCE_BYTES:
        raise ReferenceInvalid(f"has {size} bytes; at most {MAX_REFERENCE_BYTES} are allowed")
    if "://" in text:
        raise ReferenceInvalid("is a URL; it is a path, relative to the store's own prefix")
    if text.startswith("/"):
        raise ReferenceInvalid("begins with a slash; it is relative to the store's own prefix")
    segments = tuple(text.split("/"))
    for segment in segments:
        _check(segment)
    return segments


def _check(segment: str) -> None:
    if not segment:
        raise ReferenceInvalid("has an empty segment: two slashes in a row, or one at the end")
    if segment.startswith("."):
        raise ReferenceInvalid("has a segment that begins with a dot; neither `..` nor hidden files are read")
    if segment[0] == " " or segment[-1] == " ":
        raise ReferenceInvalid("has a segment that begins or ends with a space")
    if len(segment.encode()) > _MAX_SEGMENT_BYTES:
        raise ReferenceInvalid(f"has a segment of more than {_MAX_SEGMENT_BYTES} bytes")
    for character in segment:
        if not _is_allowed(character):
            raise ReferenceInvalid(f"has a character that is not allowed; allowed are {_ALLOWED}")


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return _ASCII.fullmatch(character) is not None
    if not unicodedata.category(character).startswith(_CATEGORIES):
        return False
    # A file system may normalise a similar character to a dot, a slash or another special character.
    plain = unicodedata.normalize("NFKC", character)
    return all(part.isalnum() or unicodedata.category(part).startswith(_CATEGORIES) for part in plain)


class _Store(Protocol):
    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes: ...


class TrustedImages:
    """The customer's store of trusted images."""

    def __init__(
        self,
        store: _Store,
        *,
        below: tuple[str, ...],
        readers: int,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Read from ``store``.

        Args:
            store: A folder or a bucket.
            below: The segments that precede every reference; ``{tenant}`` stands for the tenant.
            readers: The maximum number of images that are read at once. Separate threads read them, so that a
                store that hangs delays nothing else.
            timeout_seconds: Maximum time to read one image.
        """
        self._store = store
        self._below = below
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="trusted-images")

    async def read(self, reference: str, *, tenant: str, max_bytes: int) -> bytes:
        """Return the bytes of an image.

        Args:
            reference: The reference that the caller sent.
            max_bytes: The maximum size of the image.

        Raises:
            ReferenceInvalid: The reference is malformed, contains a link, or names no regular file.
            ReferenceNotFound: Nothing exists at the reference.
            ReferencedImageTooLarge: The image has more than ``max_bytes`` bytes.
            TenantHasNoImages: The store has a folder for each tenant, and the name of this one cannot be one.
            StoreUnavailable: The store did not answer in time, or refuses this server.
        """
        segments = (*self._place(tenant), *parse_reference(reference))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(self._threads, self._store.read, segments, max_bytes)
        except TimeoutError as error:
            raise StoreUnavailable("timeout") from error

    def close(self) -> None:
        """Stop reading; do not wait for images that are being read."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _place(self, tenant: str) -> tuple[str, ...]:
        if TENANT not in self._below:
            return self._below
        name = tenant_segment(tenant)
        if name is None:
            raise TenantHasNoImages("the name of the tenant cannot be a folder name")
        return tuple(name if segment == TENANT else segment for segment in self._below)


def open_trusted_images(settings: TrustedImageSettings, *, readers: int) -> TrustedImages | None:
    """Open the store that the settings name; return ``None`` if they name none.

    No request is sent to a bucket, so that a server can start while the bucket is unreachable.

    Args:
        readers: The maximum number of images that are read at once.

    Raises:
        ConfigurationError: The folder does not exist or cannot be opened, or the file of credentials cannot
            be used.
    """
    if settings.source is None:
        return None
    source = parse_source(settings.source)
    store: _Store
    if isinstance(source, BucketSource):
        file = settings.s3.credentials_file
        store = ImageBucket(
            source.bucket,
            endpoint=settings.s3.endpoint,
            region=settings.s3.region,
            credentials={} if file is None else read_credentials(file),
        )
    else:
        store = _folder(source.folder)
    return TrustedImages(store, below=source.below, readers=readers)


def require_tenancy(settings: TrustedImageSettings, *, tenants: AbstractSet[str]) -> None:
    """Verify that no tenant can read the trusted images of another, unless the settings allow it.

    Args:
        tenants: The tenants that have an orchestrator.

    Raises:
        ConfigurationError: There are several tenants, and the source is the same for all of them.
    """
    if settings.source is None or settings.shared_by_tenants:
        return
    if len(tenants) <= 1:
        return
    if TENANT not in parse_source(settings.source).below:
        raise ConfigurationError(
            f"trusted_images.source is the same for all callers, and they are of {len(tenants)} tenants: "
            f"put {TENANT} into it, such as /srv/portraits/{TENANT}, or set "
            "trusted_images.shared_by_tenants = true if every tenant may use every image"
        )


def _folder(path: Path) -> ImageFolder:
    folder = ImageFolder(path)
    try:
        folder.require_readable()
    except OSError as error:
        raise ConfigurationError(
            f"trusted_images.source: the folder {path} cannot be opened: {error.strerror or error}; "
            "create it, or correct the setting or the owner of the folder"
        ) from error
    return folder
