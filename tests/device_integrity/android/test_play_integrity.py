"""Judging payloads: Google's own example and variants of it, every label, every demand."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.android.apps import AllowedApp, app_is_allowed, package_is_allowed
from device_integrity.android.play_integrity import (
    PLAY_INTEGRITY,
    PlayIntegrity,
    PlayLevel,
    PlayPolicy,
    refused_token,
    unavailable_token,
    verify_payload,
)
from device_integrity.android.play_token import PlayTokenKind, parse_payload
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from tests.device_integrity.android.play_tokens import CHALLENGE, DIGEST, MILLIS, PACKAGE, b64, payload
from tests.device_integrity.android.vectors import PLAY_FOLDER

_NOW = datetime.fromtimestamp(MILLIS / 1000, UTC) + timedelta(seconds=5)


_APP = AllowedApp(package=PACKAGE, certificate_digests=frozenset({DIGEST}))


_POLICY = PlayPolicy(apps=(_APP,))


# Google's example uses this spelling.
_DOC_CHALLENGE = b"hello wolrd there"


def _judge(
    document: dict[str, Any],
    *,
    kind: PlayTokenKind = PlayTokenKind.CLASSIC,
    challenge: bytes = CHALLENGE,
    policy: PlayPolicy = _POLICY,
    now: datetime = _NOW,
) -> PlayIntegrity:
    read = parse_payload(json.dumps(document).encode())
    return verify_payload(read, kind=kind, challenge=challenge, policy=policy, now=now)


def _check(result: PlayIntegrity, name: str) -> DeviceTest:
    (check,) = (check for check in result.checks if check.name == f"play_integrity.{name}")
    return check


def _failures(result: PlayIntegrity, *, soft: bool = True) -> dict[str, Manipulation | None]:
    return {
        check.reason: check.sign_of
        for check in result.checks
        if check.outcome is DeviceFinding.FAIL and (soft or not check.soft)
    }


_CAPTURED = {"UNKNOWN_CAPTURING": Manipulation.REMOTE_CONTROL}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("doc_sample_standard", _CAPTURED),
        ("classic", _CAPTURED),
        ("strong", {}),
        (
            "emulator_gpg_pc",
            {
                **_CAPTURED,
                "NO_INTEGRITY": Manipulation.EMULATOR,
                "MEETS_VIRTUAL_INTEGRITY": Manipulation.EMULATOR,
            },
        ),
        ("rooted_empty", {"NO_INTEGRITY": Manipulation.ROOTED}),
        (
            "repackaged",
            {
                **_CAPTURED,
                "UNRECOGNIZED_VERSION": Manipulation.CODE_MODIFICATION,
                "APPLICATION_REPACKAGED": Manipulation.CODE_MODIFICATION,
            },
        ),
    ],
)
def test_each_vector_gets_its_findings(assets: Path, name: str, expected: dict[str, Manipulation]) -> None:
    read = parse_payload((assets / PLAY_FOLDER / f"payload_{name}.json").read_bytes())
    # The example's digest is a placeholder; its name and challenge are its own.
    example = parse_payload((assets / PLAY_FOLDER / "payload_strong.json").read_bytes()).app
    app = AllowedApp(package="com.package.name", certificate_digests=example.certificate_digests)
    result = verify_payload(
        read,
        kind=PlayTokenKind.CLASSIC if name == "classic" else PlayTokenKind.STANDARD,
        challenge=_DOC_CHALLENGE,
        policy=PlayPolicy(apps=(app,)),
        now=read.request.time + timedelta(seconds=1),
    )
    assert _failures(result) == expected
    assert [check.name for check in result.checks] == [
        f"play_integrity.{name}" for name in PLAY_INTEGRITY.checks
    ]
    if name == "rooted_empty":
        for check in ("app_recognition", "app_identity", "app_licensing", "app_access_risk"):
            assert _check(result, check).outcome is DeviceFinding.NOT_EVALUATED


_PLACES: list[tuple[str, str]] = [
    ("app_recognition", '{"appIntegrity": {"appRecognitionVerdict": WORD}}'),
    ("app_licensing", '{"accountDetails": {"appLicensingVerdict": WORD}}'),
    ("account_activity", '{"accountDetails": {"accountActivity": {"activityLevel": WORD}}}'),
    ("device_activity", '{"deviceIntegrity": {"recentDeviceActivity": {"deviceActivityLevel": WORD}}}'),
    ("play_protect", '{"environmentDetails": {"playProtectVerdict": WORD}}'),
    ("device_recognition", '{"deviceIntegrity": {"deviceRecognitionVerdict": [WORD]}}'),
    ("emulated_device", '{"deviceIntegrity": {"deviceRecognitionVerdict": [WORD]}}'),
    ("location_spoofing", '{"environmentDetails": {"locationSpoofingRiskVerdict": [WORD]}}'),
    ("app_access_risk", '{"environmentDetails": {"appAccessRiskVerdict": {"appsDetected": [WORD]}}}'),
]
_DESCRIBED = {
    "app_recognition": ("AppIntegrity", "appRecognitionVerdict"),
    "app_licensing": ("AccountDetails", "appLicensingVerdict"),
    "account_activity": ("AccountActivity", "activityLevel"),
    "device_activity": ("RecentDeviceActivity", "deviceActivityLevel"),
    "play_protect": ("EnvironmentDetails", "playProtectVerdict"),
    "device_recognition": ("DeviceIntegrity", "deviceRecognitionVerdict"),
    "location_spoofing": ("EnvironmentDetails", "locationSpoofingRiskVerdict"),
    "app_access_risk": ("AppAccessRiskVerdict", "appsDetected"),
}
"""Where Google's discovery document lists the words of each place."""


def test_labels_of_the_discovery_document_are_known(assets: Path) -> None:
    """Every word that Google lists is judged or NOT_EVALUATED; none is unknown here."""
    document = json.loads((assets / PLAY_FOLDER / "playintegrity.v1.discovery.json").read_text())
    schemas = document["schemas"]

    def words(schema: str, name: str) -> list[str]:
        described = schemas[schema]["properties"][name]
        found = described.get("enum") or described["items"]["enum"]
        assert isinstance(found, list)
        return found

    documents = dict(_PLACES)
    cases = [
        json.loads(documents[place].replace("WORD", json.dumps(word)))
        for place, (schema, name) in _DESCRIBED.items()
        for word in words(schema, name)
    ]
    assert len(cases) > 40
    for case in cases:
        reasons = {check.reason for check in _judge(payload(**case)).checks}
        assert "UNKNOWN_LABEL" not in reasons, case


def test_an_honest_device_passes_every_check() -> None:
    result = _judge(payload())
    assert {check.outcome for check in result.checks} == {DeviceFinding.PASS}


def _with(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


def _risks(*apps: str) -> dict[str, Any]:
    return _with("environmentDetails", appAccessRiskVerdict={"appsDetected": list(apps)})


_ENVIRONMENT = "environmentDetails"
_HARD = [
    (_with("requestDetails", requestPackageName="org.other"), "request_package", "PACKAGE_UNKNOWN"),
    (_with("requestDetails", nonce=b64(bytes(32))), "challenge", "CHALLENGE_MISMATCH"),
    (_with("requestDetails", nonce="!"), "challenge", "CHALLENGE_MISMATCH"),
    (_with("requestDetails", nonce=""), "challenge", "CHALLENGE_MISMATCH"),
    (payload(testingDetails={"isTestingResponse": True}), "test_response", "TEST_RESPONSE"),
    (_with("appIntegrity", packageName="org.other"), "app_identity", "APPLICATION_REPACKAGED"),
    (_with("appIntegrity", certificateSha256Digest=["!"]), "app_identity", "APPLICATION_REPACKAGED"),
    (
        _with("appIntegrity", packageName="", certificateSha256Digest=[b64(bytes(32))]),
        "app_identity",
        "APPLICATION_REPACKAGED",
    ),
    (
        _with("appIntegrity", packageName="org.other", certificateSha256Digest=[]),
        "app_identity",
        "APPLICATION_REPACKAGED",
    ),
    (
        _with("appIntegrity", certificateSha256Digest=[b64(DIGEST), b64(bytes(32))]),
        "app_identity",
        "APPLICATION_REPACKAGED",
    ),
    (
        _with("deviceIntegrity", deviceRecognitionVerdict=["MEETS_BASIC_INTEGRITY"]),
        "device_recognition",
        "INTEGRITY_TOO_LOW",
    ),
    (_with("deviceIntegrity", deviceRecognitionVerdict=[]), "device_recognition", "NO_INTEGRITY"),
    (payload(deviceIntegrity={}), "device_recognition", "NO_INTEGRITY"),
]
_SOFT = [
    (_with("deviceIntegrity", deviceAttributes={"sdkVersion": 32}), "android_version", "WEAKER_LABELS"),
    (payload(accountDetails={"appLicensingVerdict": "UNLICENSED"}), "app_licensing", "UNLICENSED"),
    (_risks("KNOWN_CONTROLLING", "UNKNOWN_CAPTURING"), "app_access_risk", "KNOWN_CONTROLLING"),
    (_risks("UNKNOWN_OVERLAYS"), "app_access_risk", "UNKNOWN_OVERLAYS"),
    (_with(_ENVIRONMENT, playProtectVerdict="HIGH_RISK"), "play_protect", "HIGH_RISK"),
    (
        _with("deviceIntegrity", recentDeviceActivity={"deviceActivityLevel": "LEVEL_4"}),
        "device_activity",
        "LEVEL_4",
    ),
    (
        _with(_ENVIRONMENT, locationSpoofingRiskVerdict=["HIGH_RISK_DEVICE"]),
        "location_spoofing",
        "HIGH_RISK_DEVICE",
    ),
]
_OPEN = [
    (payload(appIntegrity={}), "app_recognition", "UNEVALUATED"),
    (payload(appIntegrity={}), "app_identity", "UNEVALUATED"),
    (_with("appIntegrity", appRecognitionVerdict="NEW"), "app_recognition", "UNKNOWN_LABEL"),
    (_with("appIntegrity", certificateSha256Digest=[]), "app_identity", "UNEVALUATED"),
    (_with("appIntegrity", packageName=""), "app_identity", "UNEVALUATED"),
    (_with("deviceIntegrity", deviceAttributes={}), "android_version", "NOT_SAID"),
    (_with(_ENVIRONMENT, appAccessRiskVerdict={}), "app_access_risk", "UNEVALUATED"),
    (_risks(), "app_access_risk", "UNEVALUATED"),
    (_risks("UNSPECIFIED"), "app_access_risk", "UNEVALUATED"),
    (_risks("KNOWN_INSTALLED", "UNKNOWN_LISTENING"), "app_access_risk", "UNKNOWN_LABEL"),
    (_with(_ENVIRONMENT, locationSpoofingRiskVerdict=[]), "location_spoofing", "UNEVALUATED"),
    (_with("deviceIntegrity", deviceRecognitionVerdict=["UNKNOWN"]), "device_recognition", "UNEVALUATED"),
    (_with("deviceIntegrity", deviceRecognitionVerdict=[]), "emulated_device", "UNEVALUATED"),
    (_with(_ENVIRONMENT, playProtectVerdict="NO_DATA"), "play_protect", "UNEVALUATED"),
    (_with("deviceIntegrity", deviceRecall={}), "device_recall", "UNEVALUATED"),
]
_PASSED = [
    (_with("requestDetails", nonce=b64(CHALLENGE) + "="), "challenge", "CHALLENGE_MATCHES"),
    (payload(testingDetails={}), "test_response", "REAL"),
]
_LABELS = [
    (*row, outcome, soft)
    for rows, outcome, soft in (
        (_HARD, DeviceFinding.FAIL, False),
        (_SOFT, DeviceFinding.FAIL, True),
        (_OPEN, DeviceFinding.NOT_EVALUATED, False),
        (_PASSED, DeviceFinding.PASS, False),
    )
    for row in rows
]


@pytest.mark.parametrize(
    ("document", "name", "reason", "outcome", "soft"),
    _LABELS,
    ids=[f"{place}-{row[1]}-{row[2]}" for place, row in enumerate(_LABELS)],
)
def test_each_label_gets_its_finding(
    document: dict[str, Any], name: str, reason: str, outcome: DeviceFinding, soft: bool
) -> None:
    check = _check(_judge(document), name)
    assert (check.outcome, check.reason, check.soft) == (outcome, reason, soft)


@pytest.mark.parametrize(
    ("labels", "level", "passes"),
    [
        (["MEETS_BASIC_INTEGRITY"], PlayLevel.BASIC, True),
        (["MEETS_DEVICE_INTEGRITY"], PlayLevel.BASIC, True),
        (["MEETS_DEVICE_INTEGRITY"], PlayLevel.STRONG, False),
        (["MEETS_STRONG_INTEGRITY"], PlayLevel.STRONG, True),
        (["MEETS_VIRTUAL_INTEGRITY"], PlayLevel.BASIC, False),
    ],
)
def test_levels_of_integrity(labels: list[str], level: PlayLevel, passes: bool) -> None:
    policy = PlayPolicy(apps=(_APP,), min_level=level)
    document = _with("deviceIntegrity", deviceRecognitionVerdict=labels)
    check = _check(_judge(document, policy=policy), "device_recognition")
    assert (check.outcome is DeviceFinding.PASS) is passes


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-31, "FROM_THE_FUTURE"), (-29, "FRESH"), (0, "FRESH"), (179, "FRESH"), (181, "TOKEN_OLD")],
)
def test_freshness(seconds: int, reason: str) -> None:
    now = datetime.fromtimestamp(MILLIS / 1000, UTC) + timedelta(seconds=seconds)
    assert _check(_judge(payload(), now=now), "freshness").reason == reason


def test_a_bit_of_the_app_can_bar_a_device() -> None:
    barring = PlayPolicy(apps=(_APP,), refused_recall_bits=frozenset({2}))
    assert _failures(_judge(payload(), policy=barring)) == {"DEVICE_BARRED": None}
    other = PlayPolicy(apps=(_APP,), refused_recall_bits=frozenset({1, 3}))
    assert _failures(_judge(payload(), policy=other)) == {}


def test_a_challenge_counts_in_its_own_kind_only() -> None:
    standard = {"requestPackageName": PACKAGE, "requestHash": b64(CHALLENGE), "timestampMillis": str(MILLIS)}
    result = _judge(payload(requestDetails=standard), kind=PlayTokenKind.STANDARD)
    assert _failures(result) == {}
    assert _failures(_judge(payload(requestDetails=standard))) == {
        "CHALLENGE_MISMATCH": Manipulation.MAN_IN_THE_MIDDLE
    }


def test_one_time_keys_differ_for_tokens_and_only_for_tokens() -> None:
    key = _judge(payload()).one_time_key
    assert key is not None
    assert len(key) == 32
    assert _judge(payload(), now=_NOW + timedelta(hours=1)).one_time_key == key
    assert _judge(_with("requestDetails", nonce=b64(CHALLENGE) + "=")).one_time_key == key
    others = [
        _with("requestDetails", nonce=b64(bytes(32))),
        _with("requestDetails", timestampMillis=str(MILLIS + 1)),
        _with("requestDetails", requestPackageName="org.other"),
    ]
    assert len({key, *(_judge(other).one_time_key for other in others)}) == 4
    assert _judge(payload(), kind=PlayTokenKind.STANDARD).one_time_key != key


def test_a_malformed_token_fails_and_a_missing_decoder_is_unavailable() -> None:
    refused = refused_token("not a token")
    assert refused.checks[0].outcome is DeviceFinding.FAIL
    assert {check.outcome for check in refused.checks[1:]} == {DeviceFinding.NOT_EVALUATED}
    missing = unavailable_token("Google did not answer")
    assert {check.outcome for check in missing.checks} == {DeviceFinding.UNAVAILABLE}
    assert refused.one_time_key is missing.one_time_key is None


@given(
    st.sampled_from(_PLACES),
    st.text(max_size=12)
    | st.sampled_from(
        ["UNKNOWN", "UNSPECIFIED", "UNEVALUATED", "NO_DATA", "LEVEL_9", "LOW_RISK", "meets_strong_integrity"]
    )
    | st.builds("{}_{}".format, st.sampled_from(["KNOWN", "MEETS", "LOW_RISK"]), st.text(max_size=8)),
)
def test_a_word_that_is_not_known_is_no_pass(place: tuple[str, str], word: str) -> None:
    check, document = place
    result = _judge(payload(**json.loads(document.replace("WORD", json.dumps(word)))))
    assert _check(result, check).outcome in {DeviceFinding.NOT_EVALUATED, DeviceFinding.FAIL}


# The apps of a policy.

_OLD, _NEW, _OTHER = bytes(32), b"\x01" * 32, b"\x02" * 32
_APPS = (
    AllowedApp(package="org.example.bank", certificate_digests=frozenset({_OLD, _NEW})),
    AllowedApp(package="org.example.card", certificate_digests=frozenset({_OTHER})),
)


def test_an_app_is_found_by_its_package_name() -> None:
    assert package_is_allowed(_APPS, "org.example.card")
    assert not package_is_allowed(_APPS, "org.example")
    assert not package_is_allowed((), "org.example.card")


def test_an_app_by_its_name_and_every_one_of_its_signatures() -> None:
    assert app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD}))
    assert app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD, _NEW}))
    assert app_is_allowed(_APPS, ["org.example.bank", "org.example.shared"], frozenset({_NEW}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD, _OTHER}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OTHER}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset())
    assert not app_is_allowed(_APPS, [], frozenset({_OLD}))
