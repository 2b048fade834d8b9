"""Tests the parts of the platform's evidence that the protocol defines, not those of the platform."""

import base64
import json
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import device_pb2

from cli.conformance.rules import Rule, Violation
from cli.conformance.signature import signature_fault
from facegate_protocol import (
    KeyMaterialError,
    attestation_message,
    evidence_challenge,
    load_public_key,
)

__all__ = ["MOST_ATTESTATIONS", "verify_evidence"]

MOST_ATTESTATIONS: Final = 4
"""Attestations of a scan, over all its streams."""


def verify_evidence(attestation: device_pb2.Attestation, *, binding: bytes, findings: bool) -> None:
    """Tests a piece of evidence. Chains, tokens and assertions of a platform are not verified.

    Args:
        attestation: The message. Its sizes were tested.
        binding: H of the stream.
        findings: Whether the Challenge allows findings at run time.

    Raises:
        Violation: The evidence is not made for this stream.
    """
    if attestation.runtime_findings and not findings:
        raise Violation(Rule.ATTESTATION, "findings at run time came, and the Challenge did not allow them")
    challenge = evidence_challenge(binding=binding, findings=attestation.runtime_findings)
    match attestation.WhichOneof("evidence"):
        case "web_crypto":
            _verify_signature(
                _key(attestation.web_crypto.public_key), attestation.web_crypto.signature, challenge
            )
        case "android_key":
            _verify_android(attestation.android_key, challenge)
        case "web_authn":
            _verify_client_data(attestation.web_authn.client_data_json, challenge)
        case None if not attestation.runtime_findings:
            raise Violation(Rule.ATTESTATION, "an attestation has neither evidence nor findings")
        case _:
            pass


def _verify_signature(key: ec.EllipticCurvePublicKey, signature: bytes, challenge: bytes) -> None:
    fault = signature_fault(
        key, message=attestation_message(binding=challenge), signature=signature, unframed=challenge
    )
    if fault:
        raise Violation(Rule.ATTESTATION, f"evidence: {fault.replace('session key', 'attested key')}")


def _key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return load_public_key(der)
    except KeyMaterialError as error:
        raise Violation(Rule.ATTESTATION, f"the key of the evidence: {error}") from error


def _verify_android(evidence: device_pb2.AndroidKeyAttestation, challenge: bytes) -> None:
    try:
        key = x509.load_der_x509_certificate(evidence.certificate_chain[0]).public_key()
    except (IndexError, ValueError) as error:
        raise Violation(Rule.ATTESTATION, "the first certificate of the chain is not DER") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Violation(Rule.ATTESTATION, "the attested key is not on the curve P-256")
    _verify_signature(key, evidence.signature, challenge)


def _verify_client_data(data: bytes, challenge: bytes) -> None:
    try:
        stated = json.loads(data)["challenge"]
    except (ValueError, KeyError, TypeError) as error:
        raise Violation(Rule.ATTESTATION, "`client_data_json` is not the JSON of a browser") from error
    if stated != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"):
        raise Violation(
            Rule.ATTESTATION, "the challenge of the WebAuthn ceremony is not H in base64url without padding"
        )
