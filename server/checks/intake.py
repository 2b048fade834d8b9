"""UploadTrustedImage: creates a check from an uploaded image."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from liveness import TrustedFace
from matcher import Portrait, PortraitReport
from server.checks.lifecycle import check_created
from server.checks.offer import CheckOffer
from server.checks.portraits import PortraitIntake
from server.checks.templates import seal_template
from server.checks.try_gate import TryGate
from server.checks.uploads import TrustedImageUpload, validate_fields
from server.domain.terms import Mode, PortraitKept
from server.domain.tries import TryMark
from server.errors import Reason, Refusal
from server.evidence.store import EvidenceStore
from server.keys import KeyRing
from server.policies import PolicyFile
from server.sandbox import memory_scope
from server.storage.errors import RequestIdReused
from server.storage.records import (
    CheckRecord,
    EvidenceEntry,
    ImagePurpose,
    PictureFacts,
    RequestKey,
)
from server.storage.repository import CheckRepository
from server.telemetry.bound import check_bound
from server.telemetry.metrics import Metrics
from server.telemetry.stages import Stage
from server.verdict.outcome import PackIdentity

__all__ = ["AcceptedUpload", "CheckIntake"]

_METHOD = "UploadTrustedImage"
_RECORD_TYPE = "application/octet-stream"
"""The media type of a facial record, which has none of its own."""


@dataclass(frozen=True, slots=True)
class AcceptedUpload:
    """A check that waits for its scan, and the scan token for the device."""

    record: CheckRecord
    scan_token: str


class CheckIntake:
    """Creates checks."""

    def __init__(
        self,
        *,
        repository: CheckRepository,
        offer: CheckOffer,
        tries: TryGate,
        portraits: PortraitIntake,
        evidence: EvidenceStore,
        pack: PackIdentity,
        keys: KeyRing,
        random: Callable[[int], bytes],
        serialise_report: Callable[[PortraitReport], bytes],
        metrics: Metrics,
    ) -> None:
        """Sets the dependencies of every upload.

        Args:
            repository: The repository of checks.
            offer: The policies and modes that a check may request.
            tries: Limits over several checks.
            portraits: Makes portraits.
            evidence: Keeps trusted images, if the policy demands it.
            pack: The model pack that scans will be judged with.
            keys: The keys of the server.
            random: Returns the given number of unpredictable bytes.
            serialise_report: Serialises the report that the upload returns; the edge provides it.
            metrics: Counts checks.
        """
        self._repository = repository
        self._offer = offer
        self._tries = tries
        self._portraits = portraits
        self._evidence = evidence
        self._pack = pack
        self._keys = keys
        self._random = random
        self._serialise_report = serialise_report
        self._metrics = metrics

    async def accept(self, upload: TrustedImageUpload, *, now: datetime) -> AcceptedUpload:
        """Accepts a trusted image and creates its check, or refuses it and creates nothing.

        Raises:
            Refusal: The upload cannot be accepted; the reason and the details state why.
        """
        validate_fields(upload)
        policy_file, mode = self._offer.choose(policy=upload.policy, mode=upload.mode)
        request = _request(upload)
        record = await self._known(request)
        if record is None:
            record = await self._create(upload, request, policy_file, mode, now)
        return AcceptedUpload(record=record, scan_token=self._keys.tokens.issue(record.check_id))

    async def _known(self, request: RequestKey | None) -> CheckRecord | None:
        if request is None:
            return None
        try:
            return await self._repository.find_by_request(request)
        except RequestIdReused as error:
            raise _reused() from error

    async def _create(
        self,
        upload: TrustedImageUpload,
        request: RequestKey | None,
        file: PolicyFile,
        mode: Mode,
        now: datetime,
    ) -> CheckRecord:
        policy = file.policy
        image = await self._portraits.image(upload, policy)
        tries = await self._tries.pass_through(upload, image, now=now)
        portrait = await self._portraits.accept(image, policy, sandbox=upload.sandbox)
        check_id = uuid.UUID(bytes=self._random(16), version=4)
        kept = policy.retention.portrait
        check = CheckRecord(
            check_id=check_id,
            tenant=upload.tenant,
            sandbox=upload.sandbox,
            challenge_key_sha256=self._keys.challenges.newest,
            policy_name=policy.name,
            policy_version=policy.version,
            policy_sha256=file.sha256,
            policy_source=file.source,
            requested_mode=mode,
            subject_reference=upload.subject_reference,
            consent_reference=upload.consent_reference,
            portrait_template=seal_template(
                portrait.template,
                trusted=_trusted(portrait, upload),
                tenant=upload.tenant,
                check_id=check_id,
                wrapping_keys=self._keys.wrapping_keys,
                random=self._random,
            ),
            portrait_report=self._serialise_report(portrait.report),
            pack_name=self._pack.name,
            pack_version=self._pack.version,
            pack_sha256=self._pack.sha256,
            create_time=now,
            scan_deadline=now + timedelta(seconds=policy.deadlines.scan_seconds),
            result_deadline=now + timedelta(seconds=policy.deadlines.result_seconds),
            portrait_sha256=None if kept is PortraitKept.NONE else sha256(image).digest(),
            retention_seconds=_shortened(policy.retention.evidence_seconds, upload.retention_seconds),
        )
        images: tuple[EvidenceEntry, ...] = ()
        with check_bound(check_id), self._metrics.stages.stage(Stage.STORE_CHECK):
            if kept is PortraitKept.BYTES:
                # Durable before the row that names it; an orphan of a call that fails is swept.
                images = (await self._keep_portrait(upload.tenant, check_id, image, portrait.report),)
            record = await self._store(check, request, tries, images)
            if record.check_id == check_id:
                # Otherwise a concurrent call with the same request_id created the check.
                check_created(record, metrics=self._metrics)
        return record

    async def _store(
        self,
        check: CheckRecord,
        request: RequestKey | None,
        tries: Sequence[TryMark],
        images: tuple[EvidenceEntry, ...],
    ) -> CheckRecord:
        """Writes the check; returns the earlier one of a repeated request."""
        try:
            record = await self._repository.create(check, request, tries=tries, images=images)
        except RequestIdReused as error:
            await self._evidence.erase(images)
            raise _reused() from error
        if record.check_id != check.check_id:
            await self._evidence.erase(images)
        return record

    async def _keep_portrait(
        self, tenant: str, check_id: uuid.UUID, image: bytes, report: PortraitReport
    ) -> EvidenceEntry:
        sealed = await self._evidence.seal(
            check_id,
            tenant=tenant,
            kind=ImagePurpose.PORTRAIT,
            image=image,
            facts=PictureFacts(
                attempt=0,
                frame_index=0,
                rotation=0,
                mirrored=False,
                media_type=_RECORD_TYPE if report.container else report.media_type,
            ),
        )
        await self._evidence.put(sealed)
        return sealed.entry


def _trusted(portrait: Portrait, upload: TrustedImageUpload) -> TrustedFace | None:
    """Returns the face that no scan must show; ``None`` in a sandbox, where people are simulated."""
    if upload.sandbox:
        return None
    return TrustedFace(
        chip=portrait.chip, document=upload.document_portrait or bool(portrait.report.container)
    )


def _shortened(policy_seconds: int, seconds: int | None) -> int | None:
    """Returns the retention that the orchestrator asked for, if it is shorter than that of the policy."""
    return seconds if seconds is not None and seconds < policy_seconds else None


def _request(upload: TrustedImageUpload) -> RequestKey | None:
    if not upload.request_id:
        return None
    return RequestKey(
        tenant=memory_scope(upload.tenant, sandbox=upload.sandbox),
        method=_METHOD,
        request_id=upload.request_id,
        payload_sha256=upload.payload_sha256,
    )


def _reused() -> Refusal:
    return Refusal(
        Reason.REQUEST_ID_REUSED,
        "the request_id was used before with another payload; take a new UUID for a new request",
    )
