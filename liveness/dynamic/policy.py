"""The policy of the flash challenge, whose blink the movement challenge demands, too.

**People who must not see flashes.** The flash stays far below the limits of WCAG 2.2, 2.3.1 (see
``challenge.steps``), but no limit excludes every seizure or migraine. A device whose owner asked for less
flashing or motion does not announce that it can flash, and the person can decline before the first colour.
What follows is up to the caller: another challenge, or none. A check that demands the flash excludes
photosensitive people, so its owner must serve them by another policy.

**Blink.** A rigid mask reflects light as a face does, so the flash cannot detect it. A policy may also
require a blink (``blink``). Most people blink unprompted within the seconds of a flash; a person who has not
blinked by its middle is asked to, and the challenge waits at its end. A required blink stops stiff masks and
whole prints, but neither prints with eye holes nor recordings. It also stops people who cannot close their
eyes; the owner of such a policy must serve them by another.

**Depth.** A cut-out may be lit as a face is, and its wearer's eyes blink. A policy may also require depth
(``depth``): the nose moves against the rest of the face as the head moves, which no sheet reproduces,
however it is bent. Most heads move enough unprompted; otherwise the person is asked to turn the head a
little. If the light does not show the shape of the surface, as in the dark, every policy requires depth.

**Falling back.** Only light that drowns the screen's leads to another challenge, and an attacker can bring a
lamp. Whoever names another one therefore accepts its strength for every check. The result says which mode was
used.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from liveness.errors import LivenessPolicyError


class BitFloor(IntEnum):
    """The bits that SUCCESS requires: a blind guess of b bits succeeds in 1 of 2^b attempts."""

    LOW = 10
    STANDARD = 12
    HIGH = 16


@dataclass(frozen=True, slots=True)
class DynamicPolicy:
    """The settings of the flash challenge.

    Attributes:
        minimum_bits: Verified bits, net of chance (``challenge.script.bits_beyond_chance``), below
            which the answer is inconclusive: 10 to 20; ``BitFloor`` names three of them.
        falls_back: Whether another challenge follows, in the next attempt, if the light does not let the
            flash be measured. Otherwise the attempt is inconclusive, with the hint to find less light.
        maximum_steps: The most coloured steps of one attempt, including replacements of disturbed steps,
            without the lead-in and the closing step: 4 to 14, because devices show no more than 16 steps.
        maximum_seconds: The longest flash challenge, including pauses, seconds.
        blink: Whether LIVE requires a blink.
        blink_patience_seconds: How long the challenge waits for a requested blink once the colours are
            proven, seconds; at 0 no blink is requested.
        depth: Whether LIVE requires depth from the head's motion in any light, not only in light that does
            not show the shape of the surface.
        depth_patience_seconds: The same for a requested turn of the head, seconds.
        light_patience_seconds: How long the light may stay unmeasurable after the first hint, without a right
            answer, before the attempt ends, seconds.

    Raises:
        LivenessPolicyError: A setting is out of range.
    """

    minimum_bits: float = float(BitFloor.STANDARD)
    falls_back: bool = False
    maximum_steps: int = 14
    maximum_seconds: float = 15.0
    light_patience_seconds: float = 3.0
    blink: bool = False
    blink_patience_seconds: float = 5.0
    depth: bool = False
    depth_patience_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not BitFloor.LOW <= self.minimum_bits <= 20:
            raise LivenessPolicyError(f"minimum_bits is {self.minimum_bits}; it must be 10 to 20")
        if not 4 <= self.maximum_steps <= 14:
            raise LivenessPolicyError(f"maximum_steps is {self.maximum_steps}; it must be 4 to 14")
        if not 3 <= self.maximum_seconds <= 60:
            raise LivenessPolicyError(f"maximum_seconds is {self.maximum_seconds}; it must be 3 to 60")
        if not 0 <= self.light_patience_seconds <= 30:
            raise LivenessPolicyError(
                f"light_patience_seconds is {self.light_patience_seconds}; it must be 0 to 30"
            )
        if not 0 <= self.blink_patience_seconds <= 30:
            raise LivenessPolicyError(
                f"blink_patience_seconds is {self.blink_patience_seconds}; it must be 0 to 30"
            )
        if not 0 <= self.depth_patience_seconds <= 30:
            raise LivenessPolicyError(
                f"depth_patience_seconds is {self.depth_patience_seconds}; it must be 0 to 30"
            )


class ChallengeFinding(StrEnum):
    """Whether a real face answered the challenge."""

    RIGHT = "RIGHT"
    """The answer is the one that a real face gives to this challenge."""
    WRONG = "WRONG"
    """An answer was measured that contradicts the challenge, or a real face."""
    ABSENT = "ABSENT"
    """An answer would have been measurable, and there is none."""
    NOT_MEASURABLE = "NOT_MEASURABLE"
    """The conditions do not allow a measurement. This counts neither for life nor against it."""
