"""Counts the right, wrong and missing answers to the steps shown so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.entropy import bits_beyond_chance, bits_of_choice
from liveness.dynamic.challenge.interface import StepReading
from liveness.dynamic.challenge.palette import PALETTE
from liveness.dynamic.challenge.steps import ColourStep

__all__ = ["Answers", "count_answers"]

_FIRST_BITS, _LATER_BITS = bits_of_choice(len(PALETTE)), bits_of_choice(len(PALETTE) - 1)
"""Bits of the first draw, and of each later draw, which excludes the colour on display."""


_MOST_WRONG: Final = 1
"""The most wrong answers with which a challenge can still pass: one may be a measurement error."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to the coloured steps.

    Attributes:
        verified: The colour bits of each step with a right answer.
        open: The colour bits of each step that has no answer, or none yet.
        wrong: The number of steps whose answer is another colour.
        late: The number of steps whose right answer came too late to be verified.
    """

    verified: tuple[float, ...] = ()
    open: tuple[float, ...] = ()
    wrong: int = 0
    late: int = 0

    @property
    def shown(self) -> int:
        """The number of coloured steps shown."""
        return len(self.verified) + len(self.open) + self.wrong + self.late

    @property
    def answered(self) -> int:
        """The number of steps with an answer in time, right or wrong."""
        return len(self.verified) + self.wrong

    @property
    def proven_bits(self) -> float:
        """The bits that the right answers prove, net of chance (``bits_beyond_chance``)."""
        return bits_beyond_chance(self.verified, shown=self.shown)

    def proven_with(self, bits: float) -> float:
        """Returns ``proven_bits`` as they would be after one more step with a right answer of ``bits``."""
        return bits_beyond_chance((*self.verified, bits), shown=self.shown + 1)

    def reach(self, more: int) -> float:
        """Returns the most bits that the answers can still prove, net of chance.

        Steps without an answer count as right, because further frames may answer them. Wrong answers stay
        wrong.

        Args:
            more: The number of steps that may still be shown.
        """
        later = [_LATER_BITS] * more
        if more and not self.shown:
            later[0] = _FIRST_BITS
        return bits_beyond_chance((*self.verified, *self.open, *later), shown=self.shown + more)

    def hopeless(self, more: int, *, bits: float) -> bool:
        """Returns whether ``bits`` are out of reach with ``more`` steps, or too many answers are wrong."""
        return self.wrong > _MOST_WRONG or self.reach(more) < bits


def count_answers(shown: Iterable[ColourStep], readings: Iterable[StepReading]) -> Answers:
    """Counts the answers to the coloured steps of ``shown``.

    A step whose reading is missing, disturbed or unsettled has no answer.
    """
    read = {reading.step: reading for reading in readings}
    coloured = [step for step in shown if step.bits > 0]
    late = {step.number for step in coloured if _late(read.get(step.number))}
    answers = [(step, _answer(read.get(step.number))) for step in coloured if step.number not in late]
    return Answers(
        verified=tuple(step.colour_bits for step, answer in answers if answer is True),
        open=tuple(step.colour_bits for step, answer in answers if answer is None),
        wrong=sum(answer is False for _, answer in answers),
        late=len(late),
    )


def _late(reading: StepReading | None) -> bool:
    return reading is not None and reading.late and _answer(reading) is True


def _answer(reading: StepReading | None) -> bool | None:
    if reading is None or not reading.settled or reading.disturbed:
        return None
    return reading.agrees
