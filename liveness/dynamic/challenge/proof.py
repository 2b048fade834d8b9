"""Collects the proof of the colours while they are shown, and decides when it suffices."""

from collections.abc import Iterable
from typing import Final

from liveness.dynamic.challenge.answers import Answers, count_answers
from liveness.dynamic.challenge.interface import Disturbance, Light, Meter, StepReading
from liveness.dynamic.challenge.steps import ColourStep, RevealedStep
from liveness.dynamic.sample import FlashSample

__all__ = ["Proof"]

_MOST_CAPTURE_SECONDS: Final = 2.0
"""The longest wait, once the colours are proven, for the frames that every scan requires, seconds."""


class Proof:
    """The frames that count for the colours, and what they prove so far.

    Once the colours are proven, further frames do not count.
    """

    def __init__(self, meter: Meter, *, minimum_bits: float) -> None:
        """Starts without steps or frames.

        Args:
            meter: Measures the steps.
            minimum_bits: The required bits.
        """
        self._meter = meter
        self._minimum_bits = minimum_bits
        self._samples: list[FlashSample] = []
        self._captured = True
        self._right = False
        self._since: float | None = None

    @property
    def samples(self) -> tuple[FlashSample, ...]:
        """The frames that count, in order."""
        return tuple(self._samples)

    @property
    def complete(self) -> bool:
        """Whether the colours are proven."""
        return self._since is not None

    @property
    def right(self) -> bool:
        """Whether the colours are proven, and their light is that on a face."""
        return self._right

    def add(self, sample: FlashSample, *, captured: bool) -> None:
        """Adds the next frame.

        Args:
            sample: The measurement of the frame's light.
            captured: Whether the scan now has the number of frames that every scan requires.
        """
        self._captured = captured
        if self._since is None:
            self._samples.append(sample)
            self._meter.add(sample)

    def note_drawn(self, step: ColourStep, at: float) -> None:
        """Records that ``step`` was drawn at ``at``, seconds on the server's monotonic clock."""
        self._meter.note_drawn(step, at)

    def note_sent(self, at: float) -> None:
        """Records when the step drawn last was sent, on the same clock."""
        self._meter.note_sent(at)

    def refresh(self) -> None:
        """Measures again, so that later calls include all frames that were added."""
        self._meter.refresh()

    def answers(self, revealed: Iterable[RevealedStep]) -> Answers:
        """Returns the answers to the revealed steps."""
        return count_answers((one.step for one in revealed), self._meter.readings())

    def conclude(self, answers: Answers, *, last: bool, now: float) -> bool:
        """Returns whether ``answers`` suffice and no doubt is left that further answers may settle.

        Args:
            answers: All answers so far.
            last: Whether these are the last answers, so that a doubt cannot be settled.
            now: The time on the server's monotonic clock, seconds; the proof is complete from then on.
        """
        enough = (
            answers.proven_bits >= self._minimum_bits
            and self._meter.verified_bits() >= self._minimum_bits
            and self._meter.lag() is not None
        )
        if enough and (last or (answers.wrong == 0 and not self._meter.doubtful())):
            self._since, self._right = now, self._meter.right()
            return True
        return False

    def waits_until(self, now: float) -> float | None:
        """Returns when the wait for the frames that every scan requires ends; ``None`` without a wait."""
        if self._since is None or self._captured:
            return None
        late = self._since + _MOST_CAPTURE_SECONDS
        return late if now < late else None

    def measured(self, step: ColourStep) -> bool:
        """Returns whether more frames of ``step`` would add nothing."""
        reading = self._reading(step)
        if reading is None or not reading.settled or reading.disturbed:
            return False
        return reading.clear or step.bits == 0

    def late(self) -> bool:
        """Returns whether the latest right answer came too late to be verified."""
        right = [reading for reading in self._meter.readings() if reading.agrees]
        return bool(right) and right[-1].late

    def moved(self, step: ColourStep) -> bool:
        """Returns whether too few frames of ``step`` count because the face moved."""
        reading = self._reading(step)
        return reading is not None and Disturbance.MOVED in reading.disturbed

    def light(self) -> Light:
        """Returns whether the light lets the flash be measured."""
        return self._meter.light()

    def shape_shows(self) -> bool:
        """See ``Meter.shape_shows``."""
        return self._meter.shape_shows()

    def _reading(self, step: ColourStep) -> StepReading | None:
        return next((reading for reading in self._meter.readings() if reading.step == step.number), None)
