"""How the outcome of a check that ended follows from the outcome of an attempt that did not decide it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from attempt.judgement import ChallengeStepOutcome
from device_integrity.check import Manipulation
from device_integrity.policy import InjectionInstrument, InjectionMethod, Sign
from liveness.dynamic.challenge.script import ColourStep, ScreenColour, Transition
from liveness.verdict import LivenessResult
from server.domain.terms import AttemptOutcome
from server.domain.tries import EarlierAttacks
from server.edge.result_codec import serialise_result
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import (
    CheckOutcome,
    OutcomeUnreadable,
    TranscriptOutcome,
    outcome_from_bytes,
    outcome_to_bytes,
)
from tests.liveness.results import express_results
from tests.server.verdict.samples import ATTEMPT, NOW, OUTCOME

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
        Sign(
            of=of,
            strength=strength,
            method=InjectionMethod.UNKNOWN,
            instrument=InjectionInstrument.UNKNOWN,
            checks=(),
        )
        for of, strength in (
            (Manipulation.ROOTED, 1.0),
            (Manipulation.EMULATOR, 1.0),
            (Manipulation.FUNCTION_HOOKING, 1.0),
        )
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
_SIGN = Sign(
    of=Manipulation.VIRTUAL_CAMERA,
    strength=0.7,
    method=InjectionMethod.UNKNOWN,
    instrument=InjectionInstrument.UNKNOWN,
    checks=("camera.name",),
)
_FULL = replace(
    OUTCOME,
    challenge_steps=(ChallengeStepOutcome(step=_STEP, signal_to_noise=9.5, agrees=True),),
    device=replace(
        OUTCOME.device, signs=(_SIGN,), decided=("camera.name",), earlier=EarlierAttacks(subject=2)
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
