"""How the outcome of a check that ended follows from the outcome of an attempt that did not decide it."""

from dataclasses import replace

import pytest

from server.domain.terms import AttemptOutcome
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.outcome import TranscriptOutcome
from tests.server.verdict.samples import ATTEMPT, NOW, OUTCOME

_SECOND = replace(ATTEMPT, attempt=2, outcome=AttemptOutcome.INTERRUPTED)


def test_it_says_how_the_check_ended_and_keeps_what_was_seen() -> None:
    ended = OUTCOME.ended(by=FailureReason.ABANDONED, attempts=(ATTEMPT, _SECOND), decide_time=NOW)
    verdict = CheckVerdict(CheckStatus.FAILURE, (FailureReason.ABANDONED, FailureReason.SPOOF))
    assert ended == replace(OUTCOME, verdict=verdict, attempts=(ATTEMPT, _SECOND), decide_time=NOW)


@pytest.mark.parametrize("transcript", [OUTCOME.transcript, None])
def test_a_transcript_that_broke_later_is_not_called_intact(transcript: TranscriptOutcome | None) -> None:
    outcome = replace(OUTCOME, transcript=transcript)
    ended = outcome.ended(by=FailureReason.TRANSCRIPT_BROKEN, attempts=(), decide_time=NOW)
    assert ended.verdict.reasons == (FailureReason.TRANSCRIPT_BROKEN, FailureReason.SPOOF)
    assert ended.transcript == (None if transcript is None else replace(transcript, intact=False))


def test_a_fault_of_the_server_leaves_undecided_what_only_conditions_kept_open() -> None:
    undecided = CheckVerdict(CheckStatus.FAILURE, (FailureReason.CONDITIONS,))
    ended = replace(OUTCOME, verdict=undecided).ended(
        by=FailureReason.SERVER_FAULT, attempts=(), decide_time=NOW
    )
    assert ended.verdict == CheckVerdict(CheckStatus.NOT_DECIDED, (FailureReason.SERVER_FAULT,))
