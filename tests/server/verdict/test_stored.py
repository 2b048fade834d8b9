"""Outcomes as they are kept while their check is open."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from attempt.judgement import ChallengeStepOutcome
from device_integrity.check import Manipulation
from device_integrity.policy import InjectionInstrument, InjectionMethod, Sign
from liveness.dynamic.challenge.steps import ColourStep, ScreenColour, Transition
from liveness.verdict import LivenessResult
from server.domain.tries import EarlierAttacks
from server.edge.result_codec import encode_result
from server.verdict.outcome import CheckOutcome, OutcomeUnreadable, outcome_from_bytes, outcome_to_bytes
from tests.liveness.results import express_results
from tests.server.verdict.samples import OUTCOME

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
    assert encode_result(outcome_from_bytes(outcome_to_bytes(outcome))) == encode_result(outcome)


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


@pytest.mark.parametrize("data", [b"", encode_result(OUTCOME), b'{"outcome": {"check_id": 7}}'])
def test_an_outcome_of_another_version_is_not_read(data: bytes) -> None:
    with pytest.raises(OutcomeUnreadable):
        outcome_from_bytes(data)
