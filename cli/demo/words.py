"""Verdicts in plain words."""

from types import MappingProxyType
from typing import Final

from cli.demo.record import DemoRecord
from cli.demo.scenarios import UNDECIDED, Expected, Scenario, Status

__all__ = [
    "REASON_TEXT",
    "expectation_text",
    "expected_reasons",
    "mode_word",
    "outcome_text",
    "reason_sentences",
]

REASON_TEXT: Final = MappingProxyType(
    {
        "NOT_SAME_PERSON": "The face in the scan is not the portrait's.",
        "SPOOF": "The scan is an attack, not a living person.",
        "LIVENESS_INCONCLUSIVE": "Whether the person is alive could not be decided.",
        "CHALLENGE_BITS_TOO_FEW": "Too little of the colour challenge was seen on the face.",
        "DEVICE_MANIPULATED": "The device or its camera is not what it has to be, for certain.",
        "DEVICE_NOT_TRUSTED": "The device is not trusted as far as the policy demands.",
        "TRANSCRIPT_BROKEN": "The stream of frames was altered, reordered or incomplete.",
        "IDENTITY_CHANGED": "The person changed during the scan.",
        "EXPIRED": "The time for the scan ran out.",
        "ABANDONED": "The device left before it finished an attempt.",
        "INTERRUPTED": "The server stopped during the last attempt.",
        "CONDITIONS": "Light, distance, movement or network did not allow a decision.",
        "MODE_NOT_MET": "The policy demands another mode than the one that was used.",
        "CANCELLED": "The person cancelled.",
        "SERVER_FAULT": "A fault of the server kept it from a decision.",
    }
)
"""One sentence for each failure reason, by its name without prefix."""


def mode_word(scenario: Scenario) -> str:
    """The mode that a check asks for; ATTESTED where the device is asked for evidence, too."""
    if scenario.device is not None:
        return "ATTESTED"
    return "DYNAMIC" if scenario.flashes else "EXPRESS"


def outcome_text(status: Status, reasons: tuple[str, ...]) -> str:
    """An outcome in one line, such as ``FAILURE: SPOOF``."""
    return f"{status}: {', '.join(reasons)}" if reasons else str(status)


def expectation_text(expected: Expected | None) -> str:
    """An expectation in one line."""
    if expected is None:
        return "nothing: it informs"
    return outcome_text(expected.status, expected_reasons(expected))


def expected_reasons(expected: Expected) -> tuple[str, ...]:
    """The reasons that are expected, as one word or a few; empty with SUCCESS."""
    decided = [reason for reason in expected.reasons if reason not in UNDECIDED]
    if len(decided) < len(expected.reasons):
        decided.append("undecided")
    return (" or ".join(decided),) if decided else ()


def reason_sentences(record: DemoRecord) -> tuple[str, ...]:
    """Why a check ended as it did, in sentences, most important first."""
    if record.refusal is not None:
        message = record.refusal.message.rstrip(".")
        return (f"{message[:1].upper()}{message[1:]}.",)
    if record.attack_passed:
        return ("This attack passed: it was taken for the living person.",)
    if record.status is Status.SUCCESS:
        return ("The right person, a real person, right now.",)
    return tuple(REASON_TEXT.get(reason, reason) for reason in record.reasons)
