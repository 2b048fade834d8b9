"""What the steps shown so far were answered with."""

from collections.abc import Iterable
from dataclasses import dataclass

from liveness.dynamic.entropy import bits_beyond_chance
from liveness.dynamic.meter import StepReading
from liveness.dynamic.steps import ColourStep

__all__ = ["Answers", "count_answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """The coloured steps, by their answers.

    Attributes:
        verified: Colour bits of each step that was answered rightly.
        wrong: Steps that were answered with another colour.
        shown: All that were shown.
    """

    verified: tuple[float, ...]
    wrong: int
    shown: int

    @property
    def unmeasured(self) -> int:
        """Steps without an answer."""
        return self.shown - len(self.verified) - self.wrong

    @property
    def proven_bits(self) -> float:
        """What the right answers prove, net of chance (``bits_beyond_chance``)."""
        return bits_beyond_chance(self.verified, shown=self.shown)


def count_answers(shown: Iterable[ColourStep], readings: Iterable[StepReading]) -> Answers:
    """Count the answers to the coloured steps of ``shown``; a disturbed or unsettled reading is none."""
    read = {reading.step: reading for reading in readings}
    coloured = [step for step in shown if step.bits > 0]
    answers = [(step, _answer(read.get(step.number))) for step in coloured]
    return Answers(
        verified=tuple(step.colour_bits for step, answer in answers if answer is True),
        wrong=sum(answer is False for _, answer in answers),
        shown=len(coloured),
    )


def _answer(reading: StepReading | None) -> bool | None:
    if reading is None or not reading.settled or reading.disturbed:
        return None
    return reading.agrees
