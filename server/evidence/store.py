"""Kept pictures: sealed, durable in the object store before any row of the database refers to them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from server.evidence.errors import EvidenceAltered
from server.sealing import Random, Sealed, WrappingKeys, context, seal, unseal
from server.storage.objects import ObjectStore
from server.storage.records import EvidenceEntry, ImagePurpose, PictureFacts

__all__ = ["EvidenceStore", "SealedPicture"]

_PREFIX = "evidence"
_NAME_BYTES = 16
_SWEEP_BATCH = 256


@dataclass(frozen=True, slots=True)
class SealedPicture:
    """A picture that can be stored: its entry, and the ciphertext that goes under the entry's key."""

    entry: EvidenceEntry
    ciphertext: bytes = field(repr=False)


class EvidenceStore:
    """Saves, opens and erases kept pictures."""

    def __init__(self, objects: ObjectStore, *, wrapping_keys: WrappingKeys, random: Random) -> None:
        """Takes where ciphertexts go, the keys, and a source of unpredictable bytes."""
        self._objects = objects
        self._keys = wrapping_keys
        self._random = random

    async def seal(
        self, check_id: UUID, *, kind: ImagePurpose, image: bytes, facts: PictureFacts
    ) -> SealedPicture:
        """Seals a picture, to be stored with ``put``.

        Args:
            check_id: The check; the picture can be opened for no other.
            kind: What it is for.
            image: The picture as the device sent it.
            facts: What is known of it.
        """
        sealed = await asyncio.to_thread(
            seal, image, wrapping_keys=self._keys, aad=context(check_id, kind.value), random=self._random
        )
        return SealedPicture(
            entry=EvidenceEntry(
                kind=kind,
                object_key=f"{_PREFIX}/{check_id.hex}/{self._random(_NAME_BYTES).hex()}",
                sha256=sha256(image).digest(),
                frame_index=facts.frame_index,
                attempt=facts.attempt,
                rotation=facts.rotation,
                mirrored=facts.mirrored,
                media_type=facts.media_type,
                wrapped_key=sealed.wrapped_key,
                key_id=sealed.key_id,
            ),
            ciphertext=sealed.ciphertext,
        )

    async def put(self, picture: SealedPicture) -> None:
        """Stores a sealed picture; durable when it returns. Its entry is to be written with the decision.

        An entry that is never written leaves an object that ``sweep_orphans`` removes.

        Raises:
            StorageUnavailable: The object could not be stored.
        """
        await self._objects.put(picture.entry.object_key, picture.ciphertext)

    async def load(self, check_id: UUID, entry: EvidenceEntry) -> bytes:
        """The picture as the device sent it.

        Raises:
            ObjectNotFound: Its object is gone.
            SealBroken: The object, its key or its check is not what was sealed.
            WrappingKeyUnknown: The key that wrapped its key is not there.
            EvidenceAltered: It opened, but its SHA-256 is not the recorded one.
            StorageUnavailable: The object store did not answer.
        """
        sealed = Sealed(
            ciphertext=await self._objects.get(entry.object_key),
            wrapped_key=entry.wrapped_key,
            key_id=entry.key_id,
        )
        image = await asyncio.to_thread(
            unseal, sealed, wrapping_keys=self._keys, aad=context(check_id, entry.kind.value)
        )
        if sha256(image).digest() != entry.sha256:
            raise EvidenceAltered("the picture is not the one whose SHA-256 was recorded")
        return image

    async def erase(self, entries: Iterable[EvidenceEntry]) -> None:
        """Deletes the objects of entries whose rows, and keys with them, are already gone.

        Raises:
            StorageUnavailable: An object could not be deleted; ``sweep_orphans`` will.
        """
        for entry in entries:
            await self._objects.delete(entry.object_key)

    async def sweep_orphans(
        self,
        *,
        older_than: datetime,
        referenced: Callable[[Collection[str]], Awaitable[frozenset[str]]],
    ) -> int:
        """Deletes objects that no row refers to: what a crash left between the object and its row.

        Args:
            older_than: Objects written since are left alone, because their row may be on its way; an
                hour before now is ample.
            referenced: Which of these keys rows refer to; ``CheckRepository.referenced``.

        Returns:
            How many were deleted.

        Raises:
            StorageUnavailable: A store did not answer; what is left is swept the next time.
        """
        old = [info.key async for info in self._objects.list(_PREFIX) if info.modified < older_than]
        deleted = 0
        for start in range(0, len(old), _SWEEP_BATCH):
            batch = old[start : start + _SWEEP_BATCH]
            for key in set(batch) - await referenced(batch):
                await self._objects.delete(key)
                deleted += 1
        return deleted
