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
    assert {evidence for evidence in Evidence if evidence.vouches} == {
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


def test_what_is_needed_and_what_may_be_left_open_are_checks_of_the_verifiers() -> None:
    known = {f"{each.verifier}.{check}" for each in _LISTS for check in each.checks}
    # Made by the owner of the store of enrolled keys, not by the assertion's verifier.
    known.add(check_key_use("app_attest_assertion", None).name)
    needed = {f"{verifier}.{check}" for verifier, checks in NEEDED_CHECKS.items() for check in checks}
    assert needed | OPTIONAL_CHECKS <= known
    assert not needed & OPTIONAL_CHECKS
    assert set(NEEDED_CHECKS) == set(CEILINGS)


def test_what_a_row_leaves_out_is_advisory_and_a_missing_row_is_refused() -> None:
    table = DemandTable({Platform.WEB: {Evidence.WEB_KEY: Demand.REQUIRED}})
    assert table.of(Platform.WEB, Evidence.STREAM) is Demand.ADVISORY
    assert not table.allows(Platform.ANDROID)
    assert not DEFAULT_DEMANDS.allows(Platform.UNSPECIFIED)
    assert not DEFAULT_DEMANDS.allows(Platform.DESKTOP)
