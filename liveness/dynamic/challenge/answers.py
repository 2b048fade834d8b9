"""What the steps shown so far were answered with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.entropy import bits_beyond_chance, bits_of_choice
from liveness.dynamic.challenge.interface import StepReading
from liveness.dynamic.challenge.palette import PALETTE
from liveness.dynamic.challenge.steps import ColourStep

__all__ = ["Answers", "count_answers"]

_FIRST_BITS, _LATER_BITS = bits_of_choice(len(PALETTE)), bits_of_choice(len(PALETTE) - 1)
"""Of the first colour's draw, and of every later one's: any colour but the one on display."""


_MOST_WRONG: Final = 1
"""Wrong answers beyond which none that may still come help: one may be a misreading, two are none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The coloured steps, by their answers.

    Attributes:
        verified: Colour bits of each step that was answered rightly.
        open: Colour bits of each step without an answer: it was not measured, or not yet.
        wrong: Steps that were answered with another colour.
    """

    verified: tuple[float, ...] = ()
    open: tuple[float, ...] = ()
    wrong: int = 0

    @property
    def shown(self) -> int:
        """All that were shown."""
        return len(self.verified) + len(self.open) + self.wrong

    @property
    def told(self) -> int:
        """Steps that were answered, rightly or wrongly."""
        return len(self.verified) + self.wrong

    @property
    def proven_bits(self) -> float:
        """What the right answers prove, net of chance (``bits_beyond_chance``)."""
        return bits_beyond_chance(self.verified, shown=self.shown)

    def proven_with(self, bits: float) -> float:
        """What they would prove with one more right answer that carries ``bits``, net of chance."""
        return bits_beyond_chance((*self.verified, bits), shown=self.shown + 1)

    def reach(self, more: int) -> float:
        """The most that the answers can prove yet, net of chance, bits.

        Steps without an answer count as right: what they show may be told once more is seen. Those that were
        answered wrongly cost what they cost.

        Args:
            more: Steps that may still be shown.
        """
        later = [_LATER_BITS] * more
        if more and not self.shown:
            later[0] = _FIRST_BITS
        return bits_beyond_chance((*self.verified, *self.open, *later), shown=self.shown + more)

    def hopeless(self, more: int, *, bits: float) -> bool:
        """Whether ``more`` steps, however answered, do not prove ``bits``, or too many were wrong."""
        return self.wrong > _MOST_WRONG or self.reach(more) < bits


def count_answers(shown: Iterable[ColourStep], readings: Iterable[StepReading]) -> Answers:
    """Count the answers to the coloured steps of ``shown``; a disturbed or unsettled reading is none."""
    read = {reading.step: reading for reading in readings}
    answers = [(step, _answer(read.get(step.number))) for step in shown if step.bits > 0]
    return Answers(
        verified=tuple(step.colour_bits for step, answer in answers if answer is True),
        open=tuple(step.colour_bits for step, answer in answers if answer is None),
        wrong=sum(answer is False for _, answer in answers),
    )


def _answer(reading: StepReading | None) -> bool | None:
    if reading is None or not reading.settled or reading.disturbed:
        return None
    return reading.agrees
