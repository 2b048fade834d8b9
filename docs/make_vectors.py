"""Makes the test vectors of docs/device_protocol.md.

Run ``make protos`` after a change of the protocol. All inputs are fixed and signatures are deterministic
(RFC 6979), so nothing else changes the file.
"""

import json
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
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
    evidence_challenge,
    fingerprint,
    public_key_der,
    resume_message,
    sha256,
)

Vectors: TypeAlias = dict[str, dict[str, str]]

VECTORS_FILE = Path(__file__).resolve().parents[1] / "protos" / "conformance" / "vectors.json"

# The two private keys of RFC 7748, section 6.1: their shared secret is printed there.
DEVICE_X25519 = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
SERVER_X25519 = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
# The P-256 private key of RFC 6979, appendix A.2.5.
SESSION_P256 = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
# SHA-256 of the ASCII text "facegate test challenge key".
CHALLENGE_P256 = sha256(b"facegate test challenge key").hex()

# SHA-256 of the ASCII text "facegate test attested key".
ATTESTED_P256 = sha256(b"facegate test attested key").hex()

TOKEN = "test-token-7f3a"  # noqa: S105


def make_vectors() -> Vectors:
    """Every vector, by section and name; hex, except values named as a text or a number."""
    device = X25519PrivateKey.from_private_bytes(bytes.fromhex(DEVICE_X25519))
    server = X25519PrivateKey.from_private_bytes(bytes.fromhex(SERVER_X25519))
    session = ec.derive_private_key(int(SESSION_P256, 16), ec.SECP256R1())
    challenge_key = ec.derive_private_key(int(CHALLENGE_P256, 16), ec.SECP256R1())
    attested = ec.derive_private_key(int(ATTESTED_P256, 16), ec.SECP256R1())
    device_share, server_share = (
        device.public_key().public_bytes_raw(),
        server.public_key().public_bytes_raw(),
    )
    session_der = public_key_der(session.public_key())
    challenge_der = public_key_der(challenge_key.public_key())
    spki = sha256(b"facegate test TLS key")
    start = scan_pb2.ScanStart(
        protocol_version=1,
        token=TOKEN,
        key_share=device_share,
        session_public_key=session_der,
        device=device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_DESKTOP),
        server_spki_sha256=spki,
    ).SerializeToString(deterministic=True)
    nonce = bytes(range(32))
    body = scan_pb2.ChallengeBody(
        protocol_version=1, nonce=nonce, key_share=server_share, mode=scan_pb2.MODE_EXPRESS
    ).SerializeToString(deterministic=True)
    binding = binding_hash(
        BindingInputs(
            token=TOKEN,
            nonce=nonce,
            device_share=device_share,
            server_share=server_share,
            session_public_key=session_der,
            server_spki_sha256=spki,
            start=start,
        )
    )
    mac_key = derive_mac_key(private_key=device, peer_share=server_share, nonce=nonce, binding=binding)
    challenge = challenge_message(start=start, body=body)
    resume = resume_message(binding=binding)
    attestation = attestation_message(binding=binding)
    findings = device_pb2.RuntimeFindings(
        looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT, device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK],
        findings=[
            device_pb2.RuntimeFinding(kind=device_pb2.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK, name="frida")
        ],
    ).SerializeToString(deterministic=True)
    evidence = evidence_challenge(binding=binding, findings=findings)
    reported = attestation_message(binding=evidence)
    return {
        "keys": {
            "device_x25519_private": DEVICE_X25519,
            "device_x25519_public": device_share.hex(),
            "server_x25519_private": SERVER_X25519,
            "server_x25519_public": server_share.hex(),
            "session_p256_private": SESSION_P256,
            "session_public_key_der": session_der.hex(),
            "challenge_p256_private": CHALLENGE_P256,
            "challenge_public_key_der": challenge_der.hex(),
            "challenge_key_sha256": fingerprint(challenge_der).hex(),
            "attested_p256_private": ATTESTED_P256,
            "attested_public_key_der": public_key_der(attested.public_key()).hex(),
        },
        "handshake": {
            "token_text": TOKEN,
            "token_sha256": sha256(TOKEN.encode()).hex(),
            "server_spki_sha256": spki.hex(),
            "scan_start_bytes": start.hex(),
            "scan_start_sha256": sha256(start).hex(),
            "challenge_nonce": nonce.hex(),
            "challenge_body_bytes": body.hex(),
            "challenge_message": challenge.hex(),
            "challenge_signature": _sign(challenge_key, challenge),
        },
        "derivations": {
            "binding_hash_h": binding.hex(),
            "x25519_shared_secret": device.exchange(X25519PublicKey.from_public_bytes(server_share)).hex(),
            "hkdf_salt": nonce.hex(),
            "mac_key": mac_key.hex(),
        },
        "chain": _chain(mac_key, binding, session),
        "resume": {"resume_message": resume.hex(), "resume_signature": _sign(session, resume)},
        "attestation": {
            "attestation_message": attestation.hex(),
            "attestation_signature": _sign(attested, attestation),
        },
        "attestation with findings": {
            "runtime_findings_bytes": findings.hex(),
            "runtime_findings_sha256": sha256(findings).hex(),
            "evidence_challenge_e": evidence.hex(),
            "attestation_message": reported.hex(),
            "attestation_signature": _sign(attested, reported),
        },
    }


def _chain(mac_key: bytes, binding: bytes, session: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    chain = MacChain(key=mac_key, binding=binding)
    vectors = {"mac_chain_start": chain.value.hex()}
    nonce = bytes(range(0xA0, 0xB0))
    vectors["attempt_number"] = "1"
    vectors["attempt_nonce"] = nonce.hex()
    vectors["mac_attempt_1"] = chain.mark_attempt(attempt=1, nonce=nonce).hex()
    for index in range(2):
        header = scan_pb2.FrameHeader(
            attempt=1, index=index, capture_time_us=1_000_000 + 40_000 * index, width=480, height=640
        ).SerializeToString(deterministic=True)
        image = f"facegate test image {index}".encode()
        vectors[f"frame_{index}_header_bytes"] = header.hex()
        vectors[f"frame_{index}_image_bytes"] = image.hex()
        vectors[f"frame_{index}_image_sha256"] = sha256(image).hex()
        vectors[f"frame_{index}_mac"] = chain.add_frame(header=header, image=image).hex()
    body = scan_pb2.AttemptEndBody(
        attempt=1, frame_count=2, last_mac=chain.value, cause=scan_pb2.AttemptEndBody.CAUSE_COMPLETE
    ).SerializeToString(deterministic=True)
    end = attempt_end_message(binding=binding, body=body)
    vectors["attempt_end_body_bytes"] = body.hex()
    vectors["attempt_end_message"] = end.hex()
    vectors["attempt_end_signature"] = _sign(session, end)
    second = bytes(range(0xB0, 0xC0))
    vectors["second_attempt_nonce"] = second.hex()
    vectors["mac_attempt_2"] = chain.mark_attempt(attempt=2, nonce=second).hex()
    return vectors


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> str:
    return key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)).hex()


def main() -> None:
    """Write the file."""
    VECTORS_FILE.write_text(json.dumps(make_vectors(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
