from dataclasses import replace

import pytest

from liveness.dynamic.challenge.proof import Answers, Disturbance, Proof, StepReading, count_answers
from liveness.dynamic.challenge.script import ColourScript, ColourStep, RevealedStep, bits_beyond_chance
from tests.liveness.dynamic.flash_device import ScriptedMeter, sample
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


_BITS = 10.0


def _shown(meter: ScriptedMeter, colours: int = 5) -> tuple[Proof, list[RevealedStep]]:
    """A proof after a lead-in and some colours with enough frames."""
    script, proof = ColourScript(seeded(0)), Proof(meter, minimum_bits=_BITS)
    revealed: list[RevealedStep] = []
    for at, step in enumerate([script.lead_in(), *(script.draw() for _ in range(colours))]):
        revealed.append(RevealedStep(step, float(at)))
        proof.note_drawn(step, float(at))
        for _ in range(meter.needed):
            _add(proof, step)
    return proof, revealed


def _add(proof: Proof, step: ColourStep, *, captured: bool = True) -> None:
    index = len(proof.samples)
    frame = sample(index, capture_time=float(index), arrival_time=float(index), step=step.number)
    proof.prove_frame(frame, captured=captured)


def test_frames_that_come_once_it_is_complete_take_no_part() -> None:
    meter = ScriptedMeter()
    proof, revealed = _shown(meter)
    counted, measured = len(proof.samples), dict(meter.frames)
    complete = [proof.complete]
    assert proof.conclude(proof.answers(revealed), last=False, now=20.0)
    complete.append(proof.complete)
    assert complete == [False, True]
    _add(proof, revealed[-1].step)
    assert (len(proof.samples), meter.frames) == (counted, measured)


@pytest.mark.parametrize(("in_doubt", "wrong"), [(True, None), (False, 2)])
def test_doubts_and_wrong_answers_keep_it_open_while_more_may_come(in_doubt: bool, wrong: int | None) -> None:
    meter = ScriptedMeter(answer=lambda step: step.number != wrong, in_doubt=lambda _: in_doubt)
    proof, revealed = _shown(meter, colours=7)
    answers = proof.answers(revealed)
    assert answers.proven_bits >= _BITS
    assert not proof.conclude(answers, last=False, now=20.0)
    assert not proof.complete
    assert proof.conclude(answers, last=True, now=20.0)


def test_too_few_bits_are_never_enough() -> None:
    proof, revealed = _shown(ScriptedMeter(), colours=2)
    assert not proof.conclude(proof.answers(revealed), last=True, now=20.0)


def test_the_proof_waits_for_the_frames_that_every_scan_needs() -> None:
    proof, revealed = _shown(ScriptedMeter())
    _add(proof, revealed[-1].step, captured=False)
    assert proof.waits_until(19.0) is None
    assert proof.conclude(proof.answers(revealed), last=True, now=20.0)
    assert proof.waits_until(20.0) == 22.0
    assert proof.waits_until(22.0) is None
    _add(proof, revealed[-1].step)
    assert proof.waits_until(20.0) is None


def test_a_faint_answer_leaves_a_step_unmeasured() -> None:
    """It verifies the step, but longer light makes the measurement of its surface better."""
    proof, revealed = _shown(ScriptedMeter(clear=lambda step: step.number != 3))
    assert [proof.measured(one.step) for one in revealed] == [True, True, False, True, True, True]
    assert len(proof.answers(revealed).verified) == 5


def test_a_step_is_measured_once_its_answer_is_known_and_nothing_disturbs_it() -> None:
    meter = ScriptedMeter(answer=lambda step: None if step.number == 3 else True)
    proof, revealed = _shown(meter)
    assert [proof.measured(one.step) for one in revealed] == [True, True, False, True, True, True]
    meter.disturb = lambda step, _: frozenset({Disturbance.MOVED} if step.number == 2 else set())
    assert [proof.moved(one.step) for one in revealed] == [False, True, False, False, False, False]
    assert not proof.measured(revealed[1].step)
