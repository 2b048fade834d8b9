"""Chains of Apple's form: each rule of the walk, broken once."""

import tomllib
from datetime import timedelta
from importlib.resources import files

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from device_integrity.apple import load_apple_anchors
from device_integrity.apple.certificates import (
    ChainProblem,
    chain_problem,
    p256_key,
    unrecognised_extension,
)
from device_integrity.certificate_form import read_certificate
from device_integrity.errors import CertificateMalformed
from tests.device_integrity.apple.apple_in_software import NOW, Issued, SoftwareApple, issue, tlv

_APPLE = SoftwareApple()
_OID = x509.ObjectIdentifier("1.2.840.113635.100.8.2")


def _walk(*chain: Issued) -> ChainProblem | None:
    certificates = [read_certificate(one.der, "a certificate") for one in chain]
    return chain_problem(chain=certificates, anchor=_APPLE.root.certificate, now=NOW)


def _reason(*chain: Issued) -> str | None:
    problem = _walk(*chain)
    return None if problem is None else problem.reason


def test_a_sound_chain_is_trusted() -> None:
    leaf = issue("leaf", by=_APPLE.intermediate, authority=False)
    assert _walk(leaf, _APPLE.intermediate) is None
    bare = issue("leaf", by=_APPLE.intermediate, authority=False, constraints=False)
    assert _walk(bare, _APPLE.intermediate) is None


def test_an_authority_is_no_end_entity_and_an_end_entity_no_authority() -> None:
    authority = issue("leaf", by=_APPLE.intermediate, authority=True)
    assert _reason(authority, _APPLE.intermediate) == "CERTIFICATE_ROLE_WRONG"
    middle = issue("middle", by=_APPLE.root, authority=False)
    assert _reason(issue("leaf", by=middle, authority=False), middle) == "CERTIFICATE_ROLE_WRONG"
    silent = issue("middle", by=_APPLE.root, authority=True, constraints=False)
    assert _reason(issue("leaf", by=silent, authority=False), silent) == "CERTIFICATE_ROLE_WRONG"


def test_a_signer_without_the_authority_to_sign_is_refused() -> None:
    mute = issue("leaf", by=_APPLE.intermediate, authority=False, signs=False)
    assert _reason(mute, _APPLE.intermediate) == "CERTIFICATE_ROLE_WRONG"
    middle = issue("middle", by=_APPLE.root, authority=True, signs=False)
    assert _reason(issue("leaf", by=middle, authority=False), middle) == "CERTIFICATE_ROLE_WRONG"


def test_a_path_that_is_too_long() -> None:
    lower = issue("lower", by=_APPLE.intermediate, authority=True)
    leaf = issue("leaf", by=lower, authority=False)
    problem = _walk(leaf, lower, _APPLE.intermediate)
    assert problem is not None
    assert "so many certificates" in problem.detail


def test_names_without_signatures_and_signatures_without_names() -> None:
    namesake = issue("App Attest CA", by=None, authority=True)
    assert _reason(issue("leaf", by=namesake, authority=False), _APPLE.intermediate) == "CHAIN_NOT_TRUSTED"
    renamed = issue("Another CA", by=_APPLE.root, authority=True, key=_APPLE.intermediate.key)
    assert _reason(issue("leaf", by=renamed, authority=False), _APPLE.intermediate) == "CHAIN_NOT_TRUSTED"


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_an_authority_that_is_not_valid_now(days: tuple[int, int]) -> None:
    start, end = (NOW + timedelta(days=one) for one in days)
    middle = issue("middle", by=_APPLE.root, authority=True, valid=(start, end))
    leaf = issue("leaf", by=middle, authority=False)
    assert _reason(leaf, middle) == "CERTIFICATE_NOT_VALID_NOW"


def test_details_name_authorities_and_no_device() -> None:
    leaf = issue("the device's own name", by=None, authority=False)
    problem = _walk(leaf, _APPLE.intermediate)
    assert problem is not None
    assert "device" not in problem.detail
    assert "App Attest CA" in problem.detail


def test_keys_and_extensions() -> None:
    leaf = issue("leaf", by=_APPLE.intermediate, authority=False, extensions={_OID: b"\x05\0"})
    assert unrecognised_extension(leaf.certificate, _OID.dotted_string) == b"\x05\0"
    assert unrecognised_extension(leaf.certificate, "1.2.3") is None
    assert unrecognised_extension(leaf.certificate, "2.5.29.19") is None
    assert p256_key(leaf.certificate, "it") == leaf.key.public_key()
    other = issue("leaf", by=None, authority=False, key=ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(CertificateMalformed, match="not on the curve P-256"):
        p256_key(other.certificate, "it")


def test_anything_but_a_certificate_is_refused() -> None:
    der = _APPLE.root.der
    for data in (b"", der[:-1], der + b"\0", b"\x30\0", bytes(100)):
        with pytest.raises(CertificateMalformed, match="certificate"):
            read_certificate(data, "it")
    with pytest.raises(CertificateMalformed, match="at most 8192"):
        read_certificate(bytes(8193), "it")


def test_a_kind_of_name_that_the_library_does_not_know() -> None:
    x400 = tlv(0x30, tlv(0xA3, tlv(0x30)))
    extensions = {x509.ObjectIdentifier("2.5.29.17"): x400}
    leaf = issue("leaf", by=None, authority=False, extensions=extensions)
    with pytest.raises(CertificateMalformed, match="cannot be read"):
        read_certificate(leaf.der, "a certificate")


def test_the_packaged_roots_are_apples() -> None:
    anchors = load_apple_anchors()
    assert "CN=Apple App Attestation Root CA" in anchors.app_attest.subject.rfc4514_string()
    assert "CN=Apple Root CA - G3" in anchors.receipt.subject.rfc4514_string()
    tables = tomllib.loads((files("device_integrity.apple") / "anchors.toml").read_text(encoding="utf-8"))
    for name, root in (("app_attest", anchors.app_attest), ("receipt", anchors.receipt)):
        root.verify_directly_issued_by(root)
        assert root.fingerprint(SHA256()).hex() == tables[name]["sha256"]
