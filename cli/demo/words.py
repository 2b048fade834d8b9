"""Results in words."""

from types import MappingProxyType
from typing import Final

from cli.demo.record import DemoRecord
from cli.demo.scenarios import UNDECIDED, ExpectedOutcome, Scenario, Status

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
        "CHALLENGE_BITS_TOO_FEW": "Too little of the colour challenge was measured on the face.",
        "DEVICE_MANIPULATED": "The device or its camera is manipulated, with certainty.",
        "DEVICE_NOT_TRUSTED": "The device's assurance is lower than the policy demands.",
        "TRANSCRIPT_BROKEN": "The stream of frames was altered, reordered or incomplete.",
        "IDENTITY_CHANGED": "The person changed during the scan.",
        "EXPIRED": "The time for the scan ran out.",
        "ABANDONED": "The device left before it finished an attempt.",
        "INTERRUPTED": "The server stopped during the last attempt.",
        "CONDITIONS": "Light, distance, movement or network did not allow a decision.",
        "MODE_NOT_MET": "The policy demands another mode than the one that was used.",
        "CANCELLED": "The person cancelled.",
        "SERVER_FAULT": "A fault of the server prevented a decision.",
    }
)
"""One sentence for each failure reason, by its name without prefix."""


def mode_word(scenario: Scenario) -> str:
    """Returns the mode of a check; ATTESTED if the device must also send evidence; DOUBT if doubt sets it."""
    if scenario.device is not None:
        return "ATTESTED"
    if scenario.doubt:
        return "DOUBT"
    return "DYNAMIC" if scenario.flashes else "EXPRESS"


def outcome_text(status: Status, reasons: tuple[str, ...]) -> str:
    """Returns an outcome in one line, such as ``FAILURE: SPOOF``."""
    return f"{status}: {', '.join(reasons)}" if reasons else str(status)


def expectation_text(expected: ExpectedOutcome | None) -> str:
    """Returns an expected outcome in one line."""
    if expected is None:
        return "nothing: it informs"
    return outcome_text(expected.status, expected_reasons(expected))


def expected_reasons(expected: ExpectedOutcome) -> tuple[str, ...]:
    """Returns the expected reasons as one text; empty with SUCCESS."""
    decided = [reason for reason in expected.reasons if reason not in UNDECIDED]
    if len(decided) < len(expected.reasons):
        decided.append("undecided")
    return (" or ".join(decided),) if decided else ()


def reason_sentences(record: DemoRecord) -> tuple[str, ...]:
    """Returns the reasons of an outcome in sentences, most important first."""
    if record.refusal is not None:
        message = record.refusal.message.rstrip(".")
        return (f"{message[:1].upper()}{message[1:]}.",)
    if record.attack_passed:
        return ("This attack passed: it was accepted as the living person.",)
    if record.status is Status.SUCCESS:
        return ("The scan shows the right person, a living person, now.",)
    return tuple(REASON_TEXT.get(reason, reason) for reason in record.reasons)
