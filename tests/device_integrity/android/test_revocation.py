"""The revocation list: Google's sample, both forms of its keys, age, and malformed files."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from device_integrity.android.chain import Certificate, parse_certificates
from device_integrity.android.revocation import (
    MAX_LIST_BYTES,
    MAX_LIST_ENTRIES,
    RevocationList,
    RevocationStatus,
    check_revocation,
    parse_revocation_list,
)
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import ReferenceDataMalformed
from tests.device_integrity.android.phones import (
    NOW,
    Authority,
    Description,
    Phone,
    der_chain,
    factory_phone,
    issue,
    name_of,
    new_key,
)
from tests.device_integrity.android.vectors import KEY_FOLDER

_DAY = timedelta(days=1)


def _list(*keys: str, status: str = "REVOKED") -> RevocationList:
    entries = {key: {"status": status, "reason": "KEY_COMPROMISE"} for key in keys}
    return parse_revocation_list(json.dumps({"entries": entries}).encode(), fetched_at=NOW)


def _chain(serial: int = 0x0ABC, subject_serial: str = "0b22") -> tuple[Certificate, ...]:
    phone = factory_phone()
    key = new_key()
    batch = Authority(key, issue(name_of(serial=subject_serial), key, phone.authorities[1], serial=serial))
    _, certificates = Phone((*phone.authorities[:-1], batch)).attest(Description())
    return parse_certificates(der_chain(certificates))


def _check(
    chain: tuple[Certificate, ...], revocation: RevocationList | None, **options: object
) -> DeviceTest:
    arguments: dict[str, object] = {"max_age": _DAY, "now": NOW, **options}
    return check_revocation(chain, revocation=revocation, **arguments)  # type: ignore[arg-type]


def test_googles_sample(assets: Path) -> None:
    data = (assets / KEY_FOLDER / "google_legacy/status.json").read_bytes()
    revocation = parse_revocation_list(data, fetched_at=NOW)
    assert len(revocation.entries) == 5
    assert revocation.entries["cc66e9a93713b6e643b26c15879786f7"].status is RevocationStatus.SUSPENDED
    (leaked,) = (key for key in revocation.entries if key.startswith("668"))
    check = _check(_chain(serial=int(leaked)), revocation)
    assert (check.outcome, check.reason) == (DeviceFinding.FAIL, "KEY_REVOKED")
    assert check.sign_of is Manipulation.ROOTED
    suspended = _check(_chain(serial=0xCC66E9A93713B6E643B26C15879786F7), revocation)
    assert suspended.reason == "KEY_SUSPENDED"
    assert _check(_chain(), revocation).reason == "NOT_REVOKED"


@pytest.mark.parametrize(
    "key", ["abc", "ABC", "0abc", "0ABC", "2748", "0b22", "B22", "b22"], ids=lambda key: f"key {key}"
)
def test_a_certificate_is_found_by_every_form_of_its_number(key: str) -> None:
    assert _check(_chain(), _list(key)).outcome is DeviceFinding.FAIL


@pytest.mark.parametrize("key", ["abc0", "ab", "27480", "b2", "f"])
def test_a_certificate_is_not_found_by_a_part_of_its_number(key: str) -> None:
    assert _check(_chain(), _list(key)).outcome is DeviceFinding.PASS


def test_every_certificate_of_the_chain_is_looked_up() -> None:
    chain = _chain()
    for certificate in chain:
        assert _check(chain, _list(format(certificate.serial, "x"))).outcome is DeviceFinding.FAIL


def test_a_word_of_tomorrow_is_no_clearance() -> None:
    check = _check(_chain(), _list("abc", status="DISTRUSTED"))
    assert (check.outcome, check.reason) == (DeviceFinding.FAIL, "KEY_LISTED")


def test_an_old_list_is_no_pass_and_still_convicts() -> None:
    later = NOW + timedelta(days=1, seconds=1)
    check = _check(_chain(), _list("fff"), now=later)
    assert (check.outcome, check.reason) == (DeviceFinding.UNAVAILABLE, "REVOCATION_LIST_STALE")
    assert _check(_chain(), _list("abc"), now=later).reason == "KEY_REVOKED"
    assert _check(_chain(), _list("fff"), now=NOW + _DAY).outcome is DeviceFinding.PASS
    # A list from the future means that a clock is wrong.
    assert _check(_chain(), _list("fff"), now=NOW - _DAY).outcome is DeviceFinding.UNAVAILABLE


def test_a_missing_list_is_no_pass() -> None:
    check = _check(_chain(), None)
    assert (check.outcome, check.reason, check.soft) == (
        DeviceFinding.UNAVAILABLE,
        "NO_REVOCATION_LIST",
        False,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"entries": []}',
        b'{"entries": {}}',
        b'{"entries": {"a": 1}}',
        b'{"entries": {"a": {}}}',
        b'{"entries": {"a": {"status": 1}}}',
        b'{"entries": {"": {"status": "REVOKED"}}}',
        b'{"entries": {"a": {"status": "REVOKED"}, "a": {"status": "REVOKED"}}}',
        b'{"entries": {"%s": {"status": "REVOKED"}}}' % (b"a" * 129),
        b"[" * 100_000,
        b'{"entries": ' + b"9" * 10_000 + b"}",
        b" " * (MAX_LIST_BYTES + 1),
    ],
    ids=range(15),
)
@pytest.mark.usefixtures("without_collection")
def test_anything_but_a_list_is_refused(data: bytes) -> None:
    with pytest.raises(ReferenceDataMalformed):
        parse_revocation_list(data, fetched_at=NOW)


def test_too_many_entries_are_refused() -> None:
    entries = ",".join(f'"{number}":1' for number in range(MAX_LIST_ENTRIES + 1))
    with pytest.raises(ReferenceDataMalformed, match="entries"):
        parse_revocation_list(f'{{"entries":{{{entries}}}}}'.encode(), fetched_at=NOW)
