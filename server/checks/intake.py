"""UploadTrustedImage: creates a check from an uploaded image."""

import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from formats.image_format import ImageFormat
from liveness import TrustedFace
from matcher import Portrait, PortraitReport, TrustedImageRefused, accept_portrait
from server.base.errors import Reason, Refusal, invalid_field, unprintable_field
from server.base.sandbox import memory_scope
from server.base.worker_pool import WorkerPool
from server.checks.enrolment import EnrolledFrame, EnrolledFrames, trusted_check_erased
from server.checks.hosted import HostedOffer, HostedRequest
from server.checks.lifecycle import check_created
from server.checks.offer import CheckOffer
from server.checks.progress import frozen_policy
from server.checks.refusals import no_decoder_free, refusal_of, too_many_failures
from server.checks.templates import seal_template
from server.domain.terms import (
    FAULTS,
    CheckState,
    CheckStatus,
    ImagePurpose,
    Mode,
    PortraitKept,
    RequestedOutcome,
)
from server.domain.tries import TryMark, TrySetting, portrait_mark, subject_mark
from server.evidence.store import EvidenceStore
from server.keyring.keys import KeyRing
from server.policies import Policy, PolicyFile
from server.policies.schema import ConsentReference
from server.storage.errors import Conflict, RequestIdReused, TriesExceeded
from server.storage.hosted import HostedScan
from server.storage.records import CheckRecord, EvidenceEntry, RequestKey
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics, staged_embedder
from server.telemetry.stages import Stage, check_bound
from server.trusted_images.fetching import TrustedImages
from server.trusted_images.stores import (
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TenantHasNoImages,
)
from server.verdict.outcome import PackIdentity, trusted_check_to_bytes
from server.verdict.record import ImageFacts
from vision.errors import DecoderUnavailable
from vision.image import DecodeLimits, StillDecoder, decode_image, encode_jpeg, rotate_upright
from vision.packs import Pack

_MAX_REFERENCE_BYTES = 256
_MAX_REQUEST_ID = 64
_FRAME_PIXELS, _FRAME_SIDE, _FRAME_QUALITY = 25_000_000, 16_384, 95


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference to an image in the customer's own store of trusted images, as the orchestrator sent it.

    Attributes:
        text: The reference. It may be personal data, so no message and no log contains it.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TrustedCheckReference:
    """A reference to an enrolled check, whose evidence frame is the trusted image."""

    check_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageUpload:
    """The upload of an orchestrator; see ``facegate.v1.UploadTrustedImageRequest``.

    Attributes:
        image: The bytes of the image, or a reference to them or to an enrolled check.
        policy: Name of the policy; empty for the server's default.
        mode: A mode to which the policy's mode is raised; ``None`` for the policy's mode.
        request_id: A UUID that makes the call idempotent; empty for none.
        retention_seconds: The longest retention of this check; ``None`` for that of its policy.
        document_portrait: Whether the image is the portrait of an identity document.
        requested_outcome: The outcome that a sandbox caller requests; ``None`` for none.
        payload_sha256: SHA-256 of all fields except ``request_id``, 32 bytes.
        hosted: How the check is scanned on the server's own page; ``None`` if it is not.
    """

    tenant: str
    sandbox: bool
    image: bytes | ImageReference | TrustedCheckReference
    policy: str
    mode: Mode | None
    subject_reference: str
    consent_reference: str
    request_id: str
    retention_seconds: int | None
    document_portrait: bool = False
    requested_outcome: RequestedOutcome | None = None
    payload_sha256: bytes
    caller: str = ""
    hosted: HostedRequest | None = None


def validate_fields(upload: TrustedImageUpload) -> None:
    """Verify that the references of an upload can be stored, and that ``request_id`` is a UUID.

    Raises:
        Refusal: A field is too long, not printable, or is not a UUID (INVALID_FIELD).
    """
    for name, value, limit in (
        ("subject_reference", upload.subject_reference, _MAX_REFERENCE_BYTES),
        ("consent_reference", upload.consent_reference, _MAX_REFERENCE_BYTES),
        ("request_id", upload.request_id, _MAX_REQUEST_ID),
    ):
        size = len(value.encode())
        if size > limit:
            raise invalid_field(
                name, f"{name} has {size} bytes; at most {limit} are allowed", bytes=size, maxBytes=limit
            )
        if not value.isprintable():
            # Controls of direction and the like would forge what people read, and PostgreSQL stores no NUL.
            raise unprintable_field(name)
    if upload.request_id:
        _request_id(upload.request_id)


def request_key(scope: str, request_id: str, *, payload_sha256: bytes = b"") -> RequestKey:
    """Return the key of an upload.

    Args:
        scope: The tenant, or its sandbox; see ``server.base.sandbox``.
        payload_sha256: Empty to find it again.

    Raises:
        Refusal: ``request_id`` is not a UUID (INVALID_FIELD).
    """
    return RequestKey(
        tenant=scope, method=_METHOD, request_id=_request_id(request_id), payload_sha256=payload_sha256
    )


def _request_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise invalid_field("request_id", "request_id is not a UUID") from error


_RETRY_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class PortraitIntake:
    """Fetches trusted images and makes portraits."""

    def __init__(
        self,
        *,
        pack: Pack,
        pool: WorkerPool,
        metrics: Metrics,
        still_decoder: StillDecoder | None = None,
        trusted_images: TrustedImages | None = None,
    ) -> None:
        """Set the models, the threads and the stores.

        Args:
            pool: The pool in which portraits are made; scans use another one.
            metrics: Counts images that are refused, and times the stages.
            still_decoder: Decodes JPEG 2000; without it, JPEG 2000 is refused.
            trusted_images: The customer's own store; without it, references are refused.
        """
        self._pack = staged_embedder(pack, metrics.stages)
        self._pool = pool
        self._metrics = metrics
        self._still_decoder = still_decoder
        self._trusted_images = trusted_images

    async def image(self, image: bytes | ImageReference, upload: TrustedImageUpload, policy: Policy) -> bytes:
        """Return the bytes of the image of an upload, without decoding them.

        No message repeats a reference, because it may be personal data.

        Raises:
            Refusal: IMAGE_REFERENCE_NOT_CONFIGURED, IMAGE_REFERENCE_INVALID, IMAGE_REFERENCE_NOT_FOUND,
                IMAGE_REFERENCE_UNAVAILABLE or IMAGE_TOO_LARGE.
        """
        if isinstance(image, bytes):
            return image
        try:
            with self._metrics.stages.stage(Stage.FETCH_IMAGE):
                return await self._fetched(image.text, upload.tenant, max_bytes=policy.portrait.max_bytes)
        except Refusal as refusal:
            self._metrics.checks.image_refused(refusal.reason.value, sandbox=upload.sandbox)
            raise

    async def _fetched(self, reference: str, tenant: str, *, max_bytes: int) -> bytes:
        if self._trusted_images is None:
            raise Refusal(
                Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
                "this server has no store of trusted images; send the image itself",
            )
        try:
            return await self._trusted_images.read(reference, tenant=tenant, max_bytes=max_bytes)
        except ReferenceInvalid as error:
            raise Refusal(
                Reason.IMAGE_REFERENCE_INVALID,
                f"image_reference {error.problem}; give the path below the store's prefix, such as "
                "2031/4711.jpg",
                details={"field": "image_reference"},
            ) from error
        except ReferenceNotFound as error:
            raise Refusal(
                Reason.IMAGE_REFERENCE_NOT_FOUND,
                "image_reference names no image; correct it, store the image first, or send the image itself",
                details={"field": "image_reference"},
            ) from error
        except ReferencedImageTooLarge as error:
            raise Refusal(
                Reason.IMAGE_TOO_LARGE,
                f"the referenced image has {error.size} bytes; at most {error.limit} are allowed",
                details={"bytes": error.size, "maxBytes": error.limit},
            ) from error
        except TenantHasNoImages as error:
            raise Refusal(
                Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
                "this server has no store of trusted images for these credentials; send the image itself",
            ) from error
        except StoreUnavailable as error:
            # The exception is not logged, because the texts of its causes repeat the reference.
            _log.error("trusted_images_unavailable", cause=error.cause)
            raise Refusal(
                Reason.IMAGE_REFERENCE_UNAVAILABLE,
                "the store of trusted images did not answer correctly; try again, or send the image itself",
                retry_after=_RETRY_SECONDS,
            ) from error

    async def accept(
        self, image: bytes, policy: Policy, *, sandbox: bool, frame: ImageFacts | None = None
    ) -> Portrait:
        """Make the portrait.

        Args:
            frame: How to turn a frame of a scan upright; ``None`` for a trusted image.

        Raises:
            Refusal: The image cannot be accepted, or no decoder for it is free (OVERLOADED).
        """
        try:
            with self._metrics.stages.stage(Stage.PORTRAIT):
                if frame is not None:
                    image = await self._pool.run_apart(_upright, image, frame)
                return await self._pool.run_apart(
                    accept_portrait,
                    image,
                    pack=self._pack,
                    policy=policy.portrait.as_policy(),
                    still_decoder=self._still_decoder,
                )
        except DecoderUnavailable as error:
            raise no_decoder_free(error, "decoder for this image format") from error
        except TrustedImageRefused as error:
            refusal = refusal_of(error)
            self._metrics.checks.image_refused(refusal.reason.value, sandbox=sandbox)
            raise refusal from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TryGate:
    """Admits a new check unless too many checks of its subject or its portrait have failed or are running."""

    repository: CheckRepository
    setting: TrySetting
    tenant_key: Callable[[str], bytes]
    metrics: Metrics

    async def pass_through(
        self, upload: TrustedImageUpload, image: bytes, *, now: datetime
    ) -> tuple[TryMark, ...]:
        """Return the marks of the subject and the portrait of a check, if their limits allow the check.

        The limits are enforced before the image is decoded, and again when a scan begins.

        Raises:
            Refusal: Too many checks failed, or run now (TOO_MANY_FAILURES).
        """
        key = self.tenant_key(memory_scope(upload.tenant, sandbox=upload.sandbox))
        marks = [portrait_mark(image, tenant_key=key)]
        if upload.subject_reference.strip():
            marks.insert(0, subject_mark(upload.subject_reference, tenant_key=key))
        try:
            await self.repository.expect_allowed(
                marks, rules=self.setting.limits_for(sandbox=upload.sandbox), now=now
            )
        except TriesExceeded as error:
            self.metrics.checks.try_refused(error.kind.value, sandbox=upload.sandbox)
            raise too_many_failures(error, now=now) from error
        return tuple(marks)


_METHOD = "UploadTrustedImage"
_RECORD_TYPE = "application/octet-stream"
"""The media type of a facial record, which has none of its own."""


@dataclass(frozen=True, slots=True)
class AcceptedUpload:
    """A check that waits for its scan, and the scan token for the device.

    Attributes:
        scan_token: Empty for a check that is scanned on the server's own page, which hands it out.
        scan_url: The address of that page for the person; otherwise empty.
        policy_oid: Object identifier of its frozen policy; empty without one.
    """

    record: CheckRecord
    scan_token: str = field(repr=False)
    scan_url: str = field(repr=False)
    policy_oid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIntake:
    """Creates checks.

    Attributes:
        enrolled: The evidence frames of enrolled checks.
        offer: The policies and modes that a check may request.
        tries: Limits over several checks.
        evidence: Keeps trusted images, if the policy demands it.
        pack: The model pack that scans will be judged with.
        serialise_report: Serialises the report that the upload returns; the edge provides it.
        hosted: The server's own page.
    """

    repository: CheckRepository
    offer: CheckOffer
    tries: TryGate
    portraits: PortraitIntake
    evidence: EvidenceStore
    pack: PackIdentity
    keys: KeyRing
    serialise_report: Callable[[PortraitReport], bytes]
    enrolled: EnrolledFrames
    metrics: Metrics
    hosted: HostedOffer

    async def accept(self, upload: TrustedImageUpload, *, now: datetime) -> AcceptedUpload:
        """Accept a trusted image and create its check, or refuse it and create nothing.

        Raises:
            Refusal: The upload cannot be accepted; the reason and the details state why.
        """
        validate_fields(upload)
        if upload.hosted is not None:
            self.hosted.expect_allowed(upload.hosted)
        policy_file, mode = self.offer.choose(policy=upload.policy, mode=upload.mode)
        _expect_consent(upload, policy_file.policy)
        _expect_possible(upload, policy_file.policy)
        request = _request(upload)
        record = await self._known(request)
        if record is None:
            record = await self._create(upload, request, policy_file, mode, now)
        if record.state is CheckState.ERASED:
            # Nothing tells any more whether the fields are the same, and it cannot be scanned.
            raise Refusal(
                Reason.REQUEST_ID_REUSED,
                "the check of this request_id was erased; take a new UUID for a new request",
            )
        # An earlier call with the same request_id may have frozen an earlier version of the policy.
        frozen = frozen_policy(record.policy_source)
        hosted = upload.hosted
        return AcceptedUpload(
            record=record,
            scan_token=self.keys.tokens.issue(record.check_id) if hosted is None else "",
            scan_url="" if hosted is None else self.hosted.link(hosted, record.check_id),
            policy_oid=frozen.oid or "",
        )

    async def _known(self, request: RequestKey | None) -> CheckRecord | None:
        if request is None:
            return None
        try:
            return await self.repository.find_by_request(request)
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
        enrolled: EnrolledFrame | None = None
        if isinstance(upload.image, TrustedCheckReference):
            enrolled = await self.enrolled.open(
                upload.image.check_id,
                tenant=upload.tenant,
                sandbox=upload.sandbox,
                subject_reference=upload.subject_reference,
                policy=policy,
                mode=mode,
                now=now,
            )
            image = enrolled.image
        else:
            image = await self.portraits.image(upload.image, upload, policy)
        tries = await self.tries.pass_through(upload, image, now=now)
        portrait = await self.portraits.accept(
            image, policy, sandbox=upload.sandbox, frame=None if enrolled is None else enrolled.facts
        )
        check_id = uuid.UUID(bytes=secrets.token_bytes(16), version=4)
        kept = policy.retention.portrait
        check = CheckRecord(
            check_id=check_id,
            tenant=upload.tenant,
            sandbox=upload.sandbox,
            created_by=upload.caller,
            challenge_key_sha256=self.keys.challenges.newest,
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
                wrapping_keys=self.keys.wrapping_keys,
            ),
            portrait_report=self.serialise_report(portrait.report),
            pack_name=self.pack.name,
            pack_version=self.pack.version,
            pack_sha256=self.pack.sha256,
            create_time=now,
            scan_deadline=now + timedelta(seconds=policy.deadlines.scan_seconds),
            result_deadline=now + timedelta(seconds=policy.deadlines.result_seconds),
            portrait_sha256=None if kept is PortraitKept.NONE else sha256(image).digest(),
            retention_seconds=_shortened(policy.retention.evidence_seconds, upload.retention_seconds),
            requested_outcome=upload.requested_outcome,
            outcome_due=None
            if upload.requested_outcome is None
            else now + timedelta(seconds=upload.requested_outcome.delay_seconds),
            trusted_check=None if enrolled is None else trusted_check_to_bytes(enrolled.source),
        )
        images: tuple[EvidenceEntry, ...] = ()
        with check_bound(check_id), self.metrics.stages.stage(Stage.STORE_CHECK):
            if kept is PortraitKept.BYTES and enrolled is None:
                # Durable before the row that names it; an orphan of a call that fails is swept.
                images = (await self._keep_portrait(upload.tenant, check_id, image, portrait.report),)
            hosted = None
            if upload.hosted is not None:
                hosted = self.hosted.scan(upload.hosted, check_id, now=now, deadline=check.scan_deadline)
            source = None if enrolled is None else enrolled.source.check_id
            record = await self._store(check, request, tries, images, hosted=hosted, source=source)
            if record.check_id == check_id:
                # Otherwise a concurrent call with the same request_id created the check.
                check_created(record, metrics=self.metrics)
        return record

    async def _store(
        self,
        check: CheckRecord,
        request: RequestKey | None,
        tries: Sequence[TryMark],
        images: tuple[EvidenceEntry, ...],
        *,
        hosted: HostedScan | None,
        source: uuid.UUID | None,
    ) -> CheckRecord:
        """Write the check; return the earlier one of a repeated request."""
        try:
            record = await self.repository.create(
                check, request, tries=tries, images=images, hosted=hosted, source=source
            )
        except Conflict as error:
            raise trusted_check_erased() from error
        except RequestIdReused as error:
            await self.evidence.erase(images)
            raise _reused() from error
        if record.check_id != check.check_id:
            await self.evidence.erase(images)
        return record

    async def _keep_portrait(
        self, tenant: str, check_id: uuid.UUID, image: bytes, report: PortraitReport
    ) -> EvidenceEntry:
        entry, ciphertext = await self.evidence.seal(
            check_id,
            tenant=tenant,
            kind=ImagePurpose.PORTRAIT,
            image=image,
            media_type=_RECORD_TYPE if report.container else report.media_type,
        )
        await self.evidence.put(entry, ciphertext)
        return entry


def _expect_consent(upload: TrustedImageUpload, policy: Policy) -> None:
    if policy.consent is ConsentReference.REQUIRED and not upload.consent_reference.strip():
        raise invalid_field(
            "consent_reference",
            f"consent_reference is empty, and the policy {policy.name} requires one; name the person's "
            "consent or another legal basis",
            policy=policy.name,
        )


def _expect_possible(upload: TrustedImageUpload, policy: Policy) -> None:
    """Test that the requested outcome is one of a sandbox check, and a possible one."""
    asked = upload.requested_outcome
    if asked is None:
        return
    field = "sandbox_outcome"
    if not upload.sandbox:
        raise invalid_field(
            field,
            "sandbox_outcome is only for sandbox callers; leave it out, or call with a credential that is "
            "marked sandbox",
        )
    fault = asked.reason in FAULTS
    if not {
        CheckStatus.SUCCESS: asked.reason is None,
        CheckStatus.FAILURE: asked.reason is not None and not fault,
        CheckStatus.NOT_DECIDED: fault,
    }[asked.status]:
        raise invalid_field(
            field,
            "sandbox_outcome.reason does not fit the status: SUCCESS has none, NOT_DECIDED has SERVER_FAULT "
            "or INTERRUPTED, and FAILURE has one of the others",
        )
    longest = policy.deadlines.scan_seconds
    if asked.delay_seconds > longest:
        raise invalid_field(
            field,
            f"sandbox_outcome.delay_seconds is {asked.delay_seconds}; at most {longest} are allowed, the "
            f"deadlines.scan_seconds of the policy {policy.name}",
            value=asked.delay_seconds,
            maxValue=longest,
        )


def _upright(image: bytes, frame: ImageFacts) -> bytes:
    """Return a frame upright and not mirrored, as a JPEG; its own EXIF is ignored, as in its scan."""
    limits = DecodeLimits(max_bytes=len(image), max_pixels=_FRAME_PIXELS, max_side=_FRAME_SIDE)
    decoded = decode_image(
        image, limits=limits, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
    )
    return encode_jpeg(rotate_upright(decoded.pixels, frame.rotation, frame.mirrored), quality=_FRAME_QUALITY)


def _trusted(portrait: Portrait, upload: TrustedImageUpload) -> TrustedFace | None:
    """Return the face that no scan must show; ``None`` in a sandbox, where people are simulated."""
    if upload.sandbox:
        return None
    return TrustedFace(
        chip=portrait.chip, document=upload.document_portrait or bool(portrait.report.container)
    )


def _shortened(policy_seconds: int, seconds: int | None) -> int | None:
    """Return the retention that the orchestrator asked for, if it is shorter than that of the policy."""
    return seconds if seconds is not None and seconds < policy_seconds else None


def _request(upload: TrustedImageUpload) -> RequestKey | None:
    if not upload.request_id:
        return None
    scope = memory_scope(upload.tenant, sandbox=upload.sandbox)
    return request_key(scope, upload.request_id, payload_sha256=upload.payload_sha256)


def _reused() -> Refusal:
    return Refusal(
        Reason.REQUEST_ID_REUSED,
        "the request_id was used before with another payload; take a new UUID for a new request",
    )
