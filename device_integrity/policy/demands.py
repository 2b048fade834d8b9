"""A policy's demands of each platform, as a table that an operator can read."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from device_integrity.camera.claims import Platform
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest
from device_integrity.runtime import RUNTIME_FAILURES, SOFT_RUNTIME_CHECKS


class Demand(StrEnum):
    """The weight of one kind of evidence."""

    REQUIRED = "required"
    """Without it, or if it fails, the device is not trusted."""
    ADVISORY = "advisory"
    """It raises or lowers the assurance; its absence fails nothing."""
    IGNORED = "ignored"
    """It is reported without weight."""


class Evidence(StrEnum):
    """The kinds of evidence, which are the columns of the table."""

    ANDROID_KEY = "android_key"
    PLAY_INTEGRITY = "play_integrity"
    APP_ATTEST = "app_attest"
    WEB_KEY = "web_key"
    SERVER_KEY = "server_key"
    """The TLS key that the device saw."""
    DEVICE = "device"
    """The device's description."""
    CAMERA = "camera"
    """The camera's description and the frames' headers."""
    STREAM = "stream"
    """The frames themselves."""
    MEMORY = "memory"
    """Other scans of the same tenant."""
    CONTRADICTION = "contradiction"
    """Sources that contradict each other."""
    RUNTIME = "runtime"
    """The app's run-time findings. They never count for a device, so they cannot be demanded: they are
    advisory in every table."""

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The names of the verifiers of this evidence. A result of one of them suffices.

        A verifier's name is the first part of the names of its tests.
        """
        return _VERIFIERS.get(self, (self.value,))

    @property
    def raises_assurance(self) -> bool:
        """Whether it can raise the assurance of the device, and not only lower it."""
        return any(verifier in CEILINGS for verifier in self.verifiers)

    @property
    def attests(self) -> bool:
        """Whether it is an attestation. A key that a browser made is not one."""
        return self.raises_assurance and all(
            CEILINGS[verifier].attested for verifier in self.verifiers if verifier in CEILINGS
        )

    @property
    def ceiling(self) -> Assurance:
        """The highest assurance that it can give."""
        ceilings = (CEILINGS.get(verifier, Assurance.NONE) for verifier in self.verifiers)
        return max(ceilings, key=lambda one: one.level)


_VERIFIERS: Final[Mapping[Evidence, tuple[str, ...]]] = {
    Evidence.APP_ATTEST: ("app_attest", "app_attest_assertion", "app_attest_receipt"),
    Evidence.WEB_KEY: ("web_authn", "web_crypto"),
}

CEILINGS: Final[Mapping[str, Assurance]] = {
    "android_key": Assurance.HIGH,
    "app_attest": Assurance.HIGH,
    "app_attest_assertion": Assurance.HIGH,
    "play_integrity": Assurance.MEDIUM,
    # No platform attests a page or the browser that displays it; an authenticator proves a person's device.
    "web_authn": Assurance.MEDIUM,
    "web_crypto": Assurance.LOW,
}
"""The highest assurance that each verifier's evidence can vouch for."""

ATTESTATIONS: Final[Mapping[Platform, tuple[Evidence, ...]]] = {
    Platform.ANDROID: (Evidence.ANDROID_KEY, Evidence.PLAY_INTEGRITY),
    Platform.IOS: (Evidence.APP_ATTEST,),
    Platform.WEB: (Evidence.WEB_KEY,),
}
"""The evidence that vouches for devices of each platform; evidence of another platform is a contradiction."""

OPTIONAL_CHECKS: Final = frozenset(
    {
        "android_key.patch_level",
        "android_key.provisioning",
        # Google states the API level only if the app's owner requested it in the Play Console.
        "play_integrity.android_version",
        "play_integrity.app_licensing",
        "play_integrity.app_access_risk",
        "play_integrity.play_protect",
        "play_integrity.device_activity",
        "play_integrity.account_activity",
        "play_integrity.device_recall",
        "play_integrity.location_spoofing",
        "app_attest.key_use",
        "app_attest_assertion.key_use",
        "web_authn.page",
        "web_authn.user_verification",
        "web_crypto.page",
    }
)
"""Tests that the platform cannot answer on some honest devices: evidence is verified without them."""

NEEDED_CHECKS: Final[Mapping[str, frozenset[str]]] = {
    "android_key": frozenset(
        {
            "root",
            "chain_signatures",
            "chain_extension",
            "revocation",
            "challenge",
            "security_level",
            "boot_state",
            "origin",
            "application",
            "possession",
        }
    ),
    "play_integrity": frozenset(
        {
            "token",
            "challenge",
            "freshness",
            "test_response",
            "app_recognition",
            "app_identity",
            "device_recognition",
        }
    ),
    "app_attest": frozenset({"chain", "challenge", "key_id", "app", "environment", "counter"}),
    "app_attest_assertion": frozenset({"signature", "app", "counter"}),
    "web_authn": frozenset({"challenge", "origin", "signature"}),
    "web_crypto": frozenset({"origin", "signature"}),
}
"""Tests that must have passed for evidence to be verified, in addition to all others that were evaluated."""


@dataclass(frozen=True, slots=True)
class DemandTable:
    """Demands by platform and evidence.

    Attributes:
        rows: The demands on each platform. Evidence that a row omits is advisory. A platform without a row is
            refused (``allows``), and so is a device that states no platform.
        optional: Names of tests that may be NOT_EVALUATED in a verified attestation; a failed one counts.
        floor: The least assurance of a device.
        floors: The least assurance by platform, in place of ``floor``.
    """

    rows: Mapping[Platform, Mapping[Evidence, Demand]]
    optional: frozenset[str] = OPTIONAL_CHECKS
    floor: Assurance = Assurance.NONE
    floors: Mapping[Platform, Assurance] = field(default_factory=dict)

    def allows(self, platform: Platform) -> bool:
        """Return whether devices of a platform may be trusted."""
        return platform in self.rows

    def demand_for(self, platform: Platform, evidence: Evidence) -> Demand:
        """Return the demand for one kind of evidence on a platform; ADVISORY if none is stated."""
        return self.rows.get(platform, {}).get(evidence, Demand.ADVISORY)

    def least(self, platform: Platform) -> Assurance:
        """Return the least assurance with which a device of a platform is trusted."""
        return self.floors.get(platform, self.floor)

    @property
    def unattested(self) -> tuple[Platform, ...]:
        """The platforms whose devices are trusted without an attestation."""
        return tuple(
            platform
            for platform, row in self.rows.items()
            if not self.least(platform).attested
            and not any(demand is Demand.REQUIRED and evidence.attests for evidence, demand in row.items())
        )


# The decisive tests: one failure fails the whole check unless the policy tolerates the test by name.
#
# A test belongs here only if an honest device cannot fail it. Honest people share a phone, use a filter or
# have an unlocked boot loader, so tests of these are not decisive. Nor are tests of keys that live as long
# as an installation (App Attest, WebAuthn), because such keys are meant to return.


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


def mark_decisive(checks: Iterable[DeviceTest], *, tolerated: Collection[str] = ()) -> tuple[DeviceTest, ...]:
    """Mark the failed tests that are decisive, and among them those that are tolerated.

    ``tolerated`` names the tests that must not decide.
    """
    made = tuple(checks)
    passed = {check.name for check in made if check.outcome is DeviceFinding.PASS}
    return tuple(
        replace(check, decisive=True, tolerated=check.name in tolerated) if _decides(check, passed) else check
        for check in made
    )


def decided_by(checks: Iterable[DeviceTest]) -> tuple[str, ...]:
    """Return the names of the failed tests that decide the check: decisive and not tolerated."""
    return tuple(dict.fromkeys(check.name for check in checks if check.decisive and not check.tolerated))


def _decides(check: DeviceTest, passed: Collection[str]) -> bool:
    rule = DECISIVE_CHECKS.get(check.name)
    return (
        rule is not None
        and check.outcome is DeviceFinding.FAIL
        and not check.soft
        and check.reason in rule.reasons
        and rule.proofs <= set(passed)
    )
