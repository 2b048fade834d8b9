"""Makes the recorded scans of protos/conformance.

Run ``make protos`` after a change of the protocol. All inputs are fixed and signatures are deterministic
(RFC 6979), so nothing else changes the file.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import device_pb2, scan_pb2

from facegate_protocol import (
    BindingInputs,
    MacChain,
    attempt_end_message,
    attestation_message,
    binding_hash,
    challenge_message,
    derive_mac_key,
    fingerprint,
    length_prefixed,
    public_key_der,
    resume_message,
    sha256,
)

FOLDER = Path(__file__).resolve().parents[1] / "protos" / "conformance"
TRANSCRIPTS_FILE = FOLDER / "transcripts.json"
SCHEMA_FILE = FOLDER / "transcripts.schema.json"

Transcript: TypeAlias = dict[str, Any]
Request: TypeAlias = scan_pb2.ScanFaceRequest
Response: TypeAlias = scan_pb2.ScanFaceResponse
Change = Callable[["Recording"], None]

_TOKEN = "conformance-token-41c7"  # noqa: S105
_SPKI = sha256(b"facegate conformance TLS key")
_SIDE = 8
_STEP_US = 50_000
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"


def _key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(sha256(name.encode()), "big"), ec.SECP256R1())


def _hex(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_numbers().private_value.to_bytes(32, "big").hex()


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))


def _raw(signature: bytes) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))


def tiny_jpeg(shade: int) -> bytes:
    """Return the smallest baseline JPEG: 8 x 8 pixels of one grey in three channels, without an encoder.

    ``shade`` is 64..127; other shades need more bits than its one code has.
    """
    # Codes: DC has 0 as "0" and category 7 as "10"; AC has the end of the block as "0".
    luma = f"10{shade:07b}0"
    bits = luma + "00" * 2
    bits += "1" * (-len(bits) % 8)
    scan = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    return b"".join(
        (
            _SOI,
            _segment(0xDB, b"\x00" + b"\x08" * 64),
            _segment(0xC0, bytes.fromhex("0800080008 03 011100 021100 031100")),
            _segment(0xC4, b"\x00" + bytes([1, 1]) + bytes(14) + bytes([0, 7])),
            _segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + bytes([0])),
            _segment(0xDA, bytes.fromhex("03 0100 0200 0300 003f00")),
            scan,
            _EOI,
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


class Recording:
    """A scan that is being recorded. Its methods add messages, and a change may break one.

    Attributes:
        session, challenge, attested: Private keys.
        spki: The hash of the server's key that the device saw.
        changes: Changes of the bytes that are hashed, signed or sent, by the name of the step.
    """

    def __init__(self, *, spki: bytes = b"", **changes: Callable[[Any], Any]) -> None:
        self.session = _key("facegate conformance session key")
        self.challenge = _key("facegate conformance challenge key")
        self.attested = _key("facegate conformance attested key")
        self.spki = spki
        self.changes = changes
        self.streams: list[dict[str, Any]] = []
        self.binding = b""
        self._chain = MacChain(key=bytes(32), binding=b"")
        self._attempt = self._index = 0
        self._frames = 0

    def _changed(self, step: str, value: Any) -> Any:
        return self.changes.get(step, lambda same: same)(value)

    def _send(self, message: Request | Response) -> None:
        sender = "device" if isinstance(message, Request) else "server"
        kind = message.WhichOneof("message")
        raw = message.SerializeToString(deterministic=True).hex()
        self.streams[-1]["messages"].append({"from": sender, "kind": kind, "bytes": raw})

    def open(self, *, resume: bool = False) -> None:
        """ScanStart, Challenge, and the proof of a reconnect."""
        number = len(self.streams)
        device, server = (
            X25519PrivateKey.from_private_bytes(sha256(f"facegate conformance {side} {number}".encode()))
            for side in ("device", "server")
        )
        start = self._changed(
            "start",
            scan_pb2.ScanStart(
                protocol_version=1,
                token=_TOKEN,
                key_share=device.public_key().public_bytes_raw(),
                session_public_key=public_key_der(self.session.public_key()),
                device=device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_DESKTOP),
                server_spki_sha256=self.spki,
                capabilities=[scan_pb2.CAPABILITY_READY],
                resume=resume,
            ),
        )
        raw = start.SerializeToString(deterministic=True)
        body = self._changed(
            "body",
            scan_pb2.ChallengeBody(
                protocol_version=1,
                nonce=sha256(f"facegate conformance nonce {number}".encode()),
                key_share=server.public_key().public_bytes_raw(),
                budget=scan_pb2.CaptureBudget(
                    max_frame_bytes=4096, min_frame_side=_SIDE, max_frames_per_attempt=60
                ),
                mode=scan_pb2.MODE_EXPRESS,
                attempts_remaining=3,
                resume_proof_required=resume,
            ),
        )
        body_raw = body.SerializeToString(deterministic=True)
        inputs = BindingInputs(
            token=_TOKEN,
            nonce=body.nonce,
            device_share=start.key_share,
            server_share=body.key_share,
            session_public_key=start.session_public_key,
            server_spki_sha256=start.server_spki_sha256,
            start=raw,
        )
        binding = binding_hash(inputs)
        usable = len(body.key_share) == 32 and any(body.key_share)
        key = (
            derive_mac_key(private_key=device, peer_share=body.key_share, nonce=body.nonce, binding=binding)
            if usable
            else b""
        )
        self.streams.append(
            {
                "device_x25519_private": device.private_bytes_raw().hex(),
                "server_x25519_private": server.private_bytes_raw().hex(),
                "binding_hash": binding.hex(),
                "mac_key": key.hex(),
                "messages": [],
            }
        )
        older, self.binding = self.binding, binding
        used = self._changed("binding", inputs)
        used_binding = binding if used is inputs else binding_hash(used)
        used_key = (
            derive_mac_key(
                private_key=device, peer_share=body.key_share, nonce=body.nonce, binding=used_binding
            )
            if usable
            else bytes(32)
        )
        self._chain = MacChain(key=used_key, binding=used_binding)
        self._send(Request(start=raw))
        message = self._changed("challenge_message", challenge_message(start=raw, body=body_raw))
        signer = self._changed("challenge_key", self.challenge)
        signature = self._changed("challenge_signature", _sign(signer, message))
        self._send(
            Response(
                challenge=scan_pb2.Challenge(
                    body=body_raw, signature=signature, signing_public_key=public_key_der(signer.public_key())
                )
            )
        )
        if resume:
            proven = self._changed("proof_binding", (binding, older))[0]
            proof = _sign(self.session, resume_message(binding=proven))
            self._send(Request(resume_proof=scan_pb2.ResumeProof(signature=proof)))

    def unavailable(self) -> None:
        """No evidence."""
        reason = device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED
        unavailable = device_pb2.AttestationUnavailable(reason=reason)
        self._send(Request(attestation=device_pb2.Attestation(unavailable=unavailable)))

    def web_crypto(self) -> None:
        """The evidence of a page."""
        message = self._changed("attestation_message", attestation_message(binding=self.binding))
        evidence = device_pb2.WebCryptoEvidence(
            public_key=public_key_der(self.attested.public_key()),
            signature=_sign(self.attested, message),
            origin="https://shop.example",
        )
        self._send(Request(attestation=device_pb2.Attestation(web_crypto=evidence)))

    def begin(self) -> None:
        """AttemptStart."""
        self._attempt, self._index = self._attempt + 1, 0
        nonce = sha256(f"facegate conformance attempt {self._attempt}".encode())[:16]
        self._chain.mark_attempt(attempt=self._attempt, nonce=nonce)
        credit = scan_pb2.Credit(frames=4, bytes=16_384)
        start = scan_pb2.AttemptStart(
            attempt=self._attempt, nonce=nonce, plan=scan_pb2.PLAN_EXPRESS, credit=credit
        )
        self._send(Response(attempt_start=start))

    def frame(self) -> None:
        """One frame, and the credit that it gives back."""
        header = scan_pb2.FrameHeader(
            attempt=self._attempt,
            index=self._index,
            capture_time_us=1_000_000 + _STEP_US * self._frames,
            width=_SIDE,
            height=_SIDE,
        )
        header = self._changed("header", header)
        image = tiny_jpeg(64 + self._frames)
        raw = header.SerializeToString(deterministic=True)
        mac = self._changed(
            "mac", self._chain.add_frame(header=raw, image=self._changed("maced_image", image))
        )
        self._index, self._frames = self._index + 1, self._frames + 1
        self._send(Request(frame=scan_pb2.Frame(header=raw, image=image, mac=mac)))
        self._send(Response(credit=scan_pb2.Credit(frames=1, bytes=len(image))))

    def end(self) -> None:
        """CaptureComplete and AttemptEnd."""
        self._send(Response(capture_complete=scan_pb2.CaptureComplete(attempt=self._attempt)))
        body = scan_pb2.AttemptEndBody(
            attempt=self._attempt,
            frame_count=self._index,
            last_mac=self._chain.value,
            cause=scan_pb2.AttemptEndBody.CAUSE_COMPLETE,
        )
        raw = self._changed("end_body", body).SerializeToString(deterministic=True)
        message = self._changed("end_message", attempt_end_message(binding=self.binding, body=raw))
        signature = self._changed("end_signature", _sign(self.session, message))
        self._send(Request(attempt_end=scan_pb2.AttemptEnd(body=raw, signature=signature)))

    def result(self, *, another: bool = False) -> None:
        """ScanResult, and that the person is ready."""
        status = scan_pb2.SCAN_STATUS_RETRY if another else scan_pb2.SCAN_STATUS_SUCCESS
        result = scan_pb2.ScanResult(attempt=self._attempt, status=status, another_attempt=another)
        if another:
            result.ready_within.FromSeconds(60)
        self._send(Response(scan_result=result))
        if another:
            self._send(Request(attempt_ready=scan_pb2.AttemptReady(after_attempt=self._attempt)))

    def until(self, stream: int, message: int) -> "Recording":
        """Leave out what would follow the message that is refused."""
        del self.streams[stream + 1 :], self.streams[stream]["messages"][message + 1 :]
        return self

    def transcript(self, name: str, description: str) -> Transcript:
        """The recorded scan, without what is expected of it."""
        return {
            "name": name,
            "description": description,
            "keys": {
                "token": _TOKEN,
                "challenge_key_sha256": fingerprint(public_key_der(self.challenge.public_key())).hex(),
                "challenge_p256_private": _hex(self.challenge),
                "session_p256_private": _hex(self.session),
                "attested_p256_private": _hex(self.attested),
                "server_spki_sha256": self.spki.hex(),
            },
            "streams": self.streams,
        }


def _express(**changes: Callable[[Any], Any]) -> Recording:
    scan = Recording(spki=_SPKI, **changes)
    scan.open()
    scan.unavailable()
    scan.begin()
    for _ in range(3):
        scan.frame()
    scan.end()
    scan.result()
    return scan


def _page(**changes: Callable[[Any], Any]) -> Recording:
    scan = Recording(spki=b"", **changes)
    scan.open()
    scan.web_crypto()
    for another in (True, False):
        scan.begin()
        scan.frame()
        scan.frame()
        scan.end()
        scan.result(another=another)
    return scan


def _reconnect(**changes: Callable[[Any], Any]) -> Recording:
    scan = Recording(spki=_SPKI, **changes)
    scan.open()
    scan.begin()
    scan.frame()
    scan.open(resume=True)
    scan.unavailable()
    scan.begin()
    scan.frame()
    scan.frame()
    scan.end()
    scan.result()
    return scan


def _without_spki(inputs: BindingInputs) -> BindingInputs:
    return BindingInputs(
        token=inputs.token,
        nonce=inputs.nonce,
        device_share=inputs.device_share,
        server_share=inputs.server_share,
        session_public_key=inputs.session_public_key,
        server_spki_sha256=b"",
        start=inputs.start,
    )


def _set(**fields: Any) -> Callable[[Any], Any]:
    def change(message: Any) -> Any:
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    return change


def _plus_one(name: str) -> Callable[[Any], Any]:
    return lambda message: _set(**{name: getattr(message, name) + 1})(message)


def _domain(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda message: length_prefixed(new) + message[len(length_prefixed(old)) :]


def _flip(mac: bytes) -> bytes:
    return bytes([mac[0] ^ 1]) + mac[1:]


def _swapped(scan: Recording) -> Recording:
    messages = scan.streams[0]["messages"]
    first, second, *_ = (at for at, entry in enumerate(messages) if entry["kind"] == "frame")
    messages[first], messages[second] = messages[second], messages[first]
    return scan


_END, _V2 = b"facegate/v1/attempt-end", b"facegate/v2/attempt-end"
_CHALLENGE, _RESUME = b"facegate/v1/challenge", b"facegate/v1/resume"


def make_transcripts() -> dict[str, Any]:
    """All recorded scans."""
    accepted = [
        _express().transcript("express-over-tls", "One attempt of three frames, over TLS."),
        _page().transcript(
            "page-with-retry", "A page, which sees no certificate, with WebCrypto evidence and two attempts."
        ),
        _reconnect().transcript(
            "reconnect", "The line is lost after a frame; the next stream proves the key."
        ),
    ]
    refused = [
        ("session-key-empty", "ScanStart has no session key.", "server", (0, 0, "SESSION_KEY"),
         _express(start=_set(session_public_key=b""))),
        ("server-key-missing", "ScanStart leaves `server_spki_sha256` empty over TLS.", "server",
         (0, 0, "SERVER_KEY"), _express(start=_set(server_spki_sha256=b""))),
        ("challenge-other-key", "The challenge key is not the pinned one.", "device", (0, 1, "PINNED_KEY"),
         _express(challenge_key=lambda _: _key("facegate conformance other key"))),
        ("challenge-raw-signature", "The Challenge's signature is r || s instead of ASN.1 DER.", "device",
         (0, 1, "CHALLENGE_SIGNATURE"), _express(challenge_signature=_raw)),
        ("challenge-other-domain", "The Challenge is signed with another domain text.", "device",
         (0, 1, "CHALLENGE_SIGNATURE"), _express(challenge_message=_domain(_CHALLENGE, _RESUME))),
        ("challenge-short-nonce", "The nonce has 16 bytes.", "device", (0, 1, "CHALLENGE_BODY"),
         _express(body=_set(nonce=bytes(range(16))))),
        ("challenge-zero-share", "The server's key share is a point of small order.", "device",
         (0, 1, "KEY_SHARE"), _express(body=_set(key_share=bytes(32)))),
        ("binding-without-server-key", "H leaves the hash of the server's key out.", "server",
         (0, 4, "FRAME_MAC"), _express(binding=_without_spki)),
        ("frame-bad-mac", "A bit of each MAC is wrong.", "server", (0, 4, "FRAME_MAC"), _express(mac=_flip)),
        ("frame-mac-of-other-bytes", "The MAC covers the image without its last byte.", "server",
         (0, 4, "FRAME_MAC"), _express(maced_image=lambda image: image[:-1])),
        ("frame-wrong-order", "Frames 0 and 1 are swapped.", "server", (0, 4, "FRAME_ORDER"),
         _swapped(_express())),
        ("frame-index-from-1", "Indices begin with 1.", "server", (0, 4, "FRAME_ORDER"),
         _express(header=_plus_one("index"))),
        ("frame-time-stands-still", "All frames have one capture time.", "server", (0, 6, "FRAME_TIME"),
         _express(header=_set(capture_time_us=1_000_000))),
        ("attempt-end-raw-signature", "The signature of AttemptEnd is r || s instead of ASN.1 DER.", "server",
         (0, 11, "ATTEMPT_END_SIGNATURE"), _express(end_signature=_raw)),
        ("attempt-end-other-domain", "AttemptEnd is signed with another domain text.", "server",
         (0, 11, "ATTEMPT_END_SIGNATURE"), _express(end_message=_domain(_END, _V2))),
        ("attempt-end-count", "AttemptEnd states one frame too many.", "server", (0, 11, "ATTEMPT_END"),
         _express(end_body=_plus_one("frame_count"))),
        ("evidence-other-domain", "The page's key signs H without the domain text.", "server",
         (0, 2, "ATTESTATION"), _page(attestation_message=lambda message: message[-32:])),
        ("resume-proof-of-older-stream", "The resume proof signs H of the stream before.", "server",
         (1, 2, "RESUME_PROOF"), _reconnect(proof_binding=lambda both: both[::-1])),
    ]  # fmt: skip
    return {
        "$schema": SCHEMA_FILE.name,
        "format": 1,
        "protocol_version": 1,
        "accepted": accepted,
        "refused": [
            {
                **scan.until(*at[:2]).transcript(name, description),
                "refused_by": by,
                "stream": at[0],
                "message": at[1],
                "reason": at[2],
            }
            for name, description, by, at, scan in refused
        ],
    }


def rendered() -> str:
    """The file's content."""
    return json.dumps(make_transcripts(), indent=1) + "\n"


def main() -> None:
    """Write the file."""
    TRANSCRIPTS_FILE.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
