"""What ``cryptography`` reads in a certificate with a mere warning, refused before it does.

A warning is a line in the log of a server for whoever sends such a certificate, and it will be an error
in a later release of the library. For an unknown version it raises an error that is no ``ValueError``.
"""

from typing import Final

from device_integrity import der
from device_integrity.errors import CertificateMalformed

__all__ = ["refuse_odd_certificate"]

_VERSION_TAG: Final = der.Tag(der.TagClass.CONTEXT, 0)
_VERSIONS: Final = range(3)
_ECDSA_WITH: Final = "1.2.840.10045.4.3."
_NAME_LIMITS: Final = {"2.5.4.3": (1, 64), "2.5.4.6": (2, 2), "1.3.6.1.4.1.311.60.2.1.3": (2, 2)}
"""Least and most octets of a common name and of countries: RFC 5280, appendix A.1."""
_EXTENSIONS_TAG: Final = der.Tag(der.TagClass.CONTEXT, 3)
_READ_BY_THE_LIBRARY: Final = ("2.5.29.", "1.3.6.1.5.5.7.1.")
"""Beginnings of the identifiers of extensions that RFC 5280 defines; others are octets to the library."""
_AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
_ISSUER_SERIAL_TAG: Final = der.Tag(der.TagClass.CONTEXT, 2)


def refuse_odd_certificate(data: bytes, *, max_bytes: int) -> None:
    """Refuses unknown versions, serial numbers below 1, parameters of ECDSA, and names of odd lengths.

    Names and serial numbers are looked for in extensions, too.

    Args:
        data: A certificate, DER; whether it is one otherwise is the library's to say.
        max_bytes: The most bytes that are read.

    Raises:
        DerMalformed: The outer parts are not those of a certificate.
        CertificateMalformed: It has one of these oddities.
    """
    parts = der.read(data, max_bytes=max_bytes).sequence()
    if len(parts) != 3:
        raise CertificateMalformed("a certificate has three parts")
    # The library takes a signature whose last bits are said to be unused: one certificate, two encodings.
    parts[2].bits()
    body = parts[0].sequence()
    if body and body[0].tag == _VERSION_TAG:
        if body[0].explicit().integer() not in _VERSIONS:
            raise CertificateMalformed("a certificate's version is unknown")
        body = body[1:]
    if len(body) < 5:
        raise CertificateMalformed("a certificate lacks a part")
    serial, inner_algorithm, issuer, _, subject, *others = body
    if serial.integer() < 1:
        raise CertificateMalformed("a certificate's serial number is not positive")
    for algorithm in (inner_algorithm, parts[1]):
        identifier, *parameters = algorithm.sequence() or (None,)
        if identifier is None or (parameters and identifier.object_identifier().startswith(_ECDSA_WITH)):
            raise CertificateMalformed("a certificate's signature algorithm is not written as it has to be")
    for name in (issuer, subject):
        _refuse_odd_name(name)
    for part in others:
        if part.tag == _EXTENSIONS_TAG:
            for extension in part.explicit().sequence():
                _refuse_odd_extension(extension, max_bytes=max_bytes)


def _refuse_odd_name(name: der.Element) -> None:
    for relative in name.sequence():
        for attribute in relative.set_of():
            pair = attribute.sequence()
            if len(pair) != 2:
                raise CertificateMalformed("an attribute of a name is not a pair")
            _refuse_odd_length(*pair)


def _refuse_odd_length(kind: der.Element, value: der.Element) -> None:
    limits = _NAME_LIMITS.get(kind.object_identifier())
    # Only of these types is the length in octets what the library counts.
    if limits is not None and not limits[0] <= len(value.text().encode()) <= limits[1]:
        raise CertificateMalformed("an attribute of a name is too short or too long")


def _refuse_odd_extension(extension: der.Element, *, max_bytes: int) -> None:
    parts = extension.sequence()
    if len(parts) < 2:
        raise CertificateMalformed("an extension lacks a part")
    identifier = parts[0].object_identifier()
    if not identifier.startswith(_READ_BY_THE_LIBRARY):
        return
    content = der.read(parts[-1].octets(), max_bytes=max_bytes)
    if identifier == _AUTHORITY_KEY_IDENTIFIER:
        serials = (part.content for part in content.sequence() if part.tag == _ISSUER_SERIAL_TAG)
        if any(int.from_bytes(serial, signed=True) < 1 for serial in serials):
            raise CertificateMalformed("an issuer's serial number is not positive")
    _refuse_odd_names_within(content)


def _refuse_odd_names_within(element: der.Element) -> None:
    """Wherever an extension holds a name, its attributes are pairs that begin with their type."""
    if not element.constructed:
        return
    children = element.children()
    if len(children) == 2 and children[0].is_universal(der.Universal.OBJECT_IDENTIFIER):
        _refuse_odd_length(*children)
    for child in children:
        _refuse_odd_names_within(child)
