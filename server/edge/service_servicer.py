"""VerificationService on the service listener: uploads, progress and results for orchestrators."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from grpc.aio import ServicerContext

from server.access.callers import Caller, Scope
from server.base.errors import Reason, Refusal, invalid_field
from server.checks.completion import CheckCompletion
from server.checks.finding import CheckConditions, CheckFinder
from server.checks.hosted import HostedRequest
from server.checks.intake import CheckIntake, ImageReference, TrustedCheckReference, TrustedImageUpload
from server.checks.progress import CheckInquiry, CheckProgress, ProgressState
from server.domain.terms import CheckStatus, FailureReason, Mode, RequestedOutcome
from server.edge.callers import CallerIdentifier, actor_of
from server.edge.fields import (
    check_id_of,
    message_of,
    number_of,
    page_size,
    stated_member,
    stated_time,
    timestamp,
    value_of,
)
from server.edge.places import Places
from server.edge.result_codec import (
    add_images,
    parse_report,
    parse_result,
    progress_to_wire,
    result_claims,
)
from server.edge.review_calls import standing_to_wire
from server.edge.status import Opened, within_deadline
from server.keyring.keys import KeyRing

MAX_AUDIT_IMAGES = 4
_MAX_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironment:
    """The dependencies of the calls."""

    intake: CheckIntake
    completion: CheckCompletion
    inquiry: CheckInquiry
    finder: CheckFinder
    keys: KeyRing
    now: Callable[[], datetime]


@dataclass(kw_only=True, eq=False)
class ServiceServicer(Opened[ServiceEnvironment]):
    """Serves the calls of VerificationService from orchestrators.

    Attributes:
        calls: Places of unary calls except uploads.
    """

    callers: CallerIdentifier
    calls: Places
    uploads: Places
    watches: Places

    async def UploadTrustedImage(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.UploadTrustedImageRequest,
        context: ServicerContext[Any, service_pb2.UploadTrustedImageResponse],
    ) -> service_pb2.UploadTrustedImageResponse:
        """Create a check; see the contract."""
        async with self._called(context, self.uploads) as (caller, env):
            accepted = await env.intake.accept(_upload(request, caller), now=env.now())
        record = accepted.record
        return service_pb2.UploadTrustedImageResponse(
            check_id=str(record.check_id),
            scan_token=accepted.scan_token,
            challenge_key_sha256=record.challenge_key_sha256,
            scan_expire_time=timestamp(record.scan_deadline),
            result_expire_time=timestamp(record.result_deadline),
            portrait=parse_report(record.portrait_report),
            mode=number_of(scan_pb2.Mode, record.requested_mode),
            policy=result_pb2.PolicyReference(
                name=record.policy_name,
                version=record.policy_version,
                sha256=record.policy_sha256,
                oid=accepted.policy_oid,
            ),
            scan_url=accepted.scan_url,
        )

    async def FinishCheck(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.FinishCheckRequest,
        context: ServicerContext[Any, service_pb2.FinishCheckResponse],
    ) -> service_pb2.FinishCheckResponse:
        """Return the result of a check; see the contract."""
        if request.audit_image_limit > MAX_AUDIT_IMAGES:
            raise invalid_field(
                "audit_image_limit",
                f"audit_image_limit is {request.audit_image_limit}; at most {MAX_AUDIT_IMAGES} are kept",
                value=request.audit_image_limit,
                maxValue=MAX_AUDIT_IMAGES,
            )
        async with self._called(context, self.calls) as (caller, env):
            finished = await env.completion.finish(
                check_id_of(request.check_id),
                tenant=caller.tenant,
                sandbox=caller.sandbox,
                actor=actor_of(caller, self.callers.address_of(context)),
                audit_images=request.audit_image_limit,
                close_now=request.close_now,
                now=env.now(),
            )
        result = parse_result(finished.result)
        response = service_pb2.FinishCheckResponse(
            result=result,
            result_jws=env.keys.results.sign(
                finished.result,
                tenant=caller.tenant if request.issuer_header else None,
                sandbox=finished.record.sandbox,
            ),
            result_jwt=env.keys.results.sign_claims(result_claims(result, tenant=caller.tenant)),
        )
        add_images(response, finished)
        if finished.review is not None:
            response.review.CopyFrom(standing_to_wire(finished.review, outcome=True))
        return response

    async def GetCheck(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.GetCheckRequest,
        context: ServicerContext[Any, service_pb2.GetCheckResponse],
    ) -> service_pb2.GetCheckResponse:
        """Return the progress of a check; see the contract."""
        async with self._called(context, self.calls) as (caller, env):
            progress = await env.inquiry.progress(
                check_id_of(request.check_id), tenant=caller.tenant, sandbox=caller.sandbox
            )
        return service_pb2.GetCheckResponse(progress=_progress(progress, caller))

    async def WatchCheck(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.WatchCheckRequest,
        context: ServicerContext[Any, service_pb2.WatchCheckResponse],
    ) -> None:
        """Stream the progress of a check; see the contract."""
        caller, env = self.callers.identify(context), self.env
        check_id = check_id_of(request.check_id)
        async with self.watches.hold_place(caller.scope):
            changes = env.inquiry.changes(
                check_id,
                tenant=caller.tenant,
                sandbox=caller.sandbox,
                admit=lambda: self.callers.identify_again(context, caller=caller),
                until_reviewed=request.until_reviewed,
            )
            async with aclosing(changes):
                async for progress in changes:
                    await context.write(service_pb2.WatchCheckResponse(progress=_progress(progress, caller)))

    async def FindChecks(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.FindChecksRequest,
        context: ServicerContext[Any, service_pb2.FindChecksResponse],
    ) -> service_pb2.FindChecksResponse:
        """Find checks again; see the contract."""
        size = page_size(request, most=100)
        chosen = CheckConditions(
            subject_reference=request.subject_reference,
            request_id=request.request_id,
            since=stated_time(request, "created_since"),
            before=stated_time(request, "created_before"),
            state=stated_member(ProgressState, service_pb2.CheckProgress.State, request.state, "state"),
        )
        async with self._called(context, self.calls) as (caller, env):
            page = await env.finder.page(
                chosen,
                tenant=caller.tenant,
                sandbox=caller.sandbox,
                actor=actor_of(caller, self.callers.address_of(context)),
                statuses=Scope.FINISH_CHECKS in caller.scopes,
                size=size,
                page_token=request.page_token,
                now=env.now(),
            )
        return service_pb2.FindChecksResponse(
            checks=[message_of(service_pb2.CheckListing, found) for found in page.entries],
            next_page_token=page.next_page_token,
        )

    async def CancelCheck(  # noqa: N802 - the name is the contract's
        self,
        request: service_pb2.CancelCheckRequest,
        context: ServicerContext[Any, service_pb2.CancelCheckResponse],
    ) -> service_pb2.CancelCheckResponse:
        """Cancel a check; see the contract."""
        check_id = check_id_of(request.check_id)
        async with self._called(context, self.calls) as (caller, env):
            await env.completion.cancel(check_id, tenant=caller.tenant, sandbox=caller.sandbox, now=env.now())
            progress = await env.inquiry.progress(check_id, tenant=caller.tenant, sandbox=caller.sandbox)
        return service_pb2.CancelCheckResponse(progress=_progress(progress, caller))

    @asynccontextmanager
    async def _called(
        self, context: ServicerContext[Any, Any], places: Places
    ) -> AsyncIterator[tuple[Caller, ServiceEnvironment]]:
        """Hold a place for a call, within its deadline; yield who calls."""
        caller, env = self.callers.identify(context), self.env
        repeating = "it is safe to repeat a call with a request_id"
        async with (
            within_deadline(context, _MAX_SECONDS, repeating=repeating),
            places.hold_place(caller.scope),
        ):
            yield caller, env


def _progress(progress: CheckProgress, caller: Caller) -> service_pb2.CheckProgress:
    """Return the message; what was decided about the person is for callers that may fetch the result."""
    message = progress_to_wire(progress)
    if progress.review is not None:
        may = Scope.FINISH_CHECKS in caller.scopes
        message.review.CopyFrom(standing_to_wire(progress.review, outcome=may))
    return message


def _upload(request: service_pb2.UploadTrustedImageRequest, caller: Caller) -> TrustedImageUpload:
    image: bytes | ImageReference | TrustedCheckReference
    match request.WhichOneof("trusted_image"):
        case "image":
            image = request.image
        case "image_reference":
            image = ImageReference(request.image_reference)
        case "trusted_check_id":
            image = TrustedCheckReference(check_id_of(request.trusted_check_id, field="trusted_check_id"))
        case _:
            raise Refusal(
                Reason.IMAGE_EMPTY,
                "the request carries no trusted image; set `image` to its bytes, `image_reference` or "
                "`trusted_check_id`",
            )
    mode = stated_member(Mode, scan_pb2.Mode, request.mode, "mode")
    payload = service_pb2.UploadTrustedImageRequest()
    payload.CopyFrom(request)
    payload.ClearField("request_id")
    return TrustedImageUpload(
        tenant=caller.tenant,
        sandbox=caller.sandbox,
        caller=caller.name,
        image=image,
        policy=request.policy,
        mode=mode,
        subject_reference=request.subject_reference,
        consent_reference=request.consent_reference,
        request_id=request.request_id,
        retention_seconds=request.retention_seconds if request.HasField("retention_seconds") else None,
        document_portrait=request.document_portrait,
        requested_outcome=_requested(request),
        payload_sha256=sha256(payload.SerializeToString(deterministic=True)).digest(),
        hosted=value_of(HostedRequest, request.hosted) if request.HasField("hosted") else None,
    )


def _requested(request: service_pb2.UploadTrustedImageRequest) -> RequestedOutcome | None:
    """Return the outcome that a request asks for; the intake tests whether the caller may."""
    if not request.HasField("sandbox_outcome"):
        return None
    asked = request.sandbox_outcome
    status = stated_member(CheckStatus, result_pb2.CheckStatus, asked.status, "sandbox_outcome")
    if status is None:
        raise invalid_field(
            "sandbox_outcome", "sandbox_outcome.status is not stated; it is SUCCESS, FAILURE or NOT_DECIDED"
        )
    reason = stated_member(FailureReason, result_pb2.FailureReason, asked.reason, "sandbox_outcome")
    if status is CheckStatus.NOT_DECIDED and reason is None:
        reason = FailureReason.SERVER_FAULT
    return RequestedOutcome(
        status=status, reason=reason, delay_seconds=asked.delay_seconds, review=asked.review
    )
