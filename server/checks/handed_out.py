"""Opens the evidence images that FinishCheck returns, or reports why an image cannot be returned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog

from server.evidence.store import EvidenceStore, HeldImage, facts_of
from server.sealing import SealError, WrappingKeyUnknown
from server.storage.errors import ObjectNotFound, StorageError
from server.storage.records import EvidenceEntry, ImagePurpose
from server.telemetry.metrics import Metrics

__all__ = [
    "AuditShortfall",
    "EvidenceFault",
    "HandedOut",
    "PictureHandout",
]

_log = structlog.get_logger(__name__)


class EvidenceFault(StrEnum):
    """Why an image cannot be returned; the names are those of ``facegate.v1.EvidenceProblem.Kind``."""

    LOST = "LOST"
    """The object store does not have the image."""
    ALTERED = "ALTERED"
    """The object in the object store is not the one that was stored."""
    UNAVAILABLE = "UNAVAILABLE"
    """The object store does not answer, or the key that opens the image is currently missing."""


class AuditShortfall(StrEnum):
    """Why there are fewer audit images than requested; see ``facegate.v1.AuditImageShortfall``."""

    POLICY = "POLICY"
    FEWER_CAPTURED = "FEWER_CAPTURED"
    PROBLEMS = "PROBLEMS"


@dataclass(frozen=True, slots=True)
class HandedOut:
    """The evidence images of one response.

    Attributes:
        images: The images, the evidence frame first, and those that cannot be opened with an
            ``EvidenceFault``.
        shortfall: Why there are fewer audit images than requested; ``None`` if there are enough.
    """

    images: tuple[HeldImage, ...]
    shortfall: AuditShortfall | None


class PictureHandout:
    """Opens evidence images. An image that cannot be opened never blocks the result."""

    def __init__(self, *, evidence: EvidenceStore, metrics: Metrics) -> None:
        """Sets the store, and the metrics that count problems."""
        self._evidence = evidence
        self._metrics = metrics

    async def hand_out(
        self,
        check_id: UUID,
        named: Sequence[EvidenceEntry],
        *,
        tenant: str,
        audit_images: int,
        kept_by_policy: Callable[[], int],
    ) -> HandedOut:
        """Opens the evidence frame and audit images.

        Args:
            check_id: The check.
            named: The images that the result of the check names.
            tenant: The tenant of the check.
            audit_images: The number of audit images that are requested.
            kept_by_policy: Returns the maximum number of audit images that the policy of the check keeps.
                Called only if there are too few.
        """
        audit = [entry for entry in named if entry.kind is ImagePurpose.AUDIT_IMAGE]
        frames = [entry for entry in named if entry.kind is ImagePurpose.EVIDENCE_FRAME]
        images = [
            await self._open(check_id, entry, tenant=tenant) for entry in (*frames, *audit[:audit_images])
        ]
        shortfall = None
        if len(audit) < audit_images:
            policy = len(audit) >= kept_by_policy()
            shortfall = AuditShortfall.POLICY if policy else AuditShortfall.FEWER_CAPTURED
        elif any(one.problem and one.facts.purpose == ImagePurpose.AUDIT_IMAGE for one in images):
            shortfall = AuditShortfall.PROBLEMS
        return HandedOut(tuple(images), shortfall)

    async def _open(self, check_id: UUID, entry: EvidenceEntry, *, tenant: str) -> HeldImage:
        facts = facts_of(entry)
        try:
            return HeldImage(facts, await self._evidence.load(check_id, entry, tenant=tenant))
        except (SealError, StorageError) as error:
            fault = _fault(error)
            self._metrics.checks.evidence_problem(fault.value)
            if isinstance(error, WrappingKeyUnknown):
                self._metrics.work.key_missing("evidence")
            _log.error(
                "evidence_problem",
                check_id=str(check_id),
                object_key=entry.object_key,
                problem=fault.value,
                exc_info=error,
            )
            return HeldImage(facts, None, fault)


def _fault(error: SealError | StorageError) -> EvidenceFault:
    match error:
        case ObjectNotFound():
            return EvidenceFault.LOST
        case WrappingKeyUnknown() | StorageError():
            return EvidenceFault.UNAVAILABLE
        case _:
            return EvidenceFault.ALTERED
