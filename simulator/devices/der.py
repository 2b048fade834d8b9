"""Writes the ASN.1 of the platforms' certificate extensions."""

from collections.abc import Iterable

from formats.der import encode, encode_integer

__all__ = ["enumerated", "explicit", "integer", "octets", "sequence", "set_of", "tlv"]


def tlv(tag: bytes, content: bytes) -> bytes:
    """Encode an element with a definite length in the fewest octets."""
    return encode(int.from_bytes(tag), content)


def sequence(items: Iterable[bytes]) -> bytes:
    """Encode a SEQUENCE of encoded elements."""
    return tlv(b"\x30", b"".join(items))


def set_of(items: Iterable[bytes]) -> bytes:
    """Encode a SET OF encoded elements, in DER's order."""
    return tlv(b"\x31", b"".join(sorted(items)))


def octets(data: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return tlv(b"\x04", data)


def integer(number: int) -> bytes:
    """Encode an INTEGER."""
    return tlv(b"\x02", encode_integer(number))


def enumerated(number: int) -> bytes:
    """Encode an ENUMERATED."""
    return tlv(b"\x0a", encode_integer(number))


def explicit(number: int, inner: bytes) -> bytes:
    """Encode an element in an explicit context tag, of any number."""
    if number < 31:
        return tlv(bytes([0xA0 | number]), inner)
    tag = bytearray([number & 0x7F])
    while number := number >> 7:
        tag.insert(0, 0x80 | number & 0x7F)
    return tlv(b"\xbf" + bytes(tag), inner)
