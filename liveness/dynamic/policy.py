"""What a policy asks of the screen-flash challenge, and what it offers to whom the flash cannot serve.

**People who must not see flashes.** The flash stays far below the limits of WCAG 2.2, 2.3.1 (see
``challenge.palette``), but no limit excludes every seizure or migraine. So nobody is made to look at
it:

* a device whose owner asked for less flashing or motion does not announce that it can flash, and the person
  can decline before the first colour;
* what they get instead is the policy's ``without_flash``: ``EXPRESS`` scans them passively, and the result
  names the mode that was used; ``REFUSED`` ends the scan before any frame, so that the customer can offer
  another way (another policy, a counter, a call);
* a policy that demands the flash (``demanded``) gives no SUCCESS without it, whatever it offers instead. Such
  a policy shuts out photosensitive people, so its owner has to serve them by another.

**A rigid mask is lit as a face is**, so that no light tells it from one. A policy may take a blink besides
(``blink``). Most people blink of themselves in the seconds of a flash; who has not by its middle is asked to,
and waited for at its end. It stops stiff masks and whole prints, and neither eye holes nor recordings. It
also stops people who cannot close their eyes: the owner of such a policy has to serve them by another.

**A print that is cut out and worn may be lit as a face is, too**, and its wearer's eyes blink. A policy may
take depth besides (``depth``): a nose that stands out as the head moves, which no sheet has however it is
bent. Most heads move enough of themselves; whoever's does not is asked to turn it a little. Where the light
cannot say what it lies on, as in the dark, every policy takes it.

**A fallback is not an easier way in.** Light that drowns the screen's is the only thing that leads to it,
anybody can bring a lamp, and so whoever names a fallback accepts its strength for everybody. The result says
which mode was used.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from liveness.errors import LivenessPolicyError

__all__ = ["BitFloor", "DynamicPolicy", "NextStep", "WithoutFlash"]


class BitFloor(IntEnum):
    """Bits that must be verified for SUCCESS: a blind guess succeeds in one of 2 to their power attempts."""

    LOW = 10
    STANDARD = 12
    HIGH = 16


class NextStep(StrEnum):
    """What follows where the light does not let the flash be measured."""

    NONE = "NONE"
    """Nothing: the attempt is inconclusive, with the hint to find less light."""
    MOVEMENT = "MOVEMENT"
    """The movement challenge, in the same stream."""


class WithoutFlash(StrEnum):
    """What a person gets who must not see flashes, or whose device cannot show them."""

    REFUSED = "REFUSED"
    """No scan."""
    EXPRESS = "EXPRESS"
    """A passive scan."""


@dataclass(frozen=True, slots=True)
class DynamicPolicy:
    """Limits of the challenge.

    Attributes:
        minimum_bits: Verified bits, net of chance (``challenge.entropy.bits_beyond_chance``), below
            which the answer is inconclusive: 10 to 20; ``BitFloor`` names three of them.
        demanded: Whether nothing but the flash gives SUCCESS.
        fallback: Where the light does not let the flash be measured.
        without_flash: For people who must not see flashes.
        maximum_steps: Most coloured steps of one attempt, those included that stand in for disturbed ones;
            the lead-in and the closing step are not counted.
        maximum_seconds: Longest flash challenge, pauses included, seconds.
        blink: Whether LIVE takes a blink that was seen during the flash.
        blink_patience_seconds: How long a person is waited for who was asked to blink and has not when the
            colours are proven, seconds; at 0 nobody is asked.
        depth: Whether LIVE takes a head's depth in motion in any light, not only where the light cannot say
            what it lies on.
        depth_patience_seconds: The same for who was asked to turn the head, seconds.
        light_patience_seconds: How long the light may stay unmeasurable, from the first hint on, before the
            fallback begins.

    Raises:
        LivenessPolicyError: A limit is out of its range, or a fallback is named that cannot give SUCCESS.
    """

    minimum_bits: float = float(BitFloor.STANDARD)
    demanded: bool = False
    fallback: NextStep = NextStep.NONE
    without_flash: WithoutFlash = WithoutFlash.REFUSED
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
        if not 4 <= self.maximum_steps <= 40:
            raise LivenessPolicyError(f"maximum_steps is {self.maximum_steps}; it must be 4 to 40")
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
        if self.demanded and (
            self.fallback is not NextStep.NONE or self.without_flash is not WithoutFlash.REFUSED
        ):
            raise LivenessPolicyError(
                "a policy that demands the flash offers nothing else: it could not succeed"
            )
