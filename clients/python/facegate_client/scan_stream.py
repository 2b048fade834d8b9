"""One gRPC stream of a scan: the handshake, then typed messages in both directions."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import device_pb2, scan_pb2, verification_service_pb2_grpc
from google.protobuf.message import DecodeError

from facegate_client.errors import (
    ProtocolViolatedError,
    ServerNotTrustedError,
    StreamLostError,
    translated_in_stream,
)
from facegate_client.stream_call import StreamCall
from facegate_protocol import (
    BindingInputs,
    KeyMaterialError,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Capped exponential backoff with a limited number of reconnects.

    Attributes:
        limit: Reconnects of a scan; the server allows 10.
        first_limit: Retries if the server never answered, with a Challenge or a refusal, so that a wrong
            address is reported soon.
        initial_s: The wait before the first reconnect, seconds.
        cap_s: The longest wait of the backoff, seconds.
        longest_asked_s: The longest wait that the server may ask for, seconds.
    """

    limit: int = 10
    first_limit: int = 2
    initial_s: float = 0.25
    cap_s: float = 8.0
    longest_asked_s: float = 30.0

    def delay(self, reconnect: int, *, asked_s: float, jitter: float) -> float:
        """Return the wait before a reconnect, seconds.

        Args:
            reconnect: Number of the reconnect since the last result, from 1.
            asked_s: The wait that the server asked for, seconds; 0 if it asked for none.
            jitter: A random number, 0 to 1, so that devices do not reconnect at the same time.
        """
        backoff = min(self.cap_s, self.initial_s * 2.0 ** min(reconnect - 1, 32)) * (0.5 + jitter / 2)
        return max(backoff, min(asked_s, self.longest_asked_s))


class SessionKey:
    """The ECDSA P-256 key pair of one scan, made before any challenge is known.

    A phone makes it in the Android KeyStore or the Secure Enclave, so that it never leaves the
    hardware. This one is kept in memory and lost when the process ends.
    """

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo, DER, 91 bytes."""
        return public_key_der(self._private.public_key())

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``; return ASN.1 DER of at most 72 bytes."""
        return sign(self._private, message)


PROTOCOL_VERSION = 1
"""The protocol version of this client."""

_NONCE_BYTES = 32
_CLOSE_SECONDS = 5.0

_Call: TypeAlias = StreamCall[scan_pb2.ScanFaceRequest, scan_pb2.ScanFaceResponse]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ScanTicket:
    """The data that the orchestrator passes to the device. The token is a secret; the ``repr`` hides it.

    Attributes:
        token: ``UploadTrustedImageResponse.scan_token``.
        challenge_key_sha256: The fingerprint to pin, 32 bytes.
    """

    token: str
    challenge_key_sha256: bytes


class ScanStream:
    """A stream with a verified challenge.

    Any number of tasks may send; one task at a time may receive. A task that is cancelled while it sends
    or receives does no harm: see `StreamCall`.
    """

    def __init__(
        self,
        call: _Call,
        *,
        challenge: scan_pb2.ChallengeBody,
        binding: bytes,
        chain: MacChain,
        session: SessionKey,
    ) -> None:
        self._call = call
        self._session = session
        self.challenge = challenge
        self.binding = binding
        self._chain = chain

    @property
    def last_mac(self) -> bytes:
        """The last MAC of the chain, 32 bytes."""
        return self._chain.value

    def mark_attempt(self, start: scan_pb2.AttemptStart) -> None:
        """Add the attempt marker to the chain."""
        self._chain.mark_attempt(attempt=start.attempt, nonce=start.nonce)

    async def send_frame(self, *, header: bytes, image: bytes) -> None:
        """Send a frame with its MAC.

        Raises:
            StreamLostError: The stream is over.
        """
        mac = self._chain.add_frame(header=header, image=image)
        await self._call.send(
            scan_pb2.ScanFaceRequest(frame=scan_pb2.Frame(header=header, image=image, mac=mac))
        )

    async def send_attempt_end(self, body: bytes) -> None:
        """Send the end of an attempt with the session key's signature.

        Raises:
            StreamLostError: The stream is over.
        """
        signature = self._session.sign(attempt_end_message(binding=self.binding, body=body))
        end = scan_pb2.AttemptEnd(body=body, signature=signature)
        await self._call.send(scan_pb2.ScanFaceRequest(attempt_end=end))

    async def send_ready(self, *, after_attempt: int) -> None:
        """Report that the person is ready for the next attempt.

        Raises:
            StreamLostError: The stream is over.
        """
        await self._call.send(
            scan_pb2.ScanFaceRequest(attempt_ready=scan_pb2.AttemptReady(after_attempt=after_attempt))
        )

    async def send_resume_proof(self) -> None:
        """Prove possession of the session key on a reconnect.

        Raises:
            StreamLostError: The stream is over.
        """
        proof = scan_pb2.ResumeProof(signature=self._session.sign(resume_message(binding=self.binding)))
        await self._call.send(scan_pb2.ScanFaceRequest(resume_proof=proof))

    async def send_attestation(self, attestation: device_pb2.Attestation, *, findings: bytes) -> None:
        """Send the platform's evidence, with the serialised RuntimeFindings that it covers, if any.

        Raises:
            StreamLostError: The stream is over.
        """
        request = scan_pb2.ScanFaceRequest(attestation=attestation)
        request.attestation.runtime_findings = findings
        await self._call.send(request)

    async def receive(self) -> scan_pb2.ScanFaceResponse | None:
        """Return the next message; ``None`` if the server closed the stream without an error.

        Raises:
            ClientError: The stream is over, and why.
        """
        return await _receive(self._call)

    async def close(self) -> None:
        """Half-close and let the server finish. Never raise, because the scan is decided by then."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._call.half_close()
                while await self._call.receive() is not None:
                    pass
        except (grpc.aio.AioRpcError, StreamLostError, TimeoutError):
            self._call.cancel()

    def cancel(self) -> None:
        """End the stream at once."""
        self._call.cancel()


def _verified_body(challenge: scan_pb2.Challenge, *, start: bytes, pinned: bytes) -> scan_pb2.ChallengeBody:
    if fingerprint(challenge.signing_public_key) != pinned:
        raise ServerNotTrustedError("the challenge is signed with a key other than the pinned one")
    message = challenge_message(start=start, body=challenge.body)
    try:
        public_key = load_public_key(challenge.signing_public_key)
    except KeyMaterialError as error:
        raise ServerNotTrustedError("the pinned challenge key is not a P-256 key") from error
    if not verify(public_key=public_key, message=message, signature=challenge.signature):
        raise ServerNotTrustedError("the signature of the challenge is wrong")
    try:
        body = scan_pb2.ChallengeBody.FromString(challenge.body)
    except DecodeError as error:
        raise ProtocolViolatedError("the body of the challenge cannot be read") from error
    if body.protocol_version != PROTOCOL_VERSION:
        raise ProtocolViolatedError(
            f"the server uses version {body.protocol_version} of the protocol, not {PROTOCOL_VERSION}"
        )
    if len(body.nonce) != _NONCE_BYTES:
        raise ProtocolViolatedError(f"the nonce has {len(body.nonce)} bytes instead of {_NONCE_BYTES}")
    return body


def _mac_key(private_share: X25519PrivateKey, body: scan_pb2.ChallengeBody, binding: bytes) -> bytes:
    try:
        return derive_mac_key(
            private_key=private_share, peer_share=body.key_share, nonce=body.nonce, binding=binding
        )
    except KeyMaterialError as error:
        raise ProtocolViolatedError("the server's key share cannot be used") from error


async def _receive(call: _Call) -> scan_pb2.ScanFaceResponse | None:
    try:
        return await call.receive()
    except grpc.aio.AioRpcError as error:
        raise translated_in_stream(error) from error


class ScanStreams:
    """Opens the streams, all with one session key, which proves that they belong to one scan.

    Attributes:
        opened: The number of streams with a challenge.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        ticket: ScanTicket,
        profile: scan_pb2.ScanStart,
        stream_timeout_s: float,
        handshake_timeout_s: float,
    ) -> None:
        """Make the session key, before any challenge is known.

        Args:
            ticket: Token and pinned fingerprint.
            profile: ScanStart with everything but token, keys and ``resume``.
            stream_timeout_s: gRPC deadline of one stream, seconds.
            handshake_timeout_s: The longest wait for a Challenge, seconds.
        """
        self._stub = verification_service_pb2_grpc.VerificationServiceStub(channel)
        self._ticket = ticket
        self._profile = profile
        self._session = SessionKey()
        self._stream_timeout_s = stream_timeout_s
        self._handshake_timeout_s = handshake_timeout_s
        self.opened = 0

    async def open(self) -> ScanStream:
        """Open the first stream of the scan, or resume the scan in a further one; verify the challenge.

        Raises:
            ServerNotTrustedError: The challenge's key is not the pinned one, or its signature is wrong.
            ProtocolViolatedError: The server's answer is not a usable challenge.
            StreamLostError: The server cannot be reached.
            CallRefusedError: The server refused the stream.
        """
        private_share = X25519PrivateKey.generate()
        share = private_share.public_key().public_bytes_raw()
        start = scan_pb2.ScanStart()
        start.CopyFrom(self._profile)
        start.protocol_version = PROTOCOL_VERSION
        start.token = self._ticket.token
        start.key_share = share
        start.session_public_key = self._session.public_der
        start.resume = self.opened > 0
        start_bytes = start.SerializeToString()
        call: _Call = StreamCall(self._stub.ScanFace(timeout=self._stream_timeout_s))
        try:
            async with asyncio.timeout(self._handshake_timeout_s):
                # The server may refuse the stream before it reads anything.
                with suppress(StreamLostError):
                    await call.send(scan_pb2.ScanFaceRequest(start=start_bytes))
                response = await _receive(call)
            if response is None or response.WhichOneof("message") != "challenge":
                raise ProtocolViolatedError("the server's first message is not a Challenge")
            body = _verified_body(
                response.challenge, start=start_bytes, pinned=self._ticket.challenge_key_sha256
            )
            binding = binding_hash(
                BindingInputs(
                    token=self._ticket.token,
                    nonce=body.nonce,
                    device_share=share,
                    server_share=body.key_share,
                    session_public_key=start.session_public_key,
                    server_spki_sha256=start.server_spki_sha256,
                    start=start_bytes,
                )
            )
            key = _mac_key(private_share, body, binding)
        except TimeoutError as error:
            call.cancel()
            raise StreamLostError(f"no Challenge within {self._handshake_timeout_s:g} seconds") from error
        except BaseException:
            call.cancel()
            raise
        self.opened += 1
        chain = MacChain(key=key, binding=binding)
        return ScanStream(call, challenge=body, binding=binding, chain=chain, session=self._session)
