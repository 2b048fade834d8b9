"""Verification of a chain: every real one, every rule broken once, forged ones, and another path builder."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x448, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from device_integrity.android.chain import (
    ATTESTATION_EXTENSION,
    MAX_CERTIFICATES,
    MIN_CERTIFICATES,
    PROVISIONING_EXTENSION,
    ChainShape,
    RootKind,
    TrustRoot,
    WalkedChain,
    google_roots,
    parse_certificates,
    walk_chain,
)
from device_integrity.certificate_form import MAX_CERTIFICATE_BYTES
from device_integrity.device_test import DeviceFinding, Manipulation
from device_integrity.errors import CertificateMalformed
from tests.device_integrity.android.phones import (
    NOW,
    Authority,
    Description,
    Phone,
    der_chain,
    factory_phone,
    issue,
    name_of,
    new_key,
    remote_phone,
    trust,
)
from tests.device_integrity.android.vectors import KEY_FOLDER, read_chain, verify_at

_AKITA = "google_keyattestation/akita/sdk34/"
_BLUELINE = "google_keyattestation/blueline/sdk28/"
_FACTORY, _REMOTE = ChainShape.FACTORY, ChainShape.REMOTE
_SHAPES = {
    f"{_AKITA}SB_RSA_NONE": _REMOTE,
    f"{_AKITA}TEE_EC_NONE": _REMOTE,
    f"{_BLUELINE}SB_RSA_NONE": _FACTORY,
    f"{_BLUELINE}TEE_RSA_BASE+IMEI": _FACTORY,
    "google_keyattestation/caiman/sdk36/SB_EC_RKP": _REMOTE,
    "google_keyattestation/caiman/sdk36/TEE_EC_RKP": _REMOTE,
    "google_keyattestation/sony-xperia10-iii/sdk33/TEE_EC": _FACTORY,
    "google_keyattestation/tokay/sdk37/TEE_MLDSA_FACTORY": _FACTORY,
    "google_legacy/algorithm_EC_SecurityLevel_TEE": _FACTORY,
}
"""Real phones; `test_key_attestation` has the verdict on every real chain."""


def _failures(chain: WalkedChain) -> set[str]:
    return {check.reason for check in chain.checks if check.outcome is DeviceFinding.FAIL}


def _walk(
    certificates: list[x509.Certificate], roots: tuple[TrustRoot, ...], now: datetime = NOW
) -> WalkedChain:
    return walk_chain(parse_certificates(der_chain(certificates)), roots=roots, now=now)


@pytest.mark.parametrize(("name", "shape"), _SHAPES.items())
def test_a_real_chain_has_its_shape_and_another_path_builder_agrees(
    assets: Path, name: str, shape: ChainShape
) -> None:
    read, at = read_chain(assets, name), verify_at(assets)[name]
    chain = walk_chain(parse_certificates(read), roots=google_roots(), now=at)
    assert (chain.shape, chain.is_trusted) == (shape, True)
    # Only chains from the factory may have expired.
    expired = name == "google_keyattestation/sony-xperia10-iii/sdk33/TEE_EC"
    assert _path_builder_accepts(read, at.astimezone(UTC)) is not expired


def test_the_synthetic_chain_is_sound_under_its_own_root(assets: Path) -> None:
    name = "google_keyattestation/p256_sha384_intermediate"
    certificates = parse_certificates(read_chain(assets, name))
    own = TrustRoot(
        name="its own",
        kind=RootKind.TEST,
        subject=certificates[-1].subject,
        spki_sha256=certificates[-1].spki_sha256,
    )
    chain = walk_chain(certificates, roots=(own,), now=verify_at(assets)[name])
    assert _failures(chain) == {"SHAPE_UNKNOWN"}


def _path_builder_accepts(chain: list[bytes], at: datetime) -> bool:
    leaf, *middle, root = (x509.load_der_x509_certificate(data) for data in chain)
    anyone = ExtensionPolicy.permit_all()
    authorities = anyone.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(at)
        .extension_policies(ca_policy=authorities, ee_policy=anyone)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, middle)
    except VerificationError:
        return False
    return True


def test_chains_of_our_own_are_sound_in_both_shapes() -> None:
    for phone, shape in ((factory_phone(), _FACTORY), (remote_phone(), _REMOTE)):
        chain = _walk(phone.attest(Description())[1], trust(phone))
        assert chain.is_trusted
        assert chain.shape is shape


def _issued(subject: x509.Name, above: Authority | None, **options: Any) -> Authority:
    """An authority with a key of its own."""
    key = new_key()
    return Authority(key, issue(subject, key, above, **options))


def _reasons(certificates: list[x509.Certificate], phone: Phone, now: datetime = NOW) -> set[str]:
    return _failures(_walk(certificates, trust(phone), now))


@pytest.mark.parametrize("phone", [factory_phone, remote_phone])
def test_an_attested_key_that_signs_one_more_certificate_is_no_authority(
    phone: Callable[[], Phone],
) -> None:
    key, genuine = phone().attest(Description())
    attested = Authority(key, genuine[0])
    forged_key = new_key()
    for ca in (True, False, None):
        leaf = issue(
            name_of(cn="Android Keystore Key"),
            forged_key,
            attested,
            ca=ca,
            extensions={ATTESTATION_EXTENSION: Description(challenge=b"other").der()},
        )
        forged = [leaf, *genuine]
        # Names and signatures are all valid: a bare loop over signatures would accept it.
        for certificate, issuer in pairwise(forged):
            certificate.verify_directly_issued_by(issuer)
        assert "FORGED_CHAIN" in _reasons(forged, phone())
        assert not _path_builder_accepts(der_chain(forged), NOW)
        # With one certificate fewer, so that the length is valid, no certificate signs it.
        assert not _walk([leaf, genuine[0], *genuine[2:]], trust(phone())).is_trusted


def test_an_authority_in_disguise_is_refused_without_the_extension() -> None:
    phone = factory_phone()
    for ca in (False, None):
        root, middle, _ = phone.authorities
        plain = _issued(name_of(serial="0c33", title="TEE"), middle, ca=ca, not_after=NOW + timedelta(1))
        _, certificates = Phone((*phone.authorities[:-1], plain)).attest(Description())
        # Phones of 2016 have batch certificates with CA:FALSE; none has one without basic constraints.
        assert _reasons(certificates, phone) == (set() if ca is False else {"FORGED_CHAIN"})
        deeper = _issued(name_of(serial="0d44", title="TEE"), plain)
        _, certificates = Phone((root, plain, deeper)).attest(Description())
        assert "FORGED_CHAIN" in _reasons(certificates, phone)


def test_a_provisioned_key_has_to_be_an_authority() -> None:
    phone = remote_phone()
    last = phone.authorities[-1].certificate
    extension = last.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.30"))
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    no_authority = _issued(
        last.subject,
        phone.authorities[-2],
        ca=False,
        extensions={extension.oid.dotted_string: extension.value.value},
    )
    _, certificates = Phone((*phone.authorities[:-1], no_authority)).attest(Description())
    assert _reasons(certificates, phone) == {"FORGED_CHAIN"}


def test_a_look_alike_root_is_refused() -> None:
    phone = factory_phone()
    root, between, last = (authority.certificate.subject for authority in phone.authorities)
    fake = _issued(root, None)
    middle = _issued(between, fake)
    batch = _issued(last, middle)
    _, certificates = Phone((fake, middle, batch)).attest(Description())
    chain = _walk(certificates, trust(phone))
    assert _failures(chain) == {"LOOK_ALIKE_ROOT"}
    assert chain.checks[0].sign_of is Manipulation.CODE_MODIFICATION
    # Replacing the fake root by the real one does not help: it signed nothing here.
    swapped = [*certificates[:-1], phone.authorities[0].certificate]
    assert _reasons(swapped, phone) == {"SIGNATURE_INVALID"}


@pytest.mark.parametrize(
    ("kind", "reason", "sign_of"),
    [
        (RootKind.SOFTWARE, "SOFTWARE_ROOT", Manipulation.EMULATOR),
        (RootKind.NON_PRODUCTION, "NON_PRODUCTION_ROOT", Manipulation.ROOTED),
        (RootKind.TEST, "TEST_ROOT", None),
    ],
)
def test_roots_that_are_not_of_phones_are_named(
    kind: RootKind, reason: str, sign_of: Manipulation | None
) -> None:
    phone = factory_phone()
    _, certificates = phone.attest(Description())
    chain = _walk(certificates, trust(phone, kind))
    assert (chain.checks[0].reason, chain.checks[0].sign_of) == (reason, sign_of)
    assert _failures(chain) == (set() if chain.is_trusted else {reason})
    assert chain.is_trusted == (kind is RootKind.TEST)


def test_a_chain_without_its_root_or_out_of_order() -> None:
    phone = remote_phone()
    _, certificates = phone.attest(Description())
    assert "ROOT_MISSING" in _reasons(certificates[:-1], phone)
    assert "NAMES_NOT_CHAINED" in _reasons([certificates[0], *certificates[2:]], phone)
    assert {"ROOT_MISSING", "NAMES_NOT_CHAINED"} <= _reasons(certificates[::-1], phone)


def test_expired_and_future_certificates_are_distinguished() -> None:
    phone = remote_phone(expired=True)
    _, certificates = phone.attest(Description())
    assert _reasons(certificates, phone) == {"EXPIRED"}
    assert _reasons(certificates, phone, NOW - timedelta(days=2)) == set()
    assert _reasons(certificates, phone, NOW - timedelta(days=20)) == {"NOT_YET_VALID"}
    old = factory_phone(expired=True)
    _, certificates = old.attest(Description())
    assert _reasons(certificates, old) == set()
    assert _reasons(certificates, old, NOW - timedelta(days=20)) == {"NOT_YET_VALID"}


def test_path_lengths() -> None:
    phone = remote_phone()
    root, first, second, attestation = phone.authorities
    shorter = _issued(first.certificate.subject, root, path_length=1)
    below = _issued(second.certificate.subject, shorter)
    extension = {
        item.oid.dotted_string: item.value.value
        for item in attestation.certificate.extensions
        if isinstance(item.value, x509.UnrecognizedExtension)
    }
    last = _issued(attestation.certificate.subject, below, extensions=extension)
    _, certificates = Phone((root, shorter, below, last)).attest(Description())
    assert _reasons(certificates, phone) == {"PATH_TOO_LONG"}


def test_shapes_that_no_phone_has() -> None:
    phone = _provisioned(servers=("CA2", "CA3"), environment="Somewhere")
    _, certificates = phone.attest(Description())
    assert _reasons(certificates, phone) == {"SHAPE_UNKNOWN"}
    short = factory_phone()
    root, middle, _ = short.authorities
    _, certificates = Phone((root, middle)).attest(Description())
    assert _reasons(certificates, short) == {"SHAPE_UNKNOWN"}


def _provisioned(
    *,
    servers: tuple[str, str] = ("Droid CA2", "Droid CA3"),
    organization: str = "Google LLC",
    environment: str = "TEE",
    extended: bool = True,
) -> Phone:
    """A phone with a provisioned key, by other servers."""
    above = remote_phone().authorities[:1]
    extension = {PROVISIONING_EXTENSION: b"\xa1\x01\x08"} if extended else None
    for name, further in (
        (name_of(cn=servers[0], o=organization), None),
        (name_of(cn=servers[1], o=organization), None),
        (name_of(cn="44c1", o=environment), extension),
    ):
        above = (*above, _issued(name, above[-1], extensions=further))
    return Phone(above)


@pytest.mark.parametrize(
    ("phone", "shape"),
    [
        (_provisioned(extended=False), ChainShape.REMOTE),
        (_provisioned(extended=False, environment="Somewhere"), ChainShape.REMOTE),
        (_provisioned(environment="strongbox", organization="Another"), ChainShape.REMOTE),
        (_provisioned(extended=False, organization="Another"), ChainShape.OTHER),
        (_provisioned(extended=False, servers=("Droid CAx", "Droid CA3")), ChainShape.OTHER),
    ],
    ids=["no extension", "no environment", "another case", "another organisation", "another server"],
)
def test_a_provisioned_key_is_known_by_the_servers_above_it(phone: Phone, shape: ChainShape) -> None:
    chain = _walk(phone.attest(Description())[1], trust(phone))
    assert chain.shape is shape
    assert chain.is_trusted is (shape is ChainShape.REMOTE)


def _batch(middle: x509.Name, attestation: x509.Name) -> Phone:
    """A phone with a batch key, under any names."""
    above = factory_phone().authorities[:1]
    for name in (middle, attestation):
        above = (*above, _issued(name, above[-1]))
    return Phone(above)


@pytest.mark.parametrize(
    ("middle", "attestation", "expected"),
    [
        (name_of(serial="0a11", title="StrongBox"), name_of(serial="0b22", title="StrongBox"), True),
        (name_of(serial="0a11", title="StrongBox"), name_of(serial="0b22"), True),
        (name_of(serial="0a11"), name_of(serial="0b22", title="STRONGBOX"), True),
        (name_of(serial="0a11", cn="Maker strongbox keymint CA"), name_of(serial="0b22"), True),
        (name_of(serial="0a11", o="StrongBox"), name_of(serial="0b22"), True),
        (name_of(serial="0a11", title="TEE"), name_of(serial="0b22", title="TEE"), False),
        (name_of(serial="0a11", title="Strong"), name_of(serial="0b22", title="Box"), False),
    ],
)
def test_a_strongbox_is_known_wherever_its_maker_writes_it(
    middle: x509.Name, attestation: x509.Name, expected: bool
) -> None:
    phone = _batch(middle, attestation)
    chain = _walk(phone.attest(Description())[1], trust(phone))
    assert (chain.shape, chain.is_trusted) == (ChainShape.FACTORY, True)
    assert chain.says_strongbox is expected


@pytest.mark.parametrize(("usage", "failures"), [(False, {"NO_KEY_CERT_SIGN"}), (None, set())])
@pytest.mark.parametrize("place", [1, 2])
def test_a_key_usage_of_an_intermediate_has_to_permit_signing(
    place: int, usage: bool | None, failures: set[str]
) -> None:
    phone = factory_phone()
    above: tuple[Authority, ...] = phone.authorities[:1]
    for depth, name in (
        (1, name_of(serial="0a11", title="TEE")),
        (2, name_of(serial="0b22", title="TEE")),
    ):
        above = (*above, _issued(name, above[-1], may_sign=usage if depth == place else True))
    _, certificates = Phone(above).attest(Description())
    chain = _walk(certificates, trust(phone))
    assert _failures(chain) == failures
    assert chain.is_trusted == (not failures)


def test_without_a_key_usage_the_basic_constraints_decide() -> None:
    phone = factory_phone()
    root, middle, _ = phone.authorities
    last = _issued(name_of(serial="0c33", title="TEE"), middle, ca=None, may_sign=None)
    _, certificates = Phone((root, middle, last)).attest(Description())
    assert _failures(_walk(certificates, trust(phone))) == {"FORGED_CHAIN"}


def test_an_authority_on_an_unusual_curve_signs_nothing() -> None:
    phone = factory_phone()
    root, middle, _ = phone.authorities
    key = ec.generate_private_key(ec.SECP256K1())
    odd = Authority(key, issue(name_of(serial="0e55"), key, middle))
    _, certificates = Phone((root, middle, odd)).attest(Description())
    assert _reasons(certificates, phone) == {"SIGNATURE_INVALID"}


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


def test_no_test_root_is_shipped() -> None:
    assert len(google_roots()) == 5
    assert RootKind.TEST not in {root.kind for root in google_roots()}


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
