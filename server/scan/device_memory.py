"""Compares a scan with earlier scans of the same tenant, and stores its marks for later scans."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity import DeviceFinding, DeviceTest
from device_integrity.stream import (
    FrameMark,
    FrameTrace,
    KeyUse,
    RecalledScan,
    ScanMemory,
    ScanMotion,
    ScanQuery,
    check_attestation_key,
    check_device_subjects,
    check_frames_before,
    check_session_key,
    check_similarity,
    frame_marks,
    key_mark,
    mirrored_bands,
    scan_motion,
)
from facegate_protocol import load_public_key, public_key_der
from server.base.worker_pool import WorkerPool
from server.device.evidence import EvidenceFinding
from server.storage.records import CheckRecord

_WINDOW: Final = timedelta(days=400)
"""The period in which uses of a device's key count; retention ends most of them earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameComparison:
    """The comparison of an attempt's frames with earlier scans.

    Attributes:
        tests: The tests ``memory.frames`` and ``memory.similarity``.
        motion: The movement; ``None`` if it shows none.
    """

    tests: tuple[DeviceTest, ...]
    marks: tuple[FrameMark, ...] = ()
    motion: ScanMotion | None = None

    @property
    def similar(self) -> bool:
        """Whether the movement of an earlier scan returns, but not its frames, which would decide."""
        return [test.name for test in self.tests if test.outcome is DeviceFinding.FAIL] == [
            "memory.similarity"
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanComparison:
    """The comparison of a scan with earlier scans, and the marks that are stored once the scan is decided.

    Attributes:
        tests: The tests ``memory.*``.
        motions: The movement of its attempts.
        keys: The marks of its device's keys.
    """

    tests: tuple[DeviceTest, ...] = ()
    marks: tuple[FrameMark, ...] = ()
    motions: tuple[ScanMotion, ...] = ()
    keys: tuple[bytes, ...] = ()


def merge_marks(comparisons: Sequence[ScanComparison]) -> ScanComparison:
    """Merge the marks of the frames and keys of several attempts of one scan.

    The tests are omitted, because each belongs to one attempt.
    """
    return ScanComparison(
        marks=tuple(mark for each in comparisons for mark in each.marks),
        motions=tuple(motion for each in comparisons for motion in each.motions),
        keys=tuple(dict.fromkeys(key for each in comparisons for key in each.keys)),
    )


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Queries and fills a ``ScanMemory``.

    Attributes:
        hash_subject: Hashes the subject reference of a scope (``MemoryKey.subject_hash``).
    """

    memory: ScanMemory
    _: KW_ONLY
    tenant_key: Callable[[str], bytes]
    hash_subject: Callable[[str, str], str]
    pool: WorkerPool

    async def compare_frames(
        self,
        record: CheckRecord,
        frames: Sequence[FrameTrace],
        *,
        images: Sequence[bytes],
        pictures: Mapping[bytes, bytes],
        layouts: Sequence[tuple[int, NDArray[np.float32]]] = (),
        challenged: bool = False,
    ) -> FrameComparison:
        """Compare an attempt's frames with earlier scans.

        Args:
            images: SHA-256 of every received frame's image, in order.
            pictures: The hash of what each of these shows, by ``images``.
            layouts: The capture time and the layout of every received frame, in order.
            challenged: Whether the attempt answers a challenge. Its movement is then stored, not compared.

        Raises:
            StorageUnavailable: The database failed.
        """
        key = self.tenant_key(record.scope)
        marks = await self.pool.run_first(
            frame_marks, frames, images=images, pictures=pictures, tenant_key=key
        )
        query = ScanQuery(
            tenant=record.scope,
            check_id=str(record.check_id),
            exact=frozenset(mark.exact for mark in marks),
            pictures=frozenset(mark.picture for mark in marks if mark.picture),
            bands=frozenset(band for mark in marks for band in mark.bands) | mirrored_bands(frames),
            subject=self.hash_subject(record.scope, record.subject_reference),
        )
        earlier = await self.memory.recall(query) if marks else ()
        return await self.pool.run_first(_compared, marks, layouts, earlier, challenged)

    async def compare_scan(
        self,
        record: CheckRecord,
        *,
        frames: FrameComparison,
        findings: Sequence[EvidenceFinding],
        session_key: bytes,
        now: datetime,
    ) -> ScanComparison:
        """Compare a scan and its device with earlier scans.

        Args:
            session_key: SubjectPublicKeyInfo, DER.

        Raises:
            KeyMaterialError: ``session_key`` is not a key; admission refuses these.
            StorageUnavailable: The database failed.
        """
        key, check_id, tenant = self.tenant_key(record.scope), str(record.check_id), record.scope
        lasting = [finding.lasting_key for finding in findings if finding.lasting_key is not None]
        attested = [finding.scan_key for finding in findings if finding.scan_key is not None]
        # A key may be encoded with a compressed or an uncompressed point; both have the same mark.
        session = key_mark(public_key_der(load_public_key(session_key)), tenant_key=key)
        since = now - _WINDOW

        async def uses_of(one: bytes) -> tuple[KeyUse, ...]:
            return await self.memory.key_uses(tenant=tenant, key=one, since=since)

        uses = [await uses_of(one) for one in lasting]
        of_attested = [use for one in attested for use in await uses_of(one)]
        subject = self.hash_subject(record.scope, record.subject_reference)
        return ScanComparison(
            tests=(
                *frames.tests,
                *(check_device_subjects(of_key, subject=subject) for of_key in uses),
                check_session_key(await uses_of(session), check_id=check_id),
                *([check_attestation_key(of_attested, check_id=check_id)] if attested else []),
            ),
            marks=frames.marks,
            motions=() if frames.motion is None else (frames.motion,),
            keys=(*lasting, *attested, session),
        )

    async def keep(self, record: CheckRecord, comparison: ScanComparison, *, now: datetime) -> None:
        """Store the marks of a scan's frames and the uses of its keys in the scan memory.

        Raises:
            StorageUnavailable: The database failed.
        """
        check_id = str(record.check_id)
        subject = self.hash_subject(record.scope, record.subject_reference)
        await self.memory.record(
            tenant=record.scope,
            subject=subject,
            check_id=check_id,
            time=now,
            marks=comparison.marks,
            motions=comparison.motions,
        )
        use = KeyUse(key=b"", subject=subject, check_id=check_id, time=now)
        for key in dict.fromkeys(comparison.keys):
            await self.memory.record_key_use(tenant=record.scope, use=replace(use, key=key))


def _compared(
    marks: tuple[FrameMark, ...],
    layouts: Sequence[tuple[int, NDArray[np.float32]]],
    earlier: Sequence[RecalledScan],
    challenged: bool,
) -> FrameComparison:
    motion = scan_motion(layouts)
    similarity = check_similarity(None if challenged else motion, earlier)
    return FrameComparison(
        tests=(check_frames_before(marks, earlier), similarity), marks=marks, motion=motion
    )
