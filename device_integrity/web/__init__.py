"""Verifies the evidence of a browser: a signature by a WebAuthn or WebCrypto key, and the page's origin.

No browser attests more than that: nothing covers the device or its camera.
"""

from device_integrity.web.ceremony import (
    RelyingParty,
    parse_client_data,
    parse_registration,
)
from device_integrity.web.webauthn import (
    EnrolledCredential,
    WebAuthnResult,
    verify_authentication,
    verify_registration,
)
from device_integrity.web.webcrypto import verify_web_crypto

__all__ = [
    "EnrolledCredential",
    "RelyingParty",
    "WebAuthnResult",
    "parse_client_data",
    "parse_registration",
    "verify_authentication",
    "verify_registration",
    "verify_web_crypto",
]
