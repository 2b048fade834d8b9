"""Decisive tests, with the verifiers' own results for evidence of another app."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from device_integrity import Assurance
from device_integrity.android import (
    AllowedApp,
    KeyAttestationPolicy,
    PlayPolicy,
    PlayTokenKind,
    Possession,
    parse_payload,
    verify_key_attestation,
    verify_payload,
)
from device_integrity.android.chain import ANDROID_KEY
from device_integrity.android.play_integrity import PLAY_INTEGRITY
from device_integrity.apple import (
    Environment,
    KeyOwner,
    assertion,
    attestation,
    check_key_use,
    verify_attestation,
)
from device_integrity.camera import Platform
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import Demand, DemandTable, Evidence, assess, decided_by, mark_decisive
from device_integrity.policy.demands import CEILINGS, DECISIVE_CHECKS, NEEDED_CHECKS, OPTIONAL_CHECKS
from device_integrity.web import webauthn, webcrypto
from facegate_protocol import attestation_message, sign
from tests.device_integrity.android import phones, play_tokens
from tests.device_integrity.apple.apple_in_software import APP, SoftwareApple, SoftwareKey
from tests.device_integrity.apple.apple_in_software import NOW as APPLE_NOW
from tests.device_integrity.policy.checks import DEFAULT_DEMANDS, attested, failed, made, observed


def test_every_verifier_belongs_to_one_kind_of_evidence() -> None:
    verifiers = [verifier for evidence in Evidence for verifier in evidence.verifiers]
    assert len(verifiers) == len(set(verifiers))
    assert set(CEILINGS) <= set(verifiers)


_LISTS = (
    ANDROID_KEY,
    PLAY_INTEGRITY,
    *(module._LIST for module in (assertion, attestation, webauthn, webcrypto)),
)


def test_demanded_and_optional_tests_exist_in_the_verifiers() -> None:
    known = {f"{each.verifier}.{check}" for each in _LISTS for check in each.checks}
    # Made by the owner of the store of enrolled keys, not by the assertion's verifier.
    known.add(check_key_use("app_attest_assertion", None).name)
    needed = {f"{verifier}.{check}" for verifier, checks in NEEDED_CHECKS.items() for check in checks}
    assert needed | OPTIONAL_CHECKS <= known
    assert not needed & OPTIONAL_CHECKS
    assert set(NEEDED_CHECKS) == set(CEILINGS)


def test_omitted_evidence_is_advisory_and_a_missing_row_is_refused() -> None:
    table = DemandTable({Platform.WEB: {Evidence.WEB_KEY: Demand.REQUIRED}})
    assert table.demand_for(Platform.WEB, Evidence.STREAM) is Demand.ADVISORY
    assert not table.allows(Platform.ANDROID)
    assert not DEFAULT_DEMANDS.allows(Platform.UNSPECIFIED)
    assert not DEFAULT_DEMANDS.allows(Platform.DESKTOP)


@pytest.mark.parametrize(
    ("row", "floor", "unattested"),
    [
        ({}, Assurance.NONE, True),
        ({}, Assurance.LOW, True),
        ({}, Assurance.MEDIUM, False),
        ({Evidence.WEB_KEY: Demand.REQUIRED}, Assurance.NONE, True),  # A browser's key suffices.
        ({Evidence.WEB_KEY: Demand.REQUIRED}, Assurance.MEDIUM, False),
        ({Evidence.ANDROID_KEY: Demand.REQUIRED}, Assurance.NONE, False),
        ({Evidence.APP_ATTEST: Demand.REQUIRED}, Assurance.NONE, False),
        ({Evidence.ANDROID_KEY: Demand.ADVISORY}, Assurance.LOW, True),
        ({Evidence.STREAM: Demand.REQUIRED}, Assurance.NONE, True),
    ],
)
def test_platforms_whose_devices_need_no_attestation_are_named(
    row: dict[Evidence, Demand], floor: Assurance, unattested: bool
) -> None:
    table = DemandTable({Platform.WEB: row}, floor=Assurance.HIGH, floors={Platform.WEB: floor})
    assert table.unattested == ((Platform.WEB,) if unattested else ())


_H = bytes(range(32))
_STRANGER = AllowedApp(package="org.example.other", certificate_digests=frozenset({bytes(32)}))
_REPACKAGED = AllowedApp(package=phones.PACKAGE, certificate_digests=frozenset({bytes(32)}))
_OWN = AllowedApp(package=phones.PACKAGE, certificate_digests=frozenset({phones.APP_DIGEST}))
_PLAY_OWN = AllowedApp(package=play_tokens.PACKAGE, certificate_digests=frozenset({play_tokens.DIGEST}))

Checks = tuple[DeviceTest, ...]


def _android(*apps: AllowedApp, trusted: bool = True, unlocked: bool = False) -> Checks:
    phone = phones.factory_phone()
    description = phones.Description(challenge=_H)
    if unlocked:
        description = replace(description, root_of_trust=phones.RootOfTrust(locked=b"\x01\x01\x00"))
    key, chain = phone.attest(description)
    return verify_key_attestation(
        certificate_chain=phones.der_chain(chain),
        challenge=_H,
        possession=Possession(
            message=attestation_message(binding=_H), signature=sign(key, attestation_message(binding=_H))
        ),
        policy=KeyAttestationPolicy(apps=apps),
        roots=phones.trust(phone) if trusted else (),
        revocation=None,
        now=phones.NOW,
    ).checks


def _play(*apps: AllowedApp, **app: str) -> Checks:
    document = play_tokens.payload()
    document["appIntegrity"] |= app
    return verify_payload(
        parse_payload(json.dumps(document).encode()),
        kind=PlayTokenKind.CLASSIC,
        challenge=play_tokens.CHALLENGE,
        policy=PlayPolicy(apps=apps),
        now=datetime.fromtimestamp(play_tokens.MILLIS / 1000, UTC) + timedelta(seconds=5),
    ).checks


def _apple(*app_ids: str, trusted: bool = True) -> Checks:
    apple, key = SoftwareApple(), SoftwareKey()
    return verify_attestation(
        key_id=key.key_id,
        attestation_object=apple.attestation(key, _H),
        client_data_hash=_H,
        app_ids=frozenset(app_ids),
        environment=Environment.PRODUCTION,
        key_use=KeyOwner.NEW,
        anchors=(apple if trusted else SoftwareApple(seed=2)).anchors,
        now=APPLE_NOW,
    ).checks


@pytest.mark.parametrize(
    ("evidence", "decided"),
    [
        (lambda: _android(_OWN), []),
        (lambda: _android(_OWN, unlocked=True), []),
        (lambda: _android(_STRANGER), ["android_key.application"]),
        (lambda: _android(_REPACKAGED), ["android_key.application"]),
        (lambda: _android(_STRANGER, trusted=False), []),
        (_android, []),
        (lambda: _play(_PLAY_OWN), []),
        (lambda: _play(_PLAY_OWN, appRecognitionVerdict="UNRECOGNIZED_VERSION"), []),
        (lambda: _play(_STRANGER), ["play_integrity.request_package", "play_integrity.app_identity"]),
        (_play, []),
        (lambda: _apple(APP), []),
        (lambda: _apple("TEAM123456.org.example.other"), ["app_attest.app"]),
        (lambda: _apple("TEAM123456.org.example.other", trusted=False), []),
        (_apple, []),
    ],
)
def test_evidence_of_another_app_decides_once_it_is_verified(
    evidence: Callable[[], Checks], decided: list[str]
) -> None:
    assert sorted(decided_by(mark_decisive(evidence()))) == sorted(decided)


def _wrong(name: str, reason: str) -> DeviceTest:
    return failed(name, Manipulation.INJECTION, reason=reason)


def _with_proofs(name: str) -> Iterable[tuple[Checks, DeviceTest]]:
    rule = DECISIVE_CHECKS[name]
    for reason in sorted(rule.reasons):
        yield made(*sorted(rule.proofs)), _wrong(name, reason)


@pytest.mark.parametrize("name", sorted(DECISIVE_CHECKS))
def test_each_failure_of_the_table_decides_unless_it_is_tolerated(name: str) -> None:
    for proofs, wrong in _with_proofs(name):
        assert decided_by(mark_decisive((*proofs, wrong))) == (name,)
        (marked,) = (check for check in mark_decisive((*proofs, wrong), tolerated={name}) if check.decisive)
        assert (marked.tolerated, marked.outcome) == (True, DeviceFinding.FAIL)
        assert decided_by((marked,)) == ()
        # Neither another reason, nor a soft failure, nor anything but a failure decides.
        assert decided_by(mark_decisive((*proofs, replace(wrong, soft=True)))) == ()
        assert decided_by(mark_decisive((*proofs, replace(wrong, reason="ANOTHER")))) == ()
        for outcome in set(DeviceFinding) - {DeviceFinding.FAIL}:
            assert decided_by(mark_decisive((*proofs, replace(wrong, outcome=outcome)))) == ()
        for proof in proofs:
            rest = [check for check in proofs if check is not proof]
            assert decided_by(mark_decisive((*rest, wrong))) == ()


def _level(*checks: DeviceTest) -> tuple[Assurance, bool, list[Manipulation]]:
    found = assess(
        checks,
        platform=Platform.ANDROID,
        demands=DEFAULT_DEMANDS,
        transcript_bound=True,
        active_challenge=True,
    )
    return found.assurance, not found.unmet, [sign.of for sign in found.signs]


def test_a_tolerated_check_has_no_consequence_and_vouches_for_nothing() -> None:
    phone = (*attested("android_key"), *observed())
    listed = failed("camera.name", Manipulation.VIRTUAL_CAMERA, reason="KNOWN_VIRTUAL_CAMERA")
    before = [check for check in phone if check.name != "camera.name"]
    assert _level(*before, *mark_decisive([listed])) == (Assurance.NONE, False, [Manipulation.VIRTUAL_CAMERA])
    assert _level(*before, *mark_decisive([listed], tolerated={"camera.name"})) == _level(*phone)
    # Without the test, the evidence does not vouch for the device.
    other = failed("android_key.application", Manipulation.CODE_MODIFICATION, reason="APPLICATION_UNKNOWN")
    evidence = [check for check in phone if check.name != other.name]
    waived = mark_decisive(
        (*evidence, *made("android_key.challenge", "android_key.possession"), other), tolerated={other.name}
    )
    assert _level(*waived) == (Assurance.LOW, False, [])


def test_a_decisive_check_counts_where_its_evidence_is_ignored() -> None:
    other = failed("app_attest.app", Manipulation.CODE_MODIFICATION, reason="APP_NOT_ALLOWED")
    proofs = made("app_attest.chain", "app_attest.challenge", "app_attest.key_id")
    phone = (*attested("android_key"), *observed())
    assert _level(*phone, *proofs, other) == _level(*phone)
    assert _level(*phone, *mark_decisive((*proofs, other))) == (
        Assurance.NONE,
        True,
        [Manipulation.CODE_MODIFICATION],
    )
