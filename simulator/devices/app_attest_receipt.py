"""App Attest receipts of the test platform: CMS SignedData (RFC 5652) around numbered fields, in BER."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from simulator.devices.apple_certificates import issue_as_apple
from simulator.devices.authority import Authority, KeyPair, new_key
from simulator.devices.der import integer, octets, sequence, tlv

__all__ = ["ReceiptOffice"]

_SIGNER_OID: Final = x509.ObjectIdentifier("1.2.840.113635.100.12.15")
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
_DATA: Final = bytes.fromhex("06092a864886f70d010701")
_SHA256: Final = sequence([bytes.fromhex("0609608648016503040201"), b"\x05\0"])
_ECDSA_SHA256: Final = sequence([bytes.fromhex("06082a8648ce3d040302")])
_PIECE: Final = 1000
_SEQUENCE, _CONTEXT_0, _PIECES, _SET = b"\x30", b"\xa0", b"\x24", b"\x31"


class ReceiptOffice:
    """Signs receipts, with a root, an authority and a signer. Equal seeds and times give equal bytes."""

    def __init__(self, *, seed: str, valid: tuple[datetime, datetime]) -> None:
        """Makes the authorities.

        Args:
            seed: Seed of their keys.
            valid: Start and end of their validity, with time zones.
        """
        self.root = issue_as_apple(
            "Test receipt root", by=None, authority=True, valid=valid, key=new_key(f"{seed} root")
        )
        self.authority = issue_as_apple(
            "Test receipt CA", by=self.root, authority=True, valid=valid, key=new_key(f"{seed} CA")
        )
        self.signer = issue_as_apple(
            "Test receipt signing",
            by=self.authority,
            authority=False,
            valid=valid,
            key=new_key(f"{seed} signer"),
            extensions={_SIGNER_OID: b"\x05\0"},
        )

    def sign(
        self,
        fields: Mapping[int, bytes],
        *,
        signer: Authority | None = None,
        certificates: Sequence[Authority] | None = None,
        signing_key: KeyPair | None = None,
        indefinite: bool = True,
    ) -> bytes:
        """Make a receipt; each optional argument replaces a valid part.

        Args:
            fields: Its fields by number; empty ones are omitted.
            signer: The authority with the certificate that is named as the signer's.
            certificates: The certificates that it contains.
            signing_key: The key of the signature.
            indefinite: Whether lengths are indefinite, as in Apple's receipts.
        """
        content = tlv(
            _SET,
            b"".join(
                sequence([integer(number), integer(1), octets(value)])
                for number, value in fields.items()
                if value
            ),
        )
        signer = signer or self.signer
        held = (signer, self.authority, self.root) if certificates is None else certificates
        signature = (signing_key or signer.key).sign(content, ec.ECDSA(SHA256(), deterministic_signing=True))
        certificate = signer.certificate
        identifier = sequence([certificate.issuer.public_bytes(), integer(certificate.serial_number)])
        info = sequence([integer(1), identifier, _SHA256, _ECDSA_SHA256, octets(signature)])
        write = _indefinite if indefinite else tlv
        parts = (octets(content[:_PIECE]), octets(content[_PIECE:]))
        data = _indefinite(_PIECES, b"".join(parts)) if indefinite else octets(content)
        signed = write(
            _SEQUENCE,
            integer(1)
            + tlv(_SET, _SHA256)
            + write(_SEQUENCE, _DATA + write(_CONTEXT_0, data))
            + write(_CONTEXT_0, b"".join(one.der for one in held))
            + tlv(_SET, info),
        )
        return write(_SEQUENCE, _SIGNED_DATA + write(_CONTEXT_0, signed))


def _indefinite(tag: bytes, content: bytes) -> bytes:
    return tag + b"\x80" + content + b"\0\0"
