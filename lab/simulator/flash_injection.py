"""Makes injected frames that imitate the light of the flash: tinted, or relit in real time.

The attacker has a genuine video of the victim, filmed without a flash, and reads each colour when the app is
instructed to show it. This attacker knows the room of the video and tracks the face without error, which a
real one cannot do. `InjectionSettings` limits the attacker's other capabilities.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.camera import SimulatedFrame
from lab.simulator.flash_settings import InjectionSettings
from lab.simulator.geometry import Relief
from lab.simulator.light.phone_camera import ToneCurve, tone_table
from lab.simulator.light.scene import BANDS, Subject, SubjectView
from lab.simulator.light.sources import Ambient, ScreenLight, from_linear, linear_table
from lab.simulator.light.surface import LitSurface
from vision.face import BgrImage

_TINT = 0.15
_CODED_GAIN = 0.45
_MOST_LIGHT = 30.0
_EXPOSURE_SECONDS = 0.4


class RecordingSubject:
    """A subject that keeps its last view, from which the attacker tracks the face."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.relief = subject.relief
        self.material = subject.material
        self.millimetres_per_pixel = subject.millimetres_per_pixel
        self.backdrop = subject.backdrop
        self.last: SubjectView | None = None

    def render(self, time: float) -> SubjectView:
        """Return the view of the subject, and keep it."""
        self.last = self._subject.render(time)
        return self.last


class _Delay:
    """The delay between the instruction to show a colour and the frame that imitates it."""

    def __init__(self, settings: InjectionSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._rng = rng

    def before(self, time: float) -> float:
        drawn = self._settings.latency_jitter_seconds * float(np.clip(self._rng.standard_normal(), -3, 3))
        return time - max(0.0, self._settings.latency_seconds + drawn)


def tint(
    frames: Iterator[SimulatedFrame],
    settings: InjectionSettings,
    screen: ScreenLight,
    rng: np.random.Generator,
) -> Iterator[SimulatedFrame]:
    """Blend the colour into each whole frame: 15 % of it at strength 1."""
    delay = _Delay(settings, rng)
    share = min(1.0, _TINT * settings.strength)
    for frame in frames:
        lamp = screen.undelayed_bands(np.array([delay.before(frame.capture_time)]), bands=1)[0, 0]
        phone = screen.settings
        colour = from_linear(lamp / (phone.luminance * phone.coverage))
        sheet = np.broadcast_to(colour, frame.pixels.shape)
        tinted = cv2.addWeighted(frame.pixels, 1 - share, np.ascontiguousarray(sheet), share, 0.0)
        yield SimulatedFrame(np.asarray(tinted, np.uint8), frame.capture_time, frame.exposure)


def relight(
    frames: Iterator[SimulatedFrame],
    settings: InjectionSettings,
    screen: ScreenLight,
    rng: np.random.Generator,
    *,
    subject: RecordingSubject,
    relief: Relief,
    surface: LitSurface,
    ambient: Ambient,
    face_pixels: float,
    exposure_locked: Callable[[float], bool],
) -> Iterator[SimulatedFrame]:
    """Multiply the face by the light that the colour on display would have added.

    Args:
        frames: The clean video.
        settings: The capabilities of the attacker.
        screen: The screen, read when a colour is set.
        rng: Draws the latency's jitter.
        subject: The person of the video, as tracked.
        relief: The shape that the attacker relights with.
        surface: The attacker's model of how it is lit.
        ambient: The room of the video.
        face_pixels: Width of the face.
        exposure_locked: Whether the imitated camera has its exposure locked at a time.
    """
    delay, exposure = _Delay(settings, rng), _Exposure(locked=exposure_locked)
    room = (ambient.lux * ambient.colour).astype(np.float32)
    for frame in frames:
        view = subject.last
        if view is None:
            raise AssertionError("the video is filmed from this subject")
        imagined = replace(view.sight, space=relief.positions(view.placement))
        answer = surface.maps(imagined).diffuse
        cover = cv2.resize(view.layer[..., 3], answer.shape[1::-1], interpolation=cv2.INTER_AREA)
        if not settings.shadowing:
            answer = np.broadcast_to(answer[cover > 200].mean(axis=0), answer.shape)
        known = np.array([delay.before(frame.capture_time)])
        lamp = settings.strength * screen.undelayed_bands(known, bands=BANDS)[0].astype(np.float32)
        idle = settings.strength * screen.idle_bands(bands=BANDS).astype(np.float32)
        ratio = (room + answer @ lamp) / (room + answer @ idle)
        ratio = 1 + (ratio - 1) * (cover.astype(np.float32) / 255)[..., None]
        if settings.blur > 0:
            ratio = cv2.GaussianBlur(ratio, (0, 0), max(0.3, settings.blur * face_pixels / 4))
        pixels = _put_on(frame, np.minimum(ratio, _MOST_LIGHT), exposure, linear=settings.linear)
        yield SimulatedFrame(pixels, frame.capture_time, frame.exposure)


def _put_on(
    frame: SimulatedFrame, ratio: NDArray[np.float32], exposure: "_Exposure", *, linear: bool
) -> BgrImage:
    size = (frame.pixels.shape[1], frame.pixels.shape[0])
    large = np.asarray(cv2.resize(ratio, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    if linear:
        light = np.asarray(cv2.multiply(cv2.LUT(frame.pixels, linear_table()), large), dtype=np.float32)
    else:
        coded = frame.pixels.astype(np.float32) * (1 + _CODED_GAIN * (large - 1))
        light = np.asarray(cv2.LUT(np.clip(coded, 0, 255).astype(np.uint8), linear_table()), np.float32)
    factor = 65535.0 * exposure.gain(light, frame.capture_time)
    levels = cv2.addWeighted(light, factor, light, 0.0, 0.0, dtype=cv2.CV_16U)  # rounds and clips
    return np.asarray(cv2.LUT(levels, tone_table(ToneCurve.SRGB)), dtype=np.uint8)


class _Exposure:
    """The exposure loop that the attacker imitates: the mean of the face returns to its former value."""

    def __init__(self, *, locked: Callable[[float], bool]) -> None:
        self._locked = locked
        self._gain = 1.0
        self._mean: float | None = None
        self._time = 0.0

    def gain(self, light: NDArray[np.float32], time: float) -> float:
        tall, wide = light.shape[:2]
        middle = light[tall // 4 : -tall // 4 : 8, wide // 4 : -wide // 4 : 8]
        mean = max(1e-4, float(middle[..., 1].mean()))
        if self._mean is None:
            self._mean = mean
        gain, passed = self._gain, time - self._time
        self._time = time
        if self._locked(time):
            return gain
        self._gain *= (self._mean / (mean * gain)) ** (1 - np.exp(-passed / _EXPOSURE_SECONDS))
        return gain
