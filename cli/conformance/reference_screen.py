"""The screen of the reference client: it shows nothing, but knows when each colour would have appeared."""

import time
from typing import Final

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import DisplayedStep

__all__ = ["ReferenceScreen"]

_DELAY_US: Final = 16_667
"""A display of 60 Hz shows a colour with its next picture."""


class ReferenceScreen:
    """A screen that can show colours and ovals; see `facegate_client.FlashScreen`."""

    def __init__(self) -> None:
        self._shown: list[DisplayedStep] = []

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The screen's profile."""
        return device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0, refresh_rate_hz=60.0)

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        """The screen's capabilities beside the flash."""
        return (
            scan_pb2.CAPABILITY_OVAL_CHANGE,
            scan_pb2.CAPABILITY_OPEN_MOUTH,
            scan_pb2.CAPABILITY_TURN_HEAD,
        )

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        """Shows a colour."""
        self._show(step.step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        """Moves the oval."""

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        """Shows a hint."""

    def restore(self) -> None:
        """Shows the app's content again."""
        if self._shown and self._shown[-1].number:
            self._show(0)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on the screen at a time of the capture clock."""
        shown = [step for step in self._shown if step.since_us <= capture_time_us]
        return shown[-1] if shown and shown[-1].number else DisplayedStep()

    def _show(self, number: int) -> None:
        self._shown.append(DisplayedStep(number, time.monotonic_ns() // 1000 + _DELAY_US))
