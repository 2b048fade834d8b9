"""Reads App Attest receipts: CMS SignedData (RFC 5652) around a SET of numbered fields.

Apple writes it in BER, with indefinite lengths, without signed attributes and without sorting the SET.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from device_integrity.apple.attestation_format import Environment
from device_integrity.apple.certificates import p256_key
from device_integrity.certificate_form import read_certificate
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import public_key_der
from formats.der import Element, Encoding, TagClass, read
from formats.errors import DerMalformed

MAX_RECEIPT_BYTES: Final = 16 * 1024
"""Maximum length of a receipt."""

_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_DATA: Final = "1.2.840.113549.1.7.1"
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_MOST_CERTIFICATES: Final = 4
_MOST_FIELDS: Final = 32
_TIME_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")
_MOST_RISK_DIGITS: Final = 9


class ReceiptKind(StrEnum):
    """The kinds of receipts."""

    ATTEST = "ATTEST"
    """The receipt within an attestation; it has no risk metric."""
    RECEIPT = "RECEIPT"
    """A receipt that Apple's server returned in exchange."""


class _Field(IntEnum):
    """Numbers of the known fields."""

    APP_ID = 2
    CERTIFICATE = 3
    CLIENT_HASH = 4
    TOKEN = 5
    KIND = 6
    ENVIRONMENT = 7
    CREATED = 12
    RISK_METRIC = 17
    NOT_BEFORE = 19
    EXPIRES = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The fields of a receipt.

    Attributes:
        app_id: Team identifier, a dot, bundle identifier.
        public_key: SubjectPublicKeyInfo of the attested key, DER.
        client_hash: The attestation's ``clientDataHash``; ``None`` except in an ATTEST receipt, because in
            others a text encoding of Apple's server destroys it.
        environment: The environment that Apple attested the key for.
        created: The creation time, UTC.
        risk_metric: Approximate number of keys that the device made for the app in the last 30 days, or
            ``None``.
        not_before: The time from which it may be exchanged for the next, or ``None``.
        expires: The time until which it may be exchanged.
    """

    app_id: str
    public_key: bytes
    client_hash: bytes | None
    kind: ReceiptKind
    environment: Environment
    created: datetime
    risk_metric: int | None
    not_before: datetime | None
    expires: datetime

    def may_be_exchanged(self, now: datetime) -> bool:
        """Return whether Apple's server exchanges it for the next one at ``now``."""
        return now < self.expires and (self.not_before is None or now >= self.not_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt with the data that verifying it needs.

    Attributes:
        signature: ECDSA with SHA-256, ASN.1 DER.
        chain: The signer's certificate and those above it that the receipt holds, without the root.
    """

    receipt: Receipt
    content: bytes
    signature: bytes
    signer: x509.Certificate
    signer_key: ec.EllipticCurvePublicKey
    chain: tuple[x509.Certificate, ...]


def parse_receipt(data: bytes) -> SignedReceipt:
    """Read a receipt.

    Args:
        data: CMS SignedData, BER, at most ``MAX_RECEIPT_BYTES``.

    Raises:
        EvidenceMalformed: It is not a receipt of App Attest.
    """
    try:
        return _read_signed(data)
    except DerMalformed as error:
        raise EvidenceMalformed(str(error)) from error


def _read_signed(data: bytes) -> SignedReceipt:
    info = read(data, encoding=Encoding.BER, max_bytes=MAX_RECEIPT_BYTES).sequence()
    _demand(len(info) == 2 and info[0].object_identifier() == _SIGNED_DATA, "it is not CMS SignedData")
    signed = _tagged(info[1], 0).explicit().sequence()
    _demand(len(signed) >= 5, "its SignedData lacks a part")
    encapsulated = signed[2].sequence()
    _demand(len(encapsulated) == 2 and encapsulated[0].object_identifier() == _DATA, "it holds no data")
    content = _tagged(encapsulated[1], 0).explicit().octets()
    certificates = tuple(
        read_certificate(one.encoded, "a certificate of the receipt")
        for one in _tagged(signed[3], 0).children()[: _MOST_CERTIFICATES + 1]
    )
    _demand(len(certificates) <= _MOST_CERTIFICATES, f"it holds more than {_MOST_CERTIFICATES} certificates")
    serial, signature = _signer_info(signed[-1])
    signer = next((one for one in certificates if one.serial_number == serial), None)
    if signer is None:
        raise EvidenceMalformed("the receipt does not hold its signer's certificate")
    return SignedReceipt(
        receipt=_read_content(content),
        content=content,
        signature=signature,
        signer=signer,
        signer_key=p256_key(signer, "the receipt's signer"),
        chain=_upwards(signer, certificates),
    )


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise EvidenceMalformed(f"the bytes are not a receipt: {otherwise}")


def _tagged(element: Element, number: int) -> Element:
    if element.tag.tag_class is not TagClass.CONTEXT or element.tag.number != number:
        raise EvidenceMalformed(f"[{number}] expected, {element.tag} found")
    return element


def _signer_info(signer_infos: Element) -> tuple[int, bytes]:
    """Return the serial number of the signer's certificate and the signature. The issuer is not compared."""
    infos = signer_infos.set_of()
    _demand(len(infos) == 1, f"it has {len(infos)} signers, 1 expected")
    parts = infos[0].sequence()
    _demand(
        len(parts) == 5,
        "its signer information has other parts than the five expected, such as signed attributes",
    )
    identifier = parts[1].sequence()
    _demand(len(identifier) == 2, "it does not identify its signer by issuer and serial number")
    _demand(_algorithm(parts[2]) == _SHA256, "its hash is not SHA-256")
    _demand(_algorithm(parts[3]) == _ECDSA_SHA256, "its signature is not ECDSA with SHA-256")
    return identifier[1].integer(), parts[4].octets()


def _algorithm(element: Element) -> str:
    parts = element.sequence()
    _demand(bool(parts), "it does not identify an algorithm")
    return parts[0].object_identifier()


def _upwards(
    signer: x509.Certificate, certificates: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """Return the signer's certificate and its issuers, without the root, which the verifier pins."""
    chain = [signer]
    for _ in certificates:
        above = next(
            (one for one in certificates if one.subject == chain[-1].issuer and one.subject != one.issuer),
            None,
        )
        if above is None or above in chain:
            break
        chain.append(above)
    return tuple(chain)


def _read_content(content: bytes) -> Receipt:
    # Apple does not sort the SET, which DER demands, so it is read as BER.
    elements = read(content, encoding=Encoding.BER, max_bytes=MAX_RECEIPT_BYTES).set_of()
    _demand(len(elements) <= _MOST_FIELDS, f"it has more than {_MOST_FIELDS} fields")
    fields: dict[int, bytes] = {}
    for element in elements:
        parts = element.sequence()
        _demand(len(parts) == 3, "a field is not type, version and value")
        number = parts[0].integer()
        _demand(number not in fields, f"it has field {number} twice")
        fields[number] = parts[2].octets()
    kind = _kind(_text(fields, _Field.KIND))
    environment = {"production": Environment.PRODUCTION, "sandbox": Environment.DEVELOPMENT}.get(
        _text(fields, _Field.ENVIRONMENT)
    )
    if environment is None:
        raise EvidenceMalformed(f"field {_Field.ENVIRONMENT:d} of the receipt is not an environment")
    return Receipt(
        app_id=_text(fields, _Field.APP_ID),
        public_key=_public_key(_value(fields, _Field.CERTIFICATE)),
        client_hash=_value(fields, _Field.CLIENT_HASH) if kind is ReceiptKind.ATTEST else None,
        kind=kind,
        environment=environment,
        created=_time(fields, _Field.CREATED),
        risk_metric=_risk_metric(fields),
        not_before=_time(fields, _Field.NOT_BEFORE) if _Field.NOT_BEFORE in fields else None,
        expires=_time(fields, _Field.EXPIRES),
    )


def _value(fields: dict[int, bytes], number: int) -> bytes:
    value = fields.get(number)
    if value is None:
        raise EvidenceMalformed(f"the receipt lacks field {number}")
    return value


def _text(fields: dict[int, bytes], number: int) -> str:
    try:
        return _value(fields, number).decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceMalformed(f"field {number} of the receipt is not text") from error


def _kind(text: str) -> ReceiptKind:
    try:
        return ReceiptKind(text)
    except ValueError as error:
        raise EvidenceMalformed(f"the receipt is not one of the kinds {', '.join(ReceiptKind)}") from error


def _time(fields: dict[int, bytes], number: int) -> datetime:
    text = _text(fields, number)
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise EvidenceMalformed(f"field {number} of the receipt is not a time in UTC")


def _risk_metric(fields: dict[int, bytes]) -> int | None:
    if _Field.RISK_METRIC not in fields:
        return None
    text = _text(fields, _Field.RISK_METRIC)
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_RISK_DIGITS):
        raise EvidenceMalformed(f"field {_Field.RISK_METRIC:d} of the receipt is not a number")
    return int(text)


def _public_key(field: bytes) -> bytes:
    return public_key_der(
        p256_key(read_certificate(field, "the attested certificate"), "the attested certificate")
    )
