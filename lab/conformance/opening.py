"""The opening of a stream: the tests of ScanStart, which raise ``Violation``, and the Challenge after it."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2

from device_integrity.policy import Demand
from facegate_protocol import fingerprint, public_key_der
from lab.conformance.endpoint import ClientStream, name_of
from lab.conformance.rules import Rule, Violation, refusals_broken
from liveness import Oval
from server.domain.terms import Mode
from server.edge.scan_codec import MAX_CAPABILITIES, serialise_challenge
from server.scan.handshake import PROTOCOL_VERSION, validate_start
from server.scan.messages import CaptureBudget, ChallengeFields, CreditMessage, StartMessage

_START_SECONDS: Final = 1.0
_LANGUAGE_BYTES: Final = 35
_SPKI_BYTES: Final = 91
_NONCE_BYTES: Final = 32
_BUDGET: Final = CaptureBudget(
    max_frame_bytes=262_144, max_frames_per_attempt=300, max_frames_per_second=30.0, min_frame_side=120
)


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


@dataclass(frozen=True, slots=True)
class Start:
    """A ScanStart that keeps the rules of the protocol."""

    stream: ClientStream
    message: StartMessage
    session_key: ec.EllipticCurvePublicKey
    capabilities: frozenset[int]


async def read_start(stream: ClientStream, ticket: Ticket) -> Start:
    """Test the rules of the first message of a stream that do not depend on other streams.

    It waits for the message; a stream may be read again.
    """
    left = stream.opened + _START_SECONDS - asyncio.get_running_loop().time()
    late = f"`start` did not come within {_START_SECONDS:g} second"
    start = stream.first or (await stream.expect(left, Rule.START_IN_TIME, late)).message
    stream.first = start
    if not isinstance(start, StartMessage):
        raise Violation(Rule.START_FIRST, f"the first message is {name_of(start)}, not `start`")
    with refusals_broken():
        session_key = validate_start(start)
    # Fields that a server reads leniently.
    if start.token != ticket.token:
        raise Violation(
            Rule.TOKEN, "`token` is not the scan token of this run, or has other characters around it"
        )
    if start.session_public_key != public_key_der(session_key):
        raise Violation(
            Rule.SESSION_KEY,
            f"`session_public_key` has {len(start.session_public_key)} bytes; expected {_SPKI_BYTES}, "
            "with an uncompressed point",
        )
    expected = b"" if stream.page else ticket.server_spki_sha256
    if start.server_spki_sha256 != expected:
        raise Violation(
            Rule.SERVER_KEY,
            "`server_spki_sha256` is not the SHA-256 of the SubjectPublicKeyInfo of the leaf certificate"
            if expected
            else "`server_spki_sha256` is not empty, although the client cannot have seen a certificate",
        )
    stated = scan_pb2.ScanStart.FromString(start.raw)
    capabilities = frozenset(stated.capabilities)
    if not len(capabilities) == len(stated.capabilities) <= MAX_CAPABILITIES:
        raise Violation(
            Rule.START_FIELDS, f"`capabilities` has more than {MAX_CAPABILITIES} entries, or one twice"
        )
    if len(stated.language.encode()) > _LANGUAGE_BYTES:
        raise Violation(Rule.START_FIELDS, f"`language` has more than {_LANGUAGE_BYTES} bytes")
    return Start(stream, start, session_key, capabilities)


def challenge_body(private_key: X25519PrivateKey, *, proof: bool = False) -> scan_pb2.ChallengeBody:
    """Return the body of a standard challenge.

    Args:
        private_key: The key of its share.
        proof: Whether it demands a resume proof.
    """
    now = datetime.now(UTC)
    fields = ChallengeFields(
        protocol_version=PROTOCOL_VERSION,
        nonce=secrets.token_bytes(_NONCE_BYTES),
        key_share=private_key.public_key().public_bytes_raw(),
        oval=Oval(centre_x=0.5, centre_y=0.5, width=0.5, height=0.6),
        budget=_BUDGET,
        credit=CreditMessage(frames=8, bytes=1_048_576),
        mode=Mode.EXPRESS,
        attempts_remaining=3,
        scan_deadline=now + timedelta(seconds=180),
        server_time=now,
        resume_proof_required=proof,
        attestation_level=Demand.IGNORED.name,
        attestation_grace_seconds=5.0,
        runtime_findings=False,
    )
    return scan_pb2.ChallengeBody.FromString(serialise_challenge(fields))
