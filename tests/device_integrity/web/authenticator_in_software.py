"""An authenticator and a browser in software: real ceremonies with test keys."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from facegate_protocol import sha256

RP_ID = "bank.example"
ORIGIN = "https://verify.bank.example"

_Key = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | rsa.RSAPrivateKey


def client_data(challenge: bytes, *, kind: str, origin: str = ORIGIN, **more: object) -> bytes:
    """Client data as a browser writes it."""
    text = urlsafe_b64encode(challenge).rstrip(b"=").decode()
    members = {"type": kind, "challenge": text, "origin": origin, "crossOrigin": False}
    return json.dumps(members | more).encode()


@dataclass(frozen=True, kw_only=True)
class Authenticator:
    """One credential."""

    key: _Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = b"a credential of thirty-two bytes"

    @property
    def cose_key(self) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: raw})
        if isinstance(self.key, rsa.RSAPrivateKey):
            numbers = self.key.public_key().public_numbers()
            modulus = numbers.n.to_bytes(self.key.key_size // 8, "big")
            return cbor2.dumps({1: 3, 3: -257, -1: modulus, -2: numbers.e.to_bytes(3, "big")})
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})

    @property
    def algorithm(self) -> int:
        if isinstance(self.key, Ed25519PrivateKey):
            return -8
        return -257 if isinstance(self.key, rsa.RSAPrivateKey) else -7

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), SHA256())
        return self.key.sign(message, ec.ECDSA(SHA256()))

    def data(
        self,
        *,
        rp_id: str = RP_ID,
        flags: int = 0x05,
        sign_count: int = 0,
        attested: bool = False,
        extensions: bytes = b"",
        cose_key: bytes | None = None,
    ) -> bytes:
        """Authenticator data; person present and verified by default."""
        flags |= (0x40 if attested else 0) | (0x80 if extensions else 0)
        head = sha256(rp_id.encode()) + bytes([flags]) + sign_count.to_bytes(4, "big")
        if not attested:
            return head + extensions
        length = len(self.credential_id).to_bytes(2, "big")
        return head + bytes(16) + length + self.credential_id + (cose_key or self.cose_key) + extensions

    def attestation(self, client_data_json: bytes, data: bytes, *, self_attested: bool = False) -> bytes:
        """The attestation object of a registration."""
        statement: dict[str, object] = {}
        if self_attested:
            signature = self.sign(data + sha256(client_data_json))
            statement = {"alg": self.algorithm, "sig": signature}
        return cbor2.dumps(
            {"fmt": "packed" if self_attested else "none", "attStmt": statement, "authData": data}
        )

    def assertion(self, client_data_json: bytes, data: bytes) -> bytes:
        """The signature of an authentication."""
        return self.sign(data + sha256(client_data_json))
