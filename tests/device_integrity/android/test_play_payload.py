"""Reading payloads, valid and malformed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from device_integrity.android.play_payload import MAX_PAYLOAD_BYTES, parse_payload
from device_integrity.errors import PlayTokenMalformed
from tests.device_integrity.android.play_tokens import CHALLENGE, DIGEST, MILLIS, PACKAGE, b64, payload


def _with(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


def test_every_field_is_read() -> None:
    read = parse_payload(json.dumps(payload()).encode())
    assert (read.request.package, read.request.nonce, read.request.request_hash) == (PACKAGE, CHALLENGE, None)
    assert read.request.time == datetime.fromtimestamp(MILLIS / 1000, UTC)
    assert (read.app.recognition, read.app.package, read.app.licensing) == (
        "PLAY_RECOGNIZED",
        PACKAGE,
        "LICENSED",
    )
    assert read.app.certificate_digests == {DIGEST}
    assert len(read.device.labels) == 3
    assert (read.device.sdk_version, read.device.activity) == (36, "LEVEL_1")
    assert (read.device.account_activity, read.device.recall_bits) == ("TYPICAL_STRONG", frozenset({2}))
    assert read.environment.apps_detected == frozenset({"KNOWN_INSTALLED"})
    assert read.environment.play_protect == "NO_ISSUES"
    assert read.environment.location_spoofing == frozenset({"LOW_RISK_DEVICE"})
    assert not read.is_test


def test_missing_fields_stay_missing() -> None:
    read = parse_payload(b'{"requestDetails": {"timestampMillis": "1"}}')
    assert read.environment.apps_detected is None
    assert read.environment.location_spoofing is None
    assert read.device.recall_bits is None
    assert read.device.sdk_version is None
    assert not read.device.labels
    assert not read.app.certificate_digests
    assert read.request.package == read.app.recognition == read.environment.play_protect == ""


@pytest.mark.parametrize(
    ("text", "challenge"),
    [
        (b64(CHALLENGE), CHALLENGE),
        (b64(CHALLENGE) + "=", CHALLENGE),
        ("", None),
        ("a", None),
        ("a b", None),
        ("a+/b", None),
        ("YQ", b"a"),
        ("YQ==", b"a"),
    ],
)
def test_challenges_are_base64url_with_or_without_padding(text: str, challenge: bytes | None) -> None:
    for name, field in (("nonce", "nonce"), ("requestHash", "request_hash")):
        document = _with("requestDetails", **{name: text})
        assert getattr(parse_payload(json.dumps(document).encode()).request, field) == challenge


def test_googles_answer_is_read_as_the_payload_in_it() -> None:
    wrapped = json.dumps({"tokenPayloadExternal": payload()}).encode()
    assert parse_payload(wrapped) == parse_payload(json.dumps(payload()).encode())


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"requestDetails": {}},
        {"requestDetails": []},
        _with("requestDetails", timestampMillis="soon"),
        _with("requestDetails", timestampMillis=-1),
        _with("requestDetails", timestampMillis="9" * 19),
        _with("requestDetails", timestampMillis=True),
        _with("requestDetails", timestampMillis=1.5),
        _with("requestDetails", nonce=1),
        _with("requestDetails", nonce="a" * 3000),
        _with("appIntegrity", certificateSha256Digest="abc"),
        _with("appIntegrity", certificateSha256Digest=[1]),
        _with("appIntegrity", certificateSha256Digest=["a"] * 65),
        _with("deviceIntegrity", deviceAttributes={"sdkVersion": "x"}),
        _with("deviceIntegrity", deviceRecall={"values": {"bitFirst": 1}}),
        payload(testingDetails={"isTestingResponse": "false"}),
        payload(environmentDetails=1),
    ],
    ids=range(18),
)
def test_invalid_payloads_are_refused(document: Any) -> None:
    with pytest.raises(PlayTokenMalformed):
        parse_payload(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[" * 50_000, b'{"a":1,"a":2}', b" " * (MAX_PAYLOAD_BYTES + 1)], ids=range(5)
)
@pytest.mark.usefixtures("without_collection")
def test_invalid_json_is_refused(data: bytes) -> None:
    with pytest.raises(PlayTokenMalformed):
        parse_payload(data)
