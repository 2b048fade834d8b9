"""A small server that implements the protocol and behaves as a test sets it.

It verifies MACs, signatures, credit and the order of frames with the real transcript, so that a client
that passes here has kept the protocol.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import (
    device_pb2,
    feedback_pb2,
    result_pb2,
    scan_pb2,
    verification_service_pb2_grpc,
)
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from facegate_client import ScanTicket
from facegate_protocol import (
    BindingInputs,
    MacChain,
    attempt_end_message,
    binding_hash,
    challenge_message,
    derive_mac_key,
    fingerprint,
    load_public_key,
    public_key_der,
    resume_message,
    sha256,
    sign,
    verify,
)

# The behaviour of the fake server in a stream, as a test sets it.

Send = Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]]

RETRY = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_RETRY, feedback=[feedback_pb2.FEEDBACK_CODE_TOO_DARK])
SUCCESS = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_SUCCESS)


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """An error with its ErrorInfo; without a reason, an error as a transport gives it."""

    code: grpc.StatusCode
    reason: str = ""
    retry_after_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)


LOST = Refuse(code=grpc.StatusCode.UNAVAILABLE)


@dataclass(kw_only=True)
class StreamPlan:
    """How the server behaves in one stream.

    Attributes:
        refuse: Refuse the stream before the Challenge.
        other_key: Sign with, and show, a key that is not the pinned one.
        bad_signature: Show the pinned key but sign other bytes.
        body_changes: Applied to the ChallengeBody before it is signed.
        first: Sent instead of the Challenge.
        result_first: Sent after the handshake instead of an AttemptStart.
        results: One for each attempt of the stream.
        frames_wanted: Frames after which CaptureComplete is sent; 0 for never.
        credit: Frames of credit; each accepted frame gives one back unless `withhold_credit`.
        withhold_credit: Give no credit back.
        extra_credit: Frames of credit that `act` gives.
        act: Called after each accepted frame with the frame's number in the attempt, from 1.
        break_after: Frames after which the stream ends with `breaking`.
        breaking: How the stream breaks: an error, a Goodbye, or None for closing in order.
        break_after_end: Break after AttemptEnd instead of sending a result.
        decide_s: Time from AttemptEnd to the result, seconds.
        silent: Never answer the start.
        ready_within_s: Time to wait for ``attempt_ready`` between attempts, seconds; None for no wait.
        lost_between: Break between the first attempt's result and the next attempt, with `breaking`.
    """

    refuse: Refuse | None = None
    other_key: bool = False
    bad_signature: bool = False
    body_changes: Callable[[scan_pb2.ChallengeBody], None] = lambda body: None
    first: scan_pb2.ScanFaceResponse | None = None
    result_first: scan_pb2.ScanResult | None = None
    results: list[scan_pb2.ScanResult] = field(
        default_factory=lambda: [scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_SUCCESS)]
    )
    plan: scan_pb2.Plan.ValueType = scan_pb2.PLAN_EXPRESS
    frames_wanted: int = 6
    credit: int = 3
    credit_bytes: int = 1024 * 1024
    withhold_credit: bool = False
    extra_credit: int = 0
    act: Callable[[int, Send], Awaitable[None]] | None = None
    break_after: int | None = None
    breaking: Refuse | scan_pb2.Goodbye | None = None
    break_after_end: bool = False
    decide_s: float = 0.0
    silent: bool = False
    ready_within_s: int | None = None
    lost_between: bool = False


# Helpers of the fake server: they read a call's messages, enforce the protocol, and refuse.

Context = grpc.aio.ServicerContext[scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse]


class ViolationError(AssertionError):
    """The client broke the protocol."""


class Inbox:
    """The client's messages; a wait for one may be abandoned without losing the message."""

    def __init__(self, requests: AsyncIterator[scan_pb2.ScanFaceRequest]) -> None:
        self._requests = requests
        self._pending: asyncio.Task[scan_pb2.ScanFaceRequest | None] | None = None

    async def has_more(self, *, within_s: float) -> bool:
        """Whether a message, or the end, comes within a time."""
        return bool((await asyncio.wait({self._read()}, timeout=within_s))[0])

    def __aiter__(self) -> "Inbox":
        return self

    async def __anext__(self) -> scan_pb2.ScanFaceRequest:
        message = await self._read()
        self._pending = None
        if message is None:
            raise StopAsyncIteration
        return message

    def _read(self) -> "asyncio.Task[scan_pb2.ScanFaceRequest | None]":
        if self._pending is None:
            self._pending = asyncio.create_task(self._one())
        return self._pending

    async def _one(self) -> scan_pb2.ScanFaceRequest | None:
        return await anext(self._requests, None)


def require(holds: bool, what: str) -> None:
    """Raise ``ViolationError`` if the condition does not hold."""
    if not holds:
        raise ViolationError(f"not so: {what}")


async def refuse(context: Context, refusal: Refuse) -> None:
    """End the call with ``refusal``."""
    if not refusal.reason:
        await context.abort(refusal.code, "the transport broke")
    status = status_pb2.Status(code=code_pb2.Code.Value(refusal.code.name), message="refused by the test")
    info = error_details_pb2.ErrorInfo(
        domain="facegate.org", reason=refusal.reason, metadata=refusal.metadata
    )
    status.details.add().Pack(info)
    if refusal.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(int(refusal.retry_after_s * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    await context.abort_with_status(rpc_status.to_status(status))


@dataclass(frozen=True, kw_only=True)
class Link:
    """One stream after its handshake."""

    plan: StreamPlan
    requests: Inbox
    context: Context
    chain: MacChain
    session: ec.EllipticCurvePublicKey
    binding: bytes


@dataclass
class SeenFrame:
    """A frame that the server accepted."""

    header: scan_pb2.FrameHeader
    image: bytes


class FakeServer(verification_service_pb2_grpc.VerificationServiceServicer):
    """Serves both listeners' calls on one port."""

    def __init__(self, *plans: StreamPlan) -> None:
        self.plans = list(plans) or [StreamPlan()]
        self.challenge_key = ec.generate_private_key(ec.SECP256R1())
        self.result_key = ECKey.generate_key("P-256", parameters={"kid": "result-1"}, private=True)
        self.token = "token-" + uuid.uuid4().hex
        self.check_id = str(uuid.uuid4())
        self.api_key: str | None = None
        self.starts: list[scan_pb2.ScanStart] = []
        self.frames: list[SeenFrame] = []
        self.ends: list[scan_pb2.AttemptEndBody] = []
        self.attestations: list[device_pb2.Attestation] = []
        self.bindings: list[bytes] = []
        self.mac_keys: list[bytes] = []
        self.resume_proofs = 0
        self.half_closed = 0
        self.readies = 0
        self.violations: list[str] = []
        self.uploads: list[service_pb2.UploadTrustedImageRequest] = []
        self.finishes: list[service_pb2.FinishCheckRequest] = []
        self.finish_refusals: list[Refuse] = []
        self.progress = service_pb2.CheckProgress(check_id=self.check_id)
        self.watches: list[list[service_pb2.CheckProgress | Refuse]] = []
        self.watched: list[str] = []
        self.cancelled: list[str] = []
        self.upload_refusal: Refuse | None = None
        self.evidence = b"evidence picture"
        self.sandbox = False
        self.alter_response: Callable[[service_pb2.FinishCheckResponse], None] = lambda response: None
        self._session_key: bytes | None = None
        self._attempt = 0

    @property
    def ticket(self) -> ScanTicket:
        return ScanTicket(token=self.token, challenge_key_sha256=self.challenge_key_sha256)

    @property
    def challenge_key_sha256(self) -> bytes:
        return fingerprint(public_key_der(self.challenge_key.public_key()))

    @property
    def jwks(self) -> dict[str, object]:
        return dict(KeySet([self.result_key]).as_dict(private=False))

    async def GetCheck(
        self, request: service_pb2.GetCheckRequest, context: Context
    ) -> service_pb2.GetCheckResponse:
        await self._authenticate(context)
        return service_pb2.GetCheckResponse(progress=self.progress)

    # As ScanFace below.
    async def WatchCheck(  # type: ignore[override]
        self, request: service_pb2.WatchCheckRequest, context: Any
    ) -> None:
        await self._authenticate(context)
        self.watched.append(request.check_id)
        for step in self.watches.pop(0):
            if isinstance(step, Refuse):
                await refuse(context, step)
            else:
                await context.write(service_pb2.WatchCheckResponse(progress=step))

    async def CancelCheck(
        self, request: service_pb2.CancelCheckRequest, context: Context
    ) -> service_pb2.CancelCheckResponse:
        await self._authenticate(context)
        self.cancelled.append(request.check_id)
        return service_pb2.CancelCheckResponse(progress=self.progress)

    async def FindChecks(
        self, request: service_pb2.FindChecksRequest, context: Context
    ) -> service_pb2.FindChecksResponse:
        await self._authenticate(context)
        return service_pb2.FindChecksResponse()

    async def UploadTrustedImage(
        self, request: service_pb2.UploadTrustedImageRequest, context: Context
    ) -> service_pb2.UploadTrustedImageResponse:
        await self._authenticate(context)
        if self.upload_refusal is not None:
            await refuse(context, self.upload_refusal)
        self.uploads.append(request)
        return service_pb2.UploadTrustedImageResponse(
            check_id=self.check_id,
            scan_token=self.token,
            challenge_key_sha256=self.challenge_key_sha256,
            mode=scan_pb2.MODE_EXPRESS,
            portrait=service_pb2.PortraitReport(
                media_type="image/jpeg", width=600, height=800, eye_distance_px=120.0
            ),
        )

    async def FinishCheck(
        self, request: service_pb2.FinishCheckRequest, context: Context
    ) -> service_pb2.FinishCheckResponse:
        await self._authenticate(context)
        self.finishes.append(request)
        if self.finish_refusals:
            await refuse(context, self.finish_refusals.pop(0))
        result = self.result()
        payload = result.SerializeToString()
        response = service_pb2.FinishCheckResponse(
            result=result,
            result_jws=self.signed(payload),
            evidence_frame=result_pb2.EvidenceImage(
                image=self.evidence, media_type="image/jpeg", sha256=sha256(self.evidence)
            ),
        )
        self.alter_response(response)
        return response

    def signed(self, payload: bytes, **header: object) -> str:
        """A JWS over ``payload`` as the server makes it, with ``header`` added."""
        if self.sandbox:
            header = {"sandbox": True} | header
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return jws.serialize_compact(
            {"alg": "ES256", "kid": "result-1", "typ": "facegate-result", "iss": "bank", "tenant": "retail"}
            | header,
            payload,
            self.result_key,
            registry=registry,
        )

    def result(self) -> result_pb2.CheckResult:
        return result_pb2.CheckResult(
            check_id=self.check_id,
            sandbox=self.sandbox,
            status=result_pb2.CHECK_STATUS_SUCCESS,
            liveness=result_pb2.LivenessResult(
                verdict=result_pb2.LIVENESS_VERDICT_LIVE,
                confidence=97.5,
                signals=[result_pb2.Signal(name="blink", label="Blink", score=0.9, weight=0.2, passed=True)],
            ),
            match=result_pb2.MatchResult(
                same_person=True, similarity=92.0, fmr_bound=1e-4, required_similarity=80.0
            ),
            evidence_frame=result_pb2.EvidenceReference(sha256=sha256(self.evidence), attempt=1),
        )

    # grpc.aio serves a coroutine that writes as well, which the generated stub does not know.
    async def ScanFace(  # type: ignore[override]
        self, request_iterator: AsyncIterator[scan_pb2.ScanFaceRequest], context: Context
    ) -> None:
        plan = self.plans[min(len(self.starts), len(self.plans) - 1)]
        try:
            await self._stream(plan, Inbox(request_iterator), context)
        except ViolationError as violation:
            self.violations.append(str(violation))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(violation))

    async def _stream(self, plan: StreamPlan, requests: Inbox, context: Context) -> None:
        first = await anext(requests)
        require(first.WhichOneof("message") == "start", "the first message is the start")
        start = scan_pb2.ScanStart.FromString(first.start)
        self.starts.append(start)
        if plan.refuse is not None:
            await refuse(context, plan.refuse)
        if plan.silent:
            await asyncio.sleep(3600)
        require(start.token == self.token, "the token is the check's")
        require(start.protocol_version == 1, "the protocol version is 1")
        resumed = self._session_key is not None
        require(not start.resume or resumed, "resume is for a scan that had a stream")
        require(self._session_key in (None, start.session_public_key), "the session key stays")
        self._session_key = start.session_public_key
        private = X25519PrivateKey.generate()
        body = scan_pb2.ChallengeBody(
            protocol_version=1,
            nonce=bytes(range(32)),
            key_share=private.public_key().public_bytes_raw(),
            budget=scan_pb2.CaptureBudget(
                max_frame_bytes=512 * 1024,
                max_frame_pixels=1920 * 1080,
                max_frames_per_attempt=100,
                max_scan_bytes=20 * 1024 * 1024,
                max_frames_per_second=30,
                min_frames_per_second=8,
                max_attempt_duration=Duration(seconds=100),
                min_frame_side=16,
            ),
            mode=scan_pb2.MODE_EXPRESS,
            attempts_remaining=3,
            resume_proof_required=resumed,
        )
        plan.body_changes(body)
        await self._send_challenge(plan, body, first.start, context)
        binding = binding_hash(
            BindingInputs(
                token=start.token,
                nonce=body.nonce,
                device_share=start.key_share,
                server_share=body.key_share,
                session_public_key=start.session_public_key,
                server_spki_sha256=start.server_spki_sha256,
                start=first.start,
            )
        )
        self.bindings.append(binding)
        key = derive_mac_key(
            private_key=private, peer_share=start.key_share, nonce=body.nonce, binding=binding
        )
        self.mac_keys.append(key)
        chain = MacChain(key=key, binding=binding)
        session = load_public_key(start.session_public_key)
        if resumed:
            proof = await anext(requests)
            require(proof.WhichOneof("message") == "resume_proof", "the proof comes next")
            require(
                verify(
                    public_key=session,
                    message=resume_message(binding=binding),
                    signature=proof.resume_proof.signature,
                ),
                "the proof is the session key's",
            )
            self.resume_proofs += 1
        if plan.result_first is not None:
            await context.write(scan_pb2.ScanFaceResponse(scan_result=plan.result_first))
            await self._until_half_close(requests)
            return
        link = Link(
            plan=plan, requests=requests, context=context, chain=chain, session=session, binding=binding
        )
        for place, result in enumerate(plan.results):
            if not await self._run_attempt(link):
                return
            more = place + 1 < len(plan.results)
            answer = scan_pb2.ScanResult()
            answer.CopyFrom(result)
            answer.attempt = self._attempt
            answer.another_attempt = more
            if more and plan.ready_within_s is not None:
                answer.ready_within.seconds = plan.ready_within_s
            await context.write(scan_pb2.ScanFaceResponse(scan_result=answer))
            if more and plan.lost_between:
                await self._break(plan, context)
                return
            if more and not await self._goes_on(plan, requests):
                return
        await self._until_half_close(requests)

    async def _goes_on(self, plan: StreamPlan, requests: Inbox) -> bool:
        if plan.ready_within_s is None:
            return await self._stays(requests)
        async with asyncio.timeout(plan.ready_within_s):
            request = await anext(requests, None)
        if request is None:
            self.half_closed += 1
            return False
        require(request.WhichOneof("message") == "attempt_ready", "the person is ready first")
        self.readies += 1
        return True

    async def _stays(self, requests: Inbox) -> bool:
        """False if the client half-closes within a moment, as one that leaves does."""
        if not await requests.has_more(within_s=0.1):
            return True
        require(await anext(requests, None) is None, "nothing but a half-close comes between attempts")
        self.half_closed += 1
        return False

    async def _send_challenge(
        self, plan: StreamPlan, body: scan_pb2.ChallengeBody, start: bytes, context: Context
    ) -> None:
        if plan.first is not None:
            await context.write(plan.first)
            return
        key = ec.generate_private_key(ec.SECP256R1()) if plan.other_key else self.challenge_key
        body_bytes = body.SerializeToString()
        signed = challenge_message(start=start, body=body_bytes + b"x" * plan.bad_signature)
        challenge = scan_pb2.Challenge(
            body=body_bytes, signature=sign(key, signed), signing_public_key=public_key_der(key.public_key())
        )
        await context.write(scan_pb2.ScanFaceResponse(challenge=challenge))

    async def _run_attempt(self, link: Link) -> bool:
        plan, context, chain = link.plan, link.context, link.chain
        self._attempt += 1
        nonce = uuid.uuid4().bytes
        chain.mark_attempt(attempt=self._attempt, nonce=nonce)
        credit = plan.credit
        await context.write(
            scan_pb2.ScanFaceResponse(
                attempt_start=scan_pb2.AttemptStart(
                    attempt=self._attempt,
                    nonce=nonce,
                    plan=plan.plan,
                    credit=scan_pb2.Credit(frames=credit, bytes=plan.credit_bytes),
                )
            )
        )
        frames = 0
        dropped = 0
        last_time = -1
        async for request in link.requests:
            match request.WhichOneof("message"):
                case "attestation":
                    self.attestations.append(request.attestation)
                case "frame":
                    frame = request.frame
                    header = scan_pb2.FrameHeader.FromString(frame.header)
                    require(credit > 0, "a frame needs credit")
                    require(
                        chain.accept_frame(header=frame.header, image=frame.image, mac=frame.mac),
                        "the MAC fits",
                    )
                    require((header.attempt, header.index) == (self._attempt, frames), "frames come in order")
                    require(header.capture_time_us > last_time, "the capture clock rises")
                    last_time = header.capture_time_us
                    credit -= 1
                    frames += 1
                    dropped += header.dropped_before
                    self.frames.append(SeenFrame(header, frame.image))
                    if plan.act is not None:
                        await plan.act(frames, context.write)
                        credit += plan.extra_credit if frames == 2 else 0
                    if frames == plan.break_after:
                        await self._break(plan, context)
                        return False
                    if frames == plan.frames_wanted:
                        complete = scan_pb2.CaptureComplete(attempt=self._attempt)
                        await context.write(scan_pb2.ScanFaceResponse(capture_complete=complete))
                    if not plan.withhold_credit:
                        credit += 1
                        grant = scan_pb2.Credit(frames=1, bytes=len(frame.image))
                        await context.write(scan_pb2.ScanFaceResponse(credit=grant))
                        hint = feedback_pb2.Feedback(
                            code=feedback_pb2.FEEDBACK_CODE_GOOD, message="Good.", frame_index=frames - 1
                        )
                        await context.write(scan_pb2.ScanFaceResponse(feedback=hint))
                case "attempt_end":
                    self._check_end(link, request.attempt_end, frames, dropped)
                    await asyncio.sleep(plan.decide_s)
                    if plan.break_after_end:
                        await self._break(plan, context)
                        return False
                    return True
                case kind:
                    raise ViolationError(f"{kind} is not expected in an attempt")
        if frames == 0:
            # It left between two attempts, and its half-close came late.
            self.half_closed += 1
        return False

    def _check_end(self, link: Link, end: scan_pb2.AttemptEnd, frames: int, dropped: int) -> None:
        body = scan_pb2.AttemptEndBody.FromString(end.body)
        message = attempt_end_message(binding=link.binding, body=end.body)
        require(
            verify(public_key=link.session, message=message, signature=end.signature), "the end is signed"
        )
        require((body.attempt, body.frame_count) == (self._attempt, frames), "the end counts right")
        require(body.last_mac == link.chain.value, "the end has the last MAC")
        require(body.dropped_count >= dropped, "the end counts every dropped image")
        self.ends.append(body)

    async def _break(self, plan: StreamPlan, context: Context) -> None:
        if isinstance(plan.breaking, Refuse):
            await refuse(context, plan.breaking)
        if isinstance(plan.breaking, scan_pb2.Goodbye):
            await context.write(scan_pb2.ScanFaceResponse(goodbye=plan.breaking))

    async def _until_half_close(self, requests: Inbox) -> None:
        async for request in requests:
            if request.WhichOneof("message") == "attestation":
                self.attestations.append(request.attestation)
            else:
                raise ViolationError(f"{request.WhichOneof('message')} came after the result")
        self.half_closed += 1

    async def _authenticate(self, context: Context) -> None:
        given = dict(context.invocation_metadata() or ()).get("authorization")
        if self.api_key is not None and given != f"Bearer {self.api_key}":
            await refuse(context, Refuse(code=grpc.StatusCode.UNAUTHENTICATED, reason="UNAUTHENTICATED"))


@asynccontextmanager
async def serving(fake: FakeServer, credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[str]:
    """Serve ``fake`` on a free port of loopback and yield its ``host:port``."""
    server = grpc.aio.server()
    verification_service_pb2_grpc.add_VerificationServiceServicer_to_server(fake, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
