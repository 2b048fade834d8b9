"""Writes the ASN.1 of the platforms' certificate extensions."""

from collections.abc import Iterable

__all__ = ["enumerated", "explicit", "integer", "octets", "sequence", "set_of", "shortest", "tlv"]


def tlv(tag: bytes, content: bytes) -> bytes:
    """Encode an element with a definite length in the fewest octets."""
    size = len(content)
    if size < 0x80:
        return tag + bytes([size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return tag + bytes([0x80 | len(length)]) + length + content


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
    return tlv(b"\x02", shortest(number))


def enumerated(number: int) -> bytes:
    """Encode an ENUMERATED."""
    return tlv(b"\x0a", shortest(number))


def explicit(number: int, inner: bytes) -> bytes:
    """Encode an element in an explicit context tag, of any number."""
    if number < 31:
        return tlv(bytes([0xA0 | number]), inner)
    tag = bytearray([number & 0x7F])
    while number := number >> 7:
        tag.insert(0, 0x80 | number & 0x7F)
    return tlv(b"\xbf" + bytes(tag), inner)


def shortest(number: int) -> bytes:
    """Return the two's complement in the fewest octets."""
    return number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
