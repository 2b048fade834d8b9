"""The evidence store: sealed images, durable in the object store before a database row refers to them."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog

from server.domain.terms import ImagePurpose
from server.keyring.sealing import (
    Context,
    Sealed,
    SealError,
    WrappingKeys,
    WrappingKeyUnknown,
    seal,
    unseal,
)
from server.storage.errors import ObjectNotFound, StorageUnavailable
from server.storage.objects import ObjectStore
from server.storage.records import CheckRecord, EvidenceEntry
from server.telemetry.metrics import Metrics
from server.verdict.record import ImageFacts

_log = structlog.get_logger(__name__)


class EvidenceAltered(SealError):
    """An image was unsealed, but its SHA-256 is not the recorded one."""


class EvidenceFault(StrEnum):
    """Why an image cannot be returned."""

    LOST = "LOST"
    """The object store does not have the image."""
    ALTERED = "ALTERED"
    """The object in the object store is not the one that was stored."""
    KEY_MISSING = "KEY_MISSING"
    """The key that opens the image is currently missing."""
    UNAVAILABLE = "UNAVAILABLE"
    """The object store does not answer."""
    ERASED = "ERASED"
    """Retention erased the image before the record."""


_FAULTS: Final[Mapping[type[Exception], EvidenceFault]] = {
    ObjectNotFound: EvidenceFault.LOST,
    WrappingKeyUnknown: EvidenceFault.KEY_MISSING,
    StorageUnavailable: EvidenceFault.UNAVAILABLE,
}
_PREFIX = "evidence"
_NAME_BYTES = 16
_SWEEP_BATCH = 256


@dataclass(frozen=True, slots=True)
class HeldImage:
    """A kept image, as far as it can be read.

    Attributes:
        content: Its bytes; ``None`` if it cannot be read, for the reason ``problem``.
        problem: Why it cannot be read; ``None`` if it can.
    """

    facts: ImageFacts
    content: bytes | None = field(repr=False)
    problem: EvidenceFault | None = None


@dataclass(frozen=True, slots=True)
class EvidenceStore:
    """Seals, stores, loads and erases the images of checks."""

    objects: ObjectStore
    _: KW_ONLY
    wrapping_keys: WrappingKeys
    metrics: Metrics

    async def seal(
        self,
        check_id: UUID,
        *,
        tenant: str,
        kind: ImagePurpose,
        image: bytes,
        media_type: str,
        attempt: int = 0,
        frame_index: int = 0,
        rotation: int = 0,
        mirrored: bool = False,
    ) -> tuple[EvidenceEntry, bytes]:
        """Seal an image; return its entry and its ciphertext, which ``put`` then stores.

        Args:
            check_id: The check; the image can be unsealed for no other check.
            image: The encoded image as the device sent it.
            media_type: Media type, such as ``"image/jpeg"``.
            attempt: The attempt of a frame, from 1.
            rotation: The clockwise rotation that makes it upright, in degrees: 0, 90, 180 or 270.
        """
        sealed = await asyncio.to_thread(
            seal,
            image,
            wrapping_keys=self.wrapping_keys,
            aad=Context(tenant=tenant, check_id=check_id, kind=kind.value),
        )
        entry = EvidenceEntry(
            ImageFacts(
                purpose=kind,
                sha256=sha256(image).digest(),
                attempt=attempt,
                frame_index=frame_index,
                rotation=rotation,
                mirrored=mirrored,
                media_type=media_type,
            ),
            object_key=f"{_PREFIX}/{check_id.hex}/{secrets.token_hex(_NAME_BYTES)}",
            wrapped_key=sealed.wrapped_key,
            key_id=sealed.key_id,
        )
        return entry, sealed.ciphertext

    async def put(self, entry: EvidenceEntry, ciphertext: bytes) -> None:
        """Store a sealed image, which is durable when this returns.

        The caller writes the image's entry with the decision. If it never does, ``sweep_orphans`` removes the
        object.

        Raises:
            StorageUnavailable: The object could not be stored.
        """
        await self.objects.put(entry.object_key, ciphertext)

    async def load(self, check_id: UUID, entry: EvidenceEntry, *, tenant: str) -> bytes:
        """Return an image as it was received.

        Raises:
            ObjectNotFound: The object does not exist any more.
            SealBroken: The object, its key or its check differs from the one that was sealed.
            WrappingKeyUnknown: The server lacks the key that wrapped the image's key.
            EvidenceAltered: The image was unsealed, but its SHA-256 is not the recorded one.
            StorageUnavailable: The object store did not answer.
        """
        sealed = Sealed(
            ciphertext=await self.objects.get(entry.object_key),
            wrapped_key=entry.wrapped_key,
            key_id=entry.key_id,
        )
        aad = Context(tenant=tenant, check_id=check_id, kind=entry.facts.purpose.value)
        image = await asyncio.to_thread(unseal, sealed, wrapping_keys=self.wrapping_keys, aad=aad)
        if sha256(image).digest() != entry.facts.sha256:
            raise EvidenceAltered("the SHA-256 of the image is not the recorded one")
        return image

    async def open(self, check: CheckRecord, entry: EvidenceEntry) -> HeldImage:
        """Return an image as far as it can be read.

        Raises:
            StorageUnavailable: The object store did not answer.
        """
        try:
            return HeldImage(entry.facts, await self.load(check.check_id, entry, tenant=check.tenant))
        except (SealError, ObjectNotFound) as error:
            return self.unread(check, entry, error)

    def unread(self, check: CheckRecord, entry: EvidenceEntry, error: Exception) -> HeldImage:
        """Log and count an image that cannot be read."""
        problem = _FAULTS.get(type(error), EvidenceFault.ALTERED)
        if problem is EvidenceFault.KEY_MISSING:
            self.metrics.work.key_missing("evidence")
        self.metrics.checks.evidence_problem(problem.value)
        _log.error(
            "evidence_problem",
            check_id=str(check.check_id),
            object_key=entry.object_key,
            problem=problem.value,
            exc_info=error,
        )
        return HeldImage(entry.facts, None, problem)

    async def erase(self, entries: Iterable[EvidenceEntry]) -> None:
        """Delete the objects of entries whose rows and keys are already erased.

        Raises:
            StorageUnavailable: An object could not be deleted; ``sweep_orphans`` will delete it.
        """
        await delete_objects(self.objects, entries)

    async def sweep_orphans(
        self,
        *,
        older_than: datetime,
        referenced: Callable[[Collection[str]], Awaitable[frozenset[str]]],
    ) -> int:
        """Delete objects that no row refers to, and parts of objects.

        A crash leaves them: an object if its row was not yet written, a part if the object was incomplete.

        Args:
            older_than: Objects written after this time are kept because their rows may still be written; an
                hour before now is ample.
            referenced: Returns those of the given keys that rows refer to; ``CheckRepository.referenced``.

        Returns:
            The number of deleted objects.

        Raises:
            StorageUnavailable: A store did not answer; the next sweep deletes the rest.
        """
        old = [info.key async for info in self.objects.list(_PREFIX) if info.modified < older_than]
        deleted = await self.objects.remove_interrupted(_PREFIX, older_than=older_than)
        for start in range(0, len(old), _SWEEP_BATCH):
            batch = old[start : start + _SWEEP_BATCH]
            for key in set(batch) - await referenced(batch):
                await self.objects.delete(key)
                deleted += 1
        return deleted


async def delete_objects(objects: ObjectStore, entries: Iterable[EvidenceEntry]) -> None:
    """Delete, without a key, the objects of entries whose rows and keys are already erased.

    Raises:
        StorageUnavailable: An object could not be deleted; ``EvidenceStore.sweep_orphans`` will delete it.
    """
    for entry in entries:
        await objects.delete(entry.object_key)
