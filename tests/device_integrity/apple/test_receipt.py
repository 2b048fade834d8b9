"""Each condition of a receipt, broken once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.apple import (
    AppleAnchors,
    Environment,
    Receipt,
    ReceiptKind,
    ReceiptResult,
    check_risk,
    exchange_unavailable,
    parse_receipt,
    verify_receipt,
)
from device_integrity.device_test import DeviceFinding, DeviceTest
from device_integrity.errors import EvidenceMalformed
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey, issue, tlv

_APPLE, _KEY = SoftwareApple(), SoftwareKey()
_ATTEST = {4: b"client data hash", 6: b"ATTEST"}


def _verify(receipt: bytes, **other: object) -> ReceiptResult:
    arguments: dict[str, object] = {
        "receipt": receipt,
        "public_key": _KEY.public_key,
        "app_id": APP,
        "environment": Environment.PRODUCTION,
        "client_data_hash": b"client data hash",
        "max_age": timedelta(minutes=5),
        "most_keys": 3,
        "anchors": _APPLE.anchors,
        "now": NOW,
    }
    return verify_receipt(**(arguments | other))  # type: ignore[arg-type]


def _failed(result: ReceiptResult) -> DeviceTest:
    (check,) = (one for one in result.checks if one.outcome is DeviceFinding.FAIL)
    return check


@pytest.mark.parametrize("indefinite", [True, False])
def test_an_honest_receipt_passes(indefinite: bool) -> None:
    result = _verify(_APPLE.changed_receipt(_KEY, indefinite=indefinite))
    said = result.receipt
    assert said is not None
    assert (said.kind, said.risk_metric, said.client_hash) == (ReceiptKind.RECEIPT, 1, None)
    assert said.created == datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
    assert said.not_before == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    names = ("format", "chain", "signature", "app", "key", "environment", "freshness", "challenge", "risk")
    assert [check.name for check in result.checks] == [f"app_attest_receipt.{name}" for name in names]
    assert [check.outcome.value for check in result.checks] == ["PASS"] * 7 + ["NOT_EVALUATED", "PASS"]


def test_a_first_receipt_is_compared_with_its_attestation() -> None:
    receipt = _APPLE.changed_receipt(_KEY, fields=_ATTEST | {17: b"", 99: b"new"})
    result = _verify(receipt)
    assert result.checks[-2].outcome is DeviceFinding.PASS
    assert result.checks[-1].reason == "RISK_NOT_STATED"
    assert result.receipt is not None
    other = _verify(receipt, client_data_hash=b"another")
    assert _failed(other).name == "app_attest_receipt.challenge"
    unknown = _verify(receipt, client_data_hash=None)
    assert unknown.checks[-2].outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"app_id": "TEAM123456.org.example.other"}, "app"),
        ({"public_key": SoftwareKey().public_key}, "key"),
        ({"environment": Environment.DEVELOPMENT}, "environment"),
        ({"now": NOW + timedelta(minutes=5)}, "freshness"),
        ({"now": NOW - timedelta(minutes=3)}, "freshness"),
        ({"most_keys": 0}, "risk"),
    ],
)
def test_each_broken_condition_fails_its_test(other: dict[str, object], name: str) -> None:
    check = _failed(_verify(_APPLE.changed_receipt(_KEY), **other))
    assert check.name == f"app_attest_receipt.{name}"
    assert check.soft == (name == "risk")


def test_an_expired_receipt() -> None:
    receipt = _APPLE.changed_receipt(_KEY, fields={21: b"2026-03-01T11:59:30Z"})
    assert _failed(_verify(receipt)).reason == "RECEIPT_EXPIRED"


def test_a_signature_of_another_key_fails() -> None:
    result = _verify(_APPLE.changed_receipt(_KEY, signing_key=SoftwareKey().key))
    assert _failed(result).name == "app_attest_receipt.signature"
    assert result.receipt is None


def test_a_chain_of_another_root_fails() -> None:
    result = _verify(SoftwareApple(seed=2).changed_receipt(_KEY))
    assert (_failed(result).name, _failed(result).reason) == ("app_attest_receipt.chain", "CHAIN_NOT_TRUSTED")
    assert result.receipt is None


def test_a_certificate_of_the_same_authority_for_something_else() -> None:
    """Merchants hold keys under Apple's authority too."""
    merchant = issue("A merchant", by=_APPLE.receipts.authority, authority=False)
    check = _failed(_verify(_APPLE.changed_receipt(_KEY, signer=merchant)))
    assert check.reason == "CERTIFICATE_ROLE_WRONG"


def test_the_root_of_attestations_signs_no_receipts() -> None:
    swapped = AppleAnchors(app_attest=_APPLE.anchors.receipt, receipt=_APPLE.anchors.app_attest)
    assert _failed(_verify(_APPLE.changed_receipt(_KEY), anchors=swapped)).reason == "CHAIN_NOT_TRUSTED"


def test_the_root_need_not_be_there() -> None:
    held = [_APPLE.receipts.signer, _APPLE.receipts.authority]
    assert _verify(_APPLE.changed_receipt(_KEY, certificates=held)).receipt is not None
    alone = _verify(_APPLE.changed_receipt(_KEY, certificates=[_APPLE.receipts.signer]))
    assert _failed(alone).reason == "CHAIN_NOT_TRUSTED"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({2: b""}, "lacks field 2"),
        ({2: b"\xff"}, "field 2 of the receipt is not text"),
        ({3: b"x"}, "attested certificate cannot be read"),
        ({6: b"OTHER"}, "ATTEST, RECEIPT"),
        ({7: b"other"}, "field 7 of the receipt is not an environment"),
        ({12: b"2026-03-01"}, "field 12 of the receipt is not a time"),
        ({12: b"2026-03-01T11:59:00+01:00"}, "field 12 of the receipt is not a time"),
        ({17: b"-1"}, "field 17 of the receipt is not a number"),
        ({17: "٣".encode()}, "field 17 of the receipt is not a number"),
        ({17: b"9" * 10}, "field 17 of the receipt is not a number"),
        (dict.fromkeys(range(30, 70), b"x"), "more than 32 fields"),
    ],
)
def test_malformed_receipts_fail_the_format_test(fields: dict[int, bytes], says: str) -> None:
    result = _verify(_APPLE.changed_receipt(_KEY, fields=fields))
    assert result.checks[0].reason == "MALFORMED"
    assert says in result.checks[0].detail
    assert [check.outcome for check in result.checks[1:]] == [DeviceFinding.NOT_EVALUATED] * 8


def test_too_many_certificates_or_none_of_the_signer() -> None:
    own = [_APPLE.receipts.signer, _APPLE.receipts.authority, _APPLE.receipts.root]
    for held, says in (
        ([*own, _APPLE.root, _APPLE.intermediate], "more than 4"),
        (own[1:], "signer's certificate"),
    ):
        with pytest.raises(EvidenceMalformed, match=says):
            parse_receipt(_APPLE.changed_receipt(_KEY, certificates=held))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tlv(0x30), "not CMS SignedData"),
        (tlv(0x30, bytes.fromhex("06092a864886f70d010701"), tlv(0xA0)), "not CMS SignedData"),
        (tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xA1)), r"\[0\] expected"),
        (tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xA0, tlv(0x30))), "lacks a part"),
        (b"\x30\x80" * 60, "deeper"),
        (bytes(20_000), "20000 bytes"),
    ],
)
def test_anything_but_a_receipt_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(EvidenceMalformed, match=says):
        parse_receipt(data)


_HONEST = _APPLE.changed_receipt(_KEY)


@settings(deadline=None, max_examples=150)
@given(place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_changed_byte_changes_the_verified_fields(place: int, mask: int) -> None:
    changed = bytearray(_HONEST)
    changed[place % len(_HONEST)] ^= mask
    result = _verify(bytes(changed))
    # Unsigned parts may change: the certificate of the stored root, or a version.
    assert result.receipt is None or result.receipt == parse_receipt(_HONEST).receipt


def _receipt(risk_metric: int | None) -> Receipt:
    data = _APPLE.receipt(_KEY, app_id=APP, made=NOW, risk_metric=risk_metric)
    return parse_receipt(data).receipt


@pytest.mark.parametrize(
    ("risk_metric", "age", "found"),
    [
        (3, timedelta(), ("RISK_LOW", DeviceFinding.PASS)),
        (4, timedelta(), ("RISK_HIGH", DeviceFinding.FAIL)),
        (4, timedelta(days=30), ("RISK_HIGH", DeviceFinding.FAIL)),
        (4, timedelta(days=30, seconds=1), ("RISK_OUT_OF_DATE", DeviceFinding.NOT_EVALUATED)),
        (None, timedelta(), ("RISK_NOT_STATED", DeviceFinding.NOT_EVALUATED)),
    ],
)
def test_a_metric_counts_for_the_days_that_apple_counts(
    risk_metric: int | None,
    age: timedelta,
    found: tuple[str, DeviceFinding],
) -> None:
    check = check_risk(_receipt(risk_metric), most_keys=3, now=NOW + age)
    assert check.name == "app_attest_receipt.risk"
    assert (check.reason, check.outcome) == found
    # Many keys are a soft failure without a sign of a manipulation.
    assert check.soft == (check.reason == "RISK_HIGH")
    assert check.sign_of is None


def test_without_a_receipt_or_an_exchange_there_is_nothing_to_judge() -> None:
    check = check_risk(None, most_keys=3, now=NOW)
    assert (check.reason, check.outcome) == ("RECEIPT_MISSING", DeviceFinding.NOT_EVALUATED)
    in_vain = exchange_unavailable("Apple did not answer in time")
    assert (in_vain.name, in_vain.outcome) == ("app_attest_receipt.exchange", DeviceFinding.UNAVAILABLE)


def test_when_a_receipt_may_be_exchanged() -> None:
    first = parse_receipt(_APPLE.receipt(_KEY, app_id=APP, made=NOW, client_data_hash=bytes(32))).receipt
    later = _receipt(1)
    day = timedelta(days=1)
    assert first.may_be_exchanged(NOW)
    assert not first.may_be_exchanged(first.expires)
    assert [later.may_be_exchanged(NOW + age) for age in (timedelta(), day, 89 * day, 90 * day)] == [
        False,
        True,
        True,
        False,
    ]
