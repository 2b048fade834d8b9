"""A test substitute for Google Play: classic Play Integrity tokens under its own response keys.

A token is JWE (RFC 7516, A256KW and A256GCM) around JWS (RFC 7515, ES256) around Google's JSON.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from facegate_protocol import public_key_der
from lab.simulator.devices.authority import KeyPair, new_key

SOUND_LABELS = ("MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY", "MEETS_STRONG_INTEGRITY")
"""Google's labels for a certified phone with a locked boot loader and a recent patch."""


class TestPlay:
    """Makes tokens as Google does. The same seed gives the same keys."""

    __test__ = False  # not a test class, despite its name

    def __init__(self, *, seed: str) -> None:
        self._signing = new_key(f"{seed} signing")
        self._secret = sha256(f"{seed} encryption".encode()).digest()

    @property
    def decryption_key(self) -> str:
        """The decryption key as the Play Console shows it: 32 bytes in base64."""
        return base64.b64encode(self._secret).decode()

    @property
    def verification_key(self) -> str:
        """The verification key as the Play Console shows it: SubjectPublicKeyInfo in base64."""
        return base64.b64encode(public_key_der(self._signing.public_key())).decode()

    def token(self, payload: Mapping[str, Any]) -> str:
        """Make a classic token around a payload."""
        return encrypted(
            signed(json.dumps(payload).encode(), key=self._signing).encode(), secret=self._secret
        )


def integrity_payload(
    *,
    package: str,
    digest: bytes,
    nonce: bytes,
    at: datetime,
    recognition: str = "PLAY_RECOGNIZED",
    labels: Sequence[str] = SOUND_LABELS,
    sdk_version: int = 36,
) -> dict[str, Any]:
    """Make Google's payload for an honest device.

    Args:
        package: The app.
        digest: SHA-256 of its signing certificate, 32 bytes.
        nonce: The nonce of the app's request.
        at: Time of the token, with a time zone.
        recognition: Whether Google recognises the app.
        sdk_version: Android's API level.
    """
    return {
        "requestDetails": {
            "requestPackageName": package,
            "nonce": base64url(nonce),
            "timestampMillis": str(round(at.timestamp() * 1000)),
        },
        "appIntegrity": {
            "appRecognitionVerdict": recognition,
            "packageName": package,
            "certificateSha256Digest": [base64url(digest)],
            "versionCode": "42",
        },
        "deviceIntegrity": {
            "deviceRecognitionVerdict": list(labels),
            "recentDeviceActivity": {"deviceActivityLevel": "LEVEL_1"},
            "deviceAttributes": {"sdkVersion": sdk_version},
            "deviceRecall": {"values": {"bitFirst": False, "bitSecond": True}, "writeDates": {}},
        },
        "accountDetails": {
            "appLicensingVerdict": "LICENSED",
            "accountActivity": {"activityLevel": "TYPICAL_STRONG"},
        },
        "environmentDetails": {
            "appAccessRiskVerdict": {"appsDetected": ["KNOWN_INSTALLED"]},
            "playProtectVerdict": "NO_ISSUES",
            "locationSpoofingRiskVerdict": ["LOW_RISK_DEVICE"],
        },
    }


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(document: bytes, *, key: KeyPair, header: Mapping[str, Any] | None = None) -> str:
    """Make a compact JWS around a document; ES256 unless the header names another algorithm."""
    text = f"{base64url(json.dumps(header or {'alg': 'ES256'}).encode())}.{base64url(document)}"
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256(), deterministic_signing=True)))
    return f"{text}.{base64url(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"


def encrypted(content: bytes, *, secret: bytes, header: bytes | None = None) -> str:
    """Make a compact JWE around content, A256KW and A256GCM; equal content gives equal bytes."""
    protected = base64url(header or json.dumps({"alg": "A256KW", "enc": "A256GCM"}).encode())
    key = sha256(secret + content).digest()
    iv = sha256(key).digest()[:12]
    sealed = AESGCM(key).encrypt(iv, content, protected.encode())
    parts = (aes_key_wrap(secret, key), iv, sealed[:-16], sealed[-16:])
    return ".".join([protected, *map(base64url, parts)])
