"""The screen of a simulated phone, and the steps on its display."""

from facegate.v1 import device_pb2, scan_pb2

from cli.simulated.phone_time import PhoneTime
from facegate_client import DisplayedStep
from simulator import ScreenLight

__all__ = ["PhoneScreen"]

_NOTHING = 0
_PIXELS_PER_MM = 16.0


class PhoneScreen:
    """A screen that lights the face in front of it."""

    def __init__(self, light: ScreenLight, time: PhoneTime) -> None:
        """Shows the app's content before a flash.

        Args:
            light: The light of the screen.
            time: The time of the phone.
        """
        self._light = light
        self._time = time
        self._steps: list[int] = []
        self._since_us: dict[int, int] = {}

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        """The profile of the screen."""
        phone = self._light.settings
        return device_pb2.ScreenProfile(
            width=round(phone.width_mm * _PIXELS_PER_MM),
            height=round(phone.height_mm * _PIXELS_PER_MM),
            brightness=1.0,
            refresh_rate_hz=phone.refresh_hertz,
            width_mm=phone.width_mm,
            height_mm=phone.height_mm,
        )

    def show(self, step: scan_pb2.FlashStep) -> None:
        """Shows a colour from now on."""
        scroll_s = 0.0
        if step.transition == scan_pb2.TRANSITION_SCROLL_DOWN:
            duration = step.transition_duration
            scroll_s = duration.seconds + duration.nanos / 1e9
        colour = (step.color.red, step.color.green, step.color.blue)
        self._steps.append(step.step)
        self._light.show(colour, at=self._time.now, scroll_seconds=scroll_s)

    def restore(self) -> None:
        """Restores the content before the flash."""
        if self._steps and self._steps[-1] != _NOTHING:
            self._steps.append(_NOTHING)
            self._light.restore(at=self._time.now)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        """Returns the step on display at the capture of a frame, as the app knows it."""
        number, since = self._light.appeared(self._time.simulated(capture_time_us))
        step = self._steps[number - 1] if number else _NOTHING
        if step == _NOTHING:
            return DisplayedStep()
        return DisplayedStep(step, self._since_us.setdefault(number, self._time.captured(since)))
