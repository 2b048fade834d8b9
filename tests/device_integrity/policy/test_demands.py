import pytest

from device_integrity import Assurance
from device_integrity.android.checklists import ANDROID_KEY, PLAY_INTEGRITY
from device_integrity.apple import assertion, attestation, check_key_use
from device_integrity.camera import Platform
from device_integrity.policy import DEFAULT_DEMANDS, Demand, DemandTable, Evidence
from device_integrity.policy.demands import CEILINGS, NEEDED_CHECKS, OPTIONAL_CHECKS
from device_integrity.web import webauthn, webcrypto


def test_every_verifier_belongs_to_one_kind_of_evidence() -> None:
    verifiers = [verifier for evidence in Evidence for verifier in evidence.verifiers]
    assert len(verifiers) == len(set(verifiers))
    assert set(CEILINGS) <= set(verifiers)


def test_only_attestations_can_vouch() -> None:
    assert {evidence for evidence in Evidence if evidence.raises_assurance} == {
        Evidence.ANDROID_KEY,
        Evidence.PLAY_INTEGRITY,
        Evidence.APP_ATTEST,
        Evidence.WEB_KEY,
    }


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


def test_only_medium_and_high_are_attested() -> None:
    assert [each for each in Assurance if each.attested] == [Assurance.MEDIUM, Assurance.HIGH]
