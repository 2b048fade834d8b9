"""The one owner of a check's verdict, and everything that it was made of. Pure."""

from server.domain.reasons import FAULTS, CheckStatus, FailureReason
from server.verdict.judge import (
    CheckVerdict,
    VerdictDemands,
    VerdictInputs,
    ending_reasons,
    judge_check,
    judge_ending,
    judge_reasons,
)

__all__ = [
    "FAULTS",
    "CheckStatus",
    "CheckVerdict",
    "FailureReason",
    "VerdictDemands",
    "VerdictInputs",
    "ending_reasons",
    "judge_check",
    "judge_ending",
    "judge_reasons",
]
