"""Decides the status of a check and its reasons, and holds everything that the decision is made of.

It is pure: it may import ``server.domain`` and the result types of ``attempt``, ``liveness``, ``matcher`` and
``device_integrity``, but performs no I/O.
Start with ``judge.py``, the only place that decides; ``outcome.py`` is the data that the result states.
"""

from server.domain.terms import FAULTS, CheckStatus, FailureReason
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
