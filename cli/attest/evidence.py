"""Recognises the kind of evidence by its content; the report on a piece of it: its content and its tests."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from cli.errors import CommandError
from cli.shown import Section
from device_integrity import CborMalformed, DeviceFinding, DeviceTest, decode_cbor
from formats.der import Encoding, read_prefix
from formats.errors import DerMalformed

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
_MOST_SHOWN: Final = 64


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
        parts: Its bytes: for a chain the certificates, leaf first; one part for every other kind.
    """

    kind: RecognisedKind
    parts: tuple[bytes, ...]


def recognise(data: bytes) -> RecognisedEvidence:
    """Recognise evidence, in binary, base64 or base64url."""
    found = _recognise(data)
    text = data.strip()
    if found is None and _BASE64.fullmatch(text):
        found = _recognise(_decoded(text))
    if found is None:
        raise CommandError(
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
            raise CommandError(
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
    """Split concatenated certificates."""
    found = []
    while data:
        element, behind = read_prefix(data, max_bytes=_MOST_DER_BYTES)
        found.append(element.encoded)
        data = data[len(data) - behind :]
    return tuple(found)


def _decoded(text: bytes) -> bytes:
    """Decode base64 or base64url, padded or not; return no bytes if the text is neither."""
    packed = re.sub(rb"[\s=]", b"", text).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenInputs:
    """The user's inputs for the tests; ``None`` or empty if not given.

    Attributes:
        challenge: The challenge that the evidence must contain, bytes.
        app: Apple's application identifiers; for Android and Play, package names with ``@`` and the
            SHA-256 of a signing certificate in hexadecimal.
        key_id: The identifier that was sent with the evidence.
        public_key: The enrolled key, SubjectPublicKeyInfo, DER.
        counter: The last known counter of the enrolled key.
    """

    at: datetime
    challenge: bytes | None = None
    app: tuple[str, ...] = ()
    key_id: bytes | None = None
    public_key: bytes | None = None
    counter: int | None = None
    client_data: bytes | None = None
    rp_id: str | None = None
    revocation: bytes | None = None
    play_keys: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report on one piece of evidence."""

    kind: str
    sections: tuple[Section, ...]
    checks: tuple[DeviceTest, ...]

    @property
    def failed(self) -> bool:
        """Whether a test failed."""
        return any(check.outcome is DeviceFinding.FAIL for check in self.checks)


def as_json(report: Report) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "kind": report.kind,
        "said": {section.title: dict(section.rows) for section in report.sections},
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome.value,
                "reason": check.reason,
                "detail": check.detail,
                "sign_of": None if check.sign_of is None else check.sign_of.value,
                "soft": check.soft,
            }
            for check in report.checks
        ],
    }


def hexadecimal(data: bytes) -> str:
    """Return bytes in hexadecimal. Long ones are truncated, with their length."""
    text = data[:_MOST_SHOWN].hex()
    return text if len(data) <= _MOST_SHOWN else f"{text}... ({len(data)} bytes)"


def moment(at: datetime) -> str:
    """Return a time for people."""
    return at.isoformat(sep=" ", timespec="seconds")
