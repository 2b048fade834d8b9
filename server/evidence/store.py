"""The evidence store: sealed images, durable in the object store before a database row refers to them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from server.keyring.sealing import Context, Random, Sealed, SealError, WrappingKeys, seal, unseal
from server.storage.objects import ObjectStore
from server.storage.records import EvidenceEntry, ImagePurpose
from server.verdict.record import ImageFacts


class EvidenceAltered(SealError):
    """An image was unsealed, but its SHA-256 is not the recorded one."""


_PREFIX = "evidence"
_NAME_BYTES = 16
_SWEEP_BATCH = 256


@dataclass(frozen=True, slots=True)
class HeldImage:
    """A kept image, as far as it can be read.

    Attributes:
        content: Its bytes; ``None`` if it cannot be read, for the reason ``problem``.
        problem: Why it cannot be read; empty if it can.
    """

    facts: ImageFacts
    content: bytes | None = field(repr=False)
    problem: str = ""


class EvidenceStore:
    """Seals, stores, loads and erases the images of checks."""

    def __init__(self, objects: ObjectStore, *, wrapping_keys: WrappingKeys, random: Random) -> None:
        """Initialises the store."""
        self._objects = objects
        self._keys = wrapping_keys
        self._random = random

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
        """Seals an image; returns its entry and its ciphertext, which ``put`` then stores.

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
            wrapping_keys=self._keys,
            aad=Context(tenant=tenant, check_id=check_id, kind=kind.value),
            random=self._random,
        )
        entry = EvidenceEntry(
            kind=kind,
            object_key=f"{_PREFIX}/{check_id.hex}/{self._random(_NAME_BYTES).hex()}",
            sha256=sha256(image).digest(),
            frame_index=frame_index,
            attempt=attempt,
            rotation=rotation,
            mirrored=mirrored,
            media_type=media_type,
            wrapped_key=sealed.wrapped_key,
            key_id=sealed.key_id,
        )
        return entry, sealed.ciphertext

    async def put(self, entry: EvidenceEntry, ciphertext: bytes) -> None:
        """Stores a sealed image, which is durable when this returns.

        The caller writes the image's entry with the decision. If it never does, ``sweep_orphans`` removes the
        object.

        Raises:
            StorageUnavailable: The object could not be stored.
        """
        await self._objects.put(entry.object_key, ciphertext)

    async def load(self, check_id: UUID, entry: EvidenceEntry, *, tenant: str) -> bytes:
        """Returns an image as it was received.

        Raises:
            ObjectNotFound: The object does not exist any more.
            SealBroken: The object, its key or its check differs from the one that was sealed.
            WrappingKeyUnknown: The server lacks the key that wrapped the image's key.
            EvidenceAltered: The image was unsealed, but its SHA-256 is not the recorded one.
            StorageUnavailable: The object store did not answer.
        """
        sealed = Sealed(
            ciphertext=await self._objects.get(entry.object_key),
            wrapped_key=entry.wrapped_key,
            key_id=entry.key_id,
        )
        aad = Context(tenant=tenant, check_id=check_id, kind=entry.kind.value)
        image = await asyncio.to_thread(unseal, sealed, wrapping_keys=self._keys, aad=aad)
        if sha256(image).digest() != entry.sha256:
            raise EvidenceAltered("the SHA-256 of the image is not the recorded one")
        return image

    async def erase(self, entries: Iterable[EvidenceEntry]) -> None:
        """Deletes the objects of entries whose rows and keys are already erased.

        Raises:
            StorageUnavailable: An object could not be deleted; ``sweep_orphans`` will delete it.
        """
        await delete_objects(self._objects, entries)

    async def sweep_orphans(
        self,
        *,
        older_than: datetime,
        referenced: Callable[[Collection[str]], Awaitable[frozenset[str]]],
    ) -> int:
        """Deletes objects that no row refers to, and parts of objects.

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
        old = [info.key async for info in self._objects.list(_PREFIX) if info.modified < older_than]
        deleted = await self._objects.remove_interrupted(_PREFIX, older_than=older_than)
        for start in range(0, len(old), _SWEEP_BATCH):
            batch = old[start : start + _SWEEP_BATCH]
            for key in set(batch) - await referenced(batch):
                await self._objects.delete(key)
                deleted += 1
        return deleted


async def delete_objects(objects: ObjectStore, entries: Iterable[EvidenceEntry]) -> None:
    """Deletes the objects of entries whose rows and keys are already erased; needs no key.

    Raises:
        StorageUnavailable: An object could not be deleted; ``EvidenceStore.sweep_orphans`` will delete it.
    """
    for entry in entries:
        await objects.delete(entry.object_key)


def facts_of(entry: EvidenceEntry) -> ImageFacts:
    """Returns the facts of a kept image, without what opens it."""
    return ImageFacts(
        purpose=entry.kind.value,
        sha256=entry.sha256,
        attempt=entry.attempt,
        frame_index=entry.frame_index,
        rotation=entry.rotation,
        mirrored=entry.mirrored,
        media_type=entry.media_type,
    )
