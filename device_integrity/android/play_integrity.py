"""Verification of the payload of a Play Integrity token, with one test for each label.

The labels are described at developer.android.com, "Integrity verdicts". Failures that honest devices
cause too often are soft: they do not decide alone.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import partial
from typing import Final

from device_integrity.android.apps import AllowedApp, app_is_allowed, package_is_allowed
from device_integrity.android.play_token import PlayPayload, PlayTokenKind
from device_integrity.device_test import Checklist, DeviceTest, Manipulation
from facegate_protocol import length_prefixed, sha256

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

_ONE_TIME: Final = b"facegate/v1/play-token"
_HARDWARE_API: Final = 33
"""Android 13, from which MEETS_DEVICE_INTEGRITY relies on hardware, since May 2025."""


class PlayLevel(IntEnum):
    """The levels of device integrity; each includes those below."""

    BASIC = 1
    """Hardware attests the key; the operating system may be any."""
    DEVICE = 2
    """A certified device with a locked boot loader."""
    STRONG = 3
    """Also a security patch from the last year."""


_LABELS: Final = {
    PlayLevel.BASIC: "MEETS_BASIC_INTEGRITY",
    PlayLevel.DEVICE: "MEETS_DEVICE_INTEGRITY",
    PlayLevel.STRONG: "MEETS_STRONG_INTEGRITY",
}
_HARDWARE_LABELS: Final = frozenset(_LABELS.values())
_VIRTUAL: Final = "MEETS_VIRTUAL_INTEGRITY"
_HARMLESS_APPS: Final = frozenset({"KNOWN_INSTALLED", "UNKNOWN_INSTALLED"})
_HARMLESS_LOCATIONS: Final = frozenset({"LOW_RISK_DEVICE", "LOW_RISK_NETWORK"})
_UNEVALUATED: Final = frozenset({"", "UNEVALUATED", "UNKNOWN", "NO_DATA"})
"""Labels for which Google evaluated nothing, in addition to those that end in UNSPECIFIED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayPolicy:
    """The demands on a token.

    Attributes:
        apps: The apps that may scan.
        min_level: The least integrity of the device.
        clock_skew: How far in the future a token's time may be.
        refused_recall_bits: The app's own bits, 1 to 3, with which a device fails.
    """

    apps: tuple[AllowedApp, ...]
    min_level: PlayLevel = PlayLevel.DEVICE
    max_age: timedelta = timedelta(minutes=3)
    clock_skew: timedelta = timedelta(seconds=30)
    refused_recall_bits: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayIntegrity:
    """The result of verifying a token.

    Attributes:
        checks: One test for each name in ``checklists.PLAY_INTEGRITY``, in that order.
        payload: The decoded payload; ``None`` if the token was not decrypted.
        one_time_key: 32 bytes that no other token has; ``None`` without a payload. The caller stores them as
            long as the token would be fresh, and refuses a second token with the same key.
    """

    checks: tuple[DeviceTest, ...]
    payload: PlayPayload | None
    one_time_key: bytes | None


def refused_token(detail: str) -> PlayIntegrity:
    """Return the result for a token that cannot be decrypted or read."""
    return PlayIntegrity(checks=PLAY_INTEGRITY.unreadable(detail), payload=None, one_time_key=None)


def unavailable_token(detail: str) -> PlayIntegrity:
    """Return the result for a token whose decoder is unavailable."""
    checks = tuple(
        PLAY_INTEGRITY.unavailable(name, "DECODER_UNAVAILABLE", detail) for name in PLAY_INTEGRITY.checks
    )
    return PlayIntegrity(checks=checks, payload=None, one_time_key=None)


def verify_payload(
    payload: PlayPayload, *, kind: PlayTokenKind, challenge: bytes, policy: PlayPolicy, now: datetime
) -> PlayIntegrity:
    """Verify a decoded payload.

    Args:
        payload: From ``open_classic_token`` or a ``PlayTokenDecoder``, which authenticate it.
        kind: The request that made the token.
        challenge: The expected value of ``nonce`` or ``requestHash``, decoded: the binding hash H.
    """
    found = payload.request.nonce if kind is PlayTokenKind.CLASSIC else payload.request.request_hash
    judge = _Judge(payload, policy)
    return PlayIntegrity(
        checks=(
            PLAY_INTEGRITY.passed("token", "OPENED", "the token was decrypted and is Google's"),
            # 1. `requestPackageName` is an allowed app (Play Integrity, "Request details field").
            judge.request_package(),
            # 2. `nonce` or `requestHash` is the expected challenge (Play Integrity, "Request details field").
            _challenge(found, challenge),
            # 3. `timestampMillis` is recent (Play Integrity, "Request details field").
            _freshness(payload.request.time, policy, now),
            # 4. The response is not a test response (Play Integrity, `testingDetails`).
            judge.test_response(),
            # 5. Google Play recognises the app; package and signer are allowed (`appIntegrity`).
            judge.app_recognition(),
            judge.app_identity(),
            # 6. The device reaches the required level and is not emulated (`deviceIntegrity`).
            judge.device_recognition(),
            judge.emulated_device(),
            judge.android_version(),
            # 7. The further labels raise no doubt (`accountDetails`, `environmentDetails`).
            judge.app_licensing(),
            judge.app_access_risk(),
            judge.play_protect(),
            judge.device_activity(),
            judge.account_activity(),
            judge.device_recall(),
            judge.location_spoofing(),
        ),
        payload=payload,
        one_time_key=_one_time_key(payload, kind, found or b""),
    )


def _challenge(found: bytes | None, expected: bytes) -> DeviceTest:
    return PLAY_INTEGRITY.judged(
        "challenge",
        holds=found is not None and hmac.compare_digest(found, expected),
        good=("CHALLENGE_MATCHES", "the token was made for this scan"),
        bad=("CHALLENGE_MISMATCH", "the token was made for another challenge than this scan's"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def _freshness(made: datetime, policy: PlayPolicy, now: datetime) -> DeviceTest:
    age = now - made
    seconds = round(age.total_seconds())
    if age < -policy.clock_skew:
        return PLAY_INTEGRITY.failed(
            "freshness", "FROM_THE_FUTURE", f"the token's time is {-seconds} seconds in the future"
        )
    if age > policy.max_age:
        detail = (
            f"the token is {seconds} seconds old, at most {round(policy.max_age.total_seconds())} allowed"
        )
        return PLAY_INTEGRITY.failed("freshness", "TOKEN_OLD", detail)
    return PLAY_INTEGRITY.passed("freshness", "FRESH", f"the token is {seconds} seconds old")


def _one_time_key(payload: PlayPayload, kind: PlayTokenKind, challenge: bytes) -> bytes:
    """Return the key under which the use of a token is stored, so that a second use is recognised.

    It is a hash of the token's content, not of its text, because the same content has several encodings.
    """
    millis = str(round(payload.request.time.timestamp() * 1000)).encode()
    package = payload.request.package.encode("utf-8", "surrogatepass")
    return sha256(length_prefixed(_ONE_TIME, kind.encode(), package, challenge, millis))


@dataclass(frozen=True, slots=True)
class _Judge:
    """One method for each label."""

    payload: PlayPayload
    policy: PlayPolicy

    def request_package(self) -> DeviceTest:
        if not self.policy.apps:
            return _no_apps("request_package")
        return PLAY_INTEGRITY.judged(
            "request_package",
            holds=package_is_allowed(self.policy.apps, self.payload.request.package),
            good=("PACKAGE_KNOWN", "one of the operator's apps requested the token"),
            bad=("PACKAGE_UNKNOWN", "an app that is not one of the operator's requested the token"),
            sign_of=Manipulation.CODE_MODIFICATION,
        )

    def test_response(self) -> DeviceTest:
        return PLAY_INTEGRITY.judged(
            "test_response",
            holds=not self.payload.is_test,
            good=("REAL", "the token is not a test response"),
            bad=("TEST_RESPONSE", "the token is a fixed response for a tester, set in the Play Console"),
        )

    def app_recognition(self) -> DeviceTest:
        word = self.payload.app.recognition
        if word == "PLAY_RECOGNIZED":
            return PLAY_INTEGRITY.passed(
                "app_recognition", word, "the app is the one that Google Play distributes"
            )
        if word == "UNRECOGNIZED_VERSION":
            detail = "Google Play does not know the app or its signature"
            return PLAY_INTEGRITY.failed("app_recognition", word, detail, Manipulation.CODE_MODIFICATION)
        return _unevaluated("app_recognition", word)

    def app_identity(self) -> DeviceTest:
        app = self.payload.app
        if not self.policy.apps:
            return _no_apps("app_identity")
        package, digests = self.payload.request.package, app.certificate_digests
        holds = app.package in ("", package) and (
            not digests or app_is_allowed(self.policy.apps, [package], digests)
        )
        if holds and not (app.package and digests):
            # A value that Google omits contradicts nothing.
            return _unevaluated("app_identity", "")
        return PLAY_INTEGRITY.judged(
            "app_identity",
            holds=holds,
            good=("APPLICATION_KNOWN", "the app is the operator's, signed with the operator's key"),
            bad=(
                "APPLICATION_REPACKAGED",
                "the app is not the operator's, or not signed with the operator's key",
            ),
            sign_of=Manipulation.CODE_MODIFICATION,
        )

    def device_recognition(self) -> DeviceTest:
        labels = self.payload.device.labels
        met = [level for level, label in _LABELS.items() if label in labels]
        demanded = self.policy.min_level
        if met and max(met) >= demanded:
            return PLAY_INTEGRITY.passed(
                "device_recognition", _LABELS[max(met)], "the device has the demanded integrity"
            )
        if met:
            detail = f"the device only meets {_LABELS[max(met)]}; the policy demands {_LABELS[demanded]}"
            return PLAY_INTEGRITY.failed(
                "device_recognition", "INTEGRITY_TOO_LOW", detail, Manipulation.ROOTED
            )
        virtual = _VIRTUAL in labels
        if labels and not virtual:
            return _unevaluated_words("device_recognition", labels)
        # Google gives no label at all to a device that meets no level.
        detail = "the device meets no level of integrity: it is rooted or emulated, or the app is hooked"
        sign_of = Manipulation.EMULATOR if virtual else Manipulation.ROOTED
        return PLAY_INTEGRITY.failed("device_recognition", "NO_INTEGRITY", detail, sign_of)

    def emulated_device(self) -> DeviceTest:
        labels = self.payload.device.labels
        if _VIRTUAL in labels:
            detail = "the device is an emulator that Google Play supports"
            return PLAY_INTEGRITY.failed("emulated_device", _VIRTUAL, detail, Manipulation.EMULATOR)
        if not labels & _HARDWARE_LABELS:
            return _unevaluated_words("emulated_device", labels)
        return PLAY_INTEGRITY.passed("emulated_device", "NOT_VIRTUAL", "Google does not report an emulator")

    def android_version(self) -> DeviceTest:
        version = self.payload.device.sdk_version
        if version is None:
            return PLAY_INTEGRITY.not_evaluated(
                "android_version", "NOT_SAID", "Google does not state the API level"
            )
        if version < _HARDWARE_API:
            detail = f"at API level {version}, below {_HARDWARE_API}, the labels do not rely on hardware"
            return PLAY_INTEGRITY.failed("android_version", "WEAKER_LABELS", detail, soft=True)
        return PLAY_INTEGRITY.passed(
            "android_version", "HARDWARE_LABELS", f"at API level {version} the labels rely on hardware"
        )

    def app_licensing(self) -> DeviceTest:
        word = self.payload.app.licensing
        return _worded(
            "app_licensing",
            word,
            good={"LICENSED": "the app was installed from Google Play"},
            bad={"UNLICENSED": "the app was not installed from Google Play"},
            sign_of=Manipulation.CODE_MODIFICATION,
        )

    def app_access_risk(self) -> DeviceTest:
        apps = self.payload.environment.apps_detected
        if apps is None:
            return _unevaluated("app_access_risk", "")
        failed = partial(PLAY_INTEGRITY.failed, "app_access_risk", soft=True)
        # Google excludes verified accessibility services.
        if controlling := sorted(word for word in apps if word.endswith("_CONTROLLING")):
            detail = "an app that can control this one is running"
            return failed(controlling[-1], detail, Manipulation.REMOTE_CONTROL)
        if capturing := sorted(word for word in apps if word.endswith("_CAPTURING")):
            detail = "an app that can capture the screen is running"
            return failed(capturing[-1], detail, Manipulation.REMOTE_CONTROL)
        if overlays := sorted(word for word in apps if word.endswith("_OVERLAYS")):
            return failed(overlays[-1], "an app that can draw over this one is running")
        if not apps or apps - _HARMLESS_APPS:
            return _unevaluated_words("app_access_risk", apps)
        return PLAY_INTEGRITY.passed(
            "app_access_risk", "NO_RISK", "no running app captures or controls this one"
        )

    def play_protect(self) -> DeviceTest:
        return _worded(
            "play_protect",
            self.payload.environment.play_protect,
            good={"NO_ISSUES": "Play Protect found no harmful apps"},
            bad={
                "POSSIBLE_RISK": "Play Protect is off",
                "MEDIUM_RISK": "Play Protect found harmful apps",
                "HIGH_RISK": "Play Protect found dangerous apps",
            },
        )

    def device_activity(self) -> DeviceTest:
        few = "the device requested a usual number of tokens"
        return _worded(
            "device_activity",
            self.payload.device.activity,
            good={"LEVEL_1": few, "LEVEL_2": few, "LEVEL_3": few},
            bad={"LEVEL_4": "the device requested very many tokens, as device farms do"},
        )

    def account_activity(self) -> DeviceTest:
        return _worded(
            "account_activity",
            self.payload.device.account_activity,
            good={
                "TYPICAL_BASIC": "the account is used as usual",
                "TYPICAL_STRONG": "the account is used as usual",
            },
            bad={"UNUSUAL": "the account is used in unusual ways"},
        )

    def device_recall(self) -> DeviceTest:
        bits = self.payload.device.recall_bits
        if bits is None:
            return _unevaluated("device_recall", "")
        barred = bits & self.policy.refused_recall_bits
        if barred:
            detail = f"the app set the recall bits {sorted(barred)} for this device, which the policy refuses"
            return PLAY_INTEGRITY.failed("device_recall", "DEVICE_BARRED", detail)
        return PLAY_INTEGRITY.passed(
            "device_recall", "NOT_BARRED", "the device has no recall bit that the policy refuses"
        )

    def location_spoofing(self) -> DeviceTest:
        words = self.payload.environment.location_spoofing
        if words is None:
            return _unevaluated("location_spoofing", "")
        if risky := sorted(word for word in words if word.startswith(("HIGH_RISK_", "MEDIUM_RISK_"))):
            detail = "Google reports a risk that the location is spoofed"
            return PLAY_INTEGRITY.failed("location_spoofing", risky[0], detail, soft=True)
        if not words or words - _HARMLESS_LOCATIONS:
            return _unevaluated_words("location_spoofing", words)
        return PLAY_INTEGRITY.passed(
            "location_spoofing", "LOW_RISK", "Google reports a low risk of a spoofed location"
        )


def _no_apps(check: str) -> DeviceTest:
    return PLAY_INTEGRITY.not_evaluated(check, "NO_APPS_CONFIGURED", "the server's settings name no apps")


def _unevaluated(check: str, word: str) -> DeviceTest:
    """Return the test of a label that is missing, unevaluated or unknown, which never passes."""
    if _is_unevaluated(word):
        return PLAY_INTEGRITY.not_evaluated(check, "UNEVALUATED", "Google did not evaluate this label")
    return PLAY_INTEGRITY.not_evaluated(
        check, "UNKNOWN_LABEL", "Google sent a label that this server version does not know"
    )


def _is_unevaluated(word: str) -> bool:
    return word in _UNEVALUATED or word.endswith("UNSPECIFIED")


def _unevaluated_words(check: str, words: frozenset[str]) -> DeviceTest:
    """Return the test of a list of labels that is empty or contains unknown ones."""
    return _unevaluated(check, next((word for word in sorted(words) if not _is_unevaluated(word)), ""))


def _worded(
    check: str,
    word: str,
    *,
    good: dict[str, str],
    bad: dict[str, str],
    sign_of: Manipulation | None = None,
) -> DeviceTest:
    """Return the test of a label with one word; failures are soft."""
    if word in good:
        return PLAY_INTEGRITY.passed(check, word, good[word])
    if word in bad:
        return PLAY_INTEGRITY.failed(check, word, bad[word], sign_of, soft=True)
    return _unevaluated(check, word)
