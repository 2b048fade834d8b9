"""What a policy demands of each platform: a table that an operator can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from device_integrity.assurance import Assurance
from device_integrity.camera.claims import Platform

__all__ = [
    "ATTESTATIONS",
    "CEILINGS",
    "DEFAULT_DEMANDS",
    "NEEDED_CHECKS",
    "OPTIONAL_CHECKS",
    "Demand",
    "DemandTable",
    "Evidence",
]


class Demand(StrEnum):
    """How much a kind of evidence matters."""

    REQUIRED = "required"
    """Without it, or where it fails, the device is not trusted."""
    ADVISORY = "advisory"
    """It raises or lowers the assurance; its absence fails nothing."""
    IGNORED = "ignored"
    """It is reported and not weighed."""


class Evidence(StrEnum):
    """The columns of the table."""

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
    """Other scans of the same customer."""
    CONTRADICTION = "contradiction"
    """Sources that contradict each other."""
    RUNTIME = "runtime"
    """What the app says that it found while it ran. It never speaks for a device, so it cannot be demanded:
    it is advisory in every table."""

    @property
    def verifiers(self) -> tuple[str, ...]:
        """First parts of the check names that belong to it; of several verifiers one is enough."""
        return _VERIFIERS.get(self, (self.value,))

    @property
    def vouches(self) -> bool:
        """Whether it can vouch for the device, and not only speak against it."""
        return any(verifier in CEILINGS for verifier in self.verifiers)

    @property
    def ceiling(self) -> Assurance:
        """The most that it can vouch for."""
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
    # No platform attests a page or the browser that shows it; an authenticator proves a person's device.
    "web_authn": Assurance.MEDIUM,
    "web_crypto": Assurance.LOW,
}
"""The most that each verifier's evidence can vouch for."""

ATTESTATIONS: Final[Mapping[Platform, tuple[Evidence, ...]]] = {
    Platform.ANDROID: (Evidence.ANDROID_KEY, Evidence.PLAY_INTEGRITY),
    Platform.IOS: (Evidence.APP_ATTEST,),
    Platform.WEB: (Evidence.WEB_KEY,),
}
"""The evidence that vouches for devices of each platform; that of another one contradicts the claim."""

OPTIONAL_CHECKS: Final = frozenset(
    {
        "android_key.patch_level",
        "android_key.provisioning",
        # Google tells the API level only where the app's owner asked for it in the Play Console.
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
"""What the platform leaves open on honest devices: evidence is verified without."""

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
"""Checks that must have passed whatever else did: a verifier that left one out has verified nothing."""


@dataclass(frozen=True, slots=True)
class DemandTable:
    """Demands by platform and evidence.

    Attributes:
        rows: What is left out of a row is advisory; a platform without a row, such as one that the device
            does not name, is refused (``allows``).
        optional: Names of checks that an attestation is verified without where they were not made
            (NOT_EVALUATED); a failed one counts all the same.
        floor: The least assurance of a device.
        floors: The same for platforms that have one of their own.
    """

    rows: Mapping[Platform, Mapping[Evidence, Demand]]
    optional: frozenset[str] = OPTIONAL_CHECKS
    floor: Assurance = Assurance.NONE
    floors: Mapping[Platform, Assurance] = field(default_factory=dict)

    def allows(self, platform: Platform) -> bool:
        """Whether devices of a platform may be trusted at all."""
        return platform in self.rows

    def of(self, platform: Platform, evidence: Evidence) -> Demand:
        """The demand."""
        return self.rows.get(platform, {}).get(evidence, Demand.ADVISORY)

    def least(self, platform: Platform) -> Assurance:
        """The least assurance with which a device of a platform is trusted."""
        return self.floors.get(platform, self.floor)


_LOOKED_AT: Final = {
    Evidence.DEVICE: Demand.REQUIRED,
    Evidence.CAMERA: Demand.REQUIRED,
    Evidence.STREAM: Demand.REQUIRED,
    Evidence.CONTRADICTION: Demand.REQUIRED,
}

DEFAULT_DEMANDS: Final = DemandTable(
    {
        Platform.ANDROID: {
            Evidence.ANDROID_KEY: Demand.REQUIRED,
            Evidence.PLAY_INTEGRITY: Demand.ADVISORY,
            Evidence.APP_ATTEST: Demand.IGNORED,
            Evidence.WEB_KEY: Demand.IGNORED,
            Evidence.SERVER_KEY: Demand.REQUIRED,
            **_LOOKED_AT,
        },
        Platform.IOS: {
            Evidence.APP_ATTEST: Demand.REQUIRED,
            Evidence.ANDROID_KEY: Demand.IGNORED,
            Evidence.PLAY_INTEGRITY: Demand.IGNORED,
            Evidence.WEB_KEY: Demand.IGNORED,
            Evidence.SERVER_KEY: Demand.REQUIRED,
            **_LOOKED_AT,
        },
        Platform.WEB: {
            Evidence.WEB_KEY: Demand.REQUIRED,
            Evidence.ANDROID_KEY: Demand.IGNORED,
            Evidence.PLAY_INTEGRITY: Demand.IGNORED,
            Evidence.APP_ATTEST: Demand.IGNORED,
            # A page cannot see the certificate of its own connection.
            Evidence.SERVER_KEY: Demand.IGNORED,
            **_LOOKED_AT,
        },
    }
)
"""Of a policy that wants the most that each platform can give. A desktop can give nothing: it has no row.

What earlier scans add is advisory, as it needs a memory that a policy may not want to keep.
"""
