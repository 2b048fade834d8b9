"""UploadTrustedImage: from an image to a check that waits for its scan."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from matcher.comparison import MatchPolicy, check_calibration_supports
from matcher.errors import CalibrationTooWeak, RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport
from server.checks.templates import seal_template
from server.checks.terms import Mode
from server.errors import Reason, Refusal
from server.evidence.sealing import WrappingKeys
from server.keys import ScanTokens
from server.policies import Policy, PolicyBook, PolicyFile
from server.policies.errors import PolicyNotFound
from server.scan.worker_pool import WorkerPool
from server.storage.errors import RequestIdReused
from server.storage.records import CheckRecord, NewCheck, RequestKey
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from vision.errors import DecoderUnavailable
from vision.image import StillDecoder
from vision.packs import Pack

_METHOD = "UploadTrustedImage"
_MAX_REFERENCE_BYTES = 256
_MAX_REQUEST_ID = 64

_REASONS: dict[RefusalReason, Reason] = {
    RefusalReason.IMAGE_EMPTY: Reason.IMAGE_EMPTY,
    RefusalReason.IMAGE_TOO_LARGE: Reason.IMAGE_TOO_LARGE,
    RefusalReason.IMAGE_TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
    # Too small for any face of the demanded eye distance: the same remedy, a larger picture.
    RefusalReason.IMAGE_TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
    RefusalReason.IMAGE_FORMAT_NOT_SUPPORTED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
    RefusalReason.IMAGE_ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
    RefusalReason.IMAGE_MALFORMED: Reason.IMAGE_MALFORMED,
    RefusalReason.FACE_NOT_FOUND: Reason.FACE_NOT_FOUND,
    RefusalReason.FACE_NOT_UNIQUE: Reason.MULTIPLE_FACES,
    RefusalReason.FACE_CUT_OFF: Reason.FACE_CUT_OFF,
    RefusalReason.EYE_DISTANCE_TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageUpload:
    """What an orchestrator sends; see ``facegate.v1.UploadTrustedImageRequest``.

    Attributes:
        tenant: Whose call it is.
        image: The image's bytes.
        policy: Name of the policy; empty for the server's default.
        mode: A mode to raise the policy's; ``None`` for the policy's own.
        subject_reference: Opaque reference to the person.
        consent_reference: Reference to the legal basis.
        request_id: A UUID that makes the call idempotent; empty for none.
        payload_sha256: Over everything but ``request_id``, 32 bytes.
    """

    tenant: str
    image: bytes
    policy: str
    mode: Mode | None
    subject_reference: str
    consent_reference: str
    request_id: str
    payload_sha256: bytes


@dataclass(frozen=True, slots=True)
class AcceptedUpload:
    """A check that waits for its scan, and the token for its device."""

    record: CheckRecord
    scan_token: str


class CheckIntake:
    """Creates checks."""

    def __init__(
        self,
        *,
        repository: CheckRepository,
        policies: PolicyBook,
        default_policy: str,
        available_modes: frozenset[Mode],
        pack: Pack,
        pack_sha256: bytes,
        pool: WorkerPool,
        tokens: ScanTokens,
        wrapping_keys: WrappingKeys,
        random: Callable[[int], bytes],
        serialise_report: Callable[[PortraitReport], bytes],
        metrics: Metrics,
        still_decoder: StillDecoder | None = None,
    ) -> None:
        """Takes what every upload works with.

        ``serialise_report`` is the edge's; without ``still_decoder`` JPEG 2000 is refused.
        """
        self._repository = repository
        self._policies = policies
        self._default_policy = default_policy
        self._available_modes = available_modes
        self._pack = pack
        self._pack_sha256 = pack_sha256
        self._pool = pool
        self._still_decoder = still_decoder
        self._tokens = tokens
        self._wrapping_keys = wrapping_keys
        self._random = random
        self._serialise_report = serialise_report
        self._metrics = metrics

    async def accept(self, upload: TrustedImageUpload, *, now: datetime) -> AcceptedUpload:
        """Accepts a trusted image, or refuses it and creates nothing.

        Raises:
            Refusal: The upload cannot serve; the reason and its numbers say why.
        """
        _check_fields(upload)
        policy_file = self._policy(upload.policy)
        mode = self._mode(upload.mode, policy_file)
        self._check_pack_suffices(policy_file.policy)
        request = self._request(upload)
        record = await self._known(request)
        if record is None:
            record = await self._create(upload, request, policy_file, mode, now)
        return AcceptedUpload(record=record, scan_token=self._tokens.issue(record.check_id))

    def _policy(self, name: str) -> PolicyFile:
        try:
            return self._policies.get(name or self._default_policy)
        except PolicyNotFound as error:
            raise Refusal(
                Reason.POLICY_NOT_FOUND, str(error), details={"policies": ", ".join(error.known)}
            ) from error

    def _mode(self, asked: Mode | None, file: PolicyFile) -> Mode:
        own = file.policy.mode
        mode = asked or own
        if mode.strength < own.strength:
            raise Refusal(
                Reason.MODE_BELOW_POLICY,
                f"the policy {file.policy.name} demands {own}; {mode} is weaker and may only be raised",
                details={"mode": mode.value, "policyMode": own.value},
            )
        if mode not in self._available_modes:
            available = ", ".join(sorted(self._available_modes))
            raise Refusal(
                Reason.MODE_NOT_AVAILABLE,
                f"this server version cannot run {mode} scans; available: {available}. Choose another policy "
                "or mode.",
                details={"mode": mode.value, "availableModes": available},
            )
        return mode

    def _check_pack_suffices(self, policy: Policy) -> None:
        shortfall = pack_shortfall(policy, self._pack)
        if shortfall is not None:
            raise Refusal(
                Reason.POLICY_NOT_AVAILABLE,
                f"the policy {policy.name} cannot be met by the pack {self._pack.name}: {shortfall}",
                details={"policy": policy.name, "pack": self._pack.name},
            )

    def _request(self, upload: TrustedImageUpload) -> RequestKey | None:
        if not upload.request_id:
            return None
        return RequestKey(
            tenant=upload.tenant,
            method=_METHOD,
            request_id=upload.request_id,
            payload_sha256=upload.payload_sha256,
        )

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
        try:
            portrait = await self._pool.run(
                accept_portrait,
                upload.image,
                pack=self._pack,
                policy=PortraitPolicy(
                    max_bytes=policy.portrait.max_bytes,
                    max_pixels=policy.portrait.max_pixels,
                    min_eye_distance=policy.portrait.min_eye_distance,
                ),
                still_decoder=self._still_decoder,
            )
        except DecoderUnavailable as error:
            raise Refusal(
                Reason.OVERLOADED,
                "no decoder for this image format is free; try again later",
                retry_after=error.retry_after,
            ) from error
        except TrustedImageRefused as error:
            details = {_camel(key): value for key, value in error.details.items()}
            self._metrics.image_refused(_REASONS[error.reason].value)
            raise Refusal(_REASONS[error.reason], str(error), details=details) from error
        check_id = uuid.UUID(bytes=self._random(16), version=4)
        check = NewCheck(
            check_id=check_id,
            tenant=upload.tenant,
            policy_name=policy.name,
            policy_version=policy.version,
            policy_sha256=file.sha256,
            policy_source=file.source,
            requested_mode=mode,
            subject_reference=upload.subject_reference,
            consent_reference=upload.consent_reference,
            portrait_template=seal_template(
                portrait.template,
                check_id=check_id,
                wrapping_keys=self._wrapping_keys,
                random=self._random,
            ),
            portrait_report=self._serialise_report(portrait.report),
            pack_name=self._pack.name,
            pack_version=self._pack.version,
            pack_sha256=self._pack_sha256,
            create_time=now,
            scan_deadline=now + timedelta(seconds=policy.deadlines.scan_seconds),
            result_deadline=now + timedelta(seconds=policy.deadlines.result_seconds),
        )
        try:
            record = await self._repository.create(check, request)
        except RequestIdReused as error:
            raise _reused() from error
        if record.check_id == check_id:
            # Else the same request, made at the same time, created it.
            self._metrics.check_created()
        return record


def pack_shortfall(policy: Policy, pack: Pack) -> str | None:
    """What ``policy`` demands and ``pack`` cannot give, in plain words; ``None`` where nothing is missing."""
    try:
        check_calibration_supports(pack.match_calibration, MatchPolicy(max_fmr=policy.match.max_fmr))
    except CalibrationTooWeak as error:
        return str(error)
    if policy.liveness.require_pad_network and not pack.pad_networks:
        return "it demands a PAD network, and the pack has none"
    return None


def _check_fields(upload: TrustedImageUpload) -> None:
    for field, value, limit in (
        ("subject_reference", upload.subject_reference, _MAX_REFERENCE_BYTES),
        ("consent_reference", upload.consent_reference, _MAX_REFERENCE_BYTES),
        ("request_id", upload.request_id, _MAX_REQUEST_ID),
    ):
        size = len(value.encode())
        if size > limit:
            raise Refusal(
                Reason.INVALID_FIELD,
                f"{field} has {size} bytes; at most {limit} are allowed",
                details={"field": field, "bytes": size, "maxBytes": limit},
            )
        if "\0" in value:
            # PostgreSQL stores no text with one.
            raise Refusal(
                Reason.INVALID_FIELD, f"{field} holds a NUL character; leave it out", details={"field": field}
            )
    if upload.request_id:
        try:
            uuid.UUID(upload.request_id)
        except ValueError as error:
            raise Refusal(
                Reason.INVALID_FIELD, "request_id is not a UUID", details={"field": "request_id"}
            ) from error


def _reused() -> Refusal:
    return Refusal(
        Reason.REQUEST_ID_REUSED,
        "the request_id was used before with another payload; take a new UUID for a new request",
    )


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
