"""Decrypts and verifies Play Integrity tokens.

A classic token is a JWE (RFC 7516, A256KW and A256GCM) around a JWS (RFC 7515, ES256), which the server can
decrypt with the keys of the Play Console. Only Google can decrypt a standard token, so the server implements
the protocol ``PlayTokenDecoder`` with a call to Google (developer.android.com, "Decrypt and verify the
integrity verdict").
"""

import base64
import binascii
import json
import string
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OctKey

from device_integrity.errors import PlayTokenMalformed, ReferenceDataMalformed

__all__ = [
    "MAX_TOKEN_BYTES",
    "ClassicKeys",
    "PlayTokenDecoder",
    "PlayTokenKind",
    "load_classic_keys",
    "open_classic_token",
]

MAX_TOKEN_BYTES: Final = 64 * 1024

_MAX_HEADER_CHARACTERS: Final = 1024
_AES_KEY_BYTES: Final = 32
_BASE64URL: Final = (string.ascii_letters + string.digits + "-_").encode()
_IV_CHARACTERS: Final = 16
_TAG_CHARACTERS: Final = 22
_JWE_HEADER: Final = (("alg", "A256KW"), ("enc", "A256GCM"))
_JWS_HEADER: Final = (("alg", "ES256"),)
_REGISTRY: Final = JWERegistry(algorithms=["A256KW", "A256GCM"])
_HARMLESS: Final = frozenset({"typ", "cty", "kid"})


class PlayTokenKind(StrEnum):
    """The kind of request that made a token."""

    CLASSIC = "classic"
    """Its challenge is ``nonce``. The keys of the Play Console, or Google, decrypt it."""
    STANDARD = "standard"
    """Its challenge is ``requestHash``. Only Google decrypts it."""


class PlayTokenDecoder(Protocol):
    """Decrypts tokens of both kinds, with Google's service or a replacement in tests."""

    async def decode(self, *, package: str, token: str) -> bytes:
        """Returns the payload of a token, ``tokenPayloadExternal`` as JSON.

        Args:
            package: The package name of the app that requested the token.
            token: The token as the device sent it, at most 64 KiB.

        Raises:
            PlayTokenMalformed: The decoder refused the token.
            PlayDecoderUnavailable: The decoder did not answer, or its answer is unusable.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClassicKeys:
    """The response keys of the Play Console.

    Attributes:
        decryption_key: AES, 32 bytes.
        verification_key: EC key on P-256.
    """

    decryption_key: OctKey = field(repr=False)
    verification_key: ECKey


def load_classic_keys(*, decryption_key: str, verification_key: str) -> ClassicKeys:
    """Reads the response keys in the form of the Play Console.

    Args:
        decryption_key: 32 bytes in base64.
        verification_key: SubjectPublicKeyInfo of a P-256 key (DER) in base64.

    Raises:
        ReferenceDataMalformed: A key has another form. The message does not repeat the key.
    """
    try:
        secret = base64.b64decode(decryption_key, validate=True)
        public = load_der_public_key(base64.b64decode(verification_key, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ReferenceDataMalformed(
            "a Play response key is not base64, or the verification key is not a SubjectPublicKeyInfo"
        ) from error
    if len(secret) != _AES_KEY_BYTES:
        raise ReferenceDataMalformed(
            f"the Play decryption key has {len(secret)} bytes, {_AES_KEY_BYTES} expected"
        )
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ReferenceDataMalformed("the Play verification key is not on P-256")
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ClassicKeys(OctKey.import_key(secret), ECKey.import_key(pem))


def open_classic_token(token: str, *, keys: ClassicKeys) -> bytes:
    """Decrypts and verifies a classic token.

    Args:
        token: Five parts in base64url without padding, at most 64 KiB.
        keys: The app's response keys.

    Returns:
        The payload as JSON.

    Raises:
        PlayTokenMalformed: It is another kind of token, has other algorithms or keys, or was changed.
    """
    # 1. The token is a compact JWE of five parts in base64url, within the limit (RFC 7516, section 7.1).
    if len(token) > MAX_TOKEN_BYTES:
        raise PlayTokenMalformed(f"the token has {len(token)} bytes; at most {MAX_TOKEN_BYTES} are accepted")
    parts = _parts(token, 5, "an encrypted token")
    # 2. The header states A256KW and A256GCM; besides, only typ, cty and kid may occur (RFC 7516, 4.1).
    _validate_header(parts[0], _JWE_HEADER)
    # 3. The initialisation vector has 96 bits and the tag 128 (RFC 7518, section 5.3).
    if (len(parts[2]), len(parts[4])) != (_IV_CHARACTERS, _TAG_CHARACTERS):
        raise PlayTokenMalformed(
            "the token's initialisation vector does not have 96 bits, or its tag not 128"
        )
    # 4. The token decrypts with the app's key, and its tag is right (RFC 7516, section 5.2).
    try:
        signed = jwe.decrypt_compact(token, keys.decryption_key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, AssertionError) as error:
        raise PlayTokenMalformed("the token cannot be decrypted") from error
    return _open_signed(signed or b"", keys.verification_key)


def _open_signed(signed: bytes, key: ECKey) -> bytes:
    # 5. The decrypted token is a compact JWS of three parts (RFC 7515, section 7.1).
    try:
        compact = signed.decode("ascii")
    except UnicodeDecodeError as error:
        raise PlayTokenMalformed("the decrypted token is not a signed token: it is not ASCII") from error
    parts = _parts(compact, 3, "a signed token")
    # 6. The header states ES256; besides, only typ, cty and kid may occur (RFC 7515, 4.1).
    _validate_header(parts[0], _JWS_HEADER)
    # 7. Google's key signed it (RFC 7515, section 5.2, step 8; RFC 7518, section 3.4).
    try:
        return jws.deserialize_compact(compact, key, algorithms=["ES256"]).payload
    except (JoseError, ValueError) as error:
        raise PlayTokenMalformed("the token has no valid signature by Google's key") from error


def _parts(token: str, count: int, what: str) -> list[str]:
    # Decoders of base64 skip characters outside its alphabet.
    rest = token.encode("ascii", "replace").translate(None, _BASE64URL)
    if rest != b"." * (count - 1):
        raise PlayTokenMalformed(f"the token is not {what} of {count} parts in base64url")
    return token.split(".")


@lru_cache(maxsize=16)
def _validate_header(encoded: str, expected: tuple[tuple[str, str], ...]) -> None:
    """Refuses any other algorithm, compression, critical extensions, and keys that the sender chooses.

    Google's headers are always the same, so valid ones are cached; refused ones are not.
    """
    if len(encoded) > _MAX_HEADER_CHARACTERS:
        raise PlayTokenMalformed(f"a header of the token has more than {_MAX_HEADER_CHARACTERS} characters")
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        header: Any = json.loads(base64.urlsafe_b64decode(padded).decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise PlayTokenMalformed("a header of the token is not JSON, or has a member twice") from error
    if not isinstance(header, dict):
        raise PlayTokenMalformed("a header of the token is not a JSON object")
    known = {name: value for name, value in header.items() if name not in _HARMLESS}
    if known != dict(expected):
        raise PlayTokenMalformed(f"a header of the token is not {json.dumps(dict(expected))}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the object has a member twice")
    return found
