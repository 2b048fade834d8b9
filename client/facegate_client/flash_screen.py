"""The screen of the phone during a scan: the contract that real displays and simulated ones share."""

from dataclasses import dataclass
from typing import Protocol

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

__all__ = ["DisplayedStep", "FlashScreen"]


@dataclass(frozen=True, slots=True)
class DisplayedStep:
    """What was on the screen at one moment.

    Attributes:
        number: Number of the flash step; 0 for none.
        since_us: When it really appeared, microseconds of the capture clock; 0 for none.
    """

    number: int = 0
    since_us: int = 0


class FlashScreen(Protocol):
    """A screen that can be filled with a colour, and knows when the colour appeared.

    The scanner says when to show what; it keeps every colour for as long as the protocol demands, so that
    a screen only has to show. All methods return at once and are called in the event loop.
    """

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """What the screen says of itself in ScanStart."""
        ...

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """What it can do beside CAPABILITY_FLASH: CAPABILITY_FLASH_SCROLL, CAPABILITY_OVAL_CHANGE."""
        ...

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Replaces what is shown by a step's colour, now."""
        ...

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Moves the oval, over the change's transition."""
        ...

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Tells the person how the capture goes and what to do, in attempts that use the screen."""
        ...

    def restore(self) -> None:
        """Lets the screen return to normal; may be called when it is normal already."""
        ...

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """What was on the screen when an image was captured.

        Args:
            capture_time_us: The image's capture time, microseconds of the capture clock.
        """
        ...
