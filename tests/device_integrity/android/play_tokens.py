"""Mints Play Integrity tokens, right and wrong, with test keys, because Google's are secret."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from device_integrity.android.play_token import load_classic_keys
from facegate_protocol import public_key_der
from lab.simulator.devices.play_tokens import base64url as b64
from lab.simulator.devices.play_tokens import encrypted, integrity_payload, signed

__all__ = ["CHALLENGE", "DIGEST", "KEYS", "MILLIS", "PACKAGE", "b64", "encrypt", "mint", "payload", "sign"]

PACKAGE = "org.example.bank"
CHALLENGE = bytes(range(32))
DIGEST = b"\x0d" * 32
MILLIS = 1_795_176_000_000
_SIGNING = ec.derive_private_key(0x5EED, ec.SECP256R1())
_SECRET = bytes(range(32))
KEYS = load_classic_keys(
    decryption_key=base64.b64encode(_SECRET).decode(),
    verification_key=base64.b64encode(public_key_der(_SIGNING.public_key())).decode(),
)


def payload(**changes: Any) -> dict[str, Any]:
    """Google's verdict on an honest device; each change replaces a part."""
    at = datetime.fromtimestamp(MILLIS / 1000, UTC)
    return {**integrity_payload(package=PACKAGE, digest=DIGEST, nonce=CHALLENGE, at=at), **changes}


def sign(
    document: bytes,
    *,
    header: dict[str, Any] | None = None,
    key: ec.EllipticCurvePrivateKey = _SIGNING,
) -> str:
    """A compact JWS, ES256."""
    return signed(document, key=key, header=header)


def encrypt(content: bytes, *, header: bytes | None = None, key: bytes = _SECRET) -> str:
    """A compact JWE, A256KW and A256GCM."""
    return encrypted(content, secret=key, header=header)


def mint(document: dict[str, Any]) -> str:
    """A token as Google would make it."""
    return encrypt(sign(json.dumps(document).encode()).encode())
