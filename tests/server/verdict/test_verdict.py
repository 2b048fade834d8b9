"""The one function that decides a check, and the outcome that follows."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from facegate.v1 import result_pb2
from hypothesis import given
from hypothesis import strategies as st

from attempt.judgement import ChallengeStepOutcome
from device_integrity.device_test import Assurance, Manipulation
from liveness.dynamic.challenge.script import ColourStep, ScreenColour, Transition
from liveness.policy import LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from matcher.comparison import MatchResult
from server.domain.terms import AttemptOutcome, Mode
from server.domain.tries import EarlierAttacks
from server.edge.result_codec import serialise_result
from server.verdict import (
    FAULTS,
    CheckStatus,
    CheckVerdict,
    FailureReason,
    VerdictDemands,
    VerdictInputs,
    judge_check,
    judge_ending,
    judge_reasons,
)
from server.verdict.outcome import (
    CheckOutcome,
    OutcomeUnreadable,
    TranscriptOutcome,
    outcome_from_bytes,
    outcome_to_bytes,
)
from server.verdict.record import RecordUnreadable, delivery_from_bytes, record_from_bytes, record_to_bytes
from tests.liveness.fusing import express_results
from tests.server.verdict.samples import ATTEMPT, NOW, OUTCOME, RECORD, camera_sign

# The one function that decides a check: missing is never pass.


def _match(same_person: bool) -> MatchResult:
    return MatchResult(
        same_person=same_person,
        similarity=80.0 if same_person else 20.0,
        fmr_bound=1e-3 if same_person else 0.7,
        threshold_similarity=70.0,
        cosine=0.95 if same_person else 0.8,
        provenance="measured",
    )


def _liveness(verdict: Verdict) -> LivenessResult:
    return LivenessResult(
        verdict=verdict,
        score=90.0,
        policy=LivenessPolicy(),
        signals=(),
        reasons=(VerdictReason.LOOKS_ALIVE,),
    )


GOOD = VerdictInputs(
    match=_match(True),
    identity_constant=True,
    liveness=_liveness(Verdict.LIVE),
    mode_used=Mode.EXPRESS,
    verified_bits=0.0,
    assurance=Assurance.NONE,
    device_demands_met=True,
    device_decided=False,
    injected=False,
    transcript_intact=True,
    reason=None,
)
PLAIN = VerdictDemands(mode=Mode.EXPRESS, minimum_assurance=Assurance.NONE, required_bits=0.0)
STRICT = VerdictDemands(mode=Mode.DYNAMIC, minimum_assurance=Assurance.MEDIUM, required_bits=16.0)
STRICT_GOOD = replace(GOOD, mode_used=Mode.DYNAMIC, verified_bits=16.0, assurance=Assurance.MEDIUM)


def test_everything_met_is_success() -> None:
    for inputs, demands in ((GOOD, PLAIN), (STRICT_GOOD, STRICT), (STRICT_GOOD, PLAIN)):
        assert judge_check(inputs=inputs, demands=demands) == CheckVerdict(CheckStatus.SUCCESS, ())


SINGLE: Mapping[str, tuple[dict[str, Any], FailureReason]] = {
    "another person": ({"match": _match(False)}, FailureReason.NOT_SAME_PERSON),
    "no match": ({"match": None}, FailureReason.CONDITIONS),
    "spoof": ({"liveness": _liveness(Verdict.SPOOF)}, FailureReason.SPOOF),
    "inconclusive": ({"liveness": _liveness(Verdict.INCONCLUSIVE)}, FailureReason.LIVENESS_INCONCLUSIVE),
    "no liveness": ({"liveness": None}, FailureReason.CONDITIONS),
    "another face": ({"identity_constant": False}, FailureReason.IDENTITY_CHANGED),
    "constancy unknown": ({"identity_constant": None}, FailureReason.CONDITIONS),
    "transcript broken": ({"transcript_intact": False}, FailureReason.TRANSCRIPT_BROKEN),
    "no transcript": ({"transcript_intact": None}, FailureReason.CONDITIONS),
    "weaker mode": ({"mode_used": Mode.EXPRESS}, FailureReason.MODE_NOT_MET),
    "no mode": ({"mode_used": None}, FailureReason.CONDITIONS),
    "too few bits": ({"verified_bits": 15.9}, FailureReason.CHALLENGE_BITS_TOO_FEW),
    "a demand on the device not met": ({"device_demands_met": False}, FailureReason.DEVICE_NOT_TRUSTED),
    "a decisive device check": ({"device_decided": True}, FailureReason.DEVICE_MANIPULATED),
    "injected frames": ({"injected": True}, FailureReason.DEVICE_MANIPULATED),
    "device below": ({"assurance": Assurance.LOW}, FailureReason.DEVICE_NOT_TRUSTED),
    **{
        f"ended by {reason}": ({"reason": reason}, reason)
        for reason in (FailureReason.EXPIRED, FailureReason.CONDITIONS, FailureReason.TRANSCRIPT_BROKEN)
    },
}


@pytest.mark.parametrize("case", SINGLE)
def test_each_condition_alone_fails_with_its_own_reason(case: str) -> None:
    change, reason = SINGLE[case]
    verdict = judge_check(inputs=replace(STRICT_GOOD, **change), demands=STRICT)
    assert verdict == CheckVerdict(CheckStatus.FAILURE, (reason,))


def test_all_combinations_give_their_reasons_in_a_fixed_order() -> None:
    changes: dict[FailureReason, dict[str, Any]] = {
        FailureReason.EXPIRED: {"reason": FailureReason.EXPIRED},
        FailureReason.TRANSCRIPT_BROKEN: {"transcript_intact": False},
        FailureReason.DEVICE_MANIPULATED: {"device_decided": True},
        FailureReason.SPOOF: {"liveness": _liveness(Verdict.SPOOF)},
        FailureReason.IDENTITY_CHANGED: {"identity_constant": False},
        FailureReason.NOT_SAME_PERSON: {"match": _match(False)},
        FailureReason.MODE_NOT_MET: {"mode_used": Mode.EXPRESS},
        FailureReason.DEVICE_NOT_TRUSTED: {"assurance": Assurance.NONE},
    }
    for present in product((False, True), repeat=len(changes)):
        expected = tuple(reason for reason, there in zip(changes, present, strict=True) if there)
        inputs = STRICT_GOOD
        for reason in expected:
            inputs = replace(inputs, **changes[reason])
        verdict = judge_check(inputs=inputs, demands=STRICT)
        assert verdict.reasons == expected
        assert (verdict.status is CheckStatus.SUCCESS) is (not expected)


ADVERSE: Mapping[FailureReason, dict[str, Any]] = {
    FailureReason.SPOOF: {"liveness": _liveness(Verdict.SPOOF)},
    FailureReason.NOT_SAME_PERSON: {"match": _match(False)},
    FailureReason.IDENTITY_CHANGED: {"identity_constant": False},
    FailureReason.TRANSCRIPT_BROKEN: {"transcript_intact": False},
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_of_the_server_leaves_a_check_undecided(fault: FailureReason) -> None:
    undecided = CheckVerdict(CheckStatus.NOT_DECIDED, (fault,))
    for inputs in (STRICT_GOOD, replace(GOOD, match=None, liveness=None, transcript_intact=None)):
        assert judge_check(inputs=replace(inputs, reason=fault), demands=STRICT) == undecided
    missed = replace(STRICT_GOOD, liveness=_liveness(Verdict.INCONCLUSIVE), assurance=Assurance.NONE)
    assert judge_check(inputs=replace(missed, reason=fault), demands=STRICT) == undecided


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("reason", ADVERSE)
def test_a_fault_of_the_server_takes_nothing_adverse_back(
    reason: FailureReason, fault: FailureReason
) -> None:
    inputs = replace(STRICT_GOOD, reason=fault, **ADVERSE[reason])
    assert judge_check(inputs=inputs, demands=STRICT) == CheckVerdict(CheckStatus.FAILURE, (reason,))


@given(reasons=st.lists(st.sampled_from(FailureReason), min_size=1))
def test_reasons_never_contradict_the_status(reasons: list[FailureReason]) -> None:
    verdict = judge_reasons(reasons)
    assert verdict.reasons
    assert set(verdict.reasons) <= set(reasons)
    assert len(set(verdict.reasons)) == len(verdict.reasons)
    if verdict.status is CheckStatus.NOT_DECIDED:
        assert len(verdict.reasons) == 1
        assert FAULTS.issuperset(verdict.reasons)
        assert not set(reasons) & {*ADVERSE, FailureReason.DEVICE_MANIPULATED}
    else:
        assert verdict.status is CheckStatus.FAILURE
        assert FAULTS.isdisjoint(verdict.reasons)


_inputs = st.builds(
    VerdictInputs,
    match=st.sampled_from([None, _match(True), _match(False)]),
    identity_constant=st.sampled_from([None, True, False]),
    liveness=st.sampled_from([None, *(_liveness(verdict) for verdict in Verdict)]),
    mode_used=st.sampled_from([None, *Mode]),
    verified_bits=st.floats(0, 128),
    assurance=st.sampled_from(Assurance),
    device_demands_met=st.booleans(),
    device_decided=st.booleans(),
    injected=st.booleans(),
    transcript_intact=st.sampled_from([None, True, False]),
    reason=st.sampled_from([None, *FailureReason]),
)
_demands = st.builds(
    VerdictDemands,
    mode=st.sampled_from(Mode),
    minimum_assurance=st.sampled_from(Assurance),
    required_bits=st.floats(0, 128),
)


@given(inputs=_inputs, demands=_demands)
def test_success_if_and_only_if_every_condition_holds(inputs: VerdictInputs, demands: VerdictDemands) -> None:
    everything = (
        inputs.reason is None
        and inputs.match is not None
        and inputs.match.same_person
        and inputs.identity_constant is True
        and inputs.liveness is not None
        and inputs.liveness.verdict is Verdict.LIVE
        and inputs.transcript_intact is True
        and inputs.mode_used is not None
        and inputs.mode_used.strength >= demands.mode.strength
        and (inputs.mode_used is Mode.EXPRESS or inputs.verified_bits >= demands.required_bits)
        and inputs.device_demands_met
        and not inputs.device_decided
        and not inputs.injected
        and inputs.assurance.level >= demands.minimum_assurance.level
    )
    verdict = judge_check(inputs=inputs, demands=demands)
    assert (verdict.status is CheckStatus.SUCCESS) is everything
    assert bool(verdict.reasons) is not everything
    assert len(set(verdict.reasons)) == len(verdict.reasons)
    spoof = inputs.liveness is not None and inputs.liveness.verdict is Verdict.SPOOF
    assert (FailureReason.SPOOF in verdict.reasons) is (spoof or inputs.reason is FailureReason.SPOOF)


def test_the_reasons_are_those_of_the_contract() -> None:
    wire = {
        name.removeprefix("FAILURE_REASON_") for name in result_pb2.FailureReason.DESCRIPTOR.values_by_name
    }
    assert {reason.value for reason in FailureReason} == wire - {"UNSPECIFIED"}


@pytest.mark.parametrize(
    ("reason", "reasons"),
    [
        (FailureReason.ABANDONED, (FailureReason.DEVICE_MANIPULATED,)),
        (FailureReason.SERVER_FAULT, (FailureReason.DEVICE_MANIPULATED,)),
        (
            FailureReason.TRANSCRIPT_BROKEN,
            (FailureReason.TRANSCRIPT_BROKEN, FailureReason.DEVICE_MANIPULATED),
        ),
    ],
)
def test_a_manipulated_device_decides_however_the_check_ends(
    reason: FailureReason, reasons: tuple[FailureReason, ...]
) -> None:
    undecided = CheckVerdict(CheckStatus.FAILURE, (FailureReason.CONDITIONS,))
    assert judge_ending(undecided, reason=reason, manipulated=True) == CheckVerdict(
        CheckStatus.FAILURE, reasons
    )


@given(
    own=st.lists(st.sampled_from(FailureReason), min_size=1, unique=True),
    reason=st.sampled_from(FailureReason),
    manipulated=st.booleans(),
)
def test_however_a_check_ends_it_takes_nothing_back(
    own: list[FailureReason], reason: FailureReason, manipulated: bool
) -> None:
    undecided = CheckVerdict(CheckStatus.FAILURE, tuple(own))
    ended = judge_ending(undecided, reason=reason, manipulated=manipulated)
    assert ended.status is not CheckStatus.SUCCESS
    assert ended.about_person is (ended.status is CheckStatus.FAILURE)
    assert {reason for reason in own if reason in ADVERSE} <= set(ended.reasons)


# How the outcome of a check that ended follows from the outcome of an attempt that did not decide it.

_STREAMS = 2


def _ended(outcome: CheckOutcome, *, by: FailureReason, **changes: Any) -> CheckOutcome:
    arguments: dict[str, Any] = {
        "device": outcome.device,
        "attempts": (),
        "streams": outcome.transcript.streams if outcome.transcript else _STREAMS,
        "decide_time": NOW,
    }
    return outcome.ended(by=by, **arguments | changes)


_SECOND = replace(ATTEMPT, attempt=2, outcome=AttemptOutcome.INTERRUPTED)


def test_the_outcome_states_the_ending_and_keeps_the_findings() -> None:
    ended = _ended(OUTCOME, by=FailureReason.ABANDONED, attempts=(ATTEMPT, _SECOND), streams=7)
    verdict = CheckVerdict(CheckStatus.FAILURE, (FailureReason.ABANDONED, FailureReason.SPOOF))
    assert OUTCOME.transcript is not None
    transcript = replace(OUTCOME.transcript, streams=7)
    assert ended == replace(
        OUTCOME, verdict=verdict, transcript=transcript, attempts=(ATTEMPT, _SECOND), decide_time=NOW
    )


def test_a_device_that_shows_later_that_it_was_manipulated_decides() -> None:
    device = replace(OUTCOME.device, decided=("camera.name",))
    ended = _ended(OUTCOME, by=FailureReason.ABANDONED, device=device)
    assert ended.verdict.reasons == (FailureReason.DEVICE_MANIPULATED, FailureReason.SPOOF)
    assert ended.device == device


@pytest.mark.parametrize("transcript", [OUTCOME.transcript, None])
def test_a_transcript_that_broke_later_is_not_called_intact(transcript: TranscriptOutcome | None) -> None:
    outcome = replace(OUTCOME, transcript=transcript)
    ended = _ended(outcome, by=FailureReason.TRANSCRIPT_BROKEN)
    assert ended.verdict.reasons == (FailureReason.TRANSCRIPT_BROKEN, FailureReason.SPOOF)
    assert ended.transcript == (None if transcript is None else replace(transcript, intact=False))


def test_after_a_server_fault_an_inconclusive_check_is_not_decided() -> None:
    undecided = CheckVerdict(CheckStatus.FAILURE, (FailureReason.CONDITIONS,))
    ended = _ended(replace(OUTCOME, verdict=undecided), by=FailureReason.SERVER_FAULT)
    assert ended.verdict == CheckVerdict(CheckStatus.NOT_DECIDED, (FailureReason.SERVER_FAULT,))


def test_the_strongest_sign_of_a_replaced_stream_is_the_injection() -> None:
    root, emulator, hooks = (
        replace(camera_sign(1.0), of=of)
        for of in (Manipulation.ROOTED, Manipulation.EMULATOR, Manipulation.FUNCTION_HOOKING)
    )
    assert replace(OUTCOME.device, signs=(root, emulator, hooks)).injection is emulator
    assert replace(OUTCOME.device, signs=(root,)).injection is None
    # What is only suspected is not named beside a SUCCESS.
    assert replace(OUTCOME.device, signs=(replace(emulator, strength=0.8),)).injection is None


def test_earlier_attacks_are_reported_and_have_no_weight() -> None:
    device = replace(OUTCOME.device, earlier=EarlierAttacks(subject=3, device=0))
    history = replace(OUTCOME, device=device).history
    assert [(signal.name, signal.score, signal.passed, signal.weight) for signal in history] == [
        ("history_subject_spoofs", 0.25, False, 0.0),
        ("history_device_spoofs", 1.0, True, 0.0),
    ]
    assert OUTCOME.history == ()


_STEP = ColourStep(
    number=2,
    colour=ScreenColour(255, 108, 108),
    transition=Transition.SCROLL_DOWN,
    transition_seconds=0.1,
    hold_seconds=0.4,
    bits=4.8,
    last=False,
)
_FULL = replace(
    OUTCOME,
    challenge_steps=(ChallengeStepOutcome(step=_STEP, signal_to_noise=9.5, agrees=True),),
    device=replace(
        OUTCOME.device, signs=(camera_sign(0.7),), decided=("camera.name",), earlier=EarlierAttacks(subject=2)
    ),
)
_BARE = replace(OUTCOME, liveness=None, match=None, used_mode=None, transcript=None, evidence_frame=None)


@pytest.mark.parametrize("outcome", [OUTCOME, _FULL, _BARE])
def test_a_stored_outcome_is_read_back(outcome: CheckOutcome) -> None:
    assert outcome_from_bytes(outcome_to_bytes(outcome)) == outcome


@given(liveness=express_results())
def test_a_result_is_the_same_before_and_after(liveness: LivenessResult) -> None:
    outcome = replace(OUTCOME, liveness=liveness)
    assert serialise_result(outcome_from_bytes(outcome_to_bytes(outcome))) == serialise_result(outcome)


def test_numbers_as_measurements_leave_them_are_kept() -> None:
    assert OUTCOME.liveness is not None
    first, second = OUTCOME.liveness.signals
    signals = (
        replace(first, score=np.float64(0.1), passed=np.True_),  # type: ignore[arg-type]  # as numpy answers
        replace(second, score=math.nan),
    )
    outcome = replace(OUTCOME, liveness=replace(OUTCOME.liveness, signals=signals))
    kept = outcome_from_bytes(outcome_to_bytes(outcome)).liveness
    assert kept is not None
    assert (kept.signals[0].score, kept.signals[0].passed) == (0.1, True)
    assert kept.signals[1].score is not None
    assert math.isnan(kept.signals[1].score)


@pytest.mark.parametrize("data", [b"", serialise_result(OUTCOME), b'{"outcome": {"check_id": 7}}'])
def test_an_outcome_of_another_version_is_not_read(data: bytes) -> None:
    with pytest.raises(OutcomeUnreadable):
        outcome_from_bytes(data)


def test_a_record_is_read_back_as_it_was_written() -> None:
    assert record_from_bytes(record_to_bytes(RECORD)) == RECORD


def test_a_record_is_json_though_some_numbers_are_infinite() -> None:
    assert OUTCOME.liveness is not None
    signals = tuple(replace(signal, score=math.inf) for signal in OUTCOME.liveness.signals)
    outcome = replace(OUTCOME, liveness=replace(OUTCOME.liveness, signals=signals))
    data = record_to_bytes(replace(RECORD, outcome=outcome))
    json.loads(data, parse_constant=pytest.fail)
    assert record_from_bytes(data).outcome == outcome


def test_finish_check_reads_the_result_and_the_images_that_it_names() -> None:
    delivery = delivery_from_bytes(record_to_bytes(RECORD))
    assert delivery.result == RECORD.result
    assert OUTCOME.evidence_frame is not None
    assert delivery.marks == (OUTCOME.evidence_frame, *OUTCOME.audit_images)


def test_a_record_of_another_version_is_refused() -> None:
    data = record_to_bytes(replace(RECORD, version=2))
    for read in (record_from_bytes, delivery_from_bytes):
        with pytest.raises(RecordUnreadable, match="version 2"):
            read(data)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    for read in (record_from_bytes, delivery_from_bytes):
        with pytest.raises(RecordUnreadable):
            read(data)
