"""The opening of a stream: the tests of ScanStart, which raise ``Violation``, and the Challenge after it."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2
from google.protobuf.message import DecodeError

from cli.conformance.endpoint import ClientStream, StreamLost
from cli.conformance.rules import Rule, Violation
from facegate_protocol import (
    BindingInputs,
    KeyMaterialError,
    binding_hash,
    challenge_message,
    derive_mac_key,
    fingerprint,
    load_public_key,
    public_key_der,
    sign,
)
from server.base.errors import Refusal
from server.edge.scan_codec import to_inbound
from server.scan.handshake import validate_start
from server.scan.messages import StartMessage
from server.scan.transcript import ClockLimits, StreamTranscript

_START_SECONDS: Final = 1.0
_MOST_CAPABILITIES: Final = 32
_LANGUAGE_BYTES: Final = 35
_SPKI_BYTES: Final = 91
_RULES: Final = {
    "start.token": Rule.TOKEN,
    "start.key_share": Rule.KEY_SHARE,
    "start.session_public_key": Rule.SESSION_KEY,
    "start.server_spki_sha256": Rule.SERVER_KEY,
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ticket:
    """The ticket that the app receives, and the private key that signs the challenges.

    Attributes:
        private_key: The private challenge key, on P-256.
        server_spki_sha256: SHA-256 of the key of the server's certificate; empty without TLS.
    """

    token: str
    private_key: ec.EllipticCurvePrivateKey
    server_spki_sha256: bytes = b""

    @property
    def fingerprint(self) -> bytes:
        """The fingerprint of the public challenge key, which the app pins, 32 bytes."""
        return fingerprint(public_key_der(self.private_key.public_key()))


@dataclass(slots=True)
class ClientScan:
    """The state of one scan of the client, over all its streams.

    Attributes:
        session_key: The session key of the first stream, SubjectPublicKeyInfo.
        image_bytes: The bytes of all frames.
    """

    session_key: bytes = b""
    shares: set[bytes] = field(default_factory=set)
    challenged: bool = False
    image_bytes: int = 0
    attestations: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """A ScanStart that keeps the rules of the protocol; ``raw`` are its bytes as received."""

    stream: ClientStream
    raw: bytes
    message: scan_pb2.ScanStart

    @property
    def capabilities(self) -> frozenset[int]:
        """The announced capabilities."""
        return frozenset(self.message.capabilities)


async def read_start(stream: ClientStream, ticket: Ticket) -> Start:
    """Receives the first message of a stream, and tests the rules that do not depend on other streams."""
    left = stream.opened + _START_SECONDS - asyncio.get_running_loop().time()
    try:
        arrival = await stream.receive(max(0.0, left))
    except TimeoutError as error:
        raise Violation(Rule.START_IN_TIME, "`start` did not come within 1 second") from error
    except StreamLost as error:
        raise Violation(
            Rule.START_IN_TIME, "the client opened a stream and dropped it without `start`"
        ) from error
    request = arrival.request
    if request is None or request.WhichOneof("message") != "start":
        raise Violation(Rule.START_FIRST, f"the first message is {arrival}, not `start`")
    try:
        message = scan_pb2.ScanStart.FromString(request.start)
    except DecodeError as error:
        raise Violation(Rule.START_FIELDS, "the bytes of `start` are no ScanStart") from error
    _test_fields(request, message, ticket, page=stream.page)
    return Start(stream, request.start, message)


def _test_fields(
    request: scan_pb2.ScanFaceRequest, start: scan_pb2.ScanStart, ticket: Ticket, *, page: bool
) -> None:
    # 1. Fields that a server tests, too.
    try:
        match to_inbound(request):
            case StartMessage() as message:
                validate_start(message)
    except Refusal as error:
        field_name = str(error.details.get("field", ""))
        raise Violation(_RULES.get(field_name, Rule.START_FIELDS), str(error)) from error
    # 2. Fields that a server reads leniently.
    if start.token != ticket.token:
        raise Violation(
            Rule.TOKEN, "`token` is not the scan token of this run, or has other characters around it"
        )
    if len(start.session_public_key) != _SPKI_BYTES:
        raise Violation(
            Rule.SESSION_KEY,
            f"`session_public_key` has {len(start.session_public_key)} bytes; expected {_SPKI_BYTES}, "
            "with an uncompressed point",
        )
    expected = b"" if page else ticket.server_spki_sha256
    if start.server_spki_sha256 != expected:
        raise Violation(
            Rule.SERVER_KEY,
            "`server_spki_sha256` is not the SHA-256 of the SubjectPublicKeyInfo of the leaf certificate"
            if expected
            else "`server_spki_sha256` is not empty, although the client cannot have seen a certificate",
        )
    if not len(set(start.capabilities)) == len(start.capabilities) <= _MOST_CAPABILITIES:
        raise Violation(Rule.START_FIELDS, "`capabilities` has more than 32 entries, or one twice")
    if len(start.language.encode()) > _LANGUAGE_BYTES:
        raise Violation(Rule.START_FIELDS, f"`language` has more than {_LANGUAGE_BYTES} bytes")


def admit_stream(start: Start, scan: ClientScan) -> None:
    """Tests the rules that depend on the earlier streams of the scan, and records the new stream."""
    message = start.message
    if scan.session_key and message.session_public_key != scan.session_key:
        raise Violation(
            Rule.SESSION_KEY, "the reconnect has another session key than the first stream of the scan"
        )
    if message.key_share in scan.shares:
        raise Violation(Rule.KEY_SHARE, "the key share of an older stream was used again")
    if message.resume != scan.challenged:
        raise Violation(
            Rule.RESUME_FLAG,
            f"`resume` is {message.resume}, and the scan "
            f"{'had' if scan.challenged else 'never had'} a Challenge",
        )
    scan.session_key = message.session_public_key
    scan.shares.add(message.key_share)


def challenge_body(share: bytes, nonce: bytes) -> scan_pb2.ChallengeBody:
    """Returns the body of a standard challenge, with the server's key share and a nonce, 32 bytes each."""
    body = scan_pb2.ChallengeBody(
        protocol_version=1,
        nonce=nonce,
        key_share=share,
        oval=scan_pb2.Oval(center_x=0.5, center_y=0.5, width=0.5, height=0.6),
        budget=scan_pb2.CaptureBudget(
            max_frame_bytes=262_144,
            max_frame_pixels=1920 * 1080,
            max_frames_per_attempt=300,
            max_scan_bytes=20_971_520,
            max_frames_per_second=30.0,
            min_frames_per_second=8.0,
            min_frame_side=120,
        ),
        initial_credit=scan_pb2.Credit(frames=8, bytes=1_048_576),
        mode=scan_pb2.MODE_EXPRESS,
        attempts_remaining=3,
    )
    body.budget.max_attempt_duration.FromSeconds(20)
    body.server_time.GetCurrentTime()
    body.scan_deadline.FromNanoseconds(body.server_time.ToNanoseconds() + 180 * 10**9)
    body.attestation.level = scan_pb2.AttestationDemand.LEVEL_IGNORED
    body.attestation.grace.FromSeconds(5)
    return body


def sign_challenge(body: bytes, *, start: bytes, key: ec.EllipticCurvePrivateKey) -> scan_pb2.Challenge:
    """Returns a Challenge over a body and the bytes of a ScanStart."""
    return scan_pb2.Challenge(
        body=body,
        signature=sign(key, challenge_message(start=start, body=body)),
        signing_public_key=public_key_der(key.public_key()),
    )


def open_transcript(
    start: Start, body: scan_pb2.ChallengeBody, private: X25519PrivateKey
) -> StreamTranscript:
    """Returns the server's side of a stream's transcript, before its first attempt."""
    message = start.message
    binding = binding_hash(
        BindingInputs(
            token=message.token,
            nonce=body.nonce,
            device_share=message.key_share,
            server_share=body.key_share,
            session_public_key=message.session_public_key,
            server_spki_sha256=message.server_spki_sha256,
            start=start.raw,
        )
    )
    try:
        key = derive_mac_key(
            private_key=private, peer_share=message.key_share, nonce=body.nonce, binding=binding
        )
    except KeyMaterialError as error:
        raise Violation(Rule.KEY_SHARE, str(error)) from error
    session_key = load_public_key(message.session_public_key)
    return StreamTranscript(key=key, binding=binding, session_key=session_key, clocks=ClockLimits())
