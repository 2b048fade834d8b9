"""The decisive tests: one failure fails the whole check unless the policy tolerates the test by name.

A test belongs here only if an honest device cannot fail it. Honest people share a phone, use a filter or have
an unlocked boot loader, so tests of these are not decisive. Nor are tests of keys that live as long as an
installation (App Attest, WebAuthn), because such keys are meant to return.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from device_integrity.check import DeviceCheck, DeviceFinding
from device_integrity.runtime import RUNTIME_FAILURES, SOFT_RUNTIME_CHECKS

__all__ = [
    "DECISIVE_CHECKS",
    "DECISIVE_NAMES",
    "RAISED_NAMES",
    "DecisiveCheck",
    "decided_by",
    "mark_decisive",
]


@dataclass(frozen=True, slots=True)
class DecisiveCheck:
    """The conditions under which a failed test is decisive.

    Attributes:
        reasons: The reasons with which its failure is decisive.
        proofs: Tests of the same piece of evidence that must have passed. Without them, an attacker could
            have forged the failing part in another person's evidence.
    """

    reasons: frozenset[str]
    proofs: frozenset[str] = frozenset()


def _fails(*reasons: str, proofs: tuple[str, ...] = ()) -> DecisiveCheck:
    return DecisiveCheck(frozenset(reasons), frozenset(proofs))


DECISIVE_CHECKS: Final[Mapping[str, DecisiveCheck]] = {
    # A camera on the hard list.
    "camera.name": _fails("KNOWN_VIRTUAL_CAMERA"),
    # A declared emulator.
    "device.emulator": _fails("KNOWN_EMULATOR", "EMULATOR_CAMERA"),
    # Run-time findings. All but hooking frameworks and debuggers are soft, and decide only if the policy
    # says so.
    **{name: _fails(reason) for name, reason in RUNTIME_FAILURES.items()},
    # Frames of an earlier check: the same files, or the same pictures in other files.
    "memory.frames": _fails("FRAMES_SEEN_BEFORE", "FRAMES_SHOWN_BEFORE"),
    # A key that is made for one check, used in several.
    "memory.session_key": _fails("KEY_REUSED"),
    "memory.attestation_key": _fails("KEY_REUSED"),
    # Evidence that contradicts the device's claims.
    "contradiction.platform": _fails("EVIDENCE_OF_ANOTHER_PLATFORM"),
    "contradiction.app": _fails("ANOTHER_APP"),
    # Verified evidence of an app other than the operator's. An untrusted chain proves no challenge.
    "android_key.application": _fails(
        "APPLICATION_UNKNOWN",
        "APPLICATION_REPACKAGED",
        proofs=("android_key.challenge", "android_key.possession"),
    ),
    "play_integrity.request_package": _fails(
        "PACKAGE_UNKNOWN", proofs=("play_integrity.token", "play_integrity.challenge")
    ),
    "play_integrity.app_identity": _fails(
        "APPLICATION_REPACKAGED",
        proofs=("play_integrity.token", "play_integrity.challenge", "play_integrity.test_response"),
    ),
    "app_attest.app": _fails(
        "APP_NOT_ALLOWED", proofs=("app_attest.chain", "app_attest.challenge", "app_attest.key_id")
    ),
    "app_attest_assertion.app": _fails("APP_MISMATCH", proofs=("app_attest_assertion.signature",)),
    "app_attest_receipt.app": _fails(
        "APP_MISMATCH", proofs=("app_attest_receipt.chain", "app_attest_receipt.signature")
    ),
    # Another server's key, if the settings state that the list of keys is complete.
    "server_key.tls": _fails("KEY_NOT_LISTED"),
}
"""The conditions by the test's name."""

RAISED_NAMES: Final = SOFT_RUNTIME_CHECKS
"""Tests that decide only if a policy names them."""

DECISIVE_NAMES: Final = frozenset(DECISIVE_CHECKS) - RAISED_NAMES
"""Tests that decide unless a policy tolerates them."""


def mark_decisive(
    checks: Iterable[DeviceCheck], *, tolerated: Collection[str] = ()
) -> tuple[DeviceCheck, ...]:
    """Marks the failed tests that are decisive, and among them those that are tolerated.

    Args:
        checks: The tests of one piece of evidence, or of claims and observations.
        tolerated: Names of the tests that must not decide.
    """
    made = tuple(checks)
    passed = {check.name for check in made if check.outcome is DeviceFinding.PASS}
    return tuple(
        replace(check, decisive=True, tolerated=check.name in tolerated) if _decides(check, passed) else check
        for check in made
    )


def decided_by(checks: Iterable[DeviceCheck]) -> tuple[str, ...]:
    """Returns the names of the failed tests that decide the check: decisive and not tolerated."""
    return tuple(dict.fromkeys(check.name for check in checks if check.decisive and not check.tolerated))


def _decides(check: DeviceCheck, passed: Collection[str]) -> bool:
    rule = DECISIVE_CHECKS.get(check.name)
    return (
        rule is not None
        and check.outcome is DeviceFinding.FAIL
        and not check.soft
        and check.reason in rule.reasons
        and rule.proofs <= set(passed)
    )
