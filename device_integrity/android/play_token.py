"""Decrypts and verifies Play Integrity tokens.

A classic token is a JWE (RFC 7516, A256KW and A256GCM) around a JWS (RFC 7515, ES256), which the server can
decrypt with the keys of the Play Console. Only Google can decrypt a standard token, so the server implements
the protocol ``PlayTokenDecoder`` with a call to Google (developer.android.com, "Decrypt and verify the
integrity verdict").
"""

import base64
import binascii
import json
import re
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OctKey

from device_integrity.errors import PlayTokenMalformed, ReferenceDataMalformed

MAX_TOKEN_BYTES: Final = 64 * 1024

_MAX_HEADER_CHARACTERS: Final = 1024
_AES_KEY_BYTES: Final = 32
_BASE64URL: Final = (string.ascii_letters + string.digits + "-_").encode()
_IV_CHARACTERS: Final = 16
_TAG_CHARACTERS: Final = 22
_JWE_HEADER: Final = (("alg", "A256KW"), ("enc", "A256GCM"))
_JWS_HEADER: Final = (("alg", "ES256"),)
_REGISTRY: Final = JWERegistry(algorithms=["A256KW", "A256GCM"])
_HARMLESS: Final = frozenset({"typ", "cty", "kid"})


class PlayTokenKind(StrEnum):
    """The kind of request that made a token."""

    CLASSIC = "classic"
    """Its challenge is ``nonce``. The keys of the Play Console, or Google, decrypt it."""
    STANDARD = "standard"
    """Its challenge is ``requestHash``. Only Google decrypts it."""


class PlayTokenDecoder(Protocol):
    """Decrypts tokens of both kinds, with Google's service or a replacement in tests."""

    async def decode(self, *, package: str, token: str) -> bytes:
        """Return the payload of a token, ``tokenPayloadExternal`` as JSON.

        Args:
            package: The package name of the app that requested the token.
            token: The token as the device sent it, at most 64 KiB.

        Raises:
            PlayTokenMalformed: The decoder refused the token.
            PlayDecoderUnavailable: The decoder did not answer, or its answer is unusable.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClassicKeys:
    """The response keys of the Play Console.

    Attributes:
        decryption_key: AES, 32 bytes.
        verification_key: EC key on P-256.
    """

    decryption_key: OctKey = field(repr=False)
    verification_key: ECKey


def load_classic_keys(*, decryption_key: str, verification_key: str) -> ClassicKeys:
    """Read the response keys in the form of the Play Console.

    Args:
        decryption_key: 32 bytes in base64.
        verification_key: SubjectPublicKeyInfo of a P-256 key (DER) in base64.

    Raises:
        ReferenceDataMalformed: A key has another form. The message does not repeat the key.
    """
    try:
        secret = base64.b64decode(decryption_key, validate=True)
        public = load_der_public_key(base64.b64decode(verification_key, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ReferenceDataMalformed(
            "a Play response key is not base64, or the verification key is not a SubjectPublicKeyInfo"
        ) from error
    if len(secret) != _AES_KEY_BYTES:
        raise ReferenceDataMalformed(
            f"the Play decryption key has {len(secret)} bytes, {_AES_KEY_BYTES} expected"
        )
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ReferenceDataMalformed("the Play verification key is not on P-256")
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ClassicKeys(OctKey.import_key(secret), ECKey.import_key(pem))


def open_classic_token(token: str, *, keys: ClassicKeys) -> bytes:
    """Decrypt and verify a classic token.

    Args:
        token: Five parts in base64url without padding, at most 64 KiB.
        keys: The app's response keys.

    Returns:
        The payload as JSON.

    Raises:
        PlayTokenMalformed: It is another kind of token, has other algorithms or keys, or was changed.
    """
    # 1. The token is a compact JWE of five parts in base64url, within the limit (RFC 7516, section 7.1).
    if len(token) > MAX_TOKEN_BYTES:
        raise PlayTokenMalformed(f"the token has {len(token)} bytes; at most {MAX_TOKEN_BYTES} are accepted")
    parts = _parts(token, 5, "an encrypted token")
    # 2. The header states A256KW and A256GCM; besides, only typ, cty and kid may occur (RFC 7516, 4.1).
    _validate_header(parts[0], _JWE_HEADER)
    # 3. The initialisation vector has 96 bits and the tag 128 (RFC 7518, section 5.3).
    if (len(parts[2]), len(parts[4])) != (_IV_CHARACTERS, _TAG_CHARACTERS):
        raise PlayTokenMalformed(
            "the token's initialisation vector does not have 96 bits, or its tag not 128"
        )
    # 4. The token decrypts with the app's key, and its tag is right (RFC 7516, section 5.2).
    try:
        signed = jwe.decrypt_compact(token, keys.decryption_key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, AssertionError) as error:
        raise PlayTokenMalformed("the token cannot be decrypted") from error
    return _open_signed(signed or b"", keys.verification_key)


def _open_signed(signed: bytes, key: ECKey) -> bytes:
    # 5. The decrypted token is a compact JWS of three parts (RFC 7515, section 7.1).
    try:
        compact = signed.decode("ascii")
    except UnicodeDecodeError as error:
        raise PlayTokenMalformed("the decrypted token is not a signed token: it is not ASCII") from error
    parts = _parts(compact, 3, "a signed token")
    # 6. The header states ES256; besides, only typ, cty and kid may occur (RFC 7515, 4.1).
    _validate_header(parts[0], _JWS_HEADER)
    # 7. Google's key signed it (RFC 7515, section 5.2, step 8; RFC 7518, section 3.4).
    try:
        return jws.deserialize_compact(compact, key, algorithms=["ES256"]).payload
    except (JoseError, ValueError) as error:
        raise PlayTokenMalformed("the token has no valid signature by Google's key") from error


def _parts(token: str, count: int, what: str) -> list[str]:
    # Decoders of base64 skip characters outside its alphabet.
    rest = token.encode("ascii", "replace").translate(None, _BASE64URL)
    if rest != b"." * (count - 1):
        raise PlayTokenMalformed(f"the token is not {what} of {count} parts in base64url")
    return token.split(".")


@lru_cache(maxsize=16)
def _validate_header(encoded: str, expected: tuple[tuple[str, str], ...]) -> None:
    """Refuse any other algorithm, compression, critical extensions, and keys that the sender chooses.

    Google's headers are always the same, so valid ones are cached; refused ones are not.
    """
    if len(encoded) > _MAX_HEADER_CHARACTERS:
        raise PlayTokenMalformed(f"a header of the token has more than {_MAX_HEADER_CHARACTERS} characters")
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        header: Any = json.loads(base64.urlsafe_b64decode(padded).decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise PlayTokenMalformed("a header of the token is not JSON, or has a member twice") from error
    if not isinstance(header, dict):
        raise PlayTokenMalformed("a header of the token is not a JSON object")
    known = {name: value for name, value in header.items() if name not in _HARMLESS}
    if known != dict(expected):
        raise PlayTokenMalformed(f"a header of the token is not {json.dumps(dict(expected))}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the object has a member twice")
    return found


# Reads the payload of a Play Integrity token: Google's statements on request, app and device.
#
# The fields are those of ``TokenPayloadExternal`` in the discovery document of
# playintegrity.googleapis.com, revision 20260910. Labels that this release does not know are kept, because
# Google adds new ones.

MAX_PAYLOAD_BYTES: Final = 64 * 1024

_MAX_TEXT: Final = 2048
_MAX_WORDS: Final = 64
_MAX_MILLIS: Final = 253_402_300_799_000
_BASE64URL_TEXT: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_BITS: Final = ("bitFirst", "bitSecond", "bitThird")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRequest:
    """The request that the token answers.

    Attributes:
        package: The app that made the request.
        nonce: Challenge of a classic request, decoded; ``None`` if it is missing or not base64url.
        request_hash: Challenge of a standard request, decoded; ``None`` as for ``nonce``.
        time: When the token was made, UTC.
    """

    package: str
    nonce: bytes | None
    request_hash: bytes | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayApp:
    """The app; its attributes are empty if Google did not evaluate it.

    Attributes:
        recognition: PLAY_RECOGNIZED, UNRECOGNIZED_VERSION or UNEVALUATED.
        certificate_digests: SHA-256 of its signing certificates.
        licensing: LICENSED, UNLICENSED or UNEVALUATED.
    """

    recognition: str
    package: str
    certificate_digests: frozenset[bytes]
    licensing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayDevice:
    """The device.

    Attributes:
        labels: MEETS_BASIC_INTEGRITY, MEETS_DEVICE_INTEGRITY, MEETS_STRONG_INTEGRITY and
            MEETS_VIRTUAL_INTEGRITY; none for a rooted device, a hooked app or an emulator. The labels of
            the older classification, ``legacyDeviceRecognitionVerdict``, are not read.
        sdk_version: API level of Android; ``None`` if Google does not state it.
        activity: LEVEL_1 (fewest tokens in the last hour) to LEVEL_4, UNEVALUATED, or empty.
        account_activity: A retired label, such as UNUSUAL; empty if Google does not state it.
        recall_bits: The app's own bits that are set for this device, 1 to 3; ``None`` if not stated.
    """

    labels: frozenset[str]
    sdk_version: int | None
    activity: str
    account_activity: str
    recall_bits: frozenset[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayEnvironment:
    """The other apps and services of the device.

    Attributes:
        apps_detected: Labels such as KNOWN_CAPTURING or UNKNOWN_CONTROLLING; empty if none was detected,
            ``None`` if not evaluated.
        play_protect: NO_ISSUES, NO_DATA, POSSIBLE_RISK, MEDIUM_RISK, HIGH_RISK, UNEVALUATED, or empty.
        location_spoofing: Labels such as HIGH_RISK_DEVICE; ``None`` if not evaluated.
    """

    apps_detected: frozenset[str] | None
    play_protect: str
    location_spoofing: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayPayload:
    """The whole payload.

    Attributes:
        environment: The other apps and services of the device.
        is_test: Whether the app's developer set the response in the Play Console.
    """

    request: PlayRequest
    app: PlayApp
    device: PlayDevice
    environment: PlayEnvironment
    is_test: bool


def parse_payload(data: bytes) -> PlayPayload:
    """Read a payload.

    Args:
        data: JSON, at most 64 KiB: the payload itself, or the response of ``decodeIntegrityToken`` around it.

    Raises:
        PlayTokenMalformed: It is too long or not JSON, a field has another type, or the request's time is
            missing.
    """
    if len(data) > MAX_PAYLOAD_BYTES:
        raise PlayTokenMalformed(
            f"the payload has {len(data)} bytes; at most {MAX_PAYLOAD_BYTES} are accepted"
        )
    try:
        document: Any = _JSON.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PlayTokenMalformed("the payload is not JSON") from error
    root = _table(document, "the payload")
    root = _inner(root, "tokenPayloadExternal") or root
    request = _inner(root, "requestDetails")
    app = _inner(root, "appIntegrity")
    device = _inner(root, "deviceIntegrity")
    account = _inner(root, "accountDetails")
    environment = _inner(root, "environmentDetails")
    return PlayPayload(
        request=PlayRequest(
            package=_text(request, "requestPackageName"),
            nonce=_decoded(_text(request, "nonce")),
            request_hash=_decoded(_text(request, "requestHash")),
            time=_time(request),
        ),
        app=PlayApp(
            recognition=_text(app, "appRecognitionVerdict"),
            package=_text(app, "packageName"),
            certificate_digests=_digests(app),
            licensing=_text(account, "appLicensingVerdict"),
        ),
        device=PlayDevice(
            labels=_words(device, "deviceRecognitionVerdict") or frozenset(),
            sdk_version=_whole(_inner(device, "deviceAttributes"), "sdkVersion"),
            activity=_text(_inner(device, "recentDeviceActivity"), "deviceActivityLevel"),
            account_activity=_text(_inner(account, "accountActivity"), "activityLevel"),
            recall_bits=_recall(device),
        ),
        environment=PlayEnvironment(
            apps_detected=_words(_inner(environment, "appAccessRiskVerdict"), "appsDetected"),
            play_protect=_text(environment, "playProtectVerdict"),
            location_spoofing=_words(environment, "locationSpoofingRiskVerdict"),
        ),
        is_test=_flag(_inner(root, "testingDetails"), "isTestingResponse"),
    )


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique)


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlayTokenMalformed(f"{name} is not an object")
    return value


def _inner(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a member that is an object; an empty object if it is missing."""
    value = table.get(name)
    return {} if value is None else _table(value, name)


def _text(table: dict[str, Any], name: str) -> str:
    return _a_text(table.get(name, ""), name)


def _a_text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise PlayTokenMalformed(f"{name} is not a text of at most {_MAX_TEXT} characters")
    return value


def _words(table: dict[str, Any], name: str) -> frozenset[str] | None:
    value = table.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MAX_WORDS:
        raise PlayTokenMalformed(f"{name} is not an array of at most {_MAX_WORDS} texts")
    return frozenset([_a_text(word, name) for word in value])


def _flag(table: dict[str, Any], name: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise PlayTokenMalformed(f"{name} is not true or false")
    return value


def _whole(table: dict[str, Any], name: str) -> int | None:
    """Return a number; Google writes numbers of 64 bits as strings."""
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise PlayTokenMalformed(f"{name} is not a number")
    return value


def _time(request: dict[str, Any]) -> datetime:
    millis = _whole(request, "timestampMillis")
    if millis is None or millis > _MAX_MILLIS:
        raise PlayTokenMalformed("timestampMillis is missing or not a time")
    return datetime.fromtimestamp(millis / 1000, UTC)


def _decoded(text: str) -> bytes | None:
    """Decode base64url, with or without padding; return ``None`` for anything else."""
    if not text or not _BASE64URL_TEXT.fullmatch(text):
        return None
    bare = text.rstrip("=")
    if len(bare) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _digests(app: dict[str, Any]) -> frozenset[bytes]:
    words = _words(app, "certificateSha256Digest") or frozenset()
    # A digest that cannot be read is replaced by bytes that match no app.
    return frozenset(_decoded(word) or b"?" + word.encode("utf-8", "replace") for word in words)


def _recall(device: dict[str, Any]) -> frozenset[int] | None:
    values = _inner(_inner(device, "deviceRecall"), "values")
    if not values:
        return None
    return frozenset(place for place, name in enumerate(_BITS, 1) if _flag(values, name))
