"""Unambiguous concatenation: every field carries its length, so no two inputs collide."""

import hashlib

_LENGTH_BYTES = 4


def length_prefixed(*fields: bytes) -> bytes:
    """Concatenate the fields, each after its length as a 4-byte big-endian integer.

    The first field of everything that is hashed, MACed or signed in this protocol is a domain string,
    so that bytes made for one purpose never pass for another (NIST SP 800-185 uses the same idea in
    its TupleHash).
    """
    return b"".join(len(field).to_bytes(_LENGTH_BYTES, "big") + field for field in fields)


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of ``data``, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(data).digest()
