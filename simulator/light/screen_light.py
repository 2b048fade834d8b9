"""The phone's screen over time: colours are set while the scan runs and appear a little later."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.knobs import knob, validate_knobs
from simulator.light.colour import linear_of_srgb

__all__ = ["PhoneSettings", "ScreenLight"]

_RECENT = 4
_AT_ONCE = 1e-6


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """The phone that the person holds: its screen as a lamp, and its delays.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    luminance: float = knob(400.0, 10.0, 2000.0, "luminance of a white screen, cd/m2")
    width_mm: float = knob(65.0, 30.0, 400.0, "width of the lit screen, millimetres")
    height_mm: float = knob(140.0, 30.0, 400.0, "height of the lit screen, millimetres")
    below_camera_mm: float = knob(
        8.0, 0.0, 100.0, "distance from the lens down to the screen's upper edge, millimetres"
    )
    coverage: float = knob(
        0.8, 0.05, 1.0, "share of the screen that shows the colour; the rest is the camera preview"
    )
    latency_seconds: float = knob(
        0.045, 0.0, 1.0, "from the instruction to the display time that the app reports"
    )
    latency_jitter_seconds: float = knob(0.006, 0.0, 0.5, "standard deviation of that latency")
    hidden_seconds: float = knob(0.025, 0.0, 0.5, "from the reported display time to real light")
    panel_seconds: float = knob(0.005, 0.0, 0.2, "time constant with which the panel changes its colour")
    refresh_hertz: float = knob(60.0, 24.0, 240.0, "refresh rate; a colour appears with a refresh")
    idle_grey: float = knob(64.0, 0.0, 255.0, "grey that is on display before the first colour, sRGB 0..255")

    def __post_init__(self) -> None:
        validate_knobs(self)


@dataclass(frozen=True, slots=True)
class _Shown:
    requested: float
    since: float
    scroll: float
    colour: NDArray[np.float64]
    idle: bool = False


class ScreenLight:
    """The screen of one phone during one scan.

    The app calls ``show`` and ``appeared``; the renderer reads the light that really appears at each time. A
    colour that scrolls enters at the top and covers the screen after ``scroll_seconds``.
    """

    def __init__(self, settings: PhoneSettings | None = None, *, seed: int = 0) -> None:
        """Switches the screen on.

        Args:
            settings: The phone; None for the default.
            seed: Draws the jitter of the display latency.
        """
        self._settings = settings or PhoneSettings()
        self._rng = np.random.default_rng(seed)
        grey = round(self._settings.idle_grey)
        self._idle = linear_of_srgb((grey, grey, grey))
        self._shown: list[_Shown] = []

    @property
    def settings(self) -> PhoneSettings:
        """The phone."""
        return self._settings

    def show(self, colour_srgb: tuple[int, int, int], *, at: float, scroll_seconds: float = 0.0) -> None:
        """Instructs the app to show a colour.

        Args:
            colour_srgb: Red, green, blue, 0..255.
            at: Simulated time of the call in seconds; calls must be in order of time.
            scroll_seconds: Time in which the colour moves from the top to the bottom; 0 shows it at once.
        """
        self._show(linear_of_srgb(colour_srgb), at=at, scroll_seconds=scroll_seconds)

    def restore(self, *, at: float) -> None:
        """Instructs the app to show the colour from before the flash; counts as a ``show`` call.

        Args:
            at: Simulated time of the call in seconds; in order with ``show``.
        """
        self._show(self._idle, at=at, idle=True)

    def flash_since(self, time: float) -> float | None:
        """Return when the flash that is on display at ``time`` began, as the app reports it.

        Returns:
            Seconds; None before a flash and after its end.
        """
        since = None
        for shown in self._shown:
            if shown.since > time:
                break
            since = None if shown.idle else since if since is not None else shown.since
        return since

    def _show(
        self, colour: NDArray[np.float64], *, at: float, scroll_seconds: float = 0.0, idle: bool = False
    ) -> None:
        phone = self._settings
        late = phone.latency_seconds + phone.latency_jitter_seconds * float(
            np.clip(self._rng.standard_normal(), -3, 3)
        )
        refresh = 1 / phone.refresh_hertz
        since = np.ceil((at + max(0.0, late)) / refresh) * refresh
        if self._shown:
            since = max(since, self._shown[-1].since + refresh)
        self._shown.append(
            _Shown(requested=at, since=float(since), scroll=scroll_seconds, colour=colour, idle=idle)
        )

    def appeared(self, time: float) -> tuple[int, float]:
        """Return the colour on display at ``time``, as the app reports it.

        The app does not know ``PhoneSettings.hidden_seconds``, the delay until the real light appears.

        Returns:
            The number of the ``show`` or ``restore`` call that set the colour, from 1, and the time at which
            the colour began to appear, in seconds; (0, 0.0) before the first.
        """
        for number in range(len(self._shown), 0, -1):
            since = self._shown[number - 1].since
            if since <= time:
                return number, since
        return 0, 0.0

    def bands(self, times: NDArray[np.float64], *, bands: int) -> NDArray[np.float64]:
        """Luminance of horizontal bands of the screen, top to bottom, in cd/m2.

        Args:
            times: Seconds, shape (n,).
            bands: Number of bands.

        Returns:
            Shape (n, bands, 3), linear blue-green-red; white has the settings' luminance in each channel.
        """
        begun = [(shown.since + self._settings.hidden_seconds, shown) for shown in self._shown]
        return self._light(begun, times, bands, panel_seconds=self._settings.panel_seconds)

    def undelayed_bands(self, times: NDArray[np.float64], *, bands: int) -> NDArray[np.float64]:
        """Return the result of ``bands`` without delay, which an attacker who controls the app knows."""
        return self._light(
            [(shown.requested, shown) for shown in self._shown], times, bands, panel_seconds=0.0
        )

    def idle_bands(self, *, bands: int) -> NDArray[np.float64]:
        """Return the luminance of the bands before the first colour, shape (bands, 3)."""
        lit = self._settings.luminance * self._settings.coverage
        return np.broadcast_to(self._idle * lit, (bands, 3)).copy()

    def _light(
        self,
        begun: list[tuple[float, _Shown]],
        times: NDArray[np.float64],
        bands: int,
        *,
        panel_seconds: float,
    ) -> NDArray[np.float64]:
        phone, latest = self._settings, float(times.max())
        light = np.broadcast_to(self._idle, (len(times), bands, 3)).copy()
        seen = [entry for entry in begun if entry[0] <= latest]
        if len(seen) > _RECENT:
            light[:] = seen[-_RECENT - 1][1].colour
        for begin, shown in seen[-_RECENT:]:
            start = begin + shown.scroll / bands * np.arange(bands)
            into = times[:, None] - start
            swept = np.clip((into + _AT_ONCE) / max(shown.scroll / bands, _AT_ONCE), 0, 1)
            risen = 1 - np.exp(-np.maximum(into, 0) / panel_seconds) if panel_seconds > 0 else 1.0
            light += (swept * risen)[..., None] * (shown.colour - light)
        return light * (phone.luminance * phone.coverage)
