"""Reads trusted images by reference: within the tenant's part of the store, in time, off the event loop."""

import asyncio
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from server.errors import ConfigurationError
from server.trusted_images.bucket import ImageBucket
from server.trusted_images.credentials import read_credentials
from server.trusted_images.errors import StoreUnavailable, TenantHasNoImages
from server.trusted_images.folder import ImageFolder
from server.trusted_images.reference import parse_reference
from server.trusted_images.settings import TrustedImageSettings
from server.trusted_images.source import TENANT, BucketSource, parse_source, tenant_segment

__all__ = ["TrustedImages", "check_tenancy", "open_trusted_images"]


class _Store(Protocol):
    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes: ...


class TrustedImages:
    """The customer's store of trusted images."""

    def __init__(
        self, store: _Store, *, below: tuple[str, ...], readers: int, timeout_seconds: float
    ) -> None:
        """Reads from ``store``.

        Args:
            store: A folder or a bucket.
            below: The segments in it below which everything lies; ``{tenant}`` stands for the tenant.
            readers: Images that are read at once. They have threads of their own, so that a store that
                hangs keeps nothing else waiting.
            timeout_seconds: How long one image may take.
        """
        self._store = store
        self._below = below
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="trusted-images")

    async def read(self, reference: str, *, tenant: str, max_bytes: int) -> bytes:
        """The bytes of an image.

        Args:
            reference: What the caller sent.
            tenant: The caller's tenant.
            max_bytes: The most that the image may have.

        Raises:
            ReferenceInvalid: The reference is malformed, or leads over a link or to no plain file.
            ReferenceNotFound: It leads to nothing.
            ReferencedImageTooLarge: The image has more than ``max_bytes`` bytes.
            TenantHasNoImages: The store is divided by tenants, and this one's name cannot stand in a path.
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
        """Takes no more; what is being read is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _place(self, tenant: str) -> tuple[str, ...]:
        if TENANT not in self._below:
            return self._below
        name = tenant_segment(tenant)
        if name is None:
            raise TenantHasNoImages("the tenant's name cannot stand for a folder")
        return tuple(name if segment == TENANT else segment for segment in self._below)


def open_trusted_images(settings: TrustedImageSettings, *, readers: int) -> TrustedImages | None:
    """Opens the store that the settings name; None where they name none.

    Nothing is asked of a bucket yet, so that a server starts while it cannot be reached.

    Args:
        settings: The settings.
        readers: Images that are read at once.

    Raises:
        ConfigurationError: The folder is not there or cannot be opened, or the file of credentials cannot
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
            timeout_seconds=settings.timeout_seconds,
        )
    else:
        store = _folder(source.folder)
    return TrustedImages(store, below=source.below, readers=readers, timeout_seconds=settings.timeout_seconds)


def check_tenancy(settings: TrustedImageSettings, *, tenants: AbstractSet[str]) -> None:
    """Checks that no tenant reads another's trusted images unless that is meant.

    Args:
        settings: The settings.
        tenants: Every tenant that has an orchestrator.

    Raises:
        ConfigurationError: There may be several tenants, and the source is the same for all of them.
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
        folder.check()
    except OSError as error:
        raise ConfigurationError(
            f"trusted_images.source: the folder {path} cannot be opened: {error.strerror or error}; "
            "make it, or correct the setting or the folder's owner"
        ) from error
    return folder
