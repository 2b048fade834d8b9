"""UploadTrustedImage: from an image to a check that waits for its scan."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from matcher.comparison import MatchPolicy, check_calibration_supports
from matcher.errors import CalibrationTooWeak, TrustedImageRefused
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport
from server.checks.references import referenced_image
from server.checks.refusals import refusal_of, too_many_failures
from server.checks.templates import seal_template
from server.domain.terms import Mode
from server.domain.tries import TryMark, TrySetting, portrait_mark, subject_mark
from server.errors import Reason, Refusal
from server.keys import ChallengeKeys
from server.policies import Policy, PolicyBook, PolicyFile
from server.policies.availability import Availability
from server.policies.errors import PolicyNotFound
from server.sandbox import memory_scope
from server.scan_tokens import ScanTokens
from server.sealing import WrappingKeys
from server.storage.errors import RequestIdReused, TriesExceeded
from server.storage.records import CheckRecord, NewCheck, RequestKey
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from server.trusted_images.fetching import TrustedImages
from server.worker_pool import WorkerPool
from vision.errors import DecoderUnavailable
from vision.image import StillDecoder
from vision.packs import Pack

_METHOD = "UploadTrustedImage"
_MAX_REFERENCE_BYTES = 256
_MAX_REQUEST_ID = 64


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference into the customer's own store of trusted images, as the orchestrator sent it.

    Attributes:
        text: The reference; perhaps personal data, so that it stands in no message and no log.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageUpload:
    """What an orchestrator sends; see ``facegate.v1.UploadTrustedImageRequest``.

    Attributes:
        tenant: Whose call it is.
        sandbox: Whether the caller is a sandbox caller.
        image: The image's bytes, or where they lie.
        policy: Name of the policy; empty for the server's default.
        mode: A mode to raise the policy's; ``None`` for the policy's own.
        subject_reference: Opaque reference to the person.
        consent_reference: Reference to the legal basis.
        request_id: A UUID that makes the call idempotent; empty for none.
        payload_sha256: Over everything but ``request_id``, 32 bytes.
    """

    tenant: str
    sandbox: bool
    image: bytes | ImageReference
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
        availabilities: Mapping[str, Availability],
        default_policy: str,
        available_modes: frozenset[Mode],
        pack: Pack,
        pack_sha256: bytes,
        pool: WorkerPool,
        tokens: ScanTokens,
        challenge_keys: ChallengeKeys,
        wrapping_keys: WrappingKeys,
        random: Callable[[int], bytes],
        serialise_report: Callable[[PortraitReport], bytes],
        metrics: Metrics,
        tries: TrySetting,
        tenant_key: Callable[[str], bytes],
        still_decoder: StillDecoder | None = None,
        trusted_images: TrustedImages | None = None,
    ) -> None:
        """Takes what every upload works with.

        ``serialise_report`` is the edge's, ``tenant_key`` gives the key that marks of a scope are made with;
        without ``still_decoder`` JPEG 2000 is refused, without ``trusted_images`` references are.
        """
        self._repository = repository
        self._policies = policies
        self._availabilities = availabilities
        self._default_policy = default_policy
        self._available_modes = available_modes
        self._pack = pack
        self._pack_sha256 = pack_sha256
        self._pool = pool
        self._still_decoder = still_decoder
        self._tokens = tokens
        self._challenge_keys = challenge_keys
        self._wrapping_keys = wrapping_keys
        self._random = random
        self._serialise_report = serialise_report
        self._metrics = metrics
        self._tries = tries
        self._tenant_key = tenant_key
        self._trusted_images = trusted_images

    async def accept(self, upload: TrustedImageUpload, *, now: datetime) -> AcceptedUpload:
        """Accepts a trusted image, or refuses it and creates nothing.

        Raises:
            Refusal: The upload cannot serve; the reason and its numbers say why.
        """
        _check_fields(upload)
        policy_file = self._policy(upload.policy)
        self._check_evidence_suffices(policy_file.policy)
        mode = self._mode(upload.mode, policy_file)
        self._check_pack_suffices(policy_file.policy, mode)
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
        if mode is Mode.DYNAMIC and (reason := file.policy.why_no_flash) is not None:
            raise Refusal(
                Reason.MODE_NOT_AVAILABLE,
                f"the policy {file.policy.name} allows no {mode} scan: {reason}. Choose another policy or "
                "mode.",
                details={"mode": mode.value, "availableModes": own.value},
            )
        begins = max(mode, file.policy.first_mode, key=lambda one: one.strength)
        if begins not in self._available_modes:
            available = ", ".join(sorted(self._available_modes))
            raise Refusal(
                Reason.MODE_NOT_AVAILABLE,
                f"this server version cannot run {begins} scans; available: {available}. Choose another "
                "policy or mode.",
                details={"mode": begins.value, "availableModes": available},
            )
        return mode

    def _check_evidence_suffices(self, policy: Policy) -> None:
        found = self._availabilities[policy.name]
        if not found.available:
            missing = ", ".join(found.missing_settings)
            raise Refusal(
                Reason.POLICY_NOT_AVAILABLE,
                f"no device can meet the policy {policy.name} at this server: {found.reason}",
                details={"policy": policy.name, **({"missingSettings": missing} if missing else {})},
            )

    def _check_pack_suffices(self, policy: Policy, mode: Mode) -> None:
        shortfall = pack_shortfall(policy, self._pack, requested=mode)
        if shortfall is not None:
            raised = "" if mode is policy.mode else f", raised to {mode},"
            raise Refusal(
                Reason.POLICY_NOT_AVAILABLE,
                f"the policy {policy.name}{raised} cannot be met by the pack {self._pack.name}: {shortfall}",
                details={"policy": policy.name, "pack": self._pack.name, "mode": mode.value},
            )

    def _request(self, upload: TrustedImageUpload) -> RequestKey | None:
        if not upload.request_id:
            return None
        return RequestKey(
            tenant=memory_scope(upload.tenant, sandbox=upload.sandbox),
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
        image = await self._image(upload, policy)
        tries = await self._allowed_tries(upload, image, now)
        try:
            portrait = await self._pool.run_apart(
                accept_portrait,
                image,
                pack=self._pack,
                policy=portrait_policy(policy),
                still_decoder=self._still_decoder,
            )
        except DecoderUnavailable as error:
            raise Refusal(
                Reason.OVERLOADED,
                "no decoder for this image format is free; try again later",
                retry_after=error.retry_after,
            ) from error
        except TrustedImageRefused as error:
            refusal = refusal_of(error)
            self._metrics.image_refused(refusal.reason.value, sandbox=upload.sandbox)
            raise refusal from error
        check_id = uuid.UUID(bytes=self._random(16), version=4)
        check = NewCheck(
            check_id=check_id,
            tenant=upload.tenant,
            sandbox=upload.sandbox,
            challenge_key_sha256=self._challenge_keys.newest,
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
            tries=tries,
        )
        try:
            record = await self._repository.create(check, request)
        except RequestIdReused as error:
            raise _reused() from error
        if record.check_id == check_id:
            # Else the same request, made at the same time, created it.
            self._metrics.check_created(sandbox=upload.sandbox)
        return record

    async def _allowed_tries(
        self, upload: TrustedImageUpload, image: bytes, now: datetime
    ) -> tuple[TryMark, ...]:
        """What the check is a try at; checked before the image is decoded, and again when a scan begins."""
        key = self._tenant_key(memory_scope(upload.tenant, sandbox=upload.sandbox))
        marks = [portrait_mark(image, tenant_key=key)]
        if upload.subject_reference.strip():
            marks.insert(0, subject_mark(upload.subject_reference, tenant_key=key))
        try:
            await self._repository.expect_allowed(
                marks, rules=self._tries.of(sandbox=upload.sandbox), now=now
            )
        except TriesExceeded as error:
            self._metrics.try_refused(error.kind.value, sandbox=upload.sandbox)
            raise too_many_failures(error, now=now) from error
        return tuple(marks)

    async def _image(self, upload: TrustedImageUpload, policy: Policy) -> bytes:
        if isinstance(upload.image, bytes):
            return upload.image
        try:
            return await referenced_image(
                self._trusted_images,
                upload.image.text,
                tenant=upload.tenant,
                max_bytes=policy.portrait.max_bytes,
            )
        except Refusal as refusal:
            self._metrics.image_refused(refusal.reason.value, sandbox=upload.sandbox)
            raise


def portrait_policy(policy: Policy) -> PortraitPolicy:
    """What a policy demands of the trusted image, in the matcher's terms."""
    return policy.portrait.as_policy()


def pack_shortfall(policy: Policy, pack: Pack, *, requested: Mode | None = None) -> str | None:
    """What ``policy`` demands and ``pack`` cannot give, in plain words; ``None`` where nothing is missing.

    Args:
        policy: The policy.
        pack: The pack.
        requested: The mode of a check; ``None`` for the policy's own.
    """
    try:
        check_calibration_supports(pack.match_calibration, MatchPolicy(max_fmr=policy.match.max_fmr))
    except CalibrationTooWeak as error:
        return str(error)
    if policy.liveness.require_pad_network and not pack.pad_networks:
        return "it demands a PAD network, and the pack has none"
    if policy.challenge_for(requested or policy.mode).blink and pack.landmarker is None:
        return "it takes a blink, and the pack has no dense landmarks to see one by"
    scheme = None if pack.landmarker is None else pack.landmarker.scheme
    return policy.portrait.as_policy().shortfall(scheme)


def _check_fields(upload: TrustedImageUpload) -> None:
    for name, value, limit in (
        ("subject_reference", upload.subject_reference, _MAX_REFERENCE_BYTES),
        ("consent_reference", upload.consent_reference, _MAX_REFERENCE_BYTES),
        ("request_id", upload.request_id, _MAX_REQUEST_ID),
    ):
        size = len(value.encode())
        if size > limit:
            raise Refusal(
                Reason.INVALID_FIELD,
                f"{name} has {size} bytes; at most {limit} are allowed",
                details={"field": name, "bytes": size, "maxBytes": limit},
            )
        if "\0" in value:
            # PostgreSQL stores no text with one.
            raise Refusal(
                Reason.INVALID_FIELD, f"{name} holds a NUL character; leave it out", details={"field": name}
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
