"""Every label of a Play Integrity payload, and what it amounts to."""

from typing import Any

from device_integrity.check import CheckOutcome
from tests.device_integrity.android.play_tokens import CHALLENGE, DIGEST, b64, payload

__all__ = ["ENVIRONMENT", "LABELS", "with_part"]


def with_part(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


ENVIRONMENT = "environmentDetails"


LABELS: list[tuple[dict[str, Any], str, CheckOutcome, str, bool]] = [
    (
        with_part("requestDetails", requestPackageName="org.other"),
        "request_package",
        CheckOutcome.FAIL,
        "PACKAGE_UNKNOWN",
        False,
    ),
    (
        with_part("requestDetails", nonce=b64(bytes(32))),
        "challenge",
        CheckOutcome.FAIL,
        "CHALLENGE_MISMATCH",
        False,
    ),
    (with_part("requestDetails", nonce="!"), "challenge", CheckOutcome.FAIL, "CHALLENGE_MISMATCH", False),
    (with_part("requestDetails", nonce=""), "challenge", CheckOutcome.FAIL, "CHALLENGE_MISMATCH", False),
    (
        with_part("requestDetails", nonce=b64(CHALLENGE) + "="),
        "challenge",
        CheckOutcome.PASS,
        "CHALLENGE_MATCHES",
        False,
    ),
    (
        payload(testingDetails={"isTestingResponse": True}),
        "test_response",
        CheckOutcome.FAIL,
        "TEST_RESPONSE",
        False,
    ),
    (payload(testingDetails={}), "test_response", CheckOutcome.PASS, "REAL", False),
    (payload(appIntegrity={}), "app_recognition", CheckOutcome.NOT_EVALUATED, "UNEVALUATED", False),
    (payload(appIntegrity={}), "app_identity", CheckOutcome.NOT_EVALUATED, "UNEVALUATED", False),
    (
        with_part("appIntegrity", appRecognitionVerdict="NEW"),
        "app_recognition",
        CheckOutcome.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other"),
        "app_identity",
        CheckOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=["!"]),
        "app_identity",
        CheckOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[]),
        "app_identity",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName=""),
        "app_identity",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="", certificateSha256Digest=[b64(bytes(32))]),
        "app_identity",
        CheckOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other", certificateSha256Digest=[]),
        "app_identity",
        CheckOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[b64(DIGEST), b64(bytes(32))]),
        "app_identity",
        CheckOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["MEETS_BASIC_INTEGRITY"]),
        "device_recognition",
        CheckOutcome.FAIL,
        "INTEGRITY_TOO_LOW",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "device_recognition",
        CheckOutcome.FAIL,
        "NO_INTEGRITY",
        False,
    ),
    (payload(deviceIntegrity={}), "device_recognition", CheckOutcome.FAIL, "NO_INTEGRITY", False),
    (
        with_part("deviceIntegrity", deviceAttributes={"sdkVersion": 32}),
        "android_version",
        CheckOutcome.FAIL,
        "WEAKER_LABELS",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceAttributes={}),
        "android_version",
        CheckOutcome.NOT_EVALUATED,
        "NOT_SAID",
        False,
    ),
    (
        payload(accountDetails={"appLicensingVerdict": "UNLICENSED"}),
        "app_licensing",
        CheckOutcome.FAIL,
        "UNLICENSED",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={}),
        "app_access_risk",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": []}),
        "app_access_risk",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNSPECIFIED"]}),
        "app_access_risk",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_INSTALLED", "UNKNOWN_LISTENING"]}
        ),
        "app_access_risk",
        CheckOutcome.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=[]),
        "location_spoofing",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["UNKNOWN"]),
        "device_recognition",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "emulated_device",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_CONTROLLING", "UNKNOWN_CAPTURING"]}
        ),
        "app_access_risk",
        CheckOutcome.FAIL,
        "KNOWN_CONTROLLING",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNKNOWN_OVERLAYS"]}),
        "app_access_risk",
        CheckOutcome.FAIL,
        "UNKNOWN_OVERLAYS",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="HIGH_RISK"),
        "play_protect",
        CheckOutcome.FAIL,
        "HIGH_RISK",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="NO_DATA"),
        "play_protect",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", recentDeviceActivity={"deviceActivityLevel": "LEVEL_4"}),
        "device_activity",
        CheckOutcome.FAIL,
        "LEVEL_4",
        True,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=["HIGH_RISK_DEVICE"]),
        "location_spoofing",
        CheckOutcome.FAIL,
        "HIGH_RISK_DEVICE",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceRecall={}),
        "device_recall",
        CheckOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
]
