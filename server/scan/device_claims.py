"""What is made of the device's claims. Missing is never a pass.

This version verifies none of the platforms' attestations: whatever arrives is recorded as not
evaluated, and the assurance is NONE. A policy that demands more therefore fails its checks.
"""

import hmac
from collections.abc import Sequence

from server.checks.outcome import DeviceCheck, DeviceCheckOutcome, DeviceOutcome
from server.checks.terms import Assurance
from server.scan.messages import AttestationMessage, StartMessage

MAX_ATTESTATIONS = 4
MAX_ATTESTATION_BYTES = 64 * 1024


def assess_device(
    *,
    start: StartMessage,
    attestations: Sequence[AttestationMessage],
    tls_spki_sha256: bytes | None,
    required: Assurance,
) -> DeviceOutcome:
    """Turns the device's claims into checks.

    Args:
        start: The stream's start.
        attestations: What arrived.
        tls_spki_sha256: SHA-256 of the listener's own SubjectPublicKeyInfo; ``None`` without TLS.
        required: The assurance that the policy demands.
    """
    checks = [_server_key(start, tls_spki_sha256)]
    if not attestations:
        checks.append(
            DeviceCheck(
                "platform_attestation",
                DeviceCheckOutcome.UNAVAILABLE,
                "ATTESTATION_MISSING",
                "The device sent no attestation.",
            )
        )
    for attestation in attestations:
        unavailable = attestation.kind == "unavailable"
        checks.append(
            DeviceCheck(
                "platform_attestation",
                DeviceCheckOutcome.UNAVAILABLE if unavailable else DeviceCheckOutcome.NOT_EVALUATED,
                "ATTESTATION_UNAVAILABLE" if unavailable else "VERIFIER_MISSING",
                "The device says that it cannot attest."
                if unavailable
                else f"This server version does not verify evidence of kind {attestation.kind}.",
            )
        )
    return DeviceOutcome(assurance=Assurance.NONE, required=required, checks=tuple(checks))


def nothing_claimed(required: Assurance) -> DeviceOutcome:
    """The outcome for a check that no device ever scanned."""
    check = DeviceCheck(
        "platform_attestation", DeviceCheckOutcome.UNAVAILABLE, "NOT_SCANNED", "No device has scanned."
    )
    return DeviceOutcome(assurance=Assurance.NONE, required=required, checks=(check,))


def _server_key(start: StartMessage, own: bytes | None) -> DeviceCheck:
    name = "server_public_key"
    if own is None:
        return DeviceCheck(
            name,
            DeviceCheckOutcome.UNAVAILABLE,
            "NO_TLS",
            "The device listener runs without TLS on loopback.",
        )
    if hmac.compare_digest(start.server_spki_sha256, own):
        return DeviceCheck(
            name, DeviceCheckOutcome.PASS, "SAME_KEY", "The device saw this server's own TLS key."
        )
    return DeviceCheck(
        name,
        DeviceCheckOutcome.FAIL,
        "OTHER_KEY",
        "The device saw another TLS key: a proxy terminates TLS between it and this server.",
    )
