"""Compact JWS (RFC 7515) with ES256 (RFC 7518 section 3.4); no other part of JOSE."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = ["ALGORITHM", "CompactJws", "base64url", "from_base64url"]

ALGORITHM: Final = "ES256"

_COORDINATE_BYTES: Final = 32
_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactJws:
    """A JWS as it was sent. Do not trust any of it before ``is_signed_by`` returns true.

    Attributes:
        header: The protected header.
        payload: The signed bytes.
        signing_input: The input of the signature: encoded header and payload.
        signature: The signature.
    """

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses a text.

        Raises:
            ValueError: The text is not three parts of base64url, or the first is not a JSON object without
                repeated names.
        """
        signing_input, _, signature = text.rpartition(".")
        header, dot, payload = signing_input.partition(".")
        if not dot:
            raise ValueError("the text does not have three parts")
        return cls(
            header=_json_object(from_base64url(header)),
            payload=from_base64url(payload),
            signing_input=signing_input.encode("ascii"),
            signature=from_base64url(signature),
        )

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Returns whether the header states ES256 and the signature was made with this P-256 key."""
        if self.header.get("alg") != ALGORITHM or len(self.signature) != 2 * _COORDINATE_BYTES:
            return False
        r, s = self.signature[:_COORDINATE_BYTES], self.signature[_COORDINATE_BYTES:]
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        try:
            key.verify(der, self.signing_input, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def base64url(data: bytes) -> str:
    """Encodes bytes as base64url without padding, as in JOSE."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Decodes base64url without padding.

    Raises:
        ValueError: The text has other characters or padding, or is not the output of ``base64url``.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("the text is not base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise ValueError("the base64url text has unused bits that are not 0")
    return data


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(data.decode("utf-8"), object_pairs_hook=_without_repetition)
    except RecursionError as error:
        raise ValueError("the header is nested too deeply") from error
    if not isinstance(read, dict):
        raise ValueError("the header is not a JSON object")
    return read


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is repeated in the header")
    return names
