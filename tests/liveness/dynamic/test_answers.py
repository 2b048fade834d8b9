import pytest

from liveness.dynamic.answers import count_answers
from liveness.dynamic.entropy import bits_beyond_chance
from liveness.dynamic.meter import Disturbance, StepReading
from liveness.dynamic.script import ColourScript
from tests.liveness.dynamic.random_source import seeded

_SCRIPT = ColourScript(seeded(1))
_STEPS = [_SCRIPT.lead_in(), *(_SCRIPT.draw() for _ in range(5)), _SCRIPT.close()]


def _reading(step: int, agrees: bool | None, *, settled: bool = True, moved: bool = False) -> StepReading:
    disturbed = frozenset({Disturbance.MOVED}) if moved else frozenset[Disturbance]()
    return StepReading(step=step, frames=4, snr=5.0, agrees=agrees, disturbed=disturbed, settled=settled)


def test_each_answer_counts_as_what_it_is() -> None:
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
    assert (answers.wrong, answers.shown, answers.unmeasured) == (1, 5, 3)
    assert answers.proven_bits == bits_beyond_chance(answers.verified, shown=5)


def test_nothing_shown_proves_nothing() -> None:
    answers = count_answers(_STEPS[:1], [_reading(1, True)])
    assert answers.shown == 0
    assert answers.proven_bits == pytest.approx(0, abs=1e-9)
