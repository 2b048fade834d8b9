"""Verifies a recorded scan by its keys, step by step, as docs/device_protocol.md describes it."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2

from docs.make_transcripts import Transcript
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
    """Verify a scan in both directions.

    Raises:
        Refused: It breaks a rule.
    """
    for number in range(len(transcript["streams"])):
        _Stream(transcript, number).verify()
