"""The interface of a screen that the scanner uses during a scan, real or simulated."""

from dataclasses import dataclass
from typing import Protocol

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

__all__ = ["DisplayedStep", "FlashScreen"]


@dataclass(frozen=True, slots=True)
class DisplayedStep:
    """The flash step on the screen at one moment.

    Attributes:
        number: Number of the flash step; 0 for none.
        since_us: When it appeared on the display, microseconds of the capture clock; 0 for none.
    """

    number: int = 0
    since_us: int = 0


class FlashScreen(Protocol):
    """A screen that can be filled with a colour, and reports when the colour appeared.

    The scanner decides when each colour is shown and keeps it for as long as the protocol demands; the screen
    only shows it. All methods return at once and are called in the event loop.
    """

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The screen's profile for ScanStart."""
        ...

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """Further capabilities beside CAPABILITY_FLASH.

        CAPABILITY_FLASH_SCROLL, CAPABILITY_OVAL_CHANGE; CAPABILITY_OPEN_MOUTH and CAPABILITY_TURN_HEAD if a
        person reads the hints.
        """
        ...

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Replaces the shown colour by that of a step, now."""
        ...

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Moves the oval, over the change's transition."""
        ...

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Shows the person the state of the capture and a hint, during colours beside them."""
        ...

    def restore(self) -> None:
        """Returns the screen to normal. Safe to call if it is normal already."""
        ...

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the flash step that was on the screen when an image was captured.

        Args:
            capture_time_us: The image's capture time, microseconds of the capture clock.
        """
        ...
