"""Signed checkpoints: statements by a key of the server about a tenant's chain at some time.

A checkpoint is a compact JWS (RFC 7515, ES256) over a JSON object with the tenant, the number of the
checkpoint, the sequence and the hash of the newest entry, the time, and the SHA-256 of the checkpoint before
it. Without the key, a change of entries up to that sequence, or of the list of checkpoints, is detectable.

The checkpoints of all tenants form one chain, too: each has a position in it, without gaps, and the SHA-256
of the checkpoint at the position before it. So the newest checkpoint of all is a head over all logs.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from server.audit.event import AuditKeysInvalid, CheckpointInvalid
from server.base.key_validity import PublishedKey, Validity, private_pem, public_jwk, public_pem

_TYPE: Final = "facegate-audit-checkpoint"
_LONGEST_JWS: Final = 4096
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SECOND: Final = timedelta(seconds=1)
_REGISTRY: Final = jws.JWSRegistry(
    header_registry={"iss": HeaderParameter("The installation that signs", "str")}, algorithms=["ES256"]
)


class Checkpoint(BaseModel):
    """The content of a checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    version: int = Field(default=2, ge=2, le=2)
    """The version of this format."""
    tenant: str = Field(min_length=1, max_length=64)
    """The tenant of the chain."""
    number: int = Field(ge=1)
    """The number of the checkpoint of this tenant, from 1 without gaps."""
    sequence: int = Field(ge=1)
    """The sequence of the newest entry."""
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The hash of that entry."""
    time: AwareDatetime
    """The server's time, UTC."""
    previous: str = Field(pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of the JWS of the checkpoint of this tenant before it; empty for the first."""
    position: int = Field(ge=1)
    """The position among the checkpoints of all tenants, from 1 without gaps."""
    before: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of the JWS of the checkpoint in front of this position; empty for the first."""
    accepted: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Only in a checkpoint by which an operator accepted a log that lacks signed checkpoints, such as a
    restored backup: SHA-256 of the JWS of the newest one that was known. The positions between are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint as it is stored: the signed text, and a copy of the fields by which it is found.

    Attributes:
        sequence: The sequence of the newest entry that it covers.
        timestamp: The RFC 3161 time-stamp response over the bytes of ``jws`` (DER); ``None`` for none.
        position: The position among the checkpoints of all tenants; 0 if somebody removed it from the row.
    """

    tenant: str
    number: int
    sequence: int
    jws: str
    timestamp: bytes | None = None
    position: int = 0

    def agrees_with(self, signed: Checkpoint) -> bool:
        """Return whether the fields are those of the signed content."""
        return (self.tenant, self.number, self.sequence, self.position) == (
            signed.tenant, signed.number, signed.sequence, signed.position
        )  # fmt: skip


def digest_of(signed: str) -> bytes:
    """Return the SHA-256 of a JWS, 32 bytes, to which the next checkpoint and a time stamp refer."""
    return sha256(signed.encode()).digest()


KEY_MISSING: Final = "its public half is missing from"


class CheckpointKeys:
    """The public keys with which checkpoints are verified, also offline and years later."""

    def __init__(self, keys: Iterable[PublishedKey], *, place: str = "the known keys") -> None:
        """Set the keys; a key that is given twice keeps its first entry.

        Args:
            place: Where they are from, for the error about one that is missing.
        """
        self._place = place
        self._keys: dict[str, tuple[ECKey, PublishedKey]] = {}
        for known in keys:
            key = ECKey.import_key(public_pem(known.key))
            self._keys.setdefault(key.thumbprint(), (key, known))

    def verify(self, signed: str) -> Checkpoint:
        """Return the content of a checkpoint.

        Raises:
            CheckpointInvalid: It is malformed, no known key signed it, or its time is outside the key's
                validity.
        """
        if len(signed) > _LONGEST_JWS:
            raise CheckpointInvalid("it is too long")
        try:
            header = jws.extract_compact(signed.encode()).headers()
            found = self._keys.get(str(header.get("kid")))
            if header.get("typ") != _TYPE:
                raise CheckpointInvalid("it is not signed as a checkpoint")
            if found is None:
                raise CheckpointInvalid(self._missing(str(header.get("kid"))))
            payload = jws.deserialize_compact(signed, found[0], registry=_REGISTRY).payload
            checkpoint = Checkpoint.model_validate_json(payload, strict=True)
        except (JoseError, ValidationError, ValueError) as error:
            raise CheckpointInvalid("its signature or its content is not valid") from error
        if not _in_use(found[1], checkpoint.time):
            raise CheckpointInvalid("its time is outside the validity of the key that signed it")
        return checkpoint

    def _missing(self, key_id: str) -> str:
        if not _KEY_ID.fullmatch(key_id):
            return "no known key signed it"
        return f"the key {key_id} signed it, and {KEY_MISSING} {self._place}"

    def jwks(self) -> dict[str, Any]:
        """Return the keys as a JWK Set (RFC 7517).

        ``iat`` states when a key was made, and ``exp`` when it was retired, in seconds since 1970.
        """
        return {"keys": [public_jwk(key) | known.validity.claims() for key, known in self._keys.values()]}

    @classmethod
    def from_jwks(cls, document: bytes, *, place: str = "the JWK Set") -> "CheckpointKeys":
        """Return the keys of a JWK Set.

        Args:
            place: Where it is from, for the error about a key that is missing.

        Raises:
            AuditKeysInvalid: The document is malformed, or a key is not a P-256 key.
        """
        try:
            return cls([_from_jwk(entry) for entry in json.loads(document)["keys"]], place=place)
        except (
            JoseError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise AuditKeysInvalid("it is not a JWK Set of P-256 keys") from error


class CheckpointSigner:
    """Signs checkpoints, and publishes the keys that verify them."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        *,
        published: Iterable[PublishedKey] = (),
        issuer: str = "facegate",
        place: str = "the known keys",
    ) -> None:
        """Set the keys.

        Args:
            key: The P-256 key that signs.
            published: The keys with which checkpoints are verified; the signing key need not be among them.
            place: See ``CheckpointKeys``.
        """
        self._key = ECKey.import_key(private_pem(key))
        self._own = PublishedKey(key.public_key())
        self._issuer = issuer
        self._place = place
        self.keys = CheckpointKeys((*published, self._own), place=place)

    def publish(self, keys: Iterable[PublishedKey]) -> None:
        """Set the keys that are published from now on."""
        self.keys = CheckpointKeys((*keys, self._own), place=self._place)

    def jwks(self) -> dict[str, Any]:
        """Return the keys that are published now; see ``CheckpointKeys.jwks``."""
        return self.keys.jwks()

    def sign(self, checkpoint: Checkpoint) -> SignedCheckpoint:
        """Sign a checkpoint."""
        header = {"alg": "ES256", "kid": self._key.thumbprint(), "typ": _TYPE, "iss": self._issuer}
        payload = json.dumps(checkpoint.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        signed = jws.serialize_compact(header, payload.encode(), self._key, registry=_REGISTRY)
        return SignedCheckpoint(
            tenant=checkpoint.tenant,
            number=checkpoint.number,
            sequence=checkpoint.sequence,
            jws=signed,
            position=checkpoint.position,
        )


def _in_use(key: PublishedKey, time: datetime) -> bool:
    validity = key.validity
    # The file states whole seconds.
    begun = validity.not_before is None or time >= validity.not_before
    return begun and (validity.not_after is None or time <= validity.not_after + _SECOND)


def _from_jwk(entry: Mapping[str, Any]) -> PublishedKey:
    key = ECKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "y")}).public_key
    if not isinstance(key.curve, ec.SECP256R1):
        raise AuditKeysInvalid("it holds a key that is not on the curve P-256")
    return PublishedKey(key, Validity(_time(entry.get("iat")), _time(entry.get("exp"))))


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
