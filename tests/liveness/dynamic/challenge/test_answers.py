from dataclasses import replace

import pytest

from liveness.dynamic.challenge.answers import Answers, count_answers
from liveness.dynamic.challenge.entropy import bits_beyond_chance
from liveness.dynamic.challenge.interface import Disturbance, StepReading
from liveness.dynamic.challenge.script import ColourScript
from tests.liveness.dynamic.random_source import seeded

_SCRIPT = ColourScript(seeded(1))
_STEPS = [_SCRIPT.lead_in(), *(_SCRIPT.draw() for _ in range(5)), _SCRIPT.close()]


def _reading(step: int, agrees: bool | None, *, settled: bool = True, moved: bool = False) -> StepReading:
    disturbed = frozenset({Disturbance.MOVED}) if moved else frozenset[Disturbance]()
    return StepReading(step=step, frames=4, snr=5.0, agrees=agrees, disturbed=disturbed, settled=settled)


def test_each_answer_counts_by_its_finding() -> None:
    readings = [
        _reading(1, True),
        _reading(2, True),
        _reading(3, False),
        _reading(4, True, moved=True),
        _reading(5, True, settled=False),
        _reading(7, True),
        _reading(99, True),
    ]
    answers = count_answers(_STEPS, readings)
    assert list(answers.verified) == pytest.approx([_STEPS[1].colour_bits])
    assert (answers.wrong, answers.shown, answers.answered, len(answers.open)) == (1, 5, 2, 3)
    assert answers.proven_bits == bits_beyond_chance(answers.verified, shown=5)


def test_a_right_answer_that_came_too_late_counts_as_shown_and_proves_nothing() -> None:
    readings = [
        replace(_reading(2, True), late=True),
        replace(_reading(3, False), late=True),
        _reading(4, True),
    ]
    answers = count_answers(_STEPS, readings)
    assert (len(answers.verified), answers.wrong, answers.late) == (1, 1, 1)
    assert (answers.shown, answers.answered) == (5, 2)
    # More frames do not make it younger.
    assert answers.reach(0) < Answers(answers.verified, (*answers.open, 2.8), answers.wrong).reach(0)


def test_nothing_shown_proves_nothing() -> None:
    answers = count_answers(_STEPS[:1], [_reading(1, True)])
    assert answers.shown == 0
    assert answers.proven_bits == pytest.approx(0, abs=1e-9)


def test_the_reachable_bits_equal_those_of_a_full_script() -> None:
    script = ColourScript(seeded(2))
    script.lead_in()
    drawn = [script.draw().colour_bits for _ in range(9)]
    assert Answers().reach(9) == pytest.approx(bits_beyond_chance(drawn, shown=9))


def test_open_answers_can_be_right_yet_and_wrong_ones_cost() -> None:
    answers = Answers(verified=(3.0,), open=(2.8, 2.8), wrong=1)
    assert answers.reach(0) == pytest.approx(bits_beyond_chance((3.0, 2.8, 2.8), shown=4))
    assert answers.reach(0) < answers.reach(1) < answers.reach(2)


def test_one_more_right_answer_is_one_more_step_shown() -> None:
    assert Answers(verified=(3.0, 2.8)).proven_with(2.8) == Answers(verified=(3.0, 2.8, 2.8)).proven_bits
    missed = Answers(verified=(3.0,), open=(2.8,))
    assert missed.proven_with(2.8) == Answers(verified=(3.0, 2.8), open=(2.8,)).proven_bits


def test_the_challenge_is_hopeless_if_no_remaining_step_suffices() -> None:
    answers = Answers(verified=(3.0, 2.8))
    reached = answers.reach(2)
    assert not answers.hopeless(2, bits=reached)
    assert answers.hopeless(2, bits=reached + 0.1)
    assert not Answers(verified=(3.0,), wrong=1).hopeless(20, bits=3.0)
    assert Answers(verified=(3.0,), wrong=2).hopeless(20, bits=0.0), "one may be a misreading, two are none"
