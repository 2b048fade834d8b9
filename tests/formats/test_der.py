"""The ASN.1 reader: values of X.690, forms that DER forbids, limits, and arbitrary bytes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.der import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    Boolean,
    Element,
    Encoding,
    Tag,
    TagClass,
    Universal,
    encode_integer,
    read,
    read_prefix,
)
from formats.errors import DerMalformed
from lab.simulator.devices.keystore import tlv


def test_values_of_the_standard() -> None:
    # X.690 8.19.5 and 8.20 have these as examples.
    assert read(bytes.fromhex("0603883703")).object_identifier() == "2.999.3"
    assert read(bytes.fromhex("06062a864886f70d")).object_identifier() == "1.2.840.113549"
    assert read(bytes.fromhex("0101ff")).boolean() == Boolean(value=True, canonical=True)
    assert read(bytes.fromhex("010100")).boolean() == Boolean(value=False, canonical=True)
    # Only BER allows it: read and flagged.
    assert read(bytes.fromhex("010101")).boolean() == Boolean(value=True, canonical=False)
    assert read(bytes.fromhex("02020080")).integer() == 128
    assert read(bytes.fromhex("0201ff")).integer() == -1
    assert read(bytes.fromhex("0a0102")).enumerated() == 2
    assert read(b"\x0c\x02\xc3\xa9").text() == "é"
    assert read(b"\x13\x02ab").text() == "ab"
    assert read(b"\x03\x03\x00ab").bits() == b"ab"
    assert [item.integer() for item in read(bytes.fromhex("3006020101020102")).sequence()] == [1, 2]
    assert [item.integer() for item in read(bytes.fromhex("3103020101")).set_of()] == [1]
    read(b"\x05\x00").null()


def test_high_tag_numbers_are_decoded() -> None:
    element = read(bytes.fromhex("bf853d03020107"))
    assert element.tag == Tag(TagClass.CONTEXT, 701)
    assert str(element.tag) == "[701]"
    assert element.explicit().integer() == 7
    assert str(read(b"\x5f\x21\x00").tag) == "[APPLICATION 33]"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x04\x05ab",
        b"\x04\x81\x01a",
        b"\x04\x82\x00\x80" + b"a" * 128,
        b"\x04\x85\x00\x00\x00\x00\x01a",
        b"\x04\x84\xff\xff\xff\xff",
        b"\x24\x80\x00\x00",
        b"\x04\x00\x00",
        b"\x1f\x80\x81\x00\x00",
        b"\x1f\x1e\x00",
        b"\xbf\xff\xff\xff\xff\x01\x00",
        b"\x00\x00",
        b"\x20\x00",
    ],
)
def test_non_canonical_der_is_refused(data: bytes) -> None:
    with pytest.raises(DerMalformed):
        read(data)


@pytest.mark.parametrize(
    ("data", "reader"),
    [
        (b"\x02\x00", Element.integer),
        (b"\x02\x02\x00\x01", Element.integer),
        (b"\x02\x02\xff\x80", Element.integer),
        (b"\x02\x41" + b"\x01" * 65, Element.integer),
        (b"\x02\x01\x01", Element.enumerated),
        (b"\x22\x03\x02\x01\x01", Element.integer),
        (b"\x01\x02\x00\x00", Element.boolean),
        (b"\x05\x01a", Element.null),
        (b"\x06\x00", Element.object_identifier),
        (b"\x06\x01\x80", Element.object_identifier),
        (b"\x06\x02\x80\x01", Element.object_identifier),
        (b"\x06\x0a" + b"\xff" * 9 + b"\x01", Element.object_identifier),
        (b"\x06\x21" + b"\x01" * 33, Element.object_identifier),
        (b"\x04\x01a", Element.text),
        (b"\x0c\x01\xff", Element.text),
        (b"\x16\x01\xe9", Element.text),
        (b"\x03\x02\x01a", Element.bits),
        (b"\x03\x00", Element.bits),
        (b"\x04\x00", Element.sequence),
        (b"\x04\x00", Element.children),
        (b"\x30\x00", Element.octets),
        (b"\xa1\x00", Element.explicit),
        (b"\xa1\x04\x05\x00\x05\x00", Element.explicit),
        (b"\x24\x02\x04\x00", Element.octets),
        (b"\x10\x00", Element.sequence),
    ],
)
def test_a_value_of_another_type_or_form(data: bytes, reader: object) -> None:
    assert callable(reader)
    with pytest.raises(DerMalformed):
        reader(read(data))


def test_ber_reads_indefinite_lengths_and_strings_in_pieces() -> None:
    data = bytes.fromhex("3080 2480 0402 6162 0401 63 0000 020101 0000".replace(" ", ""))
    string, number = read(data, encoding=Encoding.BER).sequence()
    assert string.octets() == b"abc"
    assert number.integer() == 1
    assert read(b"\x04\x81\x01a", encoding=Encoding.BER).octets() == b"a"
    with pytest.raises(DerMalformed, match="indefinite"):
        read(data)
    with pytest.raises(DerMalformed, match="cut off"):
        read(data[:-2], encoding=Encoding.BER)


def test_bytes_behind_are_counted_or_refused() -> None:
    element, behind = read_prefix(b"\x05\x00more")
    assert element.is_universal(Universal.NULL)
    assert behind == 4
    with pytest.raises(DerMalformed, match="4 bytes follow"):
        read(b"\x05\x00more")


def test_limits() -> None:
    with pytest.raises(DerMalformed, match="at most"):
        read(tlv(b"\x04", bytes(MAX_BYTES)))
    with pytest.raises(DerMalformed, match="more than"):
        read(tlv(b"\x30", b"\x05\x00" * (MAX_ELEMENTS + 1))).children()
    with pytest.raises(DerMalformed, match="more than"):
        read(b"\x30\x80" + b"\x05\x00" * (MAX_ELEMENTS + 1) + b"\0\0", encoding=Encoding.BER)
    deep = b"\x05\x00"
    for _ in range(MAX_DEPTH + 1):
        deep = tlv(b"\x30", deep)
    element = read(deep)
    for _ in range(MAX_DEPTH):
        (element,) = element.children()
    with pytest.raises(DerMalformed, match="deeper"):
        element.children()
    with pytest.raises(DerMalformed, match="deeper"):
        read(b"\x30\x80" * (MAX_DEPTH + 2), encoding=Encoding.BER)


@pytest.mark.parametrize("encoding", Encoding)
def test_a_hostile_nest_takes_bounded_time(encoding: Encoding) -> None:
    width = MAX_ELEMENTS - 1
    data = b"\x30\x80" * (MAX_DEPTH - 1) + b"\x30\x80\0\0" * width + b"\0\0" * (MAX_DEPTH - 1)
    if encoding is not Encoding.BER:
        data = b"\x30\x00" * width
        for _ in range(MAX_DEPTH):
            data = tlv(b"\x30", data)
    started = time.process_time()
    _walk(read(data, encoding=encoding))
    assert time.process_time() - started < 10.0


def _walk(element: Element) -> int:
    """Read all of it in every way; return the number of elements."""
    readers = (element.boolean, element.integer, element.enumerated, element.octets, element.bits)
    for reader in (*readers, element.text, element.null, element.object_identifier, element.explicit):
        try:
            reader()
        except DerMalformed:
            continue
    if not element.constructed:
        return 1
    try:
        return 1 + sum(_walk(child) for child in element.children())
    except DerMalformed:
        return 1


@given(st.binary(max_size=200), st.sampled_from(Encoding))
def test_anything_is_read_or_refused(data: bytes, encoding: Encoding) -> None:
    try:
        element = read(data, encoding=encoding)
    except DerMalformed:
        return
    assert element.encoded == data
    assert _walk(element) >= 1


_PRIMITIVES = st.one_of(
    st.binary(max_size=300).map(lambda octets: tlv(b"\x04", octets)),
    st.integers(-(2**500), 2**500).map(lambda number: tlv(b"\x02", encode_integer(number))),
    st.text(max_size=20).map(lambda text: tlv(b"\x0c", text.encode())),
)
_TREES = st.recursive(
    _PRIMITIVES,
    lambda inner: st.lists(inner, min_size=2, max_size=4).map(lambda items: tlv(b"\x30", b"".join(items))),
    max_leaves=20,
)


@given(_TREES)
def test_encoded_der_is_decoded(data: bytes) -> None:
    def written(element: Element) -> bytes:
        if element.is_universal(Universal.SEQUENCE):
            return tlv(b"\x30", b"".join(written(child) for child in element.sequence()))
        if element.is_universal(Universal.INTEGER):
            return tlv(b"\x02", encode_integer(element.integer()))
        if element.is_universal(Universal.UTF8_STRING):
            return tlv(b"\x0c", element.text().encode())
        return tlv(b"\x04", element.octets())

    assert written(read(data)) == data
