"""Reads the payload of a Play Integrity token: Google's statements on request, app and device.

The fields are those of ``TokenPayloadExternal`` in the discovery document of playintegrity.googleapis.com,
revision 20260910. Labels that this release does not know are kept, because Google adds new ones.
"""

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from device_integrity.errors import PlayTokenMalformed

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "PlayApp",
    "PlayDevice",
    "PlayEnvironment",
    "PlayPayload",
    "PlayRequest",
    "parse_payload",
]

MAX_PAYLOAD_BYTES: Final = 64 * 1024

_MAX_TEXT: Final = 2048
_MAX_WORDS: Final = 64
_MAX_MILLIS: Final = 253_402_300_799_000
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
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
        package: Its package name.
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
        request: The request.
        app: The app.
        device: The device.
        environment: The other apps and services of the device.
        is_test: Whether the app's developer set the response in the Play Console.
    """

    request: PlayRequest
    app: PlayApp
    device: PlayDevice
    environment: PlayEnvironment
    is_test: bool


def parse_payload(data: bytes) -> PlayPayload:
    """Reads a payload.

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


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the object has a member twice")
    return found


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique)


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlayTokenMalformed(f"{name} is not an object")
    return value


def _inner(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns a member that is an object; an empty object if it is missing."""
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
    """Returns a number; Google writes numbers of 64 bits as strings."""
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
    """Decodes base64url, with or without padding; returns ``None`` for anything else."""
    if not text or not _BASE64URL.fullmatch(text):
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
