"""Untrusted CBOR is either accepted or refused, and has no other outcome."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.cbor import (
    CborValue,
    decode_cbor,
    item_end,
    take_bytes,
    take_int,
    take_list,
    take_map,
    take_text,
    whole_map,
)
from device_integrity.errors import CborMalformed

_KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8)
_LEAVES = st.none() | st.booleans() | _KEYS
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_encoded_values_are_decoded(value: CborValue) -> None:
    data = cbor2.dumps(value)
    assert decode_cbor(data, max_bytes=10_000, max_depth=20) == value
    assert item_end(data + b"more", max_depth=20) == len(data)


@given(_VALUES, st.binary(min_size=1, max_size=5))
def test_bytes_behind_the_item_are_refused(value: CborValue, more: bytes) -> None:
    with pytest.raises(CborMalformed, match="follow the CBOR item"):
        decode_cbor(cbor2.dumps(value) + more, max_bytes=10_000, max_depth=20)


@given(_VALUES, st.integers(0, 10_000))
def test_a_cut_item_is_refused(value: CborValue, cut: int) -> None:
    data = cbor2.dumps(value)
    with pytest.raises(CborMalformed):
        decode_cbor(data[: cut % len(data)], max_bytes=10_000, max_depth=20)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_typed_error(data: bytes) -> None:
    try:
        value = decode_cbor(data, max_bytes=200)
    except CborMalformed:
        return
    assert cbor2.loads(data) == value


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "ends inside"),
        ("c11a514b67b0", "tag"),  # a date
        ("c249010000000000000000", "tag"),  # a big number
        ("d9d9f700", "tag"),  # self-described CBOR
        ("f93c00", "float"),
        ("f7", "simple value"),  # undefined
        ("ff", "simple value"),
        ("9f01ff", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("1c", "reserved form"),
        ("5affffffff", "longer than the data"),
        ("5bffffffffffffffff00", "longer than the data"),
        ("9bffffffffffffffff00", "longer than the data"),
        ("a1f500", "key"),  # true as a key
        ("a18000", "key"),  # an array as a key
        ("a201000100", "twice"),
        ("a20100180100", "twice"),  # 1, and 1 in a longer form
        ("62c328", "UTF-8"),
        ("8201", "longer than the data"),
    ],
)
def test_cbor_features_unused_in_evidence_are_refused(data: str, says: str) -> None:
    with pytest.raises(CborMalformed, match=says):
        decode_cbor(bytes.fromhex(data), max_bytes=64)


def test_depth_is_bounded() -> None:
    nested = cbor2.dumps([[[]]])
    assert decode_cbor(nested, max_bytes=64, max_depth=3) == [[[]]]
    with pytest.raises(CborMalformed, match="deeper than 2"):
        decode_cbor(nested, max_bytes=64, max_depth=2)
    with pytest.raises(CborMalformed, match="deeper"):
        decode_cbor(b"\x81" * 60_000, max_bytes=65_536)
    assert decode_cbor(b"\x01", max_bytes=1, max_depth=0) == 1
    with pytest.raises(CborMalformed, match="deeper than 0"):
        decode_cbor(b"\x80", max_bytes=1, max_depth=0)


def test_size_is_bounded() -> None:
    assert decode_cbor(b"\x43abc", max_bytes=4) == b"abc"
    with pytest.raises(CborMalformed, match="at most 3"):
        decode_cbor(b"\x43abc", max_bytes=3)


@pytest.mark.parametrize(
    ("take", "says"),
    [
        (lambda: take_map([], "it"), "it is not a map"),
        (lambda: whole_map({1: 2}, frozenset({1, 2}), "it"), "no others"),
        (lambda: whole_map({1: 2, 3: 4}, frozenset({1}), "it"), "no others"),
        (lambda: take_bytes("ab", "it"), "not a byte string"),
        (lambda: take_bytes(b"ab", "it", size=3), "2 bytes instead of 3"),
        (lambda: take_text(b"ab", "it"), "not a text string"),
        (lambda: take_int(True, "it"), "not an integer"),
        (lambda: take_int("1", "it"), "not an integer"),
        (lambda: take_list({}, "it"), "not an array"),
        (lambda: take_list([1], "it", size=2), "1 items instead of 2"),
    ],
)
def test_helpers_refuse_other_kinds(take: object, says: str) -> None:
    assert callable(take)
    with pytest.raises(CborMalformed, match=says):
        take()
