"""Every label of a Play Integrity payload, and what it amounts to."""

from typing import Any

from device_integrity.check import TestOutcome
from tests.device_integrity.android.play_tokens import CHALLENGE, DIGEST, b64, payload

__all__ = ["ENVIRONMENT", "LABELS", "with_part"]


def with_part(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


ENVIRONMENT = "environmentDetails"


LABELS: list[tuple[dict[str, Any], str, TestOutcome, str, bool]] = [
    (
        with_part("requestDetails", requestPackageName="org.other"),
        "request_package",
        TestOutcome.FAIL,
        "PACKAGE_UNKNOWN",
        False,
    ),
    (
        with_part("requestDetails", nonce=b64(bytes(32))),
        "challenge",
        TestOutcome.FAIL,
        "CHALLENGE_MISMATCH",
        False,
    ),
    (with_part("requestDetails", nonce="!"), "challenge", TestOutcome.FAIL, "CHALLENGE_MISMATCH", False),
    (with_part("requestDetails", nonce=""), "challenge", TestOutcome.FAIL, "CHALLENGE_MISMATCH", False),
    (
        with_part("requestDetails", nonce=b64(CHALLENGE) + "="),
        "challenge",
        TestOutcome.PASS,
        "CHALLENGE_MATCHES",
        False,
    ),
    (
        payload(testingDetails={"isTestingResponse": True}),
        "test_response",
        TestOutcome.FAIL,
        "TEST_RESPONSE",
        False,
    ),
    (payload(testingDetails={}), "test_response", TestOutcome.PASS, "REAL", False),
    (payload(appIntegrity={}), "app_recognition", TestOutcome.NOT_EVALUATED, "UNEVALUATED", False),
    (payload(appIntegrity={}), "app_identity", TestOutcome.NOT_EVALUATED, "UNEVALUATED", False),
    (
        with_part("appIntegrity", appRecognitionVerdict="NEW"),
        "app_recognition",
        TestOutcome.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other"),
        "app_identity",
        TestOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=["!"]),
        "app_identity",
        TestOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[]),
        "app_identity",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName=""),
        "app_identity",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="", certificateSha256Digest=[b64(bytes(32))]),
        "app_identity",
        TestOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other", certificateSha256Digest=[]),
        "app_identity",
        TestOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[b64(DIGEST), b64(bytes(32))]),
        "app_identity",
        TestOutcome.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["MEETS_BASIC_INTEGRITY"]),
        "device_recognition",
        TestOutcome.FAIL,
        "INTEGRITY_TOO_LOW",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "device_recognition",
        TestOutcome.FAIL,
        "NO_INTEGRITY",
        False,
    ),
    (payload(deviceIntegrity={}), "device_recognition", TestOutcome.FAIL, "NO_INTEGRITY", False),
    (
        with_part("deviceIntegrity", deviceAttributes={"sdkVersion": 32}),
        "android_version",
        TestOutcome.FAIL,
        "WEAKER_LABELS",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceAttributes={}),
        "android_version",
        TestOutcome.NOT_EVALUATED,
        "NOT_SAID",
        False,
    ),
    (
        payload(accountDetails={"appLicensingVerdict": "UNLICENSED"}),
        "app_licensing",
        TestOutcome.FAIL,
        "UNLICENSED",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={}),
        "app_access_risk",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": []}),
        "app_access_risk",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNSPECIFIED"]}),
        "app_access_risk",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_INSTALLED", "UNKNOWN_LISTENING"]}
        ),
        "app_access_risk",
        TestOutcome.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=[]),
        "location_spoofing",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["UNKNOWN"]),
        "device_recognition",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "emulated_device",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_CONTROLLING", "UNKNOWN_CAPTURING"]}
        ),
        "app_access_risk",
        TestOutcome.FAIL,
        "KNOWN_CONTROLLING",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNKNOWN_OVERLAYS"]}),
        "app_access_risk",
        TestOutcome.FAIL,
        "UNKNOWN_OVERLAYS",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="HIGH_RISK"),
        "play_protect",
        TestOutcome.FAIL,
        "HIGH_RISK",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="NO_DATA"),
        "play_protect",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", recentDeviceActivity={"deviceActivityLevel": "LEVEL_4"}),
        "device_activity",
        TestOutcome.FAIL,
        "LEVEL_4",
        True,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=["HIGH_RISK_DEVICE"]),
        "location_spoofing",
        TestOutcome.FAIL,
        "HIGH_RISK_DEVICE",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceRecall={}),
        "device_recall",
        TestOutcome.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
]
