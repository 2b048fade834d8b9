"""Every label of a Play Integrity payload, with its finding."""

from typing import Any

from device_integrity.check import DeviceFinding
from tests.device_integrity.android.play_tokens import CHALLENGE, DIGEST, b64, payload


def with_part(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


ENVIRONMENT = "environmentDetails"


LABELS: list[tuple[dict[str, Any], str, DeviceFinding, str, bool]] = [
    (
        with_part("requestDetails", requestPackageName="org.other"),
        "request_package",
        DeviceFinding.FAIL,
        "PACKAGE_UNKNOWN",
        False,
    ),
    (
        with_part("requestDetails", nonce=b64(bytes(32))),
        "challenge",
        DeviceFinding.FAIL,
        "CHALLENGE_MISMATCH",
        False,
    ),
    (with_part("requestDetails", nonce="!"), "challenge", DeviceFinding.FAIL, "CHALLENGE_MISMATCH", False),
    (with_part("requestDetails", nonce=""), "challenge", DeviceFinding.FAIL, "CHALLENGE_MISMATCH", False),
    (
        with_part("requestDetails", nonce=b64(CHALLENGE) + "="),
        "challenge",
        DeviceFinding.PASS,
        "CHALLENGE_MATCHES",
        False,
    ),
    (
        payload(testingDetails={"isTestingResponse": True}),
        "test_response",
        DeviceFinding.FAIL,
        "TEST_RESPONSE",
        False,
    ),
    (payload(testingDetails={}), "test_response", DeviceFinding.PASS, "REAL", False),
    (payload(appIntegrity={}), "app_recognition", DeviceFinding.NOT_EVALUATED, "UNEVALUATED", False),
    (payload(appIntegrity={}), "app_identity", DeviceFinding.NOT_EVALUATED, "UNEVALUATED", False),
    (
        with_part("appIntegrity", appRecognitionVerdict="NEW"),
        "app_recognition",
        DeviceFinding.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other"),
        "app_identity",
        DeviceFinding.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=["!"]),
        "app_identity",
        DeviceFinding.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[]),
        "app_identity",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName=""),
        "app_identity",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="", certificateSha256Digest=[b64(bytes(32))]),
        "app_identity",
        DeviceFinding.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", packageName="org.other", certificateSha256Digest=[]),
        "app_identity",
        DeviceFinding.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("appIntegrity", certificateSha256Digest=[b64(DIGEST), b64(bytes(32))]),
        "app_identity",
        DeviceFinding.FAIL,
        "APPLICATION_REPACKAGED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["MEETS_BASIC_INTEGRITY"]),
        "device_recognition",
        DeviceFinding.FAIL,
        "INTEGRITY_TOO_LOW",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "device_recognition",
        DeviceFinding.FAIL,
        "NO_INTEGRITY",
        False,
    ),
    (payload(deviceIntegrity={}), "device_recognition", DeviceFinding.FAIL, "NO_INTEGRITY", False),
    (
        with_part("deviceIntegrity", deviceAttributes={"sdkVersion": 32}),
        "android_version",
        DeviceFinding.FAIL,
        "WEAKER_LABELS",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceAttributes={}),
        "android_version",
        DeviceFinding.NOT_EVALUATED,
        "NOT_SAID",
        False,
    ),
    (
        payload(accountDetails={"appLicensingVerdict": "UNLICENSED"}),
        "app_licensing",
        DeviceFinding.FAIL,
        "UNLICENSED",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={}),
        "app_access_risk",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": []}),
        "app_access_risk",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNSPECIFIED"]}),
        "app_access_risk",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_INSTALLED", "UNKNOWN_LISTENING"]}
        ),
        "app_access_risk",
        DeviceFinding.NOT_EVALUATED,
        "UNKNOWN_LABEL",
        False,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=[]),
        "location_spoofing",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=["UNKNOWN"]),
        "device_recognition",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", deviceRecognitionVerdict=[]),
        "emulated_device",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part(
            ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["KNOWN_CONTROLLING", "UNKNOWN_CAPTURING"]}
        ),
        "app_access_risk",
        DeviceFinding.FAIL,
        "KNOWN_CONTROLLING",
        True,
    ),
    (
        with_part(ENVIRONMENT, appAccessRiskVerdict={"appsDetected": ["UNKNOWN_OVERLAYS"]}),
        "app_access_risk",
        DeviceFinding.FAIL,
        "UNKNOWN_OVERLAYS",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="HIGH_RISK"),
        "play_protect",
        DeviceFinding.FAIL,
        "HIGH_RISK",
        True,
    ),
    (
        with_part(ENVIRONMENT, playProtectVerdict="NO_DATA"),
        "play_protect",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
    (
        with_part("deviceIntegrity", recentDeviceActivity={"deviceActivityLevel": "LEVEL_4"}),
        "device_activity",
        DeviceFinding.FAIL,
        "LEVEL_4",
        True,
    ),
    (
        with_part(ENVIRONMENT, locationSpoofingRiskVerdict=["HIGH_RISK_DEVICE"]),
        "location_spoofing",
        DeviceFinding.FAIL,
        "HIGH_RISK_DEVICE",
        True,
    ),
    (
        with_part("deviceIntegrity", deviceRecall={}),
        "device_recall",
        DeviceFinding.NOT_EVALUATED,
        "UNEVALUATED",
        False,
    ),
]
