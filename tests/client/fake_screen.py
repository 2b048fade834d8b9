"""A screen that records its steps, and shows them after a fixed delay."""

import asyncio
import time

from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import DisplayedStep

_DELAY_US = 5_000


class FakeScreen:
    """Implements `facegate_client.FlashScreen` over the monotonic clock, as recordings in real time do.

    Attributes:
        received: Number of each step and the loop's time at which it came; 0 for "back to normal".
        ovals: The oval changes.
        hints: The feedback.
    """

    def __init__(self, *, oval: bool = True, read: bool = False) -> None:
        self._oval = oval
        self._read = read
        self._shown: list[DisplayedStep] = []
        self.received: list[tuple[int, float]] = []
        self.ovals: list[scan_pb2.OvalChange] = []
        self.hints: list[feedback_pb2.Feedback] = []

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        return device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0)

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        drawn = (scan_pb2.CAPABILITY_OVAL_CHANGE,) if self._oval else ()
        gestures = scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD
        return (*drawn, *gestures) if self._read else drawn

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        self._tell(step.step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        self.ovals.append(change)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        self.hints.append(feedback)

    def restore(self) -> None:
        if self.received and self.received[-1][0]:
            self._tell(0)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        shown = [step for step in self._shown if step.since_us <= capture_time_us]
        return shown[-1] if shown and shown[-1].number else DisplayedStep()

    def _tell(self, number: int) -> None:
        self.received.append((number, asyncio.get_running_loop().time()))
        self._shown.append(DisplayedStep(number, time.monotonic_ns() // 1000 + _DELAY_US))
