"""Measures the cost of verifying an App Attest attestation, compared with its signatures alone."""

from datetime import datetime

from device_integrity.apple import (
    Environment,
    KeyOwner,
    load_apple_anchors,
    parse_attestation,
    verify_attestation,
)
from evaluation.bench.verification_cost import VerificationCase

__all__ = ["app_attest_case"]


def app_attest_case(
    attestation_object: bytes, *, key_id: bytes, client_data_hash: bytes, app_id: str, now: datetime
) -> VerificationCase:
    """Make the case of an attestation under Apple's root.

    Args:
        attestation_object: The attestation from a device, of the production environment.
        key_id: Identifier of its key, 32 bytes.
        client_data_hash: The hash for which it was made.
        app_id: Team identifier, a dot, bundle identifier.
        now: Time of the verification.

    Raises:
        EvidenceMalformed: It is not an attestation.
    """
    attestation, anchors = parse_attestation(attestation_object), load_apple_anchors()

    def bare() -> None:
        attestation.leaf.verify_directly_issued_by(attestation.intermediate)
        attestation.intermediate.verify_directly_issued_by(anchors.app_attest)

    def full() -> None:
        verify_attestation(
            key_id=key_id,
            attestation_object=attestation_object,
            client_data_hash=client_data_hash,
            app_ids=frozenset({app_id}),
            environment=Environment.PRODUCTION,
            key_use=KeyOwner.NEW,
            anchors=anchors,
            now=now,
        )

    return VerificationCase("App Attest", bare, full)
