from facegate.v1 import result_pb2

from cli.demo.scenarios import UNDECIDED, ExpectedOutcome, Status
from cli.demo.words import expectation_text, outcome_text, reason_sentence, reason_sentences
from tests.cli.demo.builders import judged, refused, result


def test_outcomes_in_one_line() -> None:
    assert outcome_text(Status.SUCCESS, ()) == "SUCCESS"
    assert outcome_text(Status.FAILURE, ("SPOOF", "EXPIRED")) == "FAILURE: SPOOF, EXPIRED"
    assert expectation_text(ExpectedOutcome(status=Status.SUCCESS)) == "SUCCESS"
    assert expectation_text(ExpectedOutcome(status=Status.REFUSED, reasons=("X",))) == "REFUSED: X"
    undecided = ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF", *UNDECIDED))
    assert expectation_text(undecided) == "FAILURE: SPOOF or undecided"
    assert "informs" in expectation_text(None)


def test_a_passed_attack_is_never_called_a_real_person() -> None:
    (said,) = reason_sentences(judged("screen-replay"))
    assert "attack passed" in said
    assert "real person" not in said


def test_reasons_of_a_verdict_and_of_a_refusal() -> None:
    failed = judged("static-photo", result(result_pb2.FAILURE_REASON_SPOOF))
    assert reason_sentences(failed) == ("The scan is an attack, not a living person.",)
    assert reason_sentence("OF_A_LATER_VERSION") == "OF_A_LATER_VERSION"
    said = reason_sentences(refused("EYE_DISTANCE_TOO_SMALL", "the eyes are 60 pixels apart"))
    assert said == ("The eyes are 60 pixels apart.",)
