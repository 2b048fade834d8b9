"""Which failed checks decide: one of them fails a check under every policy that does not tolerate it by name.

A check belongs here only if an honest device cannot fail it. What people bring about who share a phone, use
a filter or keep an unlocked boot loader stays out, and so do keys that live as long as an installation
(App Attest, WebAuthn), which are meant to return.
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
    """When a check that failed decides.

    Attributes:
        reasons: The reasons with which its failure decides.
        proofs: Checks of the same piece of evidence that must have passed: without them anybody may have
            written what failed.
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
    # What the app says that it found while it ran. But for hooking frameworks and debuggers it is soft, and
    # decides nothing unless the policy says otherwise.
    **{name: _fails(reason) for name, reason in RUNTIME_FAILURES.items()},
    # Frames of an earlier check, byte for byte.
    "memory.frames": _fails("FRAMES_SEEN_BEFORE"),
    # A key that is made for one check, in several.
    "memory.session_key": _fails("KEY_REUSED"),
    "memory.attestation_key": _fails("KEY_REUSED"),
    # Evidence that contradicts what the device says of itself.
    "contradiction.platform": _fails("EVIDENCE_OF_ANOTHER_PLATFORM"),
    "contradiction.app": _fails("ANOTHER_APP"),
    # Verified evidence of another app than the operator's. An untrusted chain proves no challenge.
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
    # Another server's key, where the settings say that the list of keys is complete.
    "server_key.tls": _fails("KEY_NOT_LISTED"),
}
"""By the check's name."""

RAISED_NAMES: Final = SOFT_RUNTIME_CHECKS
"""Checks that decide only where a policy names them."""

DECISIVE_NAMES: Final = frozenset(DECISIVE_CHECKS) - RAISED_NAMES
"""Checks that decide unless a policy tolerates them."""


def mark_decisive(
    checks: Iterable[DeviceCheck], *, tolerated: Collection[str] = ()
) -> tuple[DeviceCheck, ...]:
    """Marks those checks that decide, and those that would and are tolerated.

    Args:
        checks: Of one piece of evidence, or of claims and observations.
        tolerated: Names of checks that must not decide.
    """
    made = tuple(checks)
    passed = {check.name for check in made if check.outcome is DeviceFinding.PASS}
    return tuple(
        replace(check, decisive=True, tolerated=check.name in tolerated) if _decides(check, passed) else check
        for check in made
    )


def decided_by(checks: Iterable[DeviceCheck]) -> tuple[str, ...]:
    """Names of the marked checks that decide: that are not tolerated."""
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
