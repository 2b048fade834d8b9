"""The pinned keys: those of the real roots, and malformed files."""

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device_integrity.android.roots import RootKind, google_roots, parse_roots
from device_integrity.errors import AnchorsUnusable
from tests.device_integrity.android.vectors import KEY_FOLDER, read_chain

_SOUND = """
[[root]]
name = "a root"
kind = "hardware"
subject = "CN=a"
spki_sha256 = "aa"
""".replace('"aa"', f'"{"aa" * 32}"')


def _spki_sha256(certificate: x509.Certificate) -> bytes:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


def test_every_issue_of_googles_roots_is_pinned_by_its_key(assets: Path) -> None:
    kinds = {(root.spki_sha256, root.subject): root.kind for root in google_roots()}
    files = sorted((assets / KEY_FOLDER / "roots").glob("*.der"))
    assert len(files) == 5
    for file in files:
        certificate = x509.load_der_x509_certificate(file.read_bytes())
        found = kinds[_spki_sha256(certificate), certificate.subject.rfc4514_string()]
        assert found is RootKind.HARDWARE


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("google_keyattestation/marlin/sdk29/TEE_EC_NONE", RootKind.SOFTWARE),
        ("google_keyattestation/marlin/sdk29/TEE_RSA_NONE", RootKind.SOFTWARE),
        ("google_legacy/algorithm_RSA_SecurityLevel_StrongBox", RootKind.NON_PRODUCTION),
    ],
)
def test_test_and_software_roots_are_recognised_as_such(assets: Path, name: str, kind: RootKind) -> None:
    certificate = x509.load_der_x509_certificate(read_chain(assets, name)[-1])
    (root,) = (root for root in google_roots() if root.spki_sha256 == _spki_sha256(certificate))
    assert root.kind is kind
    assert root.subject == certificate.subject.rfc4514_string()


def test_no_test_root_is_shipped() -> None:
    assert len(google_roots()) == 5
    assert RootKind.TEST not in {root.kind for root in google_roots()}


def test_a_file_of_roots_is_read() -> None:
    (root,) = parse_roots(_SOUND)
    assert (root.name, root.kind, root.subject) == ("a root", RootKind.HARDWARE, "CN=a")
    assert root.spki_sha256 == b"\xaa" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "root = 1",
        "root = [1]",
        "[[root",
        _SOUND + _SOUND,
        _SOUND.replace("hardware", "trusted"),
        _SOUND.replace("aa", "AA"),
        _SOUND.replace("aa", "a", 1),
        _SOUND.replace('"CN=a"', "1"),
        _SOUND + "more = 1",
        _SOUND.replace('subject = "CN=a"', ""),
    ],
)
def test_anything_but_a_file_of_roots_is_refused(text: str) -> None:
    with pytest.raises(AnchorsUnusable):
        parse_roots(text)
