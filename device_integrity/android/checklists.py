"""The names of the tests of Android's two kinds of evidence, in order."""

from typing import Final

from device_integrity.check import Checklist

__all__ = ["ANDROID_KEY", "PLAY_INTEGRITY"]

ANDROID_KEY: Final = Checklist(
    "android_key",
    (
        "chain_form",
        "root",
        "chain_signatures",
        "chain_extension",
        "chain_authority",
        "chain_shape",
        "chain_validity",
        "revocation",
        "description",
        "challenge",
        "security_level",
        "boot_state",
        "origin",
        "purpose",
        "all_applications",
        "application",
        "patch_level",
        "provisioning",
        "encoding",
        "possession",
    ),
)
"""Tests of a key attestation."""

PLAY_INTEGRITY: Final = Checklist(
    "play_integrity",
    (
        "token",
        "request_package",
        "challenge",
        "freshness",
        "test_response",
        "app_recognition",
        "app_identity",
        "device_recognition",
        "emulated_device",
        "android_version",
        "app_licensing",
        "app_access_risk",
        "play_protect",
        "device_activity",
        "account_activity",
        "device_recall",
        "location_spoofing",
    ),
)
"""Tests of a Play Integrity token."""
