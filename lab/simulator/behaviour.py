"""Movements of a person in front of a phone: head movements, blinks, gaze and small expressions.

A held or carried object wanders: a smooth random movement in all six directions.
"""

from dataclasses import dataclass

import numpy as np

from lab.simulator.geometry import ReliefPose
from lab.simulator.motion import Blinks, Sway, Tremor
from lab.simulator.scene import SceneSettings


class Wandering:
    """A rigid movement around rest, each direction a ``Sway`` of its own."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        rms: ReliefPose,
        lowest: float = 0.12,
        highest: float = 1.1,
    ) -> None:
        """Draw the movement.

        Args:
            rms: Root mean square of each direction.
            lowest: Lowest frequency in hertz.
            highest: Highest frequency in hertz.
        """
        self._yaw, self._pitch, self._roll, self._x, self._y, self._approach = (
            Sway(rng, rms=value, lowest=lowest, highest=highest)
            for value in (rms.yaw, rms.pitch, rms.roll, rms.shift_x, rms.shift_y, rms.approach)
        )

    def at(self, time: float) -> ReliefPose:
        """Return the movement at ``time`` seconds."""
        return ReliefPose(
            yaw=self._yaw(time),
            pitch=self._pitch(time),
            roll=self._roll(time),
            shift_x=self._x(time),
            shift_y=self._y(time),
            approach=self._approach(time),
        )


_MOST_PRESSED_LIPS = -0.4


@dataclass(frozen=True, slots=True)
class PersonState:
    """The movements of a person at one moment.

    Attributes:
        head: Movement of the head relative to the phone.
        pan: Movement of the whole image by the trembling hand, pixels.
        closure: How far the lids are closed, 0..1.
        gaze: Movement of the irises, pixels.
        mouth: Movement of the mouth's corners, pixels.
        jaw: Movement of the jaw, pixels.
        brows: Movement of the brows, pixels.
        gap: How far the lower lip is lowered to open the mouth on request, pixels.
    """

    head: ReliefPose
    pan: tuple[float, float] = (0.0, 0.0)
    closure: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    mouth: float = 0.0
    jaw: float = 0.0
    brows: float = 0.0
    gap: float = 0.0


class Behaviour:
    """A person's movements over one scan, as a function of the time."""

    def __init__(self, settings: SceneSettings, rng: np.random.Generator, *, eye_distance: float) -> None:
        """Draw the movements.

        Args:
            eye_distance: Eye distance of this person in the frame, pixels.
        """
        motion, expression = settings.motion, settings.expression
        # People hold still to different degrees.
        lively = float(rng.uniform(0.6, 1.4))
        shift = lively * motion.shift * settings.width
        self._head = Wandering(
            rng,
            rms=ReliefPose(
                yaw=lively * motion.yaw_degrees,
                pitch=lively * motion.pitch_degrees,
                roll=lively * motion.roll_degrees,
                shift_x=shift,
                shift_y=shift,
                approach=lively * motion.approach,
            ),
        )
        self._pan = Tremor(rng, rms=motion.tremor * settings.width)
        mouth, brows = expression.mouth * eye_distance, expression.brows * eye_distance
        self._mouth = Sway(rng, rms=mouth, lowest=0.2, highest=1.5)
        self._jaw = Sway(rng, rms=mouth, lowest=0.2, highest=1.5)
        self._brows = Sway(rng, rms=brows, lowest=0.2, highest=1.5)
        gaze = expression.gaze * eye_distance
        self._gaze_x = Sway(rng, rms=gaze, lowest=0.3, highest=2.5)
        self._gaze_y = Sway(rng, rms=0.5 * gaze, lowest=0.3, highest=2.5)
        self._blinks = Blinks(
            rng,
            seconds=settings.seconds,
            longest_gap=expression.blink_gap_seconds,
            depth=expression.blink_depth,
        )

    def at(self, time: float) -> PersonState:
        """Return the state of the person at ``time`` seconds."""
        return PersonState(
            head=self._head.at(time),
            pan=self._pan(time),
            closure=self._blinks.closure(time),
            gaze=(self._gaze_x(time), self._gaze_y(time)),
            mouth=self._mouth(time),
            jaw=max(self._jaw(time), _MOST_PRESSED_LIPS),
            brows=self._brows(time),
        )
