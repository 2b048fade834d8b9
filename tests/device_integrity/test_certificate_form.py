"""Oddities for which the library only warns; here a warning is an error, so none may reach it."""

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.certificate_form import read_certificate, refuse_odd_certificate
from device_integrity.errors import CertificateMalformed
from formats.errors import DerMalformed
from tests.device_integrity.apple.apple_in_software import SoftwareApple, issue, tlv

_OK = SoftwareApple().root.der
_ECDSA, _NULL = bytes.fromhex("06082a8648ce3d040302"), b"\x05\0"


def _name(oid: bytes, text: bytes, tag: int = 0x0C) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, oid), tlv(tag, text))))


def _certificate(
    *,
    version: bytes = b"\x02",
    serial: bytes = b"\x01",
    inner: bytes = _ECDSA,
    outer: bytes = _ECDSA,
    issuer: bytes = b"\x30\0",
    subject: bytes = b"\x30\0",
    extensions: bytes = b"",
) -> bytes:
    """The parts of a certificate that the code reads."""
    body = tlv(
        0x30,
        tlv(0xA0, tlv(2, version)),
        tlv(2, serial),
        tlv(0x30, inner),
        issuer,
        tlv(0x30),
        subject,
        tlv(0x30),
        extensions,
    )
    return tlv(0x30, body, tlv(0x30, outer), tlv(3, b"\0"))


def _extension(identifier: str, content: bytes) -> bytes:
    return tlv(0xA3, tlv(0x30, tlv(0x30, tlv(6, bytes.fromhex(identifier)), tlv(4, content))))


def _directory(name: bytes) -> bytes:
    return tlv(0xA4, name)


_KEY_ID, _ALTERNATIVE, _AUTHORITY_ACCESS, _NAMES = "551d23", "551d11", "2b06010505070101", "551d1e"
_EMPTY, _SOUND = _name(b"\x55\x04\x03", b""), _name(b"\x55\x04\x03", b"Root")
_ODD_EXTENSIONS = [
    (_extension(_KEY_ID, tlv(0x30, tlv(0xA1, _directory(_SOUND)), tlv(0x82, b"\xff"))), "issuer's serial"),
    (_extension(_KEY_ID, tlv(0x30, tlv(0xA1, _directory(_SOUND)), tlv(0x82, b"\0"))), "issuer's serial"),
    (_extension(_KEY_ID, tlv(0x30, tlv(0xA1, _directory(_EMPTY)), tlv(0x82, b"\1"))), "too short"),
    (_extension(_ALTERNATIVE, tlv(0x30, _directory(_EMPTY))), "too short"),
    (_extension(_NAMES, tlv(0x30, tlv(0xA0, tlv(0x30, _directory(_EMPTY))))), "too short"),
    (
        _extension(
            _AUTHORITY_ACCESS,
            tlv(0x30, tlv(0x30, tlv(6, bytes.fromhex("2b06010505073001")), _directory(_EMPTY))),
        ),
        "too short",
    ),
    (tlv(0xA3, tlv(0x30, tlv(0x30, tlv(6, b"\x55")))), "lacks a part"),
]


def test_a_signature_of_whole_octets_only() -> None:
    sound = _certificate()
    with pytest.raises(DerMalformed):
        refuse_odd_certificate(sound[:-1] + b"\x01")


def test_sound_ones_pass() -> None:
    refuse_odd_certificate(_OK)
    refuse_odd_certificate(_certificate())
    refuse_odd_certificate(_certificate(inner=bytes.fromhex("06092a864886f70d01010b0500")))
    country = _name(b"\x55\x04\x06", b"US", 0x13)
    refuse_odd_certificate(_certificate(issuer=country, subject=country))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_certificate(version=b"\x06"), "version"),
        (_certificate(version=b"\xff"), "version"),
        (_certificate(serial=b"\0"), "not positive"),
        (_certificate(serial=b"\xff"), "not positive"),
        (_certificate(inner=_ECDSA + _NULL), "signature algorithm"),
        (_certificate(outer=_ECDSA + _NULL), "signature algorithm"),
        (_certificate(outer=b""), "signature algorithm"),
        (_certificate(issuer=_name(b"\x55\x04\x03", b"x" * 65)), "too short or too long"),
        (_certificate(subject=_name(b"\x55\x04\x03", b"")), "too short or too long"),
        (_certificate(subject=_name(b"\x55\x04\x06", b"USA", 0x13)), "too short or too long"),
        (_certificate(subject=tlv(0x30, tlv(0x31, tlv(0x30)))), "not a pair"),
        *((_certificate(extensions=odd), says) for odd, says in _ODD_EXTENSIONS),
        (tlv(0x30, tlv(0x30)), "three parts"),
        (tlv(0x30, tlv(0x30), tlv(0x30), tlv(3, b"\0")), "lacks a part"),
    ],
)
def test_malformed_extensions_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(CertificateMalformed, match=says):
        refuse_odd_certificate(data)


def test_sound_extensions_pass_and_those_of_others_are_not_read() -> None:
    named = tlv(0x30, tlv(0x80, b"key"), tlv(0xA1, _directory(_SOUND)), tlv(0x82, b"\0\xff"))
    refuse_odd_certificate(_certificate(extensions=_extension(_KEY_ID, named)))
    apples = _extension("2a864886f763640802", b"no DER at all")
    refuse_odd_certificate(_certificate(extensions=apples))


@pytest.mark.parametrize("serial", [b"\xff", b"\0"])
def test_the_library_is_never_asked_about_an_issuers_odd_serial(serial: bytes) -> None:
    content = tlv(0x30, tlv(0xA1, _directory(_SOUND)), tlv(0x82, serial))
    extensions = {x509.ObjectIdentifier("2.5.29.35"): content}
    with pytest.raises(CertificateMalformed, match="serial number"):
        read_certificate(issue("leaf", by=None, authority=False, extensions=extensions).der, "a certificate")


def test_a_name_of_64_characters_is_long_enough() -> None:
    refuse_odd_certificate(issue("x" * 64, by=None, authority=True).der)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_lets_another_error_out(place: int, mask: int) -> None:
    changed = bytearray(_OK)
    changed[place % len(changed)] ^= mask
    try:
        refuse_odd_certificate(bytes(changed))
    except (CertificateMalformed, DerMalformed):
        return
