"""The proof of the colours, and the frames that it uses."""

import pytest

from liveness.dynamic.challenge.interface import Disturbance
from liveness.dynamic.challenge.proof import Proof
from liveness.dynamic.challenge.script import ColourScript
from liveness.dynamic.challenge.steps import ColourStep, RevealedStep
from tests.liveness.dynamic.flash_device import ScriptedMeter, sample
from tests.liveness.dynamic.random_source import seeded

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
    proof.add(frame, captured=captured)


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
