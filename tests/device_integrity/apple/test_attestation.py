"""Each condition of an attestation, broken once; and arbitrary bytes, which are refused."""

from datetime import timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.apple import Environment, KeyOwner, check_key_use, verify_attestation
from device_integrity.apple.attestation import AttestationResult
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from facegate_protocol import sha256
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey, issue

_H = sha256(b"the binding hash of a scan")


def _verify(apple: SoftwareApple, key: SoftwareKey, attestation: bytes, **other: object) -> AttestationResult:
    arguments: dict[str, object] = {
        "key_id": key.key_id,
        "attestation_object": attestation,
        "client_data_hash": _H,
        "app_ids": frozenset({"TEAM123456.org.example.other", APP}),
        "environment": Environment.PRODUCTION,
        "key_use": KeyOwner.NEW,
        "anchors": apple.anchors,
        "now": NOW,
    }
    return verify_attestation(**(arguments | other))  # type: ignore[arg-type]


def _failed(result: AttestationResult) -> DeviceCheck:
    """The one check that failed."""
    (check,) = (one for one in result.checks if one.outcome is not DeviceFinding.PASS)
    assert check.outcome is DeviceFinding.FAIL
    return check


def test_an_honest_key_is_enrolled(apple: SoftwareApple, key: SoftwareKey) -> None:
    result = _verify(apple, key, apple.attestation(key, _H))
    assert [check.name.partition(".")[2] for check in result.checks] == [
        "format",
        "chain",
        "challenge",
        "key_id",
        "app",
        "environment",
        "counter",
        "key_use",
    ]
    assert all(check.outcome is DeviceFinding.PASS for check in result.checks)
    assert result.key is not None
    assert result.key.public_key == key.public_key
    assert (result.key.key_id, result.key.app_id, result.key.counter) == (key.key_id, APP, 0)
    assert result.key.receipt == b"receipt"


def test_the_challenge_of_another_scan_fails(apple: SoftwareApple, key: SoftwareKey) -> None:
    result = _verify(apple, key, apple.attestation(key, sha256(b"of another scan")))
    check = _failed(result)
    assert (check.name, check.sign_of) == ("app_attest.challenge", Manipulation.MAN_IN_THE_MIDDLE)
    assert result.key is None


def test_a_leaf_without_the_extension_fails(apple: SoftwareApple, key: SoftwareKey) -> None:
    bare = issue("leaf", by=apple.intermediate, authority=False, key=key.key)
    assert _failed(_verify(apple, key, apple.attestation(key, _H, leaf=bare))).name == "app_attest.challenge"


def test_an_attestation_of_another_app_fails(apple: SoftwareApple, key: SoftwareKey) -> None:
    check = _failed(_verify(apple, key, apple.attestation(key, _H, app_id="TEAM999999.org.example.bank")))
    assert (check.name, check.sign_of) == ("app_attest.app", Manipulation.CODE_MODIFICATION)
    unknown = _verify(apple, key, apple.attestation(key, _H), app_ids=frozenset())
    (open_check,) = (check for check in unknown.checks if check.outcome is not DeviceFinding.PASS)
    assert (open_check.name, open_check.reason) == ("app_attest.app", "NO_APPS_CONFIGURED")
    assert unknown.key is None


@pytest.mark.parametrize(
    ("aaguid", "says"),
    [
        (Environment.DEVELOPMENT.aaguid, "development"),
        (b"appattestsandbox", "unknown environment"),
        (bytes(16), "unknown environment"),
    ],
)
def test_an_attestation_of_another_environment_fails(
    apple: SoftwareApple, key: SoftwareKey, aaguid: bytes, says: str
) -> None:
    check = _failed(_verify(apple, key, apple.attestation(key, _H, aaguid=aaguid)))
    assert check.name == "app_attest.environment"
    assert says in check.detail


def test_production_is_no_development(apple: SoftwareApple, key: SoftwareKey) -> None:
    result = _verify(apple, key, apple.attestation(key, _H), environment=Environment.DEVELOPMENT)
    assert _failed(result).name == "app_attest.environment"


def test_a_key_that_has_signed_before(apple: SoftwareApple, key: SoftwareKey) -> None:
    assert _failed(_verify(apple, key, apple.attestation(key, _H, counter=1))).name == "app_attest.counter"


def test_identifiers_and_keys_have_to_name_one_key(apple: SoftwareApple, key: SoftwareKey) -> None:
    other = SoftwareKey()
    honest = apple.attestation(key, _H)
    assert "hash of the certificate's key" in _failed(_verify(apple, key, honest, key_id=other.key_id)).detail
    assert _failed(_verify(apple, key, honest, key_id=b"")).name == "app_attest.key_id"
    named = apple.attestation(key, _H, credential_id=other.key_id)
    assert "names another" in _failed(_verify(apple, key, named)).detail
    held = apple.attestation(key, _H, cose_point=other.point)
    assert "holds another key" in _failed(_verify(apple, key, held)).detail


def test_a_chain_of_another_root_fails(apple: SoftwareApple, key: SoftwareKey) -> None:
    check = _failed(_verify(apple, key, SoftwareApple(seed=2).attestation(key, _H)))
    assert (check.name, check.reason) == ("app_attest.chain", "CHAIN_NOT_TRUSTED")
    assert check.sign_of is Manipulation.EMULATOR


def test_no_claims_of_an_untrusted_chain(apple: SoftwareApple, key: SoftwareKey) -> None:
    assert _verify(apple, key, SoftwareApple(seed=2).attestation(key, _H)).claims is None
    assert _verify(apple, key, apple.attestation(key, _H)).claims is not None


def test_a_key_attested_once_signs_no_other(apple: SoftwareApple, key: SoftwareKey) -> None:
    """An attested key signs a certificate, as if it were an authority."""
    attested = apple.leaf(key, bytes(32))
    forged = SoftwareKey()
    data = cbor2.loads(apple.attestation(forged, _H))["authData"]
    leaf = apple.leaf(forged, sha256(data + _H), by=attested)
    check = _failed(_verify(apple, forged, apple.attestation(forged, _H, leaf=leaf, intermediate=attested)))
    assert (check.name, check.reason) == ("app_attest.chain", "CERTIFICATE_ROLE_WRONG")


@pytest.mark.parametrize("shift", [timedelta(days=-2), timedelta(days=31)])
def test_outside_the_certificates_life(apple: SoftwareApple, key: SoftwareKey, shift: timedelta) -> None:
    check = _failed(_verify(apple, key, apple.attestation(key, _H), now=NOW + shift))
    assert (check.name, check.reason) == ("app_attest.chain", "CERTIFICATE_NOT_VALID_NOW")
    assert check.sign_of is None


@pytest.mark.parametrize(
    ("use", "outcome", "soft"),
    [
        (None, DeviceFinding.NOT_EVALUATED, False),
        (KeyOwner.SAME_SUBJECT, DeviceFinding.PASS, False),
        (KeyOwner.OTHER_SUBJECT, DeviceFinding.FAIL, True),
    ],
)
def test_the_earlier_owner_of_a_key_determines_the_finding(
    apple: SoftwareApple, key: SoftwareKey, use: KeyOwner | None, outcome: DeviceFinding, soft: bool
) -> None:
    result = _verify(apple, key, apple.attestation(key, _H), key_use=use)
    assert (result.checks[-1].outcome, result.checks[-1].soft) == (outcome, soft)
    assert result.key is not None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"fmt": "packed"}, "format is not apple-appattest"),
        ({"fmt": b"apple-appattest"}, "not a text"),
        ({"more": 1}, "no others"),
        ({"attStmt": {"x5c": []}}, "keys"),
        ({"attStmt": {"x5c": [], "receipt": b""}}, "0 items instead of 2"),
        ({"attStmt": {"x5c": [b"", b""], "receipt": b""}}, "cannot be read as a certificate"),
        ({"attStmt": {"x5c": [b"x" * 9000, b""], "receipt": b""}}, "at most 8192"),
        ({"authData": bytes(36)}, "36 bytes"),
        ({"authData": bytes(37)}, "key identifier of 32 bytes"),
        ({"authData": bytes(53) + b"\0\x20" + bytes(31)}, "key identifier of 32 bytes"),
        ({"authData": bytes(53) + b"\0\x20" + bytes(32)}, "ends inside"),
        ({"authData": bytes(53) + b"\0\x20" + bytes(32) + b"\xa0"}, "no others"),
        (
            {
                "authData": bytes(53)
                + b"\0\x20"
                + bytes(32)
                + cbor2.dumps({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})
            },
            "not on the curve",
        ),
        (
            {
                "authData": bytes(53)
                + b"\0\x20"
                + bytes(32)
                + cbor2.dumps({1: 2, 3: -35, -1: 2, -2: bytes(32), -3: bytes(32)})
            },
            "for ES256",
        ),
    ],
)
def test_malformed_attestations_fail_the_format_test(
    apple: SoftwareApple, key: SoftwareKey, more: dict[str, object], says: str
) -> None:
    result = _verify(apple, key, apple.attestation(key, _H, more=more))
    first, *rest = result.checks
    assert (first.name, first.outcome, first.reason) == ("app_attest.format", DeviceFinding.FAIL, "MALFORMED")
    assert says in first.detail
    assert len(rest) == 7
    assert {check.outcome for check in rest} == {DeviceFinding.NOT_EVALUATED}
    assert (result.key, result.claims) == (None, None)


def test_a_leaf_on_another_curve_cannot_be_read(apple: SoftwareApple, key: SoftwareKey) -> None:
    other = issue("leaf", by=apple.intermediate, authority=False, key=ec.generate_private_key(ec.SECP384R1()))
    check = _verify(apple, key, apple.attestation(key, _H, leaf=other)).checks[0]
    assert "P-256" in check.detail


def test_an_unknown_critical_extension_fails(apple: SoftwareApple, key: SoftwareKey) -> None:
    data = cbor2.loads(apple.attestation(key, _H))["authData"]
    nonce = bytes.fromhex("3024a1220420") + sha256(data + _H)
    leaf = issue(
        "leaf",
        by=apple.intermediate,
        authority=False,
        key=key.key,
        extensions={x509.ObjectIdentifier("1.2.840.113635.100.8.2"): nonce},
        critical=True,
    )
    check = _failed(_verify(apple, key, apple.attestation(key, _H, leaf=leaf)))
    assert check.reason == "CERTIFICATE_NOT_UNDERSTOOD"


@pytest.fixture(scope="module")
def honest(apple: SoftwareApple, key: SoftwareKey) -> bytes:
    return apple.attestation(key, _H)


@settings(deadline=None, max_examples=150)
@given(place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_changed_byte_passes(
    place: int, mask: int, apple: SoftwareApple, key: SoftwareKey, honest: bytes
) -> None:
    changed = bytearray(honest)
    changed[place % len(honest)] ^= mask
    result = _verify(apple, key, bytes(changed))
    # The attestation does not sign the receipt, which is judged separately.
    if result.key is not None:
        assert result.key.receipt != b"receipt"


@given(data=st.binary(max_size=300))
def test_any_bytes_give_checks(data: bytes, apple: SoftwareApple, key: SoftwareKey) -> None:
    assert _verify(apple, key, data).key is None


@pytest.mark.parametrize("verifier", ["app_attest", "app_attest_assertion"])
@pytest.mark.parametrize(
    ("use", "outcome", "reason"),
    [
        (KeyOwner.NEW, DeviceFinding.PASS, "KEY_NEW"),
        (KeyOwner.SAME_SUBJECT, DeviceFinding.PASS, "KEY_SAME_SUBJECT"),
        (KeyOwner.OTHER_SUBJECT, DeviceFinding.FAIL, "KEY_OF_ANOTHER_SUBJECT"),
        (None, DeviceFinding.NOT_EVALUATED, "KEY_USE_UNKNOWN"),
    ],
)
def test_another_persons_key_fails_softly_and_is_no_sign(
    verifier: str, use: KeyOwner | None, outcome: DeviceFinding, reason: str
) -> None:
    check = check_key_use(verifier, use)
    assert (check.name, check.outcome, check.reason) == (f"{verifier}.key_use", outcome, reason)
    assert check.soft == (use is KeyOwner.OTHER_SUBJECT)
    assert check.sign_of is None
