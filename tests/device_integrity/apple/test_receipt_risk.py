"""The effect of a receipt's risk metric, and its lifetime."""

from datetime import timedelta

import pytest

from device_integrity.apple import Receipt, check_risk, exchange_unavailable, parse_receipt
from device_integrity.check import DeviceFinding
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey


def _receipt(apple: SoftwareApple, key: SoftwareKey, risk_metric: int | None) -> Receipt:
    data = apple.receipt(key, app_id=APP, made=NOW, risk_metric=risk_metric)
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
    apple: SoftwareApple,
    key: SoftwareKey,
    risk_metric: int | None,
    age: timedelta,
    found: tuple[str, DeviceFinding],
) -> None:
    check = check_risk(_receipt(apple, key, risk_metric), most_keys=3, now=NOW + age)
    assert check.name == "app_attest_receipt.risk"
    assert (check.reason, check.outcome) == found
    # Many keys are a soft failure without a sign of a manipulation.
    assert check.soft == (check.reason == "RISK_HIGH")
    assert check.sign_of is None


def test_without_a_receipt_there_is_nothing_to_judge() -> None:
    check = check_risk(None, most_keys=3, now=NOW)
    assert (check.reason, check.outcome) == ("RECEIPT_MISSING", DeviceFinding.NOT_EVALUATED)


def test_an_exchange_in_vain_is_reported_and_is_no_failure() -> None:
    check = exchange_unavailable("Apple did not answer in time")
    assert (check.name, check.outcome) == ("app_attest_receipt.exchange", DeviceFinding.UNAVAILABLE)
    assert "did not answer" in check.detail


def test_when_a_receipt_may_be_exchanged(apple: SoftwareApple, key: SoftwareKey) -> None:
    first = parse_receipt(apple.receipt(key, app_id=APP, made=NOW, client_data_hash=bytes(32))).receipt
    later = _receipt(apple, key, 1)
    day = timedelta(days=1)
    assert first.may_be_exchanged(NOW)
    assert not first.may_be_exchanged(first.expires)
    assert [later.may_be_exchanged(NOW + age) for age in (timedelta(), day, 89 * day, 90 * day)] == [
        False,
        True,
        True,
        False,
    ]
