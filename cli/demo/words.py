"""Results in words."""

from typing import Final

from cli.demo.record import DemoRecord
from cli.demo.scenarios import UNDECIDED, ExpectedOutcome, Scenario, Status
from facegate_protocol.texts import FAILURES

__all__ = [
    "SUCCESS",
    "expectation_text",
    "expected_reasons",
    "mode_word",
    "outcome_text",
    "reason_sentence",
    "reason_sentences",
]

SUCCESS: Final = "The scan shows the right person, a living person, now."


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
        return (SUCCESS,)
    return tuple(map(reason_sentence, record.reasons))


def reason_sentence(reason: str) -> str:
    """Returns what a failure reason means; its name if this version does not know it."""
    return FAILURES[reason].means if reason in FAILURES else reason
