"""Reads certificates, and refuses malformed ones that ``cryptography`` reads with a mere warning.

Every such certificate would write a warning to the server's log, and a later release of the library will
raise an error instead. For an unknown version the library raises an error that is not a ``ValueError``.
"""

from typing import Final

from cryptography import x509

from device_integrity.errors import CertificateMalformed
from formats import der
from formats.errors import DerMalformed

_VERSION_TAG: Final = der.Tag(der.TagClass.CONTEXT, 0)
_VERSIONS: Final = range(3)
_ECDSA_WITH: Final = "1.2.840.10045.4.3."
_NAME_LIMITS: Final = {"2.5.4.3": (1, 64), "2.5.4.6": (2, 2), "1.3.6.1.4.1.311.60.2.1.3": (2, 2)}
"""Minimum and maximum octets of a common name and of countries: RFC 5280, appendix A.1."""
_EXTENSIONS_TAG: Final = der.Tag(der.TagClass.CONTEXT, 3)
_READ_BY_THE_LIBRARY: Final = ("2.5.29.", "1.3.6.1.5.5.7.1.")
"""Prefixes of the identifiers of extensions that RFC 5280 defines; the library does not parse others."""
_AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
_ISSUER_SERIAL_TAG: Final = der.Tag(der.TagClass.CONTEXT, 2)


MAX_CERTIFICATE_BYTES: Final = 8 * 1024
UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    DerMalformed,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""Exceptions for certificates that cannot be read; those of the library are not all ValueErrors."""


def read_certificate(data: bytes, what: str) -> x509.Certificate:
    """Parse a certificate, including every part that this room uses, but for its key.

    The certificate is DER, at most 8 KiB; ``what`` names it in error messages.

    Raises:
        CertificateMalformed: The certificate is too long, or a part of it cannot be read.
    """
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise CertificateMalformed(
            f"{what} has {len(data)} bytes; at most {MAX_CERTIFICATE_BYTES} are accepted"
        )
    try:
        refuse_odd_certificate(data)
        certificate = x509.load_der_x509_certificate(data)
        # The library parses lazily, so a malformed part has to fail here.
        _ = (
            certificate.extensions,
            certificate.subject,
            certificate.issuer,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            certificate.signature_algorithm_oid,
            certificate.version,
        )
    except CertificateMalformed as error:
        raise CertificateMalformed(f"{what}: {error}") from error
    except UNREADABLE as error:
        # The library's messages may quote the device's bytes.
        raise CertificateMalformed(f"{what} cannot be read as a certificate") from error
    return certificate


def refuse_odd_certificate(data: bytes) -> None:
    """Refuse a certificate whose version, serial number, ECDSA algorithm or names break RFC 5280.

    A version must be known, a serial number at least 1, an ECDSA algorithm without parameters, and a common
    name or country of the permitted length. Names and serial numbers in extensions are tested too.

    ``data`` is DER. The library verifies the rest of its form.

    Raises:
        DerMalformed: The outer parts are not those of a certificate.
        CertificateMalformed: The certificate breaks one of these rules, or lacks a part.
    """
    parts = der.read(data, max_bytes=MAX_CERTIFICATE_BYTES).sequence()
    if len(parts) != 3:
        raise CertificateMalformed(f"a certificate has to have three parts, not {len(parts)}")
    # The library accepts a signature whose last bits are marked as unused, which would give one certificate
    # two encodings.
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
            raise CertificateMalformed(
                "a certificate's signature algorithm is missing, or has parameters that ECDSA forbids"
            )
    for name in (issuer, subject):
        _refuse_odd_name(name)
    for part in others:
        if part.tag == _EXTENSIONS_TAG:
            for extension in part.explicit().sequence():
                _refuse_odd_extension(extension)


def _refuse_odd_name(name: der.Element) -> None:
    for relative in name.sequence():
        for attribute in relative.set_of():
            pair = attribute.sequence()
            if len(pair) != 2:
                raise CertificateMalformed("an attribute of a name is not a pair")
            _refuse_odd_length(*pair)


def _refuse_odd_length(kind: der.Element, value: der.Element) -> None:
    limits = _NAME_LIMITS.get(kind.object_identifier())
    # The library counts octets for attributes of these types only.
    if limits is not None and not limits[0] <= len(value.text().encode()) <= limits[1]:
        raise CertificateMalformed("an attribute of a name is too short or too long")


def _refuse_odd_extension(extension: der.Element) -> None:
    parts = extension.sequence()
    if len(parts) < 2:
        raise CertificateMalformed("an extension lacks a part")
    identifier = parts[0].object_identifier()
    if not identifier.startswith(_READ_BY_THE_LIBRARY):
        return
    content = der.read(parts[-1].octets(), max_bytes=MAX_CERTIFICATE_BYTES)
    if identifier == _AUTHORITY_KEY_IDENTIFIER:
        serials = (part.content for part in content.sequence() if part.tag == _ISSUER_SERIAL_TAG)
        if any(int.from_bytes(serial, signed=True) < 1 for serial in serials):
            raise CertificateMalformed("an issuer's serial number is not positive")
    _refuse_odd_names_within(content)


def _refuse_odd_names_within(element: der.Element) -> None:
    """Refuse names of wrong length anywhere in an extension. An attribute is a pair of type and value."""
    if not element.constructed:
        return
    children = element.children()
    if len(children) == 2 and children[0].is_universal(der.Universal.OBJECT_IDENTIFIER):
        _refuse_odd_length(*children)
    for child in children:
        _refuse_odd_names_within(child)
