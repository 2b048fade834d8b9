"""The whole verifier: every real chain with its expected verdict, every demand broken once, mutations."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.android.apps import AllowedApp
from device_integrity.android.chain import ANDROID_KEY, RootKind, TrustRoot, google_roots
from device_integrity.android.constraints import KeyAttestationPolicy
from device_integrity.android.key_attestation import KeyAttestation, Possession, verify_key_attestation
from device_integrity.android.key_description import SecurityLevel
from device_integrity.android.revocation import RevocationEntry, RevocationList, RevocationStatus
from device_integrity.device_test import DeviceFinding, Manipulation
from facegate_protocol import attestation_message, sign
from lab.simulator.devices.keystore import explicit, integer, octets
from tests.device_integrity.android.phones import (
    APP_DIGEST,
    NOW,
    PACKAGE,
    Description,
    Phone,
    RootOfTrust,
    der_chain,
    factory_phone,
    issue,
    name_of,
    new_key,
    remote_phone,
    trust,
)
from tests.device_integrity.android.vectors import read_chain, verify_at

_NO_LIST = RevocationList(entries={}, fetched_at=NOW)
_APP = AllowedApp(package=PACKAGE, certificate_digests=frozenset({APP_DIGEST}))
_POLICY = KeyAttestationPolicy(apps=(_APP,))
_MESSAGE = attestation_message(binding=b"challenge")
_UNLOCKED = {"BOOTLOADER_UNLOCKED"}
_AKITA = "google_keyattestation/akita/sdk34/"
_BLUELINE = "google_keyattestation/blueline/sdk28/"
_SOFTWARE = {
    "SOFTWARE_ROOT",
    "SOFTWARE_KEYSTORE",
    "BOOT_STATE_MISSING",
    "PATCH_LEVEL_MISSING",
}
_MALFORMED = {"MALFORMED"}
_VERDICTS: dict[str, set[str]] = {
    f"{_AKITA}SB_RSA_NONE": _UNLOCKED,
    f"{_AKITA}TEE_EC_NONE": _UNLOCKED,
    f"{_AKITA}TEE_RSA_BASE+IMEI": _UNLOCKED,
    f"{_AKITA}TEE_RSA_NONE": _UNLOCKED,
    f"{_AKITA}TEE_RSA_NONE_USERAUTH": _UNLOCKED,
    "google_keyattestation/allow_while_on_body": _MALFORMED,
    f"{_BLUELINE}SB_RSA_NONE": _UNLOCKED,
    f"{_BLUELINE}SB_RSA_NONE_USERAUTH": _UNLOCKED,
    f"{_BLUELINE}TEE_EC_NONE": _UNLOCKED,
    f"{_BLUELINE}TEE_RSA_BASE+IMEI": _UNLOCKED,
    f"{_BLUELINE}TEE_RSA_NONE": _UNLOCKED,
    "google_keyattestation/caiman/sdk36/SB_EC_RKP": set(),
    "google_keyattestation/caiman/sdk36/TEE_EC_RKP": set(),
    "google_keyattestation/invalid/malformed_rot_device_locked": {"NOT_DER"},
    "google_keyattestation/invalid/tags_not_in_ascending_order": {"SIGNATURE_INVALID", "NOT_DER", *_UNLOCKED},
    "google_keyattestation/marlin/sdk29/TEE_EC_NONE": _SOFTWARE,
    "google_keyattestation/marlin/sdk29/TEE_RSA_NONE": _SOFTWARE,
    "google_keyattestation/p256_sha384_intermediate": {"UNKNOWN_ROOT", "SHAPE_UNKNOWN", "MALFORMED"},
    "google_keyattestation/sony-xperia10-iii/sdk33/TEE_EC": set(),
    "google_keyattestation/tokay/sdk37/TEE_MLDSA_FACTORY": _UNLOCKED,
    "google_legacy/algorithm_EC_SecurityLevel_StrongBox": _MALFORMED,
    "google_legacy/algorithm_EC_SecurityLevel_TEE": _UNLOCKED,
    "google_legacy/algorithm_RSA_SecurityLevel_StrongBox": {"NON_PRODUCTION_ROOT", *_UNLOCKED},
    "google_legacy/algorithm_RSA_SecurityLevel_TEE": _UNLOCKED,
}
"""The failed tests of each real chain, at its date, for its own challenge and app."""
_SOFT = {"NOT_DER", "PATCH_LEVEL_MISSING", "PATCH_LEVEL_OLD"}


def _verify(
    chain: Sequence[bytes],
    *,
    roots: Sequence[TrustRoot],
    policy: KeyAttestationPolicy = _POLICY,
    challenge: bytes = b"challenge",
    possession: Possession | None = None,
    revocation: RevocationList | None = _NO_LIST,
    now: datetime = NOW,
) -> KeyAttestation:
    return verify_key_attestation(
        certificate_chain=chain,
        challenge=challenge,
        possession=possession,
        policy=policy,
        roots=roots,
        revocation=revocation,
        now=now,
    )


@cache
def _attested(description: Description, phone: Phone) -> tuple[bytes, ...]:
    return tuple(der_chain(phone.attest(description)[1]))


def _verified(description: Description, phone: Phone, **options: Any) -> KeyAttestation:
    """The verdict on a phone's chain under its own root."""
    return _verify(_attested(description, phone), roots=trust(phone), **options)


def _failures(result: KeyAttestation, *, soft: bool = True) -> set[str]:
    return {
        check.reason
        for check in result.checks
        if check.outcome is DeviceFinding.FAIL and (soft or not check.soft)
    }


def _reason(result: KeyAttestation, name: str) -> tuple[DeviceFinding, str]:
    (check,) = (check for check in result.checks if check.name == f"android_key.{name}")
    return check.outcome, check.reason


def test_every_real_chain_has_a_verdict(assets: Path) -> None:
    assert set(_VERDICTS) == set(verify_at(assets))


@pytest.mark.parametrize("name", _VERDICTS)
def test_a_real_attestation_is_verified(assets: Path, name: str) -> None:
    chain, now = read_chain(assets, name), verify_at(assets)[name]
    revocation = RevocationList(entries={}, fetched_at=now)
    peek = _verify(chain, roots=google_roots(), revocation=revocation, now=now)
    apps = () if peek.application is None else _apps_of(peek)
    policy = KeyAttestationPolicy(apps=apps, max_patch_age_months=None if "xperia" in name else 24)
    challenge = b"" if peek.description is None else peek.description.challenge
    result = _verify(
        chain, roots=google_roots(), policy=policy, challenge=challenge, revocation=revocation, now=now
    )
    expected = _VERDICTS[name]
    unsigned_app = {"APPLICATION_REPACKAGED"} if "BASE+IMEI" in name else set()
    stated = _failures(result)
    assert stated - {"PATCH_LEVEL_OLD"} == {*expected, *unsigned_app} - (
        {"PATCH_LEVEL_MISSING"} if policy.max_patch_age_months is None else set()
    )
    accepted = not _failures(result, soft=False)
    assert accepted == (expected <= _SOFT)
    assert [check.name for check in result.checks] == [
        f"{ANDROID_KEY.verifier}.{check}" for check in ANDROID_KEY.checks
    ]
    if accepted:
        assert result.attested_key is not None
        assert all(check.outcome is not DeviceFinding.UNAVAILABLE for check in result.checks)


def _apps_of(result: KeyAttestation) -> tuple[AllowedApp, ...]:
    assert result.application is not None
    digests = result.application.certificate_digests
    return tuple(
        AllowedApp(package=package.name, certificate_digests=digests)
        for package in result.application.packages
    )


@pytest.mark.parametrize("phone", [factory_phone(), remote_phone()], ids=["factory", "remote"])
def test_an_honest_phone_passes_every_check(phone: Phone) -> None:
    key, certificates = phone.attest(Description())
    possession = Possession(message=_MESSAGE, signature=sign(key, _MESSAGE))
    result = _verify(der_chain(certificates), roots=trust(phone), possession=possession)
    assert _failures(result) == set()
    left = {check.reason for check in result.checks if check.outcome is not DeviceFinding.PASS}
    assert left == ({"NOT_PROVISIONED"} if phone is factory_phone() else set())
    assert result.attested_key == key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


_BROKEN: list[tuple[Description, str, Manipulation | None]] = [
    (Description(challenge=b"other"), "CHALLENGE_MISMATCH", Manipulation.MAN_IN_THE_MIDDLE),
    (Description(challenge=b""), "CHALLENGE_MISMATCH", Manipulation.MAN_IN_THE_MIDDLE),
    (Description(attestation_level=0), "SOFTWARE_KEYSTORE", Manipulation.EMULATOR),
    (Description(keymint_level=0), "SOFTWARE_KEYSTORE", Manipulation.EMULATOR),
    (Description(keymint_level=2), "SECURITY_LEVELS_DIFFER", Manipulation.EMULATOR),
    (Description(attestation_level=2, keymint_level=2), "NOT_A_STRONGBOX", Manipulation.EMULATOR),
    (Description(root_of_trust=None), "BOOT_STATE_MISSING", Manipulation.ROOTED),
    (
        Description(root_of_trust=RootOfTrust(locked=b"\x01\x01\x00")),
        "BOOTLOADER_UNLOCKED",
        Manipulation.ROOTED,
    ),
    (Description(root_of_trust=RootOfTrust(state=1)), "SELF_SIGNED_SYSTEM", Manipulation.ROOTED),
    (Description(root_of_trust=RootOfTrust(state=2)), "BOOT_NOT_VERIFIED", Manipulation.ROOTED),
    (Description(root_of_trust=RootOfTrust(state=3)), "BOOT_NOT_VERIFIED", Manipulation.ROOTED),
    (Description(root_of_trust=RootOfTrust(state=9)), "BOOT_NOT_VERIFIED", Manipulation.ROOTED),
    (Description(origin=None), "NOT_GENERATED", None),
    (Description(origin=2), "NOT_GENERATED", None),
    (Description(origin=None, software_extra=(explicit(702, integer(0)),)), "NOT_GENERATED", None),
    (Description(purposes=(3,)), "SIGN_MISSING", None),
    (Description(all_applications=True), "ALL_APPLICATIONS", None),
    (Description(software_extra=(explicit(600, b"\x05\x00"),)), "ALL_APPLICATIONS", None),
    (Description(packages=("org.example.other",)), "APPLICATION_UNKNOWN", Manipulation.CODE_MODIFICATION),
    (Description(packages=()), "APPLICATION_UNKNOWN", Manipulation.CODE_MODIFICATION),
    (Description(digests=(bytes(32),)), "APPLICATION_REPACKAGED", Manipulation.CODE_MODIFICATION),
    (Description(digests=(APP_DIGEST, bytes(32))), "APPLICATION_REPACKAGED", Manipulation.CODE_MODIFICATION),
    (Description(digests=()), "APPLICATION_REPACKAGED", Manipulation.CODE_MODIFICATION),
    (Description(patch_level=202401), "PATCH_LEVEL_OLD", None),
    (Description(patch_level=None), "PATCH_LEVEL_MISSING", None),
    (Description(patch_level=202600), "PATCH_LEVEL_MALFORMED", None),
]


@pytest.mark.parametrize(
    ("description", "reason", "sign_of"), _BROKEN, ids=[f"{i}-{row[1]}" for i, row in enumerate(_BROKEN)]
)
def test_each_broken_demand_fails_its_test(
    description: Description, reason: str, sign_of: Manipulation | None
) -> None:
    phone = factory_phone()
    result = _verified(description, phone)
    assert _failures(result) >= {reason}
    assert all(check.sign_of is sign_of for check in result.checks if check.reason == reason)
    assert (result.attested_key is None) == (reason == "CHALLENGE_MISMATCH")


def test_the_environment_of_a_key_is_stated() -> None:
    strongbox = Description(attestation_level=2, keymint_level=2)
    phone = remote_phone(environment="StrongBox")
    demanding = replace(_POLICY, min_security_level=SecurityLevel.STRONGBOX)
    result = _verified(strongbox, phone, policy=demanding)
    assert _reason(result, "security_level") == (DeviceFinding.PASS, "STRONGBOX")

    plain = remote_phone()
    result = _verify(der_chain(plain.attest(Description())[1]), roots=trust(plain), policy=demanding)
    assert _reason(result, "security_level") == (DeviceFinding.FAIL, "SECURITY_LEVEL_TOO_LOW")


def test_a_system_of_another_maker_is_trusted_by_its_boot_key_only() -> None:
    phone, boot_key = factory_phone(), b"\x07" * 32
    chain = der_chain(phone.attest(Description(root_of_trust=RootOfTrust(key=boot_key, state=1)))[1])
    known = replace(_POLICY, self_signed_boot_keys=frozenset({boot_key}))
    result = _verify(chain, roots=trust(phone), policy=known)
    assert _reason(result, "boot_state") == (DeviceFinding.PASS, "KNOWN_SELF_SIGNED_SYSTEM")
    other = replace(_POLICY, self_signed_boot_keys=frozenset({bytes(32)}))
    assert _failures(_verify(chain, roots=trust(phone), policy=other)) == {"SELF_SIGNED_SYSTEM"}
    # A trusted key does not make an unlocked boot loader or an unverified system sound.
    for root in (
        RootOfTrust(key=boot_key, state=1, locked=b"\x01\x01\x00"),
        RootOfTrust(key=boot_key, state=2),
    ):
        chain = der_chain(phone.attest(Description(root_of_trust=root))[1])
        assert (
            _reason(_verify(chain, roots=trust(phone), policy=known), "boot_state")[0] is DeviceFinding.FAIL
        )


def test_tests_that_the_policy_does_not_demand_are_not_evaluated() -> None:
    phone = factory_phone()
    policy = KeyAttestationPolicy(max_patch_age_months=None)
    result = _verified(Description(), phone, policy=policy)
    for name in ("application", "patch_level", "possession", "provisioning"):
        assert _reason(result, name)[0] is DeviceFinding.NOT_EVALUATED


def test_a_strongbox_that_attests_a_trusted_environment_is_up_to_the_policy() -> None:
    phone = remote_phone(environment="StrongBox")
    refused = _verified(Description(), phone)
    assert _failures(refused) == {"NOT_A_TRUSTED_ENVIRONMENT"}
    taken = _verified(Description(), phone, policy=replace(_POLICY, tee_under_strongbox=True))
    assert _failures(taken) == set()


def test_keys_from_the_factory_are_up_to_the_policy() -> None:
    policy = replace(_POLICY, remotely_provisioned_only=True)
    for phone, reasons in ((factory_phone(), {"NOT_PROVISIONED"}), (remote_phone(), set())):
        result = _verified(Description(), phone, policy=policy)
        assert _failures(result, soft=False) == reasons


def test_a_malformed_informative_field_is_named_and_ignored() -> None:
    phone = factory_phone()
    odd = explicit(719, octets(b"no number"))
    result = _verified(Description(hardware_extra=(odd,)), phone)
    (encoding,) = [check for check in result.checks if check.name == "android_key.encoding"]
    assert (_failures(result), encoding.soft) == ({"NOT_DER"}, True)
    assert "MALFORMED_BOOT_PATCH_LEVEL" in encoding.detail
    two = (explicit(718, octets(b"")), odd)
    result = _verified(Description(hardware_extra=two), phone)
    assert _failures(result) == {"MALFORMED"}


def test_a_farm_of_keys_is_a_soft_sign() -> None:
    phone = remote_phone(issued=600)
    result = _verified(Description(), phone)
    assert _failures(result) == {"KEY_FARM"}
    assert _failures(result, soft=False) == set()


def test_a_revoked_key_vouches_for_nothing() -> None:
    phone = factory_phone()
    chain = der_chain(phone.attest(Description())[1])
    serial = format(phone.authorities[-1].certificate.serial_number, "x")
    entry = RevocationEntry(RevocationStatus.REVOKED, "KEY_COMPROMISE")
    revoked = RevocationList(entries={serial: entry}, fetched_at=NOW)
    result = _verify(chain, roots=trust(phone), revocation=revoked)
    assert _failures(result) == {"KEY_REVOKED"}
    assert result.attested_key is None
    assert _reason(result, "boot_state") == (DeviceFinding.NOT_EVALUATED, "CHAIN_NOT_TRUSTED")
    missing = _verify(chain, roots=trust(phone), revocation=None)
    assert _reason(missing, "revocation") == (DeviceFinding.UNAVAILABLE, "NO_REVOCATION_LIST")
    old = _verify(chain, roots=trust(phone), now=NOW + timedelta(days=3))
    assert _reason(old, "revocation") == (DeviceFinding.UNAVAILABLE, "REVOCATION_LIST_STALE")


def test_nothing_passes_on_the_word_of_an_untrusted_chain() -> None:
    phone = factory_phone()
    key, certificates = phone.attest(Description())
    possession = Possession(message=_MESSAGE, signature=sign(key, _MESSAGE))
    for roots in ((), trust(phone, RootKind.SOFTWARE)):
        result = _verify(der_chain(certificates), roots=roots, possession=possession)
        assert result.attested_key is None
        said = result.checks[ANDROID_KEY.checks.index("description") :]
        assert {check.outcome for check in said} == {DeviceFinding.NOT_EVALUATED}


def test_possession_of_the_key_is_verified() -> None:
    phone = factory_phone()
    key, certificates = phone.attest(Description())
    chain = der_chain(certificates)
    sound = sign(key, _MESSAGE)
    for signature in (b"", sound[:-1], sign(new_key(), _MESSAGE), sign(key, b"other"), sound + bytes(300)):
        result = _verify(
            chain, roots=trust(phone), possession=Possession(message=_MESSAGE, signature=signature)
        )
        assert _failures(result) == {"SIGNATURE_INVALID"}
    other = ec.generate_private_key(ec.SECP384R1())
    _, certificates = phone.attest(Description(), other)
    signed = other.sign(_MESSAGE, ec.ECDSA(SHA256()))
    result = _verify(
        der_chain(certificates), roots=trust(phone), possession=Possession(message=_MESSAGE, signature=signed)
    )
    assert _failures(result) == {"KEY_KIND_NOT_SUPPORTED"}


def test_a_leaf_that_is_not_attested_or_malformed() -> None:
    phone = factory_phone()
    _, certificates = phone.attest(Description())
    leaf = issue(name_of(cn="Android Keystore Key"), new_key(), phone.authorities[-1], ca=None)
    result = _verify(der_chain([leaf, *certificates[1:]]), roots=trust(phone))
    assert _failures(result) == {"NOT_ATTESTED", "MISSING"}
    assert result.description is None
    assert len(result.checks) == len(ANDROID_KEY.checks)


@given(st.data())
def test_a_mutated_chain_never_passes_and_raises_nothing(data: st.DataObject) -> None:
    phone = factory_phone()
    chain = list(_attested(Description(), phone))
    place = data.draw(st.integers(0, len(chain) - 1))
    sound = chain[place]
    start = data.draw(st.integers(0, len(sound) - 1))
    stop = data.draw(st.integers(start, min(start + 8, len(sound))))
    chain[place] = sound[:start] + data.draw(st.binary(max_size=8)) + sound[stop:]
    started = time.process_time()
    result = _verify(chain, roots=trust(phone))
    assert time.process_time() - started < 10.0
    if chain[place] != sound and place < len(chain) - 1:
        assert _failures(result)
        assert result.attested_key is None


@given(st.lists(st.binary(max_size=64), max_size=12))
def test_anything_for_a_chain_is_malformed(chain: list[bytes]) -> None:
    assert _failures(_verify(chain, roots=google_roots())) == {"MALFORMED"}
