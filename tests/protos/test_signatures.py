import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import (
    KeyMaterialError,
    attempt_end_message,
    attestation_message,
    challenge_message,
    fingerprint,
    load_public_key,
    public_key_der,
    resume_message,
    sha256,
    sign,
    verify,
)

PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()
SIGNATURE = sign(PRIVATE, b"message")
OTHER = ec.generate_private_key(ec.SECP256R1()).public_key()


def test_signature_of_rfc_6979_is_accepted() -> None:
    # RFC 6979, appendix A.2.5: P-256, SHA-256, message "sample".
    key = ec.EllipticCurvePublicNumbers(
        0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
        0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
        ec.SECP256R1(),
    ).public_key()
    signature = encode_dss_signature(
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    )
    assert verify(public_key=key, message=b"sample", signature=signature)
    assert not verify(public_key=key, message=b"Sample", signature=signature)


@given(st.binary(max_size=200))
def test_signature_verifies_for_its_message_alone(message: bytes) -> None:
    signature = sign(PRIVATE, message)
    assert len(signature) <= 72
    assert verify(public_key=PUBLIC, message=message, signature=signature)
    assert not verify(public_key=PUBLIC, message=message + b"\x00", signature=signature)
    assert not verify(public_key=OTHER, message=message, signature=signature)


@given(st.binary(max_size=100))
def test_noise_is_no_signature_and_no_exception(noise: bytes) -> None:
    assert not verify(public_key=PUBLIC, message=b"message", signature=noise)


@given(st.data())
def test_changed_signature_is_refused(data: st.DataObject) -> None:
    signature = bytearray(SIGNATURE)
    bit = data.draw(st.integers(0, len(signature) * 8 - 1))
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not verify(public_key=PUBLIC, message=b"message", signature=bytes(signature))


def test_messages_of_different_purposes_never_pass_for_each_other() -> None:
    binding = bytes(32)
    messages = {
        challenge_message(start=b"", body=binding),
        resume_message(binding=binding),
        attestation_message(binding=binding),
        attempt_end_message(binding=binding, body=b""),
    }
    assert len(messages) == 4


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_challenge_message_covers_start_and_body(a: bytes, b: bytes, c: bytes, d: bytes) -> None:
    assert (challenge_message(start=a, body=b) == challenge_message(start=c, body=d)) == ((a, b) == (c, d))
    assert (attempt_end_message(binding=a, body=b) == attempt_end_message(binding=c, body=d)) == (
        (a, b) == (c, d)
    )
    assert (resume_message(binding=a) == resume_message(binding=c)) == (a == c)


def test_public_key_goes_out_and_in() -> None:
    der = public_key_der(PUBLIC)
    assert len(der) == 91
    assert load_public_key(der).public_numbers() == PUBLIC.public_numbers()
    assert fingerprint(der) == sha256(der)


def _spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        bytes(91),
        bytes(129),
        public_key_der(PUBLIC)[:-1],
        public_key_der(PUBLIC) + b"\x00" * 40,
        _spki(ed25519.Ed25519PrivateKey.generate().public_key()),
        _spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
        _spki(ec.generate_private_key(ec.SECP256K1()).public_key()),
        _spki(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["empty", "cut", "zeros", "long", "short", "tail", "ed25519", "p384", "secp256k1", "rsa"],
)
def test_anything_but_a_p256_key_is_refused(der: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(der)


def test_point_that_is_not_on_the_curve_is_refused() -> None:
    der = bytearray(public_key_der(PUBLIC))
    der[-1] ^= 1
    with pytest.raises(KeyMaterialError):
        load_public_key(bytes(der))


@given(st.binary(max_size=200))
def test_noise_is_no_key(noise: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(noise)
