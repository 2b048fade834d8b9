"""Evidence of real devices: each verdict at its date, the documented traps, a second opinion on chains."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from device_integrity.apple import (
    AppleAnchors,
    Environment,
    KeyOwner,
    load_apple_anchors,
    parse_attestation,
    parse_receipt,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from device_integrity.apple.attestation import AttestationResult
from device_integrity.device_test import DeviceFinding
from facegate_protocol import sha256
from tests.device_integrity.apple.vectors import (
    VEEHAITCH,
    AttestationVector,
    apple_sample,
    every_attestation,
    uebelack_assertion,
    veehaitch,
)

_ANCHORS = load_apple_anchors()


def _verify(vector: AttestationVector, anchors: AppleAnchors = _ANCHORS) -> AttestationResult:
    return verify_attestation(
        key_id=vector.key_id,
        attestation_object=vector.attestation,
        client_data_hash=vector.client_data_hash,
        app_ids=frozenset({vector.app_id}),
        environment=vector.environment,
        key_use=KeyOwner.NEW,
        anchors=anchors,
        now=vector.at,
    )


def _failures(result: AttestationResult) -> list[str]:
    return [check.name for check in result.checks if check.outcome is DeviceFinding.FAIL]


def test_every_attestation_is_accepted_at_its_date(assets: Path) -> None:
    vectors = every_attestation(assets)
    assert len(vectors) == 9
    for vector in vectors:
        result = _verify(vector)
        assert _failures(result) == [], vector.name
        assert result.key is not None
        assert result.claims is not None
        assert result.claims.app_id == vector.app_id
        assert result.claims.os_version is not None


def test_the_leaf_states_version_and_build_of_the_system(assets: Path) -> None:
    claims = _verify(apple_sample(assets)).claims
    assert claims is not None
    assert claims.os_version == "18.0"
    older = _verify(veehaitch(assets, "ios-14.4").attestation).claims
    assert older is not None
    assert older.os_version == "14.4"


def test_after_the_leaf_has_expired(assets: Path) -> None:
    for vector in every_attestation(assets):
        late = replace(vector, at=vector.at + timedelta(days=366))
        assert _failures(_verify(late)) == ["app_attest.chain"], vector.name


def test_apples_sample_passes_the_bytes_of_its_challenge_unhashed(assets: Path) -> None:
    sample = apple_sample(assets)
    hashed = replace(sample, client_data_hash=sha256(sample.client_data_hash))
    assert _failures(_verify(hashed)) == ["app_attest.challenge"]


def test_development_evidence_in_production_and_the_other_way_round(assets: Path) -> None:
    recorded = replace(veehaitch(assets, "ios-14.4").attestation, environment=Environment.PRODUCTION)
    assert _failures(_verify(recorded)) == ["app_attest.environment"]
    sample = replace(apple_sample(assets), environment=Environment.DEVELOPMENT)
    assert _failures(_verify(sample)) == ["app_attest.environment"]


def test_the_root_of_receipts_does_not_vouch_for_keys(assets: Path) -> None:
    swapped = AppleAnchors(app_attest=_ANCHORS.receipt, receipt=_ANCHORS.app_attest)
    assert _failures(_verify(apple_sample(assets), swapped)) == ["app_attest.chain"]


@pytest.mark.parametrize("name", VEEHAITCH)
def test_assertions_of_an_enrolled_key(assets: Path, name: str) -> None:
    recording = veehaitch(assets, name)
    key = _verify(recording.attestation).key
    assert key is not None
    vector = recording.assertion
    assert key.public_key == vector.public_key

    def counter(stored: int, app_id: str = vector.app_id) -> int | None:
        return verify_assertion(
            assertion=vector.assertion,
            client_data=vector.client_data,
            public_key=key.public_key,
            app_id=app_id,
            stored_counter=stored,
        ).counter

    assert counter(key.counter) == vector.counter == 1
    assert counter(1) is None
    assert counter(0, "6MURL8TA57.another.app") is None


def test_an_assertion_over_json_is_verified(assets: Path) -> None:
    vector = uebelack_assertion(assets)
    result = verify_assertion(
        assertion=vector.assertion,
        client_data=vector.client_data,
        public_key=vector.public_key,
        app_id=vector.app_id,
        stored_counter=0,
    )
    assert result.counter == vector.counter


def test_every_receipt_is_apples_and_has_the_recorded_fields(assets: Path) -> None:
    count = 0
    for name in VEEHAITCH:
        recording = veehaitch(assets, name)
        for vector in recording.receipts:
            count += 1
            result = verify_receipt(
                receipt=vector.receipt,
                public_key=vector.public_key,
                app_id=vector.app_id,
                environment=vector.environment,
                client_data_hash=recording.attestation.client_data_hash,
                max_age=timedelta(minutes=5),
                most_keys=3,
                anchors=_ANCHORS,
                # The recording rounds its own time to seconds; some receipts are younger by minutes.
                now=max(vector.at, vector.created),
            )
            said = result.receipt
            assert said is not None
            assert not [check for check in result.checks if check.outcome is DeviceFinding.FAIL]
            assert said.kind == vector.kind
            assert (said.created, said.expires) == (vector.created, vector.expires)
            assert (said.not_before, said.risk_metric) == (vector.not_before, vector.risk_metric)
    assert count == 20


def test_the_receipt_within_each_attestation_came_with_it(assets: Path) -> None:
    """It contains the app and the hash that the app gave, so another attestation's cannot replace it."""
    vectors = every_attestation(assets)
    for vector in vectors:
        key = _verify(vector).key
        assert key is not None
        made = parse_receipt(key.receipt).receipt.created
        result = verify_receipt(
            receipt=key.receipt,
            public_key=key.public_key,
            app_id=key.app_id,
            environment=key.environment,
            client_data_hash=vector.client_data_hash,
            max_age=timedelta(minutes=5),
            most_keys=1,
            anchors=_ANCHORS,
            # The times of the recordings are rounded, and seconds to hours too early.
            now=max(vector.at, made),
        )
        outcomes = {check.name.partition(".")[2]: check.outcome for check in result.checks}
        assert outcomes.pop("risk") is DeviceFinding.NOT_EVALUATED
        assert set(outcomes.values()) == {DeviceFinding.PASS}
    assert len(vectors) == 9


def test_the_client_hash_of_an_exchanged_receipt_is_destroyed(assets: Path) -> None:
    exchanged = veehaitch(assets, "ios-14.4").receipts[1]
    signed = parse_receipt(exchanged.receipt)
    assert "\ufffd".encode() in signed.content
    assert signed.receipt.client_hash is None


def _second_opinion(
    anchor: x509.Certificate, leaf: x509.Certificate, above: list[x509.Certificate], at: datetime
) -> bool:
    verifier = (
        PolicyBuilder()
        .store(Store([anchor]))
        .time(at)
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, above)
    except VerificationError:
        return False
    return True


def test_another_path_builder_agrees(assets: Path) -> None:
    for vector in every_attestation(assets):
        attestation = parse_attestation(vector.attestation)
        pair = attestation.leaf, [attestation.intermediate]
        assert _second_opinion(_ANCHORS.app_attest, *pair, vector.at)
        assert not _second_opinion(_ANCHORS.receipt, *pair, vector.at)
        late = vector.at + timedelta(days=366)
        assert not _second_opinion(_ANCHORS.app_attest, *pair, late)
        receipt = parse_receipt(attestation.receipt)
        assert _second_opinion(_ANCHORS.receipt, receipt.signer, list(receipt.chain[1:]), vector.at)
