"""Keys, tokens, seals and signed results: only those made with the right key are accepted."""

import functools
import json
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import result_pb2

from facegate_client.errors import ServerNotTrustedError
from facegate_client.result_signature import KeySet, load_key_set, verify_result_jws
from facegate_protocol import KeyMaterialError, load_public_key, public_key_der, sign, verify
from server.keyring.keys import ScanTokens
from server.keyring.result_signer import ResultSigner
from server.keyring.sealing import Context, SealBroken, Sealed, WrappingKeys, seal, unseal

SESSION_KEY = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
SESSION_KEY_DER = public_key_der(SESSION_KEY.public_key())


@functools.cache
def key_seeds() -> tuple[bytes, ...]:
    """Public keys, the right and the wrong ones."""
    other = ec.derive_private_key(77, ec.SECP384R1()).public_key()
    edwards = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    compressed = SESSION_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return (
        SESSION_KEY_DER,
        SESSION_KEY_DER,
        SESSION_KEY_DER,
        other.public_bytes(*form),
        edwards.public_bytes(*form),
        SESSION_KEY_DER[:-65] + compressed,
    )


def load_a_key(data: bytes) -> None:
    """Any bytes give a key or KeyMaterialError, and no signature of another key fits."""
    try:
        key = load_public_key(data)
    except KeyMaterialError:
        return
    same = public_key_der(key) == SESSION_KEY_DER
    assert verify(public_key=key, message=b"message", signature=_signature()) is same
    assert not verify(public_key=key, message=b"message", signature=data)


@functools.cache
def _signature() -> bytes:
    return sign(SESSION_KEY, b"message")


@functools.cache
def tokens() -> ScanTokens:
    """The tokens of a server with two keys."""
    return ScanTokens((bytes(32), bytes(range(32))))


@functools.cache
def token_seeds() -> tuple[bytes, ...]:
    """Tokens of this server's keys."""
    return tuple(tokens().issue(UUID(int=number, version=4)).encode() for number in (7, 8))


def read_token(data: bytes) -> None:
    """A text is a token only if it was issued."""
    for text in (data.decode(errors="replace"), data.decode("latin-1")):
        check_id = tokens().check_id_of(text)
        assert check_id is None or tokens().issue(check_id) == text


_WRAPPING = WrappingKeys(newest="1", keys={"1": bytes(32)})
_AAD = Context(tenant="default", check_id=UUID(int=7, version=4), kind="TEMPLATE")


@functools.cache
def _sealed() -> Sealed:
    return seal(b"a person's template", wrapping_keys=_WRAPPING, aad=_AAD)


def seal_seeds() -> Sequence[bytes]:
    """A sealed record: wrapped key, then ciphertext."""
    return (_sealed().wrapped_key + _sealed().ciphertext,)


def open_seal(data: bytes) -> None:
    """Only sealed data opens."""
    size = len(_sealed().wrapped_key)
    damaged = Sealed(ciphertext=data[size:], wrapped_key=data[:size], key_id="1")
    try:
        plain = unseal(damaged, wrapping_keys=_WRAPPING, aad=_AAD)
    except SealBroken:
        return
    assert data == seal_seeds()[0]
    assert plain == b"a person's template"


@functools.cache
def _result_keys() -> tuple[ResultSigner, KeySet]:
    signer = ResultSigner(SESSION_KEY)
    return signer, load_key_set(signer.jwks())


_RESULT = result_pb2.CheckResult(check_id="7", status=result_pb2.CHECK_STATUS_FAILURE)


@functools.cache
def jws_seeds() -> tuple[bytes, ...]:
    """A signed result."""
    return (_result_keys()[0].sign(_RESULT.SerializeToString(), tenant="default", sandbox=False).encode(),)


def verify_jws(data: bytes) -> None:
    """A text is a signed result only if it contains the signed bytes."""
    try:
        result = verify_result_jws(data.decode(errors="replace"), _result_keys()[1])
    except ServerNotTrustedError:
        return
    assert result == _RESULT


def jwks_seeds() -> tuple[bytes, ...]:
    """A published key set."""
    return (json.dumps(_result_keys()[0].jwks()).encode(),)


def read_jwks(data: bytes) -> None:
    """Any bytes give keys or ServerNotTrustedError."""
    with suppress(ServerNotTrustedError):
        load_key_set(data)
