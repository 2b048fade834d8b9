"""Collects the proof of the colours while they are shown, and decides when it suffices."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from liveness.dynamic.challenge.script import (
    PALETTE,
    ColourStep,
    RevealedStep,
    bits_beyond_chance,
    bits_of_choice,
)
from liveness.dynamic.sample import FlashSample


class Disturbance(StrEnum):
    """Why too few frames of a step count.

    A blink is not a disturbance: the measured skin excludes the eyes.
    """

    MOVED = "MOVED"
    """The face moved too fast for its light to be measured."""
    EXPOSURE_JUMP = "EXPOSURE_JUMP"
    """The brightness of the whole frame, face and background, changed at once."""
    FACE_LOST = "FACE_LOST"
    """No face was detected, or too little of it is in the frame."""


class Light(StrEnum):
    """Whether the light lets a flash be measured."""

    OK = "OK"
    """The screen's light is measurable, or there are too few frames to decide."""
    TOO_BRIGHT = "TOO_BRIGHT"
    """Other light drowns the screen's, or saturates the skin."""
    TOO_DARK_TO_SEE_FACE = "TOO_DARK_TO_SEE_FACE"
    """The face is nearly black even under the screen's light."""
    WEAK = "WEAK"
    """The surroundings are dim, yet the screen's light is barely measurable: the display is set too dark."""


@dataclass(frozen=True, slots=True)
class StepReading:
    """The measurement of one step so far.

    Attributes:
        frames: The number of undisturbed frames that show the step fully.
        snr: How far the expected response to the nearest other colour is from that to this one, in standard
            deviations of the mean over the frames; 0 if unknown.
        agrees: Whether the face reflects the commanded colour; ``None`` if neither this colour nor clearly
            another explains the light best, or if there are too few frames.
        clear: Whether ``agrees`` stands out from noise by itself.
        disturbed: The disturbances that left too few frames; empty if there are enough.
        settled: Whether enough frames show the step, after lag and transition.
        late: Whether the answer came too late to be verified.
    """

    step: int
    frames: int
    snr: float
    agrees: bool | None
    disturbed: frozenset[Disturbance]
    settled: bool
    clear: bool = False
    late: bool = False


class Meter(Protocol):
    """The part of ``liveness.dynamic.meter.FlashMeter`` that the challenge uses."""

    def meter_frame(self, sample: FlashSample) -> None:
        """Add the measurement of the next frame."""

    def note_drawn(self, step: ColourStep, at: float) -> None:
        """Record that ``step`` was drawn at ``at``, seconds on the server's monotonic clock."""

    def note_sent(self, at: float) -> None:
        """Record when the step drawn last was sent, on the same clock."""

    def refresh(self) -> None:
        """Measure again, so that later calls include all frames that were added."""

    def readings(self) -> tuple[StepReading, ...]:
        """Return the measurement of each step."""
        ...

    def verified_bits(self) -> float:
        """Return the sum of the colour bits of all steps with a right answer that did not come too late.

        Nothing is deducted for lucky guesses.
        """
        ...

    def light(self) -> Light:
        """Return whether the light lets the flash be measured."""
        ...

    def shape_shows(self) -> bool:
        """Return whether the flash shows the shape of a head. Otherwise only motion can show it."""
        ...

    def right(self) -> bool:
        """Return whether the challenge is answered by the frames so far, as the judge finds."""
        ...

    def doubtful(self) -> bool:
        """Return whether the challenge is not measurable yet, but may be after more steps."""
        ...

    def lag(self) -> float | None:
        """Return how long after the claimed appearance of a colour the face shows it, seconds.

        ``None`` while unknown.
        """
        ...


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
        """Return ``proven_bits`` as they would be after one more step with a right answer of ``bits``."""
        return bits_beyond_chance((*self.verified, bits), shown=self.shown + 1)

    def reach(self, more: int) -> float:
        """Return the most bits that the answers can still prove, net of chance.

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
        """Return whether ``bits`` are out of reach with ``more`` steps, or too many answers are wrong."""
        return self.wrong > _MOST_WRONG or self.reach(more) < bits


def count_answers(shown: Iterable[ColourStep], readings: Iterable[StepReading]) -> Answers:
    """Count the answers to the coloured steps of ``shown``.

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


_MOST_CAPTURE_SECONDS: Final = 2.0
"""The longest wait, once the colours are proven, for the frames that every scan requires, seconds."""


class Proof:
    """The frames that count for the colours, and what they prove so far.

    Once the colours are proven, further frames do not count.
    """

    def __init__(self, meter: Meter, *, minimum_bits: float) -> None:
        """Start without steps or frames."""
        self._meter = meter
        self._minimum_bits = minimum_bits
        self._samples: list[FlashSample] = []
        self._captured = True
        self.right = False
        """Whether the colours are proven, and their light is that on a face."""
        self._since: float | None = None

    @property
    def samples(self) -> tuple[FlashSample, ...]:
        """The frames that count, in order."""
        return tuple(self._samples)

    @property
    def complete(self) -> bool:
        """Whether the colours are proven."""
        return self._since is not None

    def prove_frame(self, sample: FlashSample, *, captured: bool) -> None:
        """Add the next frame.

        Args:
            sample: The measurement of the frame's light.
            captured: Whether the scan now has the number of frames that every scan requires.
        """
        self._captured = captured
        if self._since is None:
            self._samples.append(sample)
            self._meter.meter_frame(sample)

    def answers(self, revealed: Iterable[RevealedStep]) -> Answers:
        """Return the answers to the revealed steps."""
        return count_answers((one.step for one in revealed), self._meter.readings())

    def conclude(self, answers: Answers, *, last: bool, now: float) -> bool:
        """Return whether ``answers`` suffice and no doubt is left that further answers may settle.

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
            self._since, self.right = now, self._meter.right()
            return True
        return False

    def waits_until(self, now: float) -> float | None:
        """Return when the wait for the frames that every scan requires ends; ``None`` without a wait."""
        if self._since is None or self._captured:
            return None
        late = self._since + _MOST_CAPTURE_SECONDS
        return late if now < late else None

    def measured(self, step: ColourStep) -> bool:
        """Return whether more frames of ``step`` would add nothing."""
        reading = self._reading(step)
        if reading is None or not reading.settled or reading.disturbed:
            return False
        return reading.clear or step.bits == 0

    def late(self) -> bool:
        """Return whether the latest right answer came too late to be verified."""
        right = [reading for reading in self._meter.readings() if reading.agrees]
        return bool(right) and right[-1].late

    def moved(self, step: ColourStep) -> bool:
        """Return whether too few frames of ``step`` count because the face moved."""
        reading = self._reading(step)
        return reading is not None and Disturbance.MOVED in reading.disturbed

    def _reading(self, step: ColourStep) -> StepReading | None:
        return next((reading for reading in self._meter.readings() if reading.step == step.number), None)
