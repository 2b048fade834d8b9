"""Play Integrity tokens: how a token becomes its payload.

A classic token is JWE (RFC 7516, A256KW and A256GCM) around JWS (RFC 7515, ES256); with the keys of the Play
Console a server opens it by itself. A standard token only Google can open, so that is a protocol, which the
server implements (developer.android.com, "Decrypt and verify the integrity verdict").
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
    """Which of Google's two requests made a token."""

    CLASSIC = "classic"
    """Its challenge is ``nonce``; opened with the keys of the Play Console, or by Google."""
    STANDARD = "standard"
    """Its challenge is ``requestHash``; opened by Google only."""


class PlayTokenDecoder(Protocol):
    """Opens tokens of both kinds: Google's own service, or a stand-in."""

    async def decode(self, *, package: str, token: str) -> bytes:
        """The payload of a token, ``tokenPayloadExternal`` as JSON.

        Args:
            package: The app whose token it is.
            token: The token as the device sent it, at most 64 KiB.

        Raises:
            PlayTokenMalformed: The token was refused.
            PlayDecoderUnavailable: There was no answer, or none that makes sense.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClassicKeys:
    """The response keys of the Play Console.

    Attributes:
        decryption_key: AES, 32 bytes.
        verification_key: On P-256.
    """

    decryption_key: OctKey = field(repr=False)
    verification_key: ECKey


def load_classic_keys(*, decryption_key: str, verification_key: str) -> ClassicKeys:
    """Reads the response keys as the Play Console shows them.

    Args:
        decryption_key: 32 bytes in base64.
        verification_key: SubjectPublicKeyInfo of a P-256 key (DER) in base64.

    Raises:
        ReferenceDataMalformed: One of them is not. The message does not repeat it.
    """
    try:
        secret = base64.b64decode(decryption_key, validate=True)
        public = load_der_public_key(base64.b64decode(verification_key, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ReferenceDataMalformed("a Play response key cannot be read") from error
    if len(secret) != _AES_KEY_BYTES:
        raise ReferenceDataMalformed(f"the Play decryption key has {_AES_KEY_BYTES} bytes")
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
        PlayTokenMalformed: It is another kind of token, was made with other algorithms or keys, or was
            changed.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise PlayTokenMalformed(f"the token has {len(token)} bytes, at most {MAX_TOKEN_BYTES} are read")
    parts = _parts(token, 5, "an encrypted token")
    _check_header(parts[0], _JWE_HEADER)
    if (len(parts[2]), len(parts[4])) != (_IV_CHARACTERS, _TAG_CHARACTERS):
        raise PlayTokenMalformed("the token's initialisation vector or tag is of another length")
    try:
        signed = jwe.decrypt_compact(token, keys.decryption_key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, AssertionError) as error:
        raise PlayTokenMalformed("the token cannot be decrypted") from error
    return _open_signed(signed or b"", keys.verification_key)


def _open_signed(signed: bytes, key: ECKey) -> bytes:
    try:
        compact = signed.decode("ascii")
    except UnicodeDecodeError as error:
        raise PlayTokenMalformed("the decrypted token is not a signed one") from error
    _check_header(_parts(compact, 3, "a signed token")[0], _JWS_HEADER)
    try:
        return jws.deserialize_compact(compact, key, algorithms=["ES256"]).payload
    except (JoseError, ValueError) as error:
        raise PlayTokenMalformed("the token is not signed by Google") from error


def _parts(token: str, count: int, what: str) -> list[str]:
    # Decoders of base64 skip what is not of its alphabet.
    rest = token.encode("ascii", "replace").translate(None, _BASE64URL)
    if rest != b"." * (count - 1):
        raise PlayTokenMalformed(f"not {what} of {count} parts")
    return token.split(".")


@lru_cache(maxsize=16)
def _check_header(encoded: str, expected: tuple[tuple[str, str], ...]) -> None:
    """Exactly these algorithms; no compression, no critical extensions, no keys of the sender's choice.

    Google's headers are always the same, so sound ones are remembered; unsound ones never are.
    """
    if len(encoded) > _MAX_HEADER_CHARACTERS:
        raise PlayTokenMalformed("a header of the token is too long")
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        header: Any = json.loads(base64.urlsafe_b64decode(padded).decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise PlayTokenMalformed("a header of the token is not JSON") from error
    if not isinstance(header, dict):
        raise PlayTokenMalformed("a header of the token is not an object")
    known = {name: value for name, value in header.items() if name not in _HARMLESS}
    if known != dict(expected):
        raise PlayTokenMalformed(f"a header of the token is not {json.dumps(dict(expected))}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found
