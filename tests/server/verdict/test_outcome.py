"""How the outcome of a check that ended follows from the outcome of an attempt that did not decide it."""

from dataclasses import replace
from typing import Any

import pytest

from device_integrity.check import Manipulation
from device_integrity.policy import InjectionInstrument, InjectionMethod, Sign
from server.domain.terms import AttemptOutcome
from server.domain.tries import EarlierAttacks
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import CheckOutcome, TranscriptOutcome
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
