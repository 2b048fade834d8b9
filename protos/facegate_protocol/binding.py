"""The binding hash, which binds an attested device, a session key and a scan together."""

from dataclasses import dataclass

from facegate_protocol.framing import length_prefixed, sha256

_DOMAIN = b"facegate/v1/binding"
_EVIDENCE = b"facegate/v1/evidence-challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingInputs:
    """The inputs of the binding hash: everything that both sides know once the Challenge has arrived.

    Attributes:
        token: The scan token as sent in ScanStart, UTF-8.
        nonce: ``ChallengeBody.nonce``, 32 bytes.
        device_share: ``ScanStart.key_share``, 32 bytes.
        server_share: ``ChallengeBody.key_share``, 32 bytes.
        session_public_key: ``ScanStart.session_public_key``, DER.
        server_spki_sha256: ``ScanStart.server_spki_sha256``, 32 bytes, or empty without TLS.
        start: The ScanStart bytes as sent.
    """

    token: str
    nonce: bytes
    device_share: bytes
    server_share: bytes
    session_public_key: bytes
    server_spki_sha256: bytes
    start: bytes


def binding_hash(inputs: BindingInputs) -> bytes:
    """Return the binding hash H, 32 bytes: the challenge of every platform's attestation of this scan."""
    return sha256(
        length_prefixed(
            _DOMAIN,
            sha256(inputs.token.encode()),
            inputs.nonce,
            inputs.device_share,
            inputs.server_share,
            inputs.session_public_key,
            inputs.server_spki_sha256,
            sha256(inputs.start),
        )
    )


def evidence_challenge(*, binding: bytes, findings: bytes) -> bytes:
    """Return the evidence challenge E, 32 bytes, for evidence that is sent with run-time findings.

    The evidence thereby covers the findings: if they are changed or removed, the challenge differs.

    Args:
        binding: The binding hash H of the stream, 32 bytes.
        findings: ``Attestation.runtime_findings`` as sent. If empty, E is H.
    """
    return sha256(length_prefixed(_EVIDENCE, binding, sha256(findings))) if findings else binding
