"""The light: its colours, the presets of ambient light, and the phone's screen over time and as an area.

Arrays here are in OpenCV's order, blue-green-red, because the frames are.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lab.simulator.knobs import knob, validate_knobs

_LUMINANCE = np.array((0.0722, 0.7152, 0.2126))
# CIE XYZ to linear sRGB (IEC 61966-2-1).
_TO_RGB = np.array(
    ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570)), dtype=np.float64
)
# Absorption of melanin at about 460, 540 and 620 nm against 540 nm: the power law -3.33 of Jacques 2013,
# "Optical properties of biological tissues: a review".
_MELANIN = np.array((1.71, 1.0, 0.63))
_DEEPEST_MELANIN = 1.4


@cache
def linear_table() -> NDArray[np.float32]:
    """Return the linear light 0..1 of each 8-bit sRGB value (IEC 61966-2-1), shape (256,)."""
    value = np.arange(256) / 255
    table = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    table.flags.writeable = False
    return table


def from_linear(light: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the 8-bit sRGB of linear light; values outside 0..1 are clipped."""
    value = np.clip(light, 0, 1)
    coded = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(coded * 255), dtype=np.uint8)


def linear_of_srgb(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the linear blue-green-red 0..1 of a red-green-blue sRGB triple 0..255."""
    return linear_table()[list(reversed(colour))].astype(np.float64)


def luminance(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the relative luminance of linear blue-green-red light in the last axis (ITU-R BT.709)."""
    result: NDArray[np.float64] = light @ _LUMINANCE
    return result


def kelvin_colour(kelvin: float) -> NDArray[np.float64]:
    """Return the linear blue-green-red colour of luminance 1 for light of a colour temperature.

    The cubic approximation of the Planckian locus by Kim et al. 2002 (US patent 7024034), which holds from
    1667 to 25000 K.
    """
    t = 1000.0 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    rgb = _TO_RGB @ np.array((x / y, 1.0, (1 - x - y) / y))
    colour = np.clip(rgb[::-1], 0.01, None)
    return np.asarray(colour / luminance(colour), dtype=np.float64)


def melanin_factor(amount: float) -> NDArray[np.float64]:
    """Return the factor on the albedo for ``amount`` (0..1) of added melanin, blue-green-red.

    Beer-Lambert with the colour of melanin; 1 reduces light skin to about a quarter of its luminance.
    """
    return np.asarray(np.exp(-_DEEPEST_MELANIN * amount * _MELANIN), dtype=np.float64)


_MAINS_HERTZ = 100.0
_WIDEST_AZIMUTH = 45.0
_SKY = np.float32(0.6)


class AmbientPreset(StrEnum):
    """The surroundings of the person."""

    DARK = "dark"
    """A room at night with a far lamp: 5 lx."""
    INDOOR = "indoor"
    """A living room: 150 lx, warm."""
    OFFICE = "office"
    """Ceiling panels: 400 lx, neutral."""
    SHADE = "shade"
    """Outdoors in the shade: 3000 lx, bluish, from all over the sky."""
    SUN = "sun"
    """Outdoors in the sun: 30 000 lx, from one direction."""


@dataclass(frozen=True, slots=True)
class _Preset:
    lux: float
    kelvin: float
    diffuse: float
    elevation: tuple[float, float]
    flicker: float


_PRESETS = {
    AmbientPreset.DARK: _Preset(5.0, 2900.0, 0.7, (10.0, 60.0), 0.03),
    AmbientPreset.INDOOR: _Preset(150.0, 3200.0, 0.65, (20.0, 60.0), 0.03),
    AmbientPreset.OFFICE: _Preset(400.0, 4100.0, 0.8, (40.0, 70.0), 0.02),
    AmbientPreset.SHADE: _Preset(3000.0, 7000.0, 0.9, (30.0, 70.0), 0.0),
    AmbientPreset.SUN: _Preset(30000.0, 5500.0, 0.35, (25.0, 60.0), 0.0),
}


@dataclass(frozen=True, slots=True)
class AmbientSettings:
    """The surrounding light.

    Attributes:
        preset: The surroundings: 5 lx, 150, 400, 3000 and 30 000.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    preset: AmbientPreset = AmbientPreset.INDOOR
    lux: float | None = knob(None, 0.1, 100_000.0)
    """Illuminance on the front of the face in lux instead of the preset's."""
    kelvin: float | None = knob(None, 1700.0, 20_000.0)
    """Colour temperature in kelvin instead of the preset's."""

    def __post_init__(self) -> None:
        validate_knobs(self)


class Ambient:
    """Steady light, from one dominant direction and from all sides, more from above than from below.

    Its illuminance is that of a surface that faces the camera, so that it can be compared with the screen's.
    The light from all sides is a constant plus a term that rises linearly with the vertical direction.
    """

    def __init__(self, settings: AmbientSettings, rng: np.random.Generator) -> None:
        """Draw direction, and the preset's illuminance and colour within 15 %."""
        preset = _PRESETS[settings.preset]
        drawn_lux = preset.lux * float(np.exp(0.15 * rng.uniform(-1, 1)))
        drawn_kelvin = preset.kelvin * float(np.exp(0.08 * rng.uniform(-1, 1)))
        self.lux = drawn_lux if settings.lux is None else settings.lux
        """Illuminance on the front of the face."""
        self.colour = kelvin_colour(drawn_kelvin if settings.kelvin is None else settings.kelvin)
        """Linear blue-green-red of luminance 1, shape (3,)."""
        elevation = np.deg2rad(rng.uniform(*preset.elevation))
        azimuth = np.deg2rad(rng.uniform(-_WIDEST_AZIMUTH, _WIDEST_AZIMUTH))
        # x right, y down, z from the face towards the camera.
        direction = np.array(
            (np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth))
        )
        self._direction = direction.astype(np.float32)
        self._diffuse = preset.diffuse
        self._flicker = preset.flicker * float(rng.uniform(0, 1))
        self._phase = float(rng.uniform(0, 2 * np.pi))

    def irradiance(self, normals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the illuminance in lux of surfaces with unit ``normals``, shape (..., 3) to (...)."""
        along = normals @ self._direction
        front = float(self._direction[2])
        sky = 1 - _SKY * normals[..., 1]
        share = self._diffuse * sky + (1 - self._diffuse) / front * np.maximum(along, 0)
        return np.asarray(self.lux * share, dtype=np.float32)

    def flicker(self, times: NDArray[np.float64], *, exposure: float = 0.0) -> NDArray[np.float64]:
        """Return the factor on the illuminance; lamps on 50 Hz mains flicker at 100 Hz.

        Args:
            times: Starts of the exposures, seconds.
            exposure: Time over which the factor is averaged, seconds.
        """
        depth = self._flicker * np.sinc(_MAINS_HERTZ * exposure)
        middle = times + exposure / 2
        return np.asarray(1 + depth * np.sin(2 * np.pi * _MAINS_HERTZ * middle + self._phase))


_RECENT = 4
_AT_ONCE = 1e-6


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """The phone that the person holds: its screen as a lamp, and its delays.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    luminance: float = knob(400.0, 10.0, 2000.0)
    """Luminance of a white screen, cd/m2."""
    width_mm: float = knob(65.0, 30.0, 400.0)
    """Width of the lit screen, millimetres."""
    height_mm: float = knob(140.0, 30.0, 400.0)
    """Height of the lit screen, millimetres."""
    below_camera_mm: float = knob(8.0, 0.0, 100.0)
    """Distance from the lens down to the screen's upper edge, millimetres."""
    coverage: float = knob(0.8, 0.05, 1.0)
    """Share of the screen that shows the colour; the rest is the camera preview."""
    latency_seconds: float = knob(0.045, 0.0, 1.0)
    """From the instruction to the display time that the app reports."""
    latency_jitter_seconds: float = knob(0.006, 0.0, 0.5)
    """Standard deviation of that latency."""
    hidden_seconds: float = knob(0.025, 0.0, 0.5)
    """From the reported display time to real light."""
    panel_seconds: float = knob(0.005, 0.0, 0.2)
    """Time constant with which the panel changes its colour."""
    refresh_hertz: float = knob(60.0, 24.0, 240.0)
    """Refresh rate; a colour appears with a refresh."""
    idle_grey: float = knob(64.0, 0.0, 255.0)
    """Grey that is on display before the first colour, sRGB 0..255."""

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
        """Switch the screen on.

        Args:
            settings: The phone; None for the default.
            seed: Draws the jitter of the display latency.
        """
        self.settings = settings or PhoneSettings()
        """The phone."""
        self._rng = np.random.default_rng(seed)
        grey = round(self.settings.idle_grey)
        self._idle = linear_of_srgb((grey, grey, grey))
        self._shown: list[_Shown] = []

    def show(self, colour_srgb: tuple[int, int, int], *, at: float, scroll_seconds: float = 0.0) -> None:
        """Instruct the app to show a colour.

        Args:
            colour_srgb: Red, green, blue, 0..255.
            at: Simulated time of the call in seconds; calls must be in order of time.
            scroll_seconds: Time in which the colour moves from the top to the bottom; 0 shows it at once.
        """
        self._show(linear_of_srgb(colour_srgb), at=at, scroll_seconds=scroll_seconds)

    def restore(self, *, at: float) -> None:
        """Instruct the app to show the colour from before the flash; it counts as a ``show`` call.

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
        phone = self.settings
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

        Returns:
            Shape (n, bands, 3), linear blue-green-red; white has the settings' luminance in each channel.
        """
        begun = [(shown.since + self.settings.hidden_seconds, shown) for shown in self._shown]
        return self._light(begun, times, bands, panel_seconds=self.settings.panel_seconds)

    def undelayed_bands(self, times: NDArray[np.float64], *, bands: int) -> NDArray[np.float64]:
        """Return the result of ``bands`` without delay, which an attacker who controls the app knows."""
        return self._light(
            [(shown.requested, shown) for shown in self._shown], times, bands, panel_seconds=0.0
        )

    def idle_bands(self, *, bands: int) -> NDArray[np.float64]:
        """Return the luminance of the bands before the first colour, shape (bands, 3)."""
        lit = self.settings.luminance * self.settings.coverage
        return np.broadcast_to(self._idle * lit, (bands, 3)).copy()

    def _light(
        self,
        begun: list[tuple[float, _Shown]],
        times: NDArray[np.float64],
        bands: int,
        *,
        panel_seconds: float,
    ) -> NDArray[np.float64]:
        phone, latest = self.settings, float(times.max())
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


FloatMap = NDArray[np.float32]
_NEAREST = 1e-6
_DIRECTIVITY = 1.5
"""Luminance is proportional to this power of the cosine of the angle of emission."""


class Emission(StrEnum):
    """How the light of a band is summed."""

    POINTS = "points"
    """Two points per band with inverse-square fall-off and the cosine of emission."""
    AREA = "area"
    """The exact integral over the band's rectangle (Lambert's formula for a polygon)."""
    DIRECTED = "directed"
    """Six points per band, as bright straight ahead and darker at an angle, as a liquid crystal display: half
    as bright at 51 degrees."""


@dataclass(frozen=True, slots=True)
class AreaLight:
    """A rectangle in the plane of the lens that faces the scene, cut into horizontal bands.

    Attributes:
        phone: The phone, with the size of the screen and its place below the lens.
        bands: Number of bands, top to bottom.
        emission: How their light is summed.
    """

    phone: PhoneSettings
    bands: int
    emission: Emission

    def vectors(self, x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
        """Return the vector irradiance of each band for a luminance of 1 cd/m2, in lux.

        Its dot product with a surface's normal is the illuminance of that surface, as long as the whole
        band is above the surface's horizon.

        Args:
            x: Places to the right of the lens, millimetres; all three arguments have the same shape.
            y: Places below the lens, millimetres.
            z: Height of the places towards the lens: the lens is at 0, places in front of it are negative.

        Returns:
            Shape (bands, 3, *shape): vectors towards the light, x, y and z.
        """
        match self.emission:
            case Emission.POINTS:
                return self._of_points(x, y, z, across=2)
            case Emission.DIRECTED:
                return self._of_points(x, y, z, across=6, directivity=_DIRECTIVITY)
            case Emission.AREA:
                return self._of_rectangles(x, y, z)

    def middles(self) -> NDArray[np.float32]:
        """Height of each band's middle below the lens, millimetres."""
        edges = self._edges()
        return np.asarray((edges[:-1] + edges[1:]) / 2, dtype=np.float32)

    def _edges(self) -> NDArray[np.float32]:
        phone = self.phone
        share = np.arange(self.bands + 1, dtype=np.float32) / self.bands
        return np.asarray(phone.below_camera_mm + phone.height_mm * share, dtype=np.float32)

    def _of_points(
        self, x: FloatMap, y: FloatMap, z: FloatMap, *, across: int, directivity: float = 0.0
    ) -> NDArray[np.float32]:
        area = self.phone.width_mm * self.phone.height_mm / self.bands / across
        sides = (np.arange(across) + 0.5) / across - 0.5
        result = np.zeros((self.bands, 3, *x.shape), np.float32)
        for band, middle in enumerate(self.middles()):
            for side in sides:
                to_x, to_y = np.float32(side * self.phone.width_mm) - x, middle - y
                squared = np.maximum(to_x * to_x + to_y * to_y + z * z, _NEAREST)
                # cos(emission) / d2 along the unit vector: one power of the distance for each, two for the
                # fall-off.
                share = np.float32(area) * np.maximum(-z, 0) / (squared * squared)
                if directivity:
                    share *= (z * z / squared) ** np.float32(directivity / 2)
                result[band, 0] += share * to_x
                result[band, 1] += share * to_y
                result[band, 2] -= share * z
        return result

    def _of_rectangles(self, x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
        half = np.float32(self.phone.width_mm / 2)
        edges = self._edges()
        rays = [[_unit(side - x, edge - y, -z) for side in (-half, half)] for edge in edges]
        across = [_edge(left, right) for left, right in rays]
        down = [[_edge(rays[i][side], rays[i + 1][side]) for side in (0, 1)] for i in range(self.bands)]
        # Clockwise around each band, from its top left corner.
        return np.stack(
            [across[i] + down[i][1] - across[i + 1] - down[i][0] for i in range(self.bands)]
        ) * np.float32(0.5)


def _unit(x: FloatMap, y: FloatMap, z: FloatMap) -> NDArray[np.float32]:
    ray = np.stack(np.broadcast_arrays(x, y, z)).astype(np.float32)
    return np.asarray(ray / np.sqrt(np.maximum((ray * ray).sum(axis=0), _NEAREST)), dtype=np.float32)


def _edge(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one edge's contribution to the polygon integral: its angle times the normal of its plane."""
    normal = np.cross(first, second, axis=0)
    sine = np.sqrt((normal * normal).sum(axis=0))
    angle = np.arctan2(sine, (first * second).sum(axis=0))
    return np.asarray(normal * (angle / np.maximum(sine, _NEAREST)), dtype=np.float32)
