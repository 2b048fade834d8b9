"""Real evidence of Apple's devices: the vectors of the test assets."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from device_integrity.apple import Environment
from facegate_protocol import public_key_der, sha256

VEEHAITCH = (
    "ios-14.2",
    "ios-14.3-beta-2",
    "ios-14.3-beta-3",
    "ios-14.3",
    "ios-14.4-beta-1",
    "ios-14.4-beta-2",
    "ios-14.4",
)
"""Names of the recordings, one for each device: an attestation, an assertion, receipts."""


@dataclass(frozen=True, kw_only=True)
class AttestationVector:
    name: str
    attestation: bytes
    key_id: bytes
    client_data_hash: bytes
    app_id: str
    environment: Environment
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AssertionVector:
    assertion: bytes
    client_data: bytes
    public_key: bytes
    app_id: str
    counter: int


@dataclass(frozen=True, kw_only=True)
class ReceiptVector:
    receipt: bytes
    public_key: bytes
    app_id: str
    environment: Environment
    at: datetime
    kind: str
    created: datetime
    expires: datetime
    not_before: datetime | None
    risk_metric: int | None


@dataclass(frozen=True, kw_only=True)
class Recording:
    attestation: AttestationVector
    assertion: AssertionVector
    receipts: tuple[ReceiptVector, ...]


def veehaitch(assets: Path, name: str) -> Recording:
    """One recording."""
    text = (_folder(assets) / "veehaitch" / f"{name}.yaml").read_text()
    attestation, assertion, *receipts = yaml.safe_load_all(text)
    app_id = f"{attestation['teamIdentifier']}.{attestation['bundleIdentifier']}"
    environment = Environment(attestation["environment"])
    return Recording(
        attestation=AttestationVector(
            name=name,
            attestation=_bytes(attestation["attestationBase64"]),
            key_id=_bytes(attestation["keyIdBase64"]),
            client_data_hash=_bytes(attestation["clientDataHashSha256Base64"]),
            app_id=app_id,
            environment=environment,
            at=_time(attestation["timestamp"]),
        ),
        assertion=AssertionVector(
            assertion=_bytes(assertion["assertionBase64"]),
            client_data=_bytes(assertion["clientDataBase64"]),
            public_key=_key(assertion["publicKey"]),
            app_id=app_id,
            counter=assertion["counter"],
        ),
        receipts=tuple(
            ReceiptVector(
                receipt=_bytes(one["receiptBase64"]),
                public_key=_key(one["publicKey"]),
                app_id=app_id,
                environment=environment,
                at=_time(one["timestamp"]),
                kind=one["properties"]["type"],
                created=_time(one["properties"]["creationTime"]),
                expires=_time(one["properties"]["expirationTime"]),
                not_before=_time(one["properties"]["notBefore"]) if one["properties"]["notBefore"] else None,
                risk_metric=one["properties"]["riskMetric"],
            )
            for one in receipts
        ),
    )


def apple_sample(assets: Path) -> AttestationVector:
    """The object that Apple publishes with its documentation."""
    sample = json.loads((_folder(assets) / "apple" / "apple_documented_sample.json").read_text())
    return AttestationVector(
        name="apple's sample",
        attestation=_bytes(sample["attestation"]),
        key_id=_bytes(sample["keyId"]),
        client_data_hash=sample["clientDataHash_is_raw_challenge"].encode(),
        app_id=sample["appId"],
        environment=Environment(sample["environment"]),
        at=datetime.fromisoformat("2024-04-18T12:00:00+00:00"),
    )


def uebelack_attestation(assets: Path) -> AttestationVector:
    """One of 2024, with a leaf that is valid for eleven months."""
    vector = json.loads((_folder(assets) / "uebelack" / "attestation-development.json").read_text())
    challenge = base64.b64decode(vector["challenge"])
    return AttestationVector(
        name="uebelack",
        attestation=_bytes(vector["attestation"]),
        key_id=_bytes(vector["keyId"]),
        client_data_hash=sha256(challenge),
        app_id=vector["appId"],
        environment=Environment.DEVELOPMENT,
        at=datetime.fromisoformat("2024-02-04T20:27:06+00:00"),
    )


def uebelack_assertion(assets: Path) -> AssertionVector:
    """One with client data in JSON."""
    vector = json.loads((_folder(assets) / "uebelack" / "assertion.json").read_text())
    return AssertionVector(
        assertion=_bytes(vector["assertion"]),
        client_data=vector["clientData"].encode(),
        public_key=_key(vector["publicKeyPem"]),
        app_id=vector["appId"],
        counter=1,
    )


def every_attestation(assets: Path) -> tuple[AttestationVector, ...]:
    """All attestations."""
    recorded = tuple(veehaitch(assets, name).attestation for name in VEEHAITCH)
    return (*recorded, uebelack_attestation(assets), apple_sample(assets))


def _folder(assets: Path) -> Path:
    return assets / "data" / "attestation" / "app_attest"


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _time(value: str | datetime) -> datetime:
    # The recordings quote some of their times.
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _key(pem: str) -> bytes:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return public_key_der(key)
