import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import length_prefixed, sha256


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), ""),
        ((b"",), "00000000"),
        ((b"abc",), "00000003616263"),
        ((b"ab", b"c"), "000000026162" + "0000000163"),
        ((b"a", b"bc"), "0000000161" + "000000026263"),
        ((bytes(256),), "00000100" + "00" * 256),
    ],
)
def test_each_field_follows_its_big_endian_length(fields: tuple[bytes, ...], expected: str) -> None:
    assert length_prefixed(*fields).hex() == expected


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.binary(max_size=40), max_size=6))
def test_different_fields_never_give_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (length_prefixed(*one) == length_prefixed(*other)) == (one == other)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4), st.data())
def test_moving_a_border_between_fields_shows(fields: list[bytes], data: st.DataObject) -> None:
    joined = b"".join(fields)
    cut = data.draw(st.integers(0, len(joined)))
    moved = [joined[:cut], joined[cut:]]
    assert (length_prefixed(*fields) == length_prefixed(*moved)) == (fields == moved)


def test_sha256_is_fips_180_4s() -> None:
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"") == hashlib.sha256().digest()
