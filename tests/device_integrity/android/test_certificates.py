"""Reading certificates: limits, kinds of keys, and malformed input."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x448, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from device_integrity.android.certificates import (
    ATTESTATION_EXTENSION,
    MAX_CERTIFICATE_BYTES,
    MAX_CERTIFICATES,
    MIN_CERTIFICATES,
    parse_certificates,
)
from device_integrity.errors import CertificateMalformed
from tests.device_integrity.android.phones import NOW, Description, der_chain, factory_phone, name_of, new_key

_SIGNER = new_key("the signer")


def _signed(key: object, signer: object = _SIGNER, *, subject: str = "leaf") -> bytes:
    """A certificate of any kind of key."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(cn=subject))
        .issuer_name(name_of(cn="issuer"))
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    return builder.sign(signer, SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def _chain() -> list[bytes]:
    return der_chain(factory_phone().attest(Description())[1])


def test_the_fields_of_a_chain_are_parsed() -> None:
    leaf, attestation, _, root = parse_certificates(_chain())
    assert (leaf.serial, leaf.is_ca, leaf.path_length) == (1, None, None)
    assert leaf.subject == "CN=Android Keystore Key"
    assert list(leaf.extensions) == [ATTESTATION_EXTENSION]
    assert (attestation.subject_serials, attestation.subject_units) == (("0b22",), ("TEE",))
    assert attestation.is_ca
    assert root.is_self_issued
    assert not leaf.is_self_issued
    assert len(root.spki_sha256) == 32
    assert attestation.was_issued_under_the_name_of(parse_certificates(_chain())[2])
    assert leaf.is_signed_by(attestation)
    assert not leaf.is_signed_by(root)


@pytest.mark.parametrize("count", [0, MIN_CERTIFICATES - 1, MAX_CERTIFICATES + 1])
def test_too_few_or_too_many_certificates_are_refused(count: int) -> None:
    with pytest.raises(CertificateMalformed, match="are accepted"):
        parse_certificates([_chain()[0]] * count)


def test_one_that_is_too_long() -> None:
    with pytest.raises(CertificateMalformed, match="certificate 1 has"):
        parse_certificates([_chain()[0], bytes(MAX_CERTIFICATE_BYTES + 1), _chain()[2]])


@pytest.mark.parametrize(
    "spoilt", [b"", b"\x30\x00", b"\x04\x00", b"-----BEGIN CERTIFICATE-----"], ids=range(4)
)
def test_malformed_certificates_are_refused(spoilt: bytes) -> None:
    chain = _chain()
    for data in (spoilt, chain[1][:-1], chain[1] + b"\0"):
        with pytest.raises(CertificateMalformed, match="certificate 1"):
            parse_certificates([chain[0], data, *chain[2:]])


def test_kinds_of_keys() -> None:
    chain = _chain()
    good = [
        rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
    ]
    for key in good:
        assert parse_certificates([_signed(key), *chain[1:]])[0].key == key
    for other in (
        x25519.X25519PrivateKey.generate().public_key(),
        x448.X448PrivateKey.generate().public_key(),
    ):
        with pytest.raises(CertificateMalformed):
            parse_certificates([_signed(other), *chain[1:]])


@pytest.mark.parametrize(("bits", "sound"), [(1024, False), (2048, True)])
def test_a_short_rsa_key_signs_nothing(bits: int, sound: bool) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    issuer = _signed(key.public_key(), subject="issuer")
    leaf, above, _ = parse_certificates([_signed(_SIGNER.public_key(), key), issuer, issuer])
    assert leaf.was_issued_under_the_name_of(above)
    assert leaf.is_signed_by(above) is sound
