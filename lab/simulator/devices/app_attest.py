"""A test substitute for Apple: roots, and App Attest attestations, assertions and receipts under them.

Certificates have the key usage of each role, as Apple's have. Receipts are CMS SignedData (RFC 5652) around
numbered fields, in BER.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from device_integrity.apple import Environment, ReceiptKind
from facegate_protocol import public_key_der, sha256
from lab.simulator.devices.authority import Authority, KeyPair, new_key
from lab.simulator.devices.keystore import integer, octets, sequence, tlv


def issue_as_apple(
    name: str,
    *,
    by: Authority | None,
    authority: bool,
    valid: tuple[datetime, datetime],
    key: KeyPair | None = None,
    extensions: dict[x509.ObjectIdentifier, bytes] | None = None,
    critical: bool = False,
    path_length: int | None = None,
    constraints: bool = True,
    signs: bool = True,
) -> Authority:
    """Issue a certificate with its key, signed deterministically (RFC 6979).

    Args:
        name: Common name of the subject.
        by: The issuer; ``None`` for a self-signed certificate.
        authority: Whether the subject may sign others.
        valid: Start and end of its validity, with time zones.
        key: The subject's key; ``None`` for a new one.
        extensions: Further extensions: content by object identifier.
        critical: Whether these are critical.
        path_length: Largest number of authorities below it.
        constraints: Whether it has basic constraints.
        signs: Whether the key usage is that of its role.
    """
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(sha256(name.encode() + public_key_der(key.public_key()))[:16], "big"))
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs and not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority and signs,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(authority, path_length), critical=True)
    for oid, value in (extensions or {}).items():
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=critical)
    signer = by.key if by else key
    return Authority(key, builder.sign(signer, SHA256(), ecdsa_deterministic=True))


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
        """Make the authorities.

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


_NONCE_OID = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
_NONCE_HEAD = bytes.fromhex("3024a1220420")
_RECEIPT_ENVIRONMENTS: Final = {
    Environment.PRODUCTION: b"production",
    Environment.DEVELOPMENT: b"sandbox",
}
_RECEIPT_LIVES: Final = timedelta(days=90)
_RECEIPT_RESTS: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppAttestKey:
    """A key of App Attest, as in an iPhone's Secure Enclave."""

    key: KeyPair = field(default_factory=new_key)

    @property
    def point(self) -> bytes:
        """The public key as an uncompressed point, 65 bytes."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def key_id(self) -> bytes:
        """Its identifier, 32 bytes."""
        return sha256(self.point)

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return public_key_der(self.key.public_key())

    def assertion(self, client_data: bytes, *, app_id: str, counter: int = 1) -> bytes:
        """Make an assertion over client data, CBOR.

        Args:
            client_data: The data that the app hashes for ``generateAssertion``.
            app_id: Team identifier, a dot, bundle identifier.
            counter: Number of signatures of the key, including this one.
        """
        data = sha256(app_id.encode()) + b"\x40" + counter.to_bytes(4, "big")
        signature = self.key.sign(
            sha256(data + sha256(client_data)), ec.ECDSA(SHA256(), deterministic_signing=True)
        )
        return cbor2.dumps({"signature": signature, "authenticatorData": data})


class TestApple:
    """An imitation of Apple's certificate authorities, which issues App Attest evidence for tests.

    The same seed and times give the same bytes.
    """

    __test__ = False  # not a test class, despite its name

    def __init__(self, *, seed: str, valid: tuple[datetime, datetime]) -> None:
        """Make the authorities.

        Args:
            seed: Seed of their keys.
            valid: Start and end of the validity of all certificates, with time zones.
        """
        self._valid = valid
        self.root = issue_as_apple(
            "Test App Attest root", by=None, authority=True, valid=valid, key=new_key(f"{seed} root")
        )
        self.intermediate = issue_as_apple(
            "Test App Attest CA",
            by=self.root,
            authority=True,
            path_length=0,
            valid=valid,
            key=new_key(f"{seed} intermediate"),
        )
        self.receipts = ReceiptOffice(seed=f"{seed} receipts", valid=valid)

    def attestation(
        self,
        key: AppAttestKey,
        client_data_hash: bytes,
        *,
        app_id: str,
        aaguid: bytes = Environment.PRODUCTION.aaguid,
        counter: int = 0,
        credential_id: bytes | None = None,
        cose_point: bytes | None = None,
        nonce: bytes | None = None,
        leaf: Authority | None = None,
        intermediate: Authority | None = None,
        receipt: bytes = b"receipt",
        more: Mapping[str, object] | None = None,
    ) -> bytes:
        """Make an attestation object, CBOR; each optional argument replaces a valid part.

        Args:
            client_data_hash: The hash that the app passes to ``attestKey``.
            app_id: Team identifier, a dot, bundle identifier.
            aaguid: The environment.
            counter: Number of signatures of the key.
            credential_id: The key's identifier.
            cose_point: The public key in the authenticator data, 65 bytes.
            nonce: Nonce in the leaf, 32 bytes.
            leaf: The key's certificate.
            intermediate: Certificate of its issuer.
            receipt: Apple's receipt.
            more: Members to add or replace.
        """
        x, y = (cose_point or key.point)[1:33], (cose_point or key.point)[33:]
        credential_id = key.key_id if credential_id is None else credential_id
        data = (
            sha256(app_id.encode())
            + b"\x40"
            + counter.to_bytes(4, "big")
            + aaguid
            + len(credential_id).to_bytes(2, "big")
            + credential_id
            + cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        )
        leaf = leaf or self.leaf(key, nonce or sha256(data + client_data_hash))
        return cbor2.dumps(
            {
                "fmt": "apple-appattest",
                "attStmt": {
                    "x5c": [leaf.der, (intermediate or self.intermediate).der],
                    "receipt": receipt,
                },
                "authData": data,
                **(more or {}),
            }
        )

    def leaf(self, key: AppAttestKey, nonce: bytes, *, by: Authority | None = None) -> Authority:
        """Issue a key's certificate.

        Args:
            nonce: Content of its extension, 32 bytes.
            by: The issuer; ``None`` for the intermediate.
        """
        return issue_as_apple(
            "leaf",
            by=by or self.intermediate,
            authority=False,
            valid=self._valid,
            key=key.key,
            extensions={_NONCE_OID: _NONCE_HEAD + nonce},
        )

    def receipt(
        self,
        key: AppAttestKey,
        *,
        app_id: str,
        made: datetime,
        client_data_hash: bytes | None = None,
        risk_metric: int | None = None,
        environment: Environment = Environment.PRODUCTION,
    ) -> bytes:
        """Make a receipt of a key, BER.

        Args:
            app_id: Team identifier, a dot, bundle identifier.
            made: Creation time, with a time zone.
            client_data_hash: Hash of its attestation; ``None`` for an exchanged receipt.
            risk_metric: Approximate number of keys that the device made for the app in 30 days. Apple states
                it in exchanged receipts only.
            environment: The environment for which Apple attested the key.
        """
        return self.receipts.sign(
            self.receipt_fields(
                key,
                app_id=app_id,
                made=made,
                client_data_hash=client_data_hash,
                risk_metric=risk_metric,
                environment=environment,
            )
        )

    def receipt_fields(
        self,
        key: AppAttestKey,
        *,
        app_id: str,
        made: datetime,
        client_data_hash: bytes | None,
        risk_metric: int | None,
        environment: Environment,
    ) -> dict[int, bytes]:
        """Return the fields of a receipt by number; see ``receipt``. An empty field is not stated."""
        first = client_data_hash is not None
        return {
            2: app_id.encode(),
            3: self.leaf(key, bytes(32)).der,
            # Apple's server converts the hash to a text encoding when it exchanges a receipt.
            4: client_data_hash if client_data_hash is not None else b"\xef\xbf\xbd" * 20,
            5: b"token",
            6: (ReceiptKind.ATTEST if first else ReceiptKind.RECEIPT).encode(),
            7: _RECEIPT_ENVIRONMENTS[environment],
            12: _time(made),
            17: b"" if risk_metric is None else str(risk_metric).encode(),
            19: b"" if first else _time(made + _RECEIPT_RESTS),
            21: _time(made + _RECEIPT_LIVES),
        }


def _time(moment: datetime) -> bytes:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
