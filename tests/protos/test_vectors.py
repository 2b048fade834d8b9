"""The published vectors and recorded scans, against the code and a second derivation from the page."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from facegate.v1 import device_pb2, scan_pb2

from facegate_protocol import (
    BindingInputs,
    KeyMaterialError,
    MacChain,
    attempt_end_message,
    attestation_message,
    binding_hash,
    challenge_message,
    derive_mac_key,
    evidence_challenge,
    fingerprint,
    load_public_key,
    resume_message,
    verify,
)
from tests.protos.make_vectors import DOCUMENT, VECTORS_FILE, Vectors, document_with, make_vectors

# The published vectors, against the code and against a second derivation from the page.


@pytest.fixture(scope="module")
def published() -> Vectors:
    vectors: Vectors = json.loads(VECTORS_FILE.read_text(encoding="utf-8"))
    return vectors


def _hex(published: Vectors, section: str, name: str) -> bytes:
    return bytes.fromhex(published[section][name])


def _framed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_code_gives_the_published_vectors(published: Vectors) -> None:
    assert make_vectors() == published


def test_document_shows_the_published_vectors(published: Vectors) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == document_with(document, published)
    assert published["derivations"]["binding_hash_h"] in document


def test_binding_hash_follows_the_document(published: Vectors) -> None:
    expected = _sha256(
        _framed(
            b"facegate/v1/binding",
            _sha256(published["handshake"]["token_text"].encode()),
            _hex(published, "handshake", "challenge_nonce"),
            _hex(published, "keys", "device_x25519_public"),
            _hex(published, "keys", "server_x25519_public"),
            _hex(published, "keys", "session_public_key_der"),
            _hex(published, "handshake", "server_spki_sha256"),
            _sha256(_hex(published, "handshake", "scan_start_bytes")),
        )
    )
    assert _hex(published, "derivations", "binding_hash_h") == expected


def test_mac_key_follows_the_document(published: Vectors) -> None:
    private = X25519PrivateKey.from_private_bytes(_hex(published, "keys", "device_x25519_private"))
    public = X25519PublicKey.from_public_bytes(_hex(published, "keys", "server_x25519_public"))
    secret = private.exchange(public)
    assert secret == _hex(published, "derivations", "x25519_shared_secret")
    extracted = hmac.digest(_hex(published, "derivations", "hkdf_salt"), secret, "sha256")
    info = _framed(b"facegate/v1/mac-key", _hex(published, "derivations", "binding_hash_h"))
    assert _hex(published, "derivations", "mac_key") == hmac.digest(extracted, info + b"\x01", "sha256")


def test_chain_follows_the_document(published: Vectors) -> None:
    key = _hex(published, "derivations", "mac_key")

    def mac(*fields: bytes) -> bytes:
        return hmac.digest(key, _framed(*fields), "sha256")

    value = mac(b"facegate/v1/chain-start", _hex(published, "derivations", "binding_hash_h"))
    assert value == _hex(published, "chain", "mac_chain_start")
    value = mac(
        b"facegate/v1/chain-attempt",
        value,
        int(published["chain"]["attempt_number"]).to_bytes(4, "big"),
        _hex(published, "chain", "attempt_nonce"),
    )
    assert value == _hex(published, "chain", "mac_attempt_1")
    for index in range(2):
        value = mac(
            b"facegate/v1/chain-frame",
            value,
            _hex(published, "chain", f"frame_{index}_header_bytes"),
            _sha256(_hex(published, "chain", f"frame_{index}_image_bytes")),
        )
        assert value == _hex(published, "chain", f"frame_{index}_mac")
    value = mac(
        b"facegate/v1/chain-attempt",
        value,
        (2).to_bytes(4, "big"),
        _hex(published, "chain", "second_attempt_nonce"),
    )
    assert value == _hex(published, "chain", "mac_attempt_2")


@pytest.mark.parametrize(
    ("section", "name", "key"),
    [
        ("handshake", "challenge", "challenge_public_key_der"),
        ("chain", "attempt_end", "session_public_key_der"),
        ("resume", "resume", "session_public_key_der"),
        ("attestation", "attestation", "attested_public_key_der"),
        ("attestation with findings", "attestation", "attested_public_key_der"),
    ],
)
def test_published_signatures_verify(published: Vectors, section: str, name: str, key: str) -> None:
    assert verify(
        public_key=load_public_key(_hex(published, "keys", key)),
        message=_hex(published, section, f"{name}_message"),
        signature=_hex(published, section, f"{name}_signature"),
    )


def test_signed_messages_follow_the_document(published: Vectors) -> None:
    binding = _hex(published, "derivations", "binding_hash_h")
    assert _hex(published, "handshake", "challenge_message") == _framed(
        b"facegate/v1/challenge",
        _sha256(_hex(published, "handshake", "scan_start_bytes")),
        _hex(published, "handshake", "challenge_body_bytes"),
    )
    assert _hex(published, "resume", "resume_message") == _framed(b"facegate/v1/resume", binding)
    assert _hex(published, "attestation", "attestation_message") == _framed(
        b"facegate/v1/attestation", binding
    )
    reported = "attestation with findings"
    challenge = _sha256(
        _framed(
            b"facegate/v1/evidence-challenge",
            binding,
            _sha256(_hex(published, reported, "runtime_findings_bytes")),
        )
    )
    assert _hex(published, reported, "evidence_challenge_e") == challenge
    assert _hex(published, reported, "attestation_message") == _framed(b"facegate/v1/attestation", challenge)
    assert _hex(published, "chain", "attempt_end_message") == _framed(
        b"facegate/v1/attempt-end", binding, _hex(published, "chain", "attempt_end_body_bytes")
    )


def test_published_messages_are_the_wires(published: Vectors) -> None:
    start = scan_pb2.ScanStart.FromString(_hex(published, "handshake", "scan_start_bytes"))
    assert start.token == published["handshake"]["token_text"]
    assert start.key_share == _hex(published, "keys", "device_x25519_public")
    header = scan_pb2.FrameHeader.FromString(_hex(published, "chain", "frame_1_header_bytes"))
    assert (header.attempt, header.index, header.capture_time_us) == (1, 1, 1_040_000)
    raw = _hex(published, "attestation with findings", "runtime_findings_bytes")
    assert device_pb2.RuntimeFindings.FromString(raw).findings[0].name == "frida"
    end = scan_pb2.AttemptEndBody.FromString(_hex(published, "chain", "attempt_end_body_bytes"))
    assert end.last_mac == _hex(published, "chain", "frame_1_mac")


# Verifies a recorded scan by its keys, step by step, as docs/device_protocol.md describes it.

Transcript: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Refused(Exception):
    """Where a recorded scan breaks a rule, and which."""

    stream: int
    message: int
    reason: str


class _Stream:
    def __init__(self, transcript: Transcript, number: int) -> None:
        self._keys = transcript["keys"]
        self._stream = transcript["streams"][number]
        self._number = number
        self._at = 0
        self._attempt = 0
        self._index = 0
        self._time = 0
        self._session: Any = None
        self._chain: MacChain | None = None
        self._binding = b""
        self._raw = b""

    def verify(self) -> None:
        for at, entry in enumerate(self._stream["messages"]):
            self._at = at
            raw = bytes.fromhex(entry["bytes"])
            if entry["from"] == "device":
                request = scan_pb2.ScanFaceRequest.FromString(raw)
                getattr(self, f"_{request.WhichOneof('message')}")(request)
            else:
                self._server(scan_pb2.ScanFaceResponse.FromString(raw))

    def _refuse(self, reason: str) -> Refused:
        return Refused(self._number, self._at, reason)

    def _start(self, request: scan_pb2.ScanFaceRequest) -> None:
        self._raw = request.start
        try:
            self._session = load_public_key(self._parsed.session_public_key)
        except KeyMaterialError:
            raise self._refuse("SESSION_KEY") from None
        if self._parsed.server_spki_sha256.hex() != self._keys["server_spki_sha256"]:
            raise self._refuse("SERVER_KEY")

    @property
    def _parsed(self) -> scan_pb2.ScanStart:
        return scan_pb2.ScanStart.FromString(self._raw)

    def _server(self, response: scan_pb2.ScanFaceResponse) -> None:
        match response.WhichOneof("message"):
            case "challenge":
                self._challenge(response.challenge)
            case "attempt_start":
                start = response.attempt_start
                assert self._chain is not None
                self._chain.mark_attempt(attempt=start.attempt, nonce=start.nonce)
                self._attempt, self._index = start.attempt, 0

    def _challenge(self, challenge: scan_pb2.Challenge) -> None:
        if fingerprint(challenge.signing_public_key).hex() != self._keys["challenge_key_sha256"]:
            raise self._refuse("PINNED_KEY")
        message = challenge_message(start=self._raw, body=challenge.body)
        key = load_public_key(challenge.signing_public_key)
        if not verify(public_key=key, message=message, signature=challenge.signature):
            raise self._refuse("CHALLENGE_SIGNATURE")
        body, start = scan_pb2.ChallengeBody.FromString(challenge.body), self._parsed
        if body.protocol_version != 1 or len(body.nonce) != 32:
            raise self._refuse("CHALLENGE_BODY")
        self._binding = binding_hash(
            BindingInputs(
                token=start.token,
                nonce=body.nonce,
                device_share=start.key_share,
                server_share=body.key_share,
                session_public_key=start.session_public_key,
                server_spki_sha256=start.server_spki_sha256,
                start=self._raw,
            )
        )
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(self._stream["device_x25519_private"]))
        try:
            key_bytes = derive_mac_key(
                private_key=private, peer_share=body.key_share, nonce=body.nonce, binding=self._binding
            )
        except KeyMaterialError:
            raise self._refuse("KEY_SHARE") from None
        assert self._binding.hex() == self._stream["binding_hash"]
        assert key_bytes.hex() == self._stream["mac_key"]
        self._chain = MacChain(key=key_bytes, binding=self._binding)

    def _resume_proof(self, request: scan_pb2.ScanFaceRequest) -> None:
        self._signed(resume_message(binding=self._binding), request.resume_proof.signature, "RESUME_PROOF")

    def _attestation(self, request: scan_pb2.ScanFaceRequest) -> None:
        evidence = request.attestation
        if evidence.WhichOneof("evidence") == "web_crypto":
            challenge = evidence_challenge(binding=self._binding, findings=evidence.runtime_findings)
            key = load_public_key(evidence.web_crypto.public_key)
            message = attestation_message(binding=challenge)
            if not verify(public_key=key, message=message, signature=evidence.web_crypto.signature):
                raise self._refuse("ATTESTATION")

    def _attempt_ready(self, request: scan_pb2.ScanFaceRequest) -> None:
        assert request.attempt_ready.after_attempt == self._attempt

    def _frame(self, request: scan_pb2.ScanFaceRequest) -> None:
        frame, header = request.frame, scan_pb2.FrameHeader.FromString(request.frame.header)
        if (header.attempt, header.index) != (self._attempt, self._index):
            raise self._refuse("FRAME_ORDER")
        assert self._chain is not None
        if not self._chain.accept_frame(header=frame.header, image=frame.image, mac=frame.mac):
            raise self._refuse("FRAME_MAC")
        if header.capture_time_us <= self._time:
            raise self._refuse("FRAME_TIME")
        self._index, self._time = self._index + 1, header.capture_time_us

    def _attempt_end(self, request: scan_pb2.ScanFaceRequest) -> None:
        end = request.attempt_end
        body = scan_pb2.AttemptEndBody.FromString(end.body)
        assert self._chain is not None
        stated = (body.attempt, body.frame_count, body.last_mac)
        if stated != (self._attempt, self._index, self._chain.value):
            raise self._refuse("ATTEMPT_END")
        self._signed(
            attempt_end_message(binding=self._binding, body=end.body), end.signature, "ATTEMPT_END_SIGNATURE"
        )

    def _signed(self, message: bytes, signature: bytes, reason: str) -> None:
        if not verify(public_key=self._session, message=message, signature=signature):
            raise self._refuse(reason)


def verify_transcript(transcript: Transcript) -> None:
    """Verifies a scan in both directions.

    Raises:
        Refused: It breaks a rule.
    """
    for number in range(len(transcript["streams"])):
        _Stream(transcript, number).verify()
