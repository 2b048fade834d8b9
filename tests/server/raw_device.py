"""A device with full control over ScanFace, so that it can also break every rule."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.message import Message

from facegate_client import StreamLostError
from facegate_client.stream_call import StreamCall
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
    sign,
    verify,
)
from tests.server.live import LiveServer, Picture, pictures
from tests.server.refusals import Refused, refused
from tests.server.web_call import WebCall, WebStub

if TYPE_CHECKING:
    from facegate.v1.verification_service_pb2_grpc import VerificationServiceAsyncStub

Request: TypeAlias = scan_pb2.ScanFaceRequest
Response: TypeAlias = scan_pb2.ScanFaceResponse

_WAIT_SECONDS = 100.0
"""Longer than a busy machine takes, and less than a test may take."""


class Ended(Exception):
    """The server ended the stream while the device waited for more."""

    def __init__(self, refusal: Refused | None) -> None:
        super().__init__("the stream ended" if refusal is None else f"{refusal.code} {refusal.reason}")
        self.refusal = refusal


class RawDevice:
    """One installation: a token and a session key, and as many streams as it likes."""

    def __init__(
        self,
        stub: "VerificationServiceAsyncStub | WebStub",
        upload: service_pb2.UploadTrustedImageResponse,
        *,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._stub = stub
        self._metadata = metadata
        self.token = upload.scan_token
        self.pinned = upload.challenge_key_sha256
        self.session_key = ec.generate_private_key(ec.SECP256R1())

    async def refusal(self, **start: object) -> Refused:
        """The server's refusal of this device before it reads a message.

        ``start`` overrides fields of ScanStart.
        """
        try:
            await self.connect().start(resume=False, **start)
        except Ended as ended:
            if ended.refusal is None:
                raise
            return ended.refusal
        raise AssertionError("it was not refused")

    def rebind(self, stub: "VerificationServiceAsyncStub | WebStub") -> None:
        """Use another server from now on."""
        self._stub = stub

    def connect(self) -> "RawStream":
        """A stream on which nothing has been sent yet."""
        return RawStream(self, self._stub.ScanFace(metadata=self._metadata))

    async def open(self, *, resume: bool = False, **start: object) -> "RawStream":
        """A stream with a received challenge; ``start`` overrides fields of ScanStart."""
        stream = self.connect()
        await stream.start(resume=resume, **start)
        return stream

    async def resume(self) -> "RawStream":
        """A reconnect that proves the session key."""
        stream = await self.open(resume=True)
        await stream.prove()
        return stream


class RawStream:
    """One stream. It keeps the device's side of the chain, and the caller controls its messages."""

    def __init__(
        self,
        device: RawDevice,
        call: "grpc.aio.StreamStreamCall[Any, scan_pb2.ScanFaceResponse] | WebCall",
    ) -> None:
        self.device = device
        self.call = call
        self.line: StreamCall[Any, Response] = StreamCall(call)  # type: ignore[arg-type]  # or a WebCall
        self.seen: list[Response] = []
        self.challenge = scan_pb2.ChallengeBody()
        self.binding = b""
        self.attempt = scan_pb2.AttemptStart()
        self.frames = 0
        self.credit = 0
        self.complete = False
        self._ended: Ended | None = None
        self._chain = MacChain(key=bytes(32), binding=b"")

    # -- the opening

    async def start(self, *, resume: bool = False, **overrides: object) -> None:
        """Send ScanStart and receive the Challenge, which it verifies as an app would."""
        private = X25519PrivateKey.generate()
        start = scan_pb2.ScanStart(
            protocol_version=1,
            token=self.device.token,
            key_share=private.public_key().public_bytes_raw(),
            session_public_key=public_key_der(self.device.session_key.public_key()),
            resume=resume,
        )
        for field, value in overrides.items():
            if field == "capabilities":
                start.capabilities.extend(value)  # type: ignore[arg-type]  # of numbers
            elif isinstance(value, Message):
                getattr(start, field).CopyFrom(value)
            else:
                setattr(start, field, value)
        raw = start.SerializeToString()
        await self.send(Request(start=raw))
        challenge = (await self.expect("challenge")).challenge
        assert fingerprint(challenge.signing_public_key) == self.device.pinned
        assert verify(
            public_key=load_public_key(challenge.signing_public_key),
            message=challenge_message(start=raw, body=challenge.body),
            signature=challenge.signature,
        )
        body = scan_pb2.ChallengeBody.FromString(challenge.body)
        self.challenge = body
        self.binding = binding_hash(
            BindingInputs(
                token=start.token,
                nonce=body.nonce,
                device_share=start.key_share,
                server_share=body.key_share,
                session_public_key=start.session_public_key,
                server_spki_sha256=start.server_spki_sha256,
                start=raw,
            )
        )
        key = derive_mac_key(
            private_key=private, peer_share=body.key_share, nonce=body.nonce, binding=self.binding
        )
        self._chain = MacChain(key=key, binding=self.binding)

    def proof(self) -> bytes:
        """The session key's proof for this stream."""
        return sign(self.device.session_key, resume_message(binding=self.binding))

    async def prove(self) -> None:
        """Prove the session key."""
        await self.send(Request(resume_proof=scan_pb2.ResumeProof(signature=self.proof())))

    async def begin(self) -> scan_pb2.AttemptStart:
        """Wait for the next attempt and enter its marker."""
        self.attempt = (await self.expect("attempt_start")).attempt_start
        self._chain.mark_attempt(attempt=self.attempt.attempt, nonce=self.attempt.nonce)
        self.frames, self.credit, self.complete = 0, self.attempt.credit.frames, False
        return self.attempt

    # -- frames

    def frame(self, picture: Picture, **header: object) -> Request:
        """The next frame with a valid MAC; ``header`` overrides fields of its header."""
        fields = scan_pb2.FrameHeader(
            attempt=self.attempt.attempt,
            index=self.frames,
            capture_time_us=picture.time_us + 1,
            width=picture.width,
            height=picture.height,
        )
        for field, value in header.items():
            setattr(fields, field, value)
        raw = fields.SerializeToString()
        self.frames += 1
        mac = self._chain.add_frame(header=raw, image=picture.jpeg)
        return Request(frame=scan_pb2.Frame(header=raw, image=picture.jpeg, mac=mac))

    async def send_frames(self, pictures: Sequence[Picture]) -> int:
        """Send frames against credit until all are sent or the server has enough; return their number."""
        for number, picture in enumerate(pictures):
            while not self.credit and not self.complete:
                await self.read()
            if self.complete:
                return number
            await self.send(self.frame(picture))
            self.credit -= 1
        return len(pictures)

    async def send_live(self, pictures: Sequence[Picture]) -> None:
        """Send frames no sooner than a camera takes them, for servers that compare them with the clock."""
        loop, first = asyncio.get_running_loop(), pictures[0].time_us
        begun = loop.time() - first / 1e6
        for picture in pictures:
            await asyncio.sleep(begun + picture.time_us / 1e6 - loop.time())
            if await self.send_frames([picture]) == 0:
                return

    async def taken(self, count: int) -> None:
        """Wait until the server has processed this number of frames of the attempt."""
        while not self.complete and self._granted() < count:
            await self.read()

    def _granted(self) -> int:
        start = max(i for i, m in enumerate(self.seen) if m.WhichOneof("message") == "attempt_start")
        return sum(m.credit.frames for m in self.seen[start:] if m.WhichOneof("message") == "credit")

    async def wait_complete(self) -> None:
        """Wait for CaptureComplete."""
        while not self.complete:
            await self.read()

    # -- the end

    def end(self, *, signature: bytes | None = None, **overrides: object) -> Request:
        """AttemptEnd as it should be; ``overrides`` change fields of its body before it is signed."""
        body = scan_pb2.AttemptEndBody(
            attempt=self.attempt.attempt,
            frame_count=self.frames,
            last_mac=self._chain.value,
            cause=scan_pb2.AttemptEndBody.CAUSE_COMPLETE,
        )
        for field, value in overrides.items():
            setattr(body, field, value)
        raw = body.SerializeToString()
        if signature is None:
            signature = sign(self.device.session_key, attempt_end_message(binding=self.binding, body=raw))
        return Request(attempt_end=scan_pb2.AttemptEnd(body=raw, signature=signature))

    async def run_rest(self, pictures: Sequence[Picture]) -> scan_pb2.ScanResult:
        """The rest of a well-behaved attempt that has begun."""
        await self.send_frames(pictures)
        await self.send(self.end())
        return await self.result()

    async def run_attempt(self, pictures: Sequence[Picture]) -> scan_pb2.ScanResult:
        """A well-behaved attempt."""
        await self.begin()
        return await self.run_rest(pictures)

    async def result(self) -> scan_pb2.ScanResult:
        """Wait for ScanResult."""
        return (await self.expect("scan_result")).scan_result

    async def half_close(self) -> None:
        """Half-close the stream."""
        await self.line.half_close()

    async def vanish(self) -> None:
        """Cancel the call, as a lost connection does."""
        self.call.cancel()
        await asyncio.wait({asyncio.ensure_future(self._drain())})

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self.call.code()
        except asyncio.CancelledError:
            return

    async def outcome(self) -> Refused | None:
        """Read to the end; return the server's refusal of the stream, ``None`` for OK."""
        try:
            while self._ended is None:
                await self.read()
        except Ended as ended:
            return ended.refusal
        return self._ended.refusal

    async def refusal(self) -> Refused:
        """Read to the end, at which the server must have refused the stream."""
        refusal = await self.outcome()
        assert refusal is not None, "it was not refused"
        return refusal

    async def ready(self) -> None:
        """Send that the person is ready for the next attempt."""
        await self.send(Request(attempt_ready=scan_pb2.AttemptReady()))

    # -- single messages

    async def send(self, request: Request) -> None:
        """Send one message; if the stream has already ended, the reader gets the error."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self.line.send(request)
        except StreamLostError:
            return

    async def read(self) -> Response:
        """One message.

        Raises:
            Ended: There are no more.
        """
        async with asyncio.timeout(_WAIT_SECONDS):
            try:
                message = await self.line.receive()
            except grpc.RpcError as error:
                self._ended = Ended(refused(error))
                raise self._ended from None
        if message is None:
            self._ended = Ended(None)
            raise self._ended
        self.seen.append(message)
        match message.WhichOneof("message"):
            case "credit":
                self.credit += message.credit.frames
            case "capture_complete":
                self.complete = True
            case _:
                pass
        return message

    async def expect(self, kind: str) -> Response:
        """Read until a message of that kind."""
        while True:
            message = await self.read()
            if message.WhichOneof("message") == kind:
                return message

    def goodbyes(self) -> list[str]:
        """Reasons of the Goodbyes that were read."""
        return [
            scan_pb2.Goodbye.Reason.Name(message.goodbye.reason).removeprefix("REASON_")
            for message in self.seen
            if message.WhichOneof("message") == "goodbye"
        ]


async def opened(
    live: LiveServer, start: Mapping[str, Any] | None = None, **upload: Any
) -> tuple[str, RawDevice, RawStream]:
    """A new check, its device, and the device's stream with a received challenge.

    ``start`` overrides fields of ScanStart.
    """
    answer = await live.upload(**upload)
    device = RawDevice(live.device, answer)
    return answer.check_id, device, await device.open(**(start or {}))


async def after_two_frames(live: LiveServer) -> tuple[RawDevice, RawStream, str]:
    """A device, its stream after the first two frames of an attempt, and the check."""
    check_id, device, stream = await opened(live)
    await stream.begin()
    await stream.send_frames(pictures()[:2])
    await stream.taken(2)
    return device, stream, check_id
