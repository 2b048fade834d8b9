"""What is made of the device's claims: missing is never a pass."""

import pytest

from server.checks.outcome import DeviceCheckOutcome, DeviceOutcome
from server.checks.terms import Assurance
from server.scan.device_claims import assess_device, nothing_claimed
from server.scan.messages import AttestationMessage
from tests.server.scan.records import start_message

OWN, OTHER = bytes(32), bytes(range(32))


def _assess(*, seen: bytes = b"", own: bytes | None = None, kinds: tuple[str, ...] = ()) -> DeviceOutcome:
    return assess_device(
        start=start_message(server_spki_sha256=seen),
        attestations=[AttestationMessage(kind, b"raw") for kind in kinds],
        tls_spki_sha256=own,
        required=Assurance.LOW,
    )


@pytest.mark.parametrize(
    ("seen", "own", "outcome", "reason"),
    [
        (OWN, OWN, DeviceCheckOutcome.PASS, "SAME_KEY"),
        (OTHER, OWN, DeviceCheckOutcome.FAIL, "OTHER_KEY"),
        (b"", OWN, DeviceCheckOutcome.FAIL, "OTHER_KEY"),
        (OTHER, None, DeviceCheckOutcome.UNAVAILABLE, "NO_TLS"),
        (b"", None, DeviceCheckOutcome.UNAVAILABLE, "NO_TLS"),
    ],
)
def test_the_tls_key_that_the_device_saw(
    seen: bytes, own: bytes | None, outcome: DeviceCheckOutcome, reason: str
) -> None:
    check = _assess(seen=seen, own=own).checks[0]
    assert (check.name, check.outcome, check.reason) == ("server_public_key", outcome, reason)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), [(DeviceCheckOutcome.UNAVAILABLE, "ATTESTATION_MISSING")]),
        (("unavailable",), [(DeviceCheckOutcome.UNAVAILABLE, "ATTESTATION_UNAVAILABLE")]),
        (("android",), [(DeviceCheckOutcome.NOT_EVALUATED, "VERIFIER_MISSING")]),
        (
            ("android", "unavailable"),
            [
                (DeviceCheckOutcome.NOT_EVALUATED, "VERIFIER_MISSING"),
                (DeviceCheckOutcome.UNAVAILABLE, "ATTESTATION_UNAVAILABLE"),
            ],
        ),
    ],
)
def test_no_attestation_gives_assurance(
    kinds: tuple[str, ...], expected: list[tuple[DeviceCheckOutcome, str]]
) -> None:
    outcome = _assess(kinds=kinds)
    assert outcome.assurance is Assurance.NONE
    assert outcome.required is Assurance.LOW
    assert [(check.outcome, check.reason) for check in outcome.checks[1:]] == expected


def test_a_check_that_nobody_scanned_claims_nothing() -> None:
    outcome = nothing_claimed(Assurance.HIGH)
    assert outcome.assurance is Assurance.NONE
    assert [check.outcome for check in outcome.checks] == [DeviceCheckOutcome.UNAVAILABLE]
