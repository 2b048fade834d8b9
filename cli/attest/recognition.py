"""Recognises the kind of evidence by its content; the file name does not matter."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cli.errors import NotEvidence
from device_integrity import CborMalformed, decode_cbor
from formats.der import Encoding, read_prefix
from formats.errors import DerMalformed

__all__ = ["RecognisedEvidence", "RecognisedKind", "recognise"]

_MOST_CBOR_BYTES: Final = 64 * 1024
_MOST_DER_BYTES: Final = 80 * 1024
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
# Base64 has no hyphen, so a file with only BEGIN lines is scanned once, and not once for each line.
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s([^-]*)-----END CERTIFICATE-----")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_=\s-]+")
_COMPACT: Final = re.compile(rb"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)+")
_PLAY_MEMBERS: Final = frozenset(
    {"requestDetails", "deviceIntegrity", "appIntegrity", "tokenPayloadExternal"}
)
_JWE_PARTS: Final = 5


class RecognisedKind(StrEnum):
    """The recognised kinds, in words."""

    ANDROID_CHAIN = "Android key attestation, certificate chain"
    KEY_DESCRIPTION = "Android key attestation, KeyDescription alone"
    PLAY_TOKEN = "Play Integrity token"  # noqa: S105 - a kind, not a secret
    PLAY_PAYLOAD = "Play Integrity token, decoded payload"
    APP_ATTEST = "App Attest attestation object"
    APP_ATTEST_ASSERTION = "App Attest assertion"
    APP_ATTEST_RECEIPT = "App Attest receipt"
    WEB_AUTHN = "WebAuthn attestation object"


@dataclass(frozen=True, slots=True)
class RecognisedEvidence:
    """Evidence of a known kind.

    Attributes:
        kind: Its kind.
        parts: Its bytes: for a chain the certificates, leaf first; one part for every other kind.
    """

    kind: RecognisedKind
    parts: tuple[bytes, ...]


def recognise(data: bytes) -> RecognisedEvidence:
    """Recognises evidence, in binary, base64 or base64url.

    Raises:
        NotEvidence: The bytes are no known kind of evidence.
    """
    found = _recognise(data)
    text = data.strip()
    if found is None and _BASE64.fullmatch(text):
        found = _recognise(_decoded(text))
    if found is None:
        raise NotEvidence(
            "the file is not a known kind of evidence. Expected: " + "; ".join(RecognisedKind) + ". Accepted "
            "are binary and base64, and PEM for certificates."
        )
    return found


def _recognise(data: bytes) -> RecognisedEvidence | None:
    if pem := _PEM.findall(data):
        return RecognisedEvidence(RecognisedKind.ANDROID_CHAIN, tuple(map(_decoded, pem)))
    text = data.strip()
    if text.startswith(b"{"):
        return _json_kind(text)
    if _COMPACT.fullmatch(text):
        if text.count(b".") + 1 != _JWE_PARTS:
            raise NotEvidence(
                "the file is a signed or otherwise packed token, not a Play Integrity token, which is "
                "encrypted and has five parts"
            )
        return RecognisedEvidence(RecognisedKind.PLAY_TOKEN, (text,))
    return _cbor_kind(data) or _der_kind(data)


def _json_kind(text: bytes) -> RecognisedEvidence | None:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = isinstance(members, dict) and members.keys() & _PLAY_MEMBERS
    return RecognisedEvidence(RecognisedKind.PLAY_PAYLOAD, (text,)) if known else None


def _cbor_kind(data: bytes) -> RecognisedEvidence | None:
    try:
        item = decode_cbor(data, max_bytes=_MOST_CBOR_BYTES)
    except CborMalformed:
        return None
    if not isinstance(item, dict):
        return None
    if item.keys() == {"signature", "authenticatorData"}:
        return RecognisedEvidence(RecognisedKind.APP_ATTEST_ASSERTION, (data,))
    if not {"fmt", "attStmt", "authData"} <= item.keys():
        return None
    apple = item["fmt"] == "apple-appattest"
    return RecognisedEvidence(RecognisedKind.APP_ATTEST if apple else RecognisedKind.WEB_AUTHN, (data,))


def _der_kind(data: bytes) -> RecognisedEvidence | None:
    try:
        first, behind = read_prefix(data, encoding=Encoding.BER, max_bytes=_MOST_DER_BYTES)
        parts = first.sequence()
        if len(parts) == 2 and not parts[0].constructed and parts[0].object_identifier() == _SIGNED_DATA:
            return RecognisedEvidence(RecognisedKind.APP_ATTEST_RECEIPT, (data,))
        if len(parts) == 8 and not behind:
            return RecognisedEvidence(RecognisedKind.KEY_DESCRIPTION, (data,))
        if len(parts) == 3 and parts[0].constructed:
            return RecognisedEvidence(RecognisedKind.ANDROID_CHAIN, _elements(data))
    except DerMalformed:
        return None
    return None


def _elements(data: bytes) -> tuple[bytes, ...]:
    """Splits concatenated certificates."""
    found = []
    while data:
        element, behind = read_prefix(data, max_bytes=_MOST_DER_BYTES)
        found.append(element.encoded)
        data = data[len(data) - behind :]
    return tuple(found)


def _decoded(text: bytes) -> bytes:
    """Decodes base64 or base64url, padded or not; returns no bytes if the text is neither."""
    packed = re.sub(rb"[\s=]", b"", text).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return b""
