"""Reading AuthorizationLists: every known tag, and malformed lists. Real ones: test_key_description."""

import dataclasses

import pytest

from device_integrity.android.authorizations import AuthorizationList, read_authorizations
from device_integrity.errors import KeyDescriptionMalformed
from formats import der
from simulator.devices.keystore import enumerated, explicit, integer, octets, sequence, set_of, tlv

_NUMBERS = (2, 3, 8, 10, 11, 200, 400, 401, 402, 405, 504, 505, 701, 702, 705, 706, 718, 719)
_SETS = (1, 4, 5, 6, 203, 502)
_FLAGS = (7, 303, 305, 503, 506, 507, 508, 509, 600, 703, 720)
_OCTETS = (601, *range(709, 718), 723, 724)


def test_every_tag_that_is_known_is_read_into_a_field_of_its_own() -> None:
    items = {number: explicit(number, integer(number)) for number in _NUMBERS}
    items |= {number: explicit(number, set_of([integer(number), integer(0)])) for number in _SETS}
    items |= {number: explicit(number, b"\x05\x00") for number in _FLAGS}
    items |= {number: explicit(number, octets(b"%d" % number)) for number in _OCTETS}
    items[704] = explicit(704, sequence([octets(b"key"), b"\x01\x01\xff", enumerated(0)]))
    read = read_authorizations(der.read(sequence(items[number] for number in sorted(items))))
    empty = AuthorizationList()
    values = {
        field.name: getattr(read, field.name)
        for field in dataclasses.fields(read)
        if getattr(read, field.name) != getattr(empty, field.name)
    }
    assert len(values) == len(items)
    assert len({repr(value) for value in values.values() if value is not True}) == len(items) - len(_FLAGS)
    assert (read.origin, read.os_patch_level, read.purposes) == (702, 706, frozenset({0, 1}))
    assert read.root_of_trust is not None
    assert read.root_of_trust.verified_boot_hash is None
    assert (read.unknown, read.oddities) == ({}, frozenset())


def test_tags_out_of_order_are_read_and_named() -> None:
    read = read_authorizations(der.read(sequence([explicit(702, integer(0)), explicit(1, set_of([]))])))
    assert read.oddities == {"TAGS_NOT_ASCENDING"}
    assert read.origin == 0


@pytest.mark.parametrize(
    "item",
    [
        explicit(702, integer(0)) + explicit(702, integer(0)),
        explicit(9_999, b"") + explicit(9_999, b""),
        integer(1),
        tlv(b"\x82", b"\x01"),
        explicit(702, octets(b"")),
        explicit(702, b""),
        explicit(702, integer(-1)),
        explicit(706, integer(2**64)),
        explicit(1, set_of([integer(2), integer(2)])),
        explicit(1, sequence([integer(2)])),
        explicit(600, b"\x05\x01a"),
        explicit(709, integer(1)),
        explicit(3, octets(b"")) + explicit(10, octets(b"")),
        explicit(704, sequence([octets(b""), b"\x01\x01\xff"])),
        explicit(704, sequence([octets(b""), b"\x01\x02\xff\xff", enumerated(0)])),
        explicit(704, sequence([octets(b""), integer(1), enumerated(0)])),
    ],
    ids=range(16),
)
def test_a_malformed_list_is_refused(item: bytes) -> None:
    with pytest.raises(KeyDescriptionMalformed):
        read_authorizations(der.read(sequence([item])))


def test_one_malformed_field_that_no_verdict_rests_on_is_named() -> None:
    items = [explicit(1, set_of([integer(2)])), explicit(724, integer(1))]
    read = read_authorizations(der.read(sequence(items)))
    assert (read.module_hash, read.purposes) == (None, frozenset({2}))
    assert read.oddities == {"MALFORMED_MODULE_HASH"}
